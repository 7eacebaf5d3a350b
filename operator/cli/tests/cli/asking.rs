//! Asking a receiver what came of its events, and having them delivered again.
use serde_json::{Value, json};

use crate::{
    api::Api,
    program::{Exit, Files, program},
};

const UID: &str = "018f0000-0000-7000-8000-000000000001";

/// Runs a command against it, with the token that it wants.
fn ask(api: &Api, arguments: &[&str]) -> Exit {
    let files = Files::new();
    let token = files.add("operate", "0123456789abcdef\n");
    let place = ["--url", &api.url, "--token-file", &token];
    let at = if arguments[0] == "sink" { 2 } else { 1 };
    program(&[&arguments[..at], &place, &arguments[at..]].concat(), b"")
}

fn event(state: &str) -> Value {
    json!({
        "uid": UID, "endpoint": "default/in", "receivedAt": "2026-11-26T12:00:00.5Z", "id": "d-1", "type": "push",
        "key": "acme/app", "bytes": 8,
        "deliveries": [{
            "sink": "default/out", "replay": 0, "state": state, "parkedFor": "permanent", "attempts": 1,
            "completedAt": "2026-11-26T12:00:01Z",
            "failures": [{
                "number": 1, "startedAt": "2026-11-26T12:00:01Z", "durationMs": 3, "kind": "refused", "permanent": true,
                "responseStatus": 410, "error": "gone \u{1b}[31m",
            }],
        }],
    })
}

fn endpoints(failures: u64) -> Value {
    json!({ "endpoints": [{
        "name": "default/in", "path": "/in", "paused": false, "consecutiveFailures": failures, "notices": ["mind this"],
        "health": if failures < 10 { "Healthy" } else { "Failed" }, "recommendations": ["look at the sink"],
        "oldestPendingSeconds": 3,
        "events": { "accepted": 7, "rejected": 2, "delivered": 6, "pending": 1, "parked": 0 },
        "lastEventTime": "2026-11-26T12:00:00Z",
    }] })
}

fn sinks(breaker: &str) -> Value {
    json!({ "sinks": [{
        "name": "default/out", "configured": true, "suspended": false, "delivered": 6, "pending": 1, "parked": 0, "erased": 0,
        "failedAttempts": 3, "successRate": 0.998, "inFlight": 0, "consecutiveFailures": 0, "breaker": breaker,
    }] })
}

#[test]
fn events_are_listed_over_pages_with_the_filters_that_were_given() {
    let page = json!({ "events": [event("parked")], "next": "a" });
    let api = Api::answering(vec![
        (
            "GET /v1/events?cursor=a&endpoint=default%2Fin&limit=2&order=newestFirst&state=parked",
            200,
            json!({ "events": [event("delivered")] }),
        ),
        ("GET /v1/events?endpoint=default%2Fin&limit=3&order=newestFirst&state=parked", 200, page),
    ]);
    let exit = ask(&api, &["events", "--endpoint", "in", "--state", "parked", "--limit", "3"]);
    assert_eq!((exit.status, &*exit.errors), (0, ""), "{}", exit.output);
    let lines: Vec<&str> = exit.output.lines().collect();
    assert!(lines[0].starts_with("RECEIVED") && lines[0].ends_with("DELIVERIES"), "{}", lines[0]);
    assert!(
        lines[1].starts_with("2026-11-26T12:00:0") && lines[1].ends_with("out parked after 1"),
        "{}",
        lines[1]
    );
    assert!(lines[2].ends_with("out delivered"), "{}", lines[2]);
    assert_eq!(api.asked()[0].token, "0123456789abcdef");
}

