//! The data API: what was received is found, shown, delivered again and erased, by those who may.
use boathook_api::{ROUTES, Role};
use serde_json::Value;

use super::{
    program::{Answer, GITHUB, Program, Request, SECRET, configuration, until},
    sink::Server,
};

fn http(server: &Server) -> String {
    format!("http: {{ url: \"http://{}/take\" }}", server.address)
}

/// A program with a sink that takes everything, and so many events that it has.
fn with_delivered(count: u64) -> (Server, Program) {
    let server = Server::start();
    let program = Program::start(&configuration(GITHUB, &http(&server)));
    (1..=count).for_each(|number| drop(program.send(&format!("d-{number}"), "push", "{\"a\":1}")));
    until("all deliveries", || (program.report()["sinks"][0]["delivered"] == count).then_some(()));
    (server, program)
}

/// The events of a list.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["events"].as_array().unwrap().clone()
}

fn uid(program: &Program, id: &str) -> String {
    events(&program.call("GET", &format!("/v1/events?id={id}"), ""))[0]["uid"].as_str().unwrap().to_owned()
}

fn problem(answer: &Answer) -> (u16, String) {
    let json = answer.json();
    for member in ["message", "next"] {
        assert!(json["error"][member].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    }
    (answer.status, json["error"]["code"].as_str().unwrap().to_owned())
}

#[test]
fn every_route_asks_for_its_token() {
    let program = Program::start(&configuration(GITHUB, "log: {}"));
    let call = |method: &str, path: &str, token: Option<&str>| {
        let request = Request::new(method, path);
        let value = token.map(|token| format!("Bearer {token}"));
        value.iter().fold(request, |request, value| request.header("Authorization", value)).send(program.api)
    };
    let (view, operate) = (program.token("view"), program.token("operate"));
    for route in &ROUTES {
        let path = route.path.replace("{namespace}/{name}", "default/nobody");
        let path = path.replace("{uid}", "018f0000-0000-7000-8000-000000000000").replace("{id}", "nobody");
        for token in [None, Some("0123456789abcdef"), Some("")] {
            let answer = call(route.method, &path, token);
            assert_eq!(problem(&answer), (401, "unauthorized".into()), "{route:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        match (route.role, call(route.method, &path, Some(&view))) {
            (Role::Operate, answer) => assert_eq!(problem(&answer), (403, "forbidden".into()), "{route:?}"),
            (Role::View, answer) => assert!([200, 404].contains(&answer.status), "{route:?}"),
        }
        // It is known: what is not there is not taken for a route that is not there.
        let answer = call(route.method, &path, Some(&operate));
        assert!([200, 400, 404].contains(&answer.status), "{route:?}");
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("no such route"), "{route:?}: {text}");
    }
    assert_eq!(problem(&call("GET", "/v1/nothing", Some(&view))), (404, "not_found".into()));
    assert_eq!(problem(&call("PUT", "/v1/events", Some(&operate))), (405, "method_not_allowed".into()));
    assert_eq!(problem(&call("GET", "/v1/events?colour=red", Some(&view))), (400, "invalid".into()));
    assert_eq!(problem(&call("GET", "/v1/events?limit=0", Some(&view))), (400, "invalid".into()));
    assert_eq!(problem(&call("GET", "/v1/events?endpoint=in", Some(&view))), (400, "invalid".into()));
    assert_eq!(problem(&program.call("POST", "/v1/replays", "{}")), (400, "invalid".into()));
}

#[test]
fn events_are_found_page_by_page_and_shown_whole() {
    let (_server, program) = with_delivered(3);
    let first = program.call("GET", "/v1/events?endpoint=default/in&state=delivered&limit=2", "");
    let cursor = first.json()["next"].as_str().unwrap().to_owned();
    let rest = program.call(
        "GET",
        &format!("/v1/events?endpoint=default/in&state=delivered&limit=2&cursor={cursor}"),
        "",
    );
    let ids: Vec<Value> =
        [events(&first), events(&rest)].concat().iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids, ["d-3", "d-2", "d-1"]);
    assert!(rest.json().get("next").is_none());
    let shown = program.call("GET", &format!("/v1/events/{}", uid(&program, "d-2")), "").json();
    assert_eq!(
        (&shown["id"], &shown["type"], &shown["body"]["text"]),
        (&"d-2".into(), &"push".into(), &"{\"a\":1}".into())
    );
    let headers = shown["headers"].as_array().unwrap();
    assert!(headers.iter().any(|header| header["name"] == "x-github-event" && header["value"] == "push"));
    assert_eq!(
        (&shown["deliveries"][0]["state"], &shown["deliveries"][0]["attempts"]),
        (&"delivered".into(), &1.into())
    );
    assert_eq!(program.call("GET", "/v1/sinks", "").json()["sinks"][0]["successRate"], 1.0);
    assert_eq!(program.call("GET", "/v1/endpoints", "").json()["endpoints"][0]["events"]["accepted"], 3);
}