#[test]
fn status_says_in_one_word_how_each_stands_and_unhealthy_ends_with_1() {
    let api = Api::answering(vec![
        ("GET /v1/endpoints", 200, endpoints(0)),
        ("GET /v1/sinks", 200, sinks("Closed")),
    ]);
    let exit = ask(&api, &["status"]);
    assert_eq!((exit.status, &*exit.errors), (0, ""));
    assert!(exit.output.contains("default/in  Healthy") && exit.output.contains("99.8%"), "{}", exit.output);
    let exit = ask(&api, &["status", "--unhealthy"]);
    assert_eq!((exit.status, &*exit.output), (0, "all endpoints and sinks are healthy\n"));
    let api = Api::answering(vec![
        ("GET /v1/endpoints", 200, endpoints(10)),
        ("GET /v1/sinks", 200, sinks("Open")),
    ]);
    let exit = ask(&api, &["status", "--unhealthy", "-o", "json"]);
    let told: Value = serde_json::from_str(&exit.output).unwrap();
    assert_eq!(
        (exit.status, &told["sinks"][0]["breaker"], &told["endpoints"][0]["name"]),
        (1, &"Open".into(), &"default/in".into())
    );
}

#[test]
fn an_event_is_explained_up_to_the_next_step() {
    let api = Api::answering(vec![
        ("GET /v1/endpoints", 200, endpoints(0)),
        ("GET /v1/events?id=d-1", 200, json!({ "events": [event("parked")] })),
        ("GET /v1/events?id=", 200, json!({ "events": [] })),
        ("GET /v1/events/", 200, event("delivered")),
    ]);
    let exit = ask(&api, &["explain", "d-1"]);
    assert_eq!(exit.status, 1, "it is parked");
    for part in [
        "event d-1, push, key acme/app",
        "default/out: parked 2026-11-26T12:00:01Z after 1 attempt (permanent); last: 410, refused: gone \u{fffd}[31m",
        &format!("next: mend the sink, then `boathook replay {UID}`"),
    ] {
        assert!(exit.output.contains(part), "{part} is not in {}", exit.output);
    }
    let exit = ask(&api, &["explain", "d-2"]);
    assert_eq!(exit.status, 2);
    assert!(exit.errors.contains("boathook rejections"), "{}", exit.errors);
}

#[test]
fn an_endpoint_is_explained_with_what_was_refused_lately() {
    let rejection = json!({
        "endpoint": "default/in", "receivedAt": "2026-11-26T12:00:00Z", "code": "invalid_signature", "status": 401,
        "source": "192.0.2.7", "diagnosis": "another secret",
    });
    let api = Api::answering(vec![
        ("GET /v1/endpoints", 200, endpoints(0)),
        ("GET /v1/rejections?endpoint=default%2Fin&limit=5", 200, json!({ "rejections": [rejection] })),
        (
            "GET /v1/events?endpoint=default%2Fin&limit=10&state=parked",
            200,
            json!({ "events": [event("parked")] }),
        ),
    ]);
    let exit = ask(&api, &["explain", "in"]);
    for part in [
        "endpoint default/in at /in: Healthy",
        "192.0.2.7: 401 invalid_signature: another secret",
        "next: look at the sink",
        "note: mind this",
        "replay --endpoint default/in --dry-run",
    ] {
        assert!(exit.output.contains(part), "{part} is not in {}", exit.output);
    }
}