#[test]
fn what_happened_is_told_by_the_hour_and_outlives_a_restart() {
    let (server, program) = with_delivered(3);
    drop(program.send("d-3", "push", "{\"a\":1}"));
    let program = Program::start_in(program.stop(), &[]);
    let all = program.call("GET", "/v1/statistics", "").json();
    let (endpoint, sink) = (&all["endpoints"][0], &all["sinks"][0]);
    assert_eq!((&endpoint["name"], &endpoint["events"]["duplicate"]), (&"default/in".into(), &1.into()));
    assert_eq!((&endpoint["types"]["push"], &endpoint["deliveries"][0]["delivered"]), (&3.into(), &3.into()));
    assert_eq!((&sink["successRate"], &sink["latency"]["count"]), (&1.0.into(), &3.into()));
    assert_eq!((endpoint["hours"].as_array().unwrap().len(), &sink["hours"]), (0, &serde_json::json!([])));
    let one = program.call("GET", "/v1/statistics?endpoint=default/in", "").json();
    let hours = one["endpoints"][0]["hours"].as_array().unwrap();
    let accepted: u64 = hours.iter().filter_map(|hour| hour["events"]["accepted"].as_u64()).sum();
    assert_eq!((accepted, &one["sinks"]), (3, &serde_json::json!([])));
    let reversed = "/v1/statistics?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z";
    assert_eq!(problem(&program.call("GET", reversed, "")), (400, "invalid".into()));
    drop(server);
}

#[test]
fn a_delivered_event_is_delivered_again_under_a_key_of_its_own() {
    let (server, program) = with_delivered(1);
    let uid = uid(&program, "d-1");
    let replay = || program.call("POST", &format!("/v1/events/{uid}/replay"), "").json();
    assert_eq!(replay()["deliveries"], 1);
    until("the replay", || (server.got().len() == 2).then_some(()));
    assert_eq!(server.values("idempotency-key"), [uid.clone(), format!("{uid}:r1")]);
    assert_eq!(server.values("boathook-replay"), ["", "1"]);
    assert_eq!(server.values("boathook-attempt"), ["1", "1"]);
    let sink = || program.call("GET", "/v1/sinks", "").json()["sinks"][0].clone();
    until("the count", || (sink()["delivered"] == 2 && sink()["pending"] == 0).then_some(()));
    let event = program.call("GET", &format!("/v1/events/{uid}"), "").json();
    let replays: Vec<Value> =
        event["deliveries"].as_array().unwrap().iter().map(|one| one["replay"].clone()).collect();
    assert_eq!(replays, [0, 1]);
}