#[test]
fn replays_are_by_name_or_by_filter() {
    let replay = |state: &str| {
        json!({
            "id": "r1", "state": state, "request": { "sink": "default/out", "dryRun": false }, "events": 3, "deliveries": 3,
            "alreadyPending": 0, "startedAt": "2026-11-26T12:00:00Z",
        })
    };
    let api = Api::answering(vec![
        ("GET /v1/events?id=d-1", 200, json!({ "events": [event("parked")] })),
        ("POST /v1/events/", 200, json!({ "deliveries": 1, "alreadyPending": 0 })),
        ("POST /v1/replays", 201, replay("running")),
        ("GET /v1/replays/r1", 200, replay("done")),
        ("DELETE /v1/replays/r1", 200, replay("cancelled")),
    ]);
    let exit = ask(&api, &["replay", "d-1", "--to", "other"]);
    assert_eq!((exit.status, exit.output), (0, format!("{UID}: 1 deliveries go out again\n")));
    let posted = api.asked().into_iter().find(|asked| asked.what.starts_with("POST")).unwrap();
    assert_eq!(
        (posted.what, posted.body),
        (format!("POST /v1/events/{UID}/replay"), r#"{"to":"default/other"}"#.into())
    );
    let exit = ask(&api, &["replay", "--sink", "out", "--since", "2h", "--per-minute", "60"]);
    assert_eq!((exit.status, &*exit.output), (0, "replay r1 done: 3 deliveries of 3 events go out again\n"));
    let exit = ask(&api, &["replay", "--cancel", "r1"]);
    assert_eq!(
        (exit.status, &*exit.output),
        (0, "replay r1 cancelled: 3 deliveries of 3 events go out again\n")
    );
    assert_eq!(ask(&api, &["replay", "d-1", "--since", "2h"]).status, 2, "one or the other");
}

#[test]
fn a_sink_that_does_not_take_the_test_ends_with_1() {
    let outcome = |delivered: bool| {
        json!({
            "delivered": delivered, "responseStatus": 500, "durationMs": 7, "uid": UID, "sentAt": "2026-11-26T12:00:00Z",
            "kind": "refused", "error": "no",
        })
    };
    let api = Api::answering(vec![
        ("POST /v1/sinks/default/out/test", 200, outcome(false)),
        ("POST /v1/sinks/default/good/test", 200, outcome(true)),
    ]);
    let exit = ask(&api, &["sink", "verify", "out", "--type", "a.b"]);
    assert_eq!((exit.status, &*exit.output), (1, "not taken with 500 in 7 ms: refused: no\n"));
    assert_eq!(api.asked()[0].body, r#"{"type":"a.b"}"#);
    assert_eq!(ask(&api, &["sink", "verify", "good"]).status, 0);
}

#[test]
fn what_the_receiver_says_is_wrong_is_told_with_its_next_step() {
    let problem = json!({ "error": { "code": "forbidden", "message": "this token may read only", "next": "take the other" } });
    let api = Api::answering(vec![("GET /v1/rejections", 403, problem)]);
    let exit = ask(&api, &["rejections"]);
    assert_eq!((exit.status, &*exit.errors), (2, "boathook: this token may read only: take the other\n"));
    let exit = program(&["status", "--url", &api.url, "--token-file", "/nowhere/view"], b"");
    assert_eq!(exit.status, 2);
    assert!(exit.errors.contains("--token-file") && exit.errors.contains("api-tokens"), "{}", exit.errors);
    let mut gone = Api::answering(Vec::new());
    gone.url = "http://127.0.0.1:9".into();
    let exit = ask(&gone, &["status"]);
    assert!(exit.status == 2 && exit.errors.contains("no answer from http://127.0.0.1:9"), "{}", exit.errors);
}

#[test]
fn statistics_are_told_in_tables_the_most_frequent_type_first() {
    let hour = json!({
        "hour": "2026-11-26T12:00:00Z", "events": { "accepted": 5 }, "delivered": 4, "parked": 1, "skipped": 0, "failedAttempts": 2,
    });
    let told = json!({
        "since": "2026-11-26T12:00:00Z", "until": "2026-11-26T13:00:00Z", "sinks": [],
        "endpoints": [{
            "name": "default/in", "events": { "accepted": 5, "rejected": 2 }, "types": { "pull": 1, "push": 3 },
            "otherTypes": 0, "withoutType": 1, "hours": [hour],
            "deliveries": [{ "sink": "default/out", "delivered": 4, "parked": 1, "skipped": 0, "failedAttempts": 2, "successRate": 0.8 }],
        }],
    });
    let api = Api::answering(vec![("GET /v1/statistics?endpoint=default%2Fin", 200, told)]);
    let exit = ask(&api, &["statistics", "--endpoint", "in"]);
    assert_eq!((exit.status, &*exit.errors), (0, ""), "{}", exit.output);
    let lines: Vec<&str> = exit.output.lines().filter(|line| !line.is_empty()).collect();
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(columns(lines[2]), ["default/in", "5", "0", "0", "2", "4", "1", "0", "80.0%"]);
    assert_eq!([lines[4], lines[5], lines[6]].map(|line| columns(line)[1].clone()), ["push", "(no", "pull"]);
    assert!(lines[8].starts_with("2026-11-26T12:00:00Z"), "{}", exit.output);
}

#[test]
fn statistics_of_a_sink_say_how_long_it_took() {
    let latency = json!({
        "count": 4, "meanMs": 20, "p50Ms": 10, "p90Ms": 30, "p95Ms": 40, "p99Ms": 50, "maxMs": 60,
    });
    let told = json!({
        "since": "2026-11-26T12:00:00Z", "until": "2026-11-26T13:00:00Z", "endpoints": [],
        "sinks": [{
            "name": "default/out", "delivered": 4, "parked": 0, "skipped": 0, "failedAttempts": 2, "successRate": 1.0,
            "latency": latency, "hours": [],
        }],
    });
    let api = Api::answering(vec![("GET /v1/statistics?sink=default%2Fout", 200, told)]);
    let exit = ask(&api, &["statistics", "--sink", "out"]);
    assert_eq!((exit.status, &*exit.errors), (0, ""), "{}", exit.output);
    let row = exit.output.lines().last().unwrap().to_owned();
    assert!(
        row.starts_with("default/out") && row.ends_with("100.0%   20 ms  10 ms  40 ms  50 ms  60 ms"),
        "{row}"
    );
}

#[test]
fn what_a_sink_would_get_is_shown_like_a_request() {
    let rendered = json!({ "uid": UID, "key": "acme/app", "deliveries": [
        {
            "sink": "default/out", "state": "parked", "attempt": 1, "destination": "http://a.example/take",
            "headers": [{ "name": "authorization", "value": "[secret]" }], "body": { "text": "{\"a\":1}" },
        },
        { "sink": "default/gone", "attempt": 1, "headers": [], "error": "the sink is not configured any more" },
    ] });
    let api = Api::answering(vec![
        ("GET /v1/endpoints", 200, endpoints(0)),
        ("GET /v1/events?id=d-1", 200, json!({ "events": [event("parked")] })),
        ("GET /v1/events/018f0000-0000-7000-8000-000000000001/rendered", 200, rendered),
    ]);
    let exit = ask(&api, &["explain", "d-1", "--rendered"]);
    assert_eq!((exit.status, &*exit.errors), (1, ""), "{}", exit.output);
    let expected = format!(
        "default/out would get of {UID}, key acme/app, attempt 1:\n  to http://a.example/take\n  authorization: [secret]\n\n  \
         {{\"a\":1}}\ndefault/gone would get of {UID}, key acme/app, attempt 1:\n  nothing: the sink is not configured any more\n"
    );
    assert!(exit.output.ends_with(&expected), "{}", exit.output);
}

#[test]
fn events_are_erased_by_name_or_by_a_value() {
    let erasure = |state: &str| {
        json!({
            "id": "e1", "state": state, "endpoint": "default/in", "template": "{/user/email}", "dryRun": false,
            "lookedAt": 9, "events": 2, "pending": 1, "parked": 0, "startedAt": "2026-11-26T12:00:00Z",
        })
    };
    let api = Api::answering(vec![
        ("POST /v1/erasures", 201, erasure("running")),
        ("GET /v1/erasures/e1", 200, erasure("done")),
        ("GET /v1/events?id=d-1", 200, json!({ "events": [event("parked")] })),
        ("DELETE /v1/events/", 204, Value::Null),
    ]);
    let value = ["--template", "{/user/email}", "--value", "ann@example.org"];
    let exit = ask(&api, &[&["erase", "--endpoint", "in"][..], &value].concat());
    assert_eq!((exit.status, &*exit.errors), (0, ""), "{}", exit.output);
    assert_eq!(
        exit.output,
        "erasure e1 done: 2 of 9 events of default/in are erased, with 1 pending and 0 parked deliveries\n"
    );
    let exit = ask(&api, &["erase", "d-1"]);
    assert_eq!((exit.status, exit.output), (0, format!("{UID}: erased\n")), "{}", exit.errors);
    let exit = ask(&api, &[&["erase"][..], &value].concat());
    assert_eq!(exit.status, 2, "everything of every endpoint would be too much");
}