#[test]
fn what_is_parked_is_counted_and_delivered_by_a_filter_and_outlives_a_kill() {
    let server = Server::start();
    server.answer(410);
    let program = Program::start(&configuration(GITHUB, &http(&server)));
    (1..=3).for_each(|number| drop(program.send(&format!("d-{number}"), "push", "{}")));
    let parked = |program: &Program| program.report()["sinks"][0]["parked"].clone();
    until("them to be parked", || (parked(&program) == 3).then_some(()));
    server.answer(200);
    let filter = r#"{"sink":"default/out","dryRun":true}"#;
    let counted = program.call("POST", "/v1/replays", filter);
    assert_eq!((counted.status, &counted.json()["state"]), (201, &"done".into()));
    assert_eq!((&counted.json()["events"], &counted.json()["deliveries"]), (&3.into(), &3.into()));
    assert_eq!((server.got().len(), parked(&program)), (3, 3.into()), "nothing was delivered");
    let slowly = r#"{"endpoint":"default/in","perMinute":1}"#;
    let started = program.call("POST", "/v1/replays", slowly).json();
    let id = started["id"].as_str().unwrap();
    let show = || program.call("GET", &format!("/v1/replays/{id}"), "").json();
    until("the first", || (show()["deliveries"] == 1).then_some(()));
    assert_eq!(program.call("DELETE", &format!("/v1/replays/{id}"), "").json()["state"], "cancelled");
    until("its delivery", || (program.report()["sinks"][0]["delivered"] == 1).then_some(()));
    assert_eq!(parked(&program), 2);
    let program = Program::start_in(program.kill(), &[]);
    let all = program.call("POST", "/v1/replays", r#"{"endpoint":"default/in"}"#).json();
    let id = all["id"].as_str().unwrap();
    until("the end", || {
        (program.call("GET", &format!("/v1/replays/{id}"), "").json()["state"] == "done").then_some(())
    });
    until("the rest", || (program.report()["sinks"][0]["delivered"] == 3).then_some(()));
    assert_eq!((parked(&program), &program.report()["sinks"][0]["pending"]), (0.into(), &0.into()));
}

#[test]
fn refused_requests_are_remembered_without_anything_of_theirs() {
    let program = Program::start(&configuration(GITHUB, "log: {}"));
    let mut request = Request::signed("1", "push", "{\"private\":\"words\"}");
    request.body.push(b'\n');
    assert_eq!(request.send(program.public).status, 401);
    let rejections = |program: &Program| {
        program.call("GET", "/v1/rejections?endpoint=default/in", "").json()["rejections"]
            .as_array()
            .unwrap()
            .clone()
    };
    until("the record", || (rejections(&program).len() == 1).then_some(()));
    let program = Program::start_in(program.kill(), &[]);
    let kept = rejections(&program).remove(0);
    assert_eq!(
        (&kept["code"], &kept["status"], &kept["source"]),
        (&"invalid_signature".into(), &401.into(), &"127.0.0.1".into())
    );
    assert!(kept["diagnosis"].as_str().unwrap().contains("without its trailing line end"), "{kept}");
    assert!(!kept.to_string().contains("private") && !kept.to_string().contains(SECRET), "{kept}");
}

#[test]
fn a_sink_is_tried_and_an_event_is_erased() {
    let (server, program) = with_delivered(1);
    let test = |body: &str| program.call("POST", "/v1/sinks/default/out/test", body).json();
    let taken = test(r#"{"type":"team.test","body":{"n":1}}"#);
    assert_eq!((&taken["delivered"], &taken["responseStatus"]), (&true.into(), &200.into()));
    let got = server.got().pop().unwrap();
    assert_eq!((got.header("boathook-event-type"), &got.body[..]), (Some("team.test"), &b"{\"n\":1}"[..]));
    server.answer(500);
    let refused = test("");
    assert_eq!((&refused["delivered"], &refused["responseStatus"]), (&false.into(), &500.into()));
    assert_eq!(program.report()["sinks"][0]["failedAttempts"], 0, "a test counts nowhere");
    let uid = uid(&program, "d-1");
    assert_eq!(program.call("DELETE", &format!("/v1/events/{uid}"), "").status, 204);
    assert_eq!(problem(&program.call("GET", &format!("/v1/events/{uid}"), "")), (404, "not_found".into()));
    server.answer(200);
    assert_eq!(program.send("d-1", "push", "{\"a\":1}").status, 200);
    assert_eq!(program.report()["endpoints"][0]["events"]["duplicate"], 1, "it is still known");
}

#[test]
fn what_is_erased_is_tried_no_more_and_lets_the_next_of_its_key_go() {
    let server = Server::start();
    server.refuse(Some("first"));
    let endpoint = format!("{GITHUB}\nevents: {{ key: \"{{/key}}\" }}");
    let retry = "retry: { initialDelay: 1h, jitter: None }";
    let mut program = Program::start(&configuration(&endpoint, &format!("{}\n{retry}", http(&server))));
    for (key, restarts) in [("memory", false), ("store", true)] {
        for id in ["first", "second"] {
            let body = format!("{{\"key\":\"{key}\",\"id\":\"{id}\"}}");
            assert_eq!(program.send(&format!("{id}-{key}"), "push", &body).status, 200);
        }
        let failed = if restarts { 2 } else { 1 };
        until("the first to fail", || {
            (program.report()["sinks"][0]["failedAttempts"] == failed).then_some(())
        });
        if restarts {
            program = Program::start_in(program.stop(), &[]);
        }
        let uid = uid(&program, &format!("first-{key}"));
        assert_eq!(program.call("DELETE", &format!("/v1/events/{uid}"), "").status, 204);
        let second = format!("second-{key}");
        until("the second to come", || server.values("x-github-delivery").contains(&second).then_some(()));
    }
}

#[test]
fn what_a_value_is_found_in_is_counted_and_then_erased() {
    let program = Program::start(&configuration(&format!("{GITHUB}\nmode: Shadow"), "log: {}"));
    let send = |id: &str, mail: &str| {
        program.send(id, "push", &format!("{{\"user\":{{\"email\":\"{mail}\"}}}}")).status
    };
    let sent = [("d-1", "ann@example.org"), ("d-2", "bob@example.org"), ("d-3", "ann@example.org")];
    assert_eq!(sent.map(|(id, mail)| send(id, mail)), [200; 3]);
    let asked = |more: &str| {
        let body = format!(
            "{{\"endpoint\":\"default/in\",\"template\":\"{{/user/email}}\",\"value\":\"ann@example.org\"{more}}}"
        );
        let begun = program.call("POST", "/v1/erasures", &body);
        assert_eq!(begun.status, 201, "{}", begun.json());
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        until("its end", || {
            let erasure = program.call("GET", &format!("/v1/erasures/{id}"), "").json();
            (erasure["state"] == "done").then_some(erasure)
        })
    };
    let numbers = |erasure: &Value| {
        ["lookedAt", "events", "pending", "parked"].map(|name| erasure[name].as_u64().unwrap())
    };
    assert_eq!(numbers(&asked(",\"dryRun\":true")), [3, 2, 0, 2]);
    let erased = asked("");
    assert_eq!(numbers(&erased), [3, 2, 0, 2]);
    assert!(!erased.to_string().contains("ann@example.org"), "{erased}");
    let left = events(&program.call("GET", "/v1/events", ""));
    assert_eq!(left.iter().map(|event| event["id"].clone()).collect::<Vec<_>>(), ["d-2"]);
    let sink = program.report()["sinks"][0].clone();
    assert_eq!((&sink["parked"], &sink["erased"]), (&1.into(), &2.into()));
    assert_eq!(send("d-1", "ann@example.org"), 200, "it is still known");
    assert_eq!(program.report()["endpoints"][0]["events"]["duplicate"], 1);
    let wrong = r#"{"endpoint":"default/in","template":"email","value":"x"}"#;
    assert_eq!(problem(&program.call("POST", "/v1/erasures", wrong)), (400, "invalid".into()));
}
