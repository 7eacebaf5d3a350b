//! What ends without an attempt, and what is not taken because too much waits.
use serde_json::Value;

use super::{
    program::{GITHUB, Program, configuration, until},
    sink::Server,
};

fn http(server: &Server, more: &str) -> String {
    format!("http: {{ url: \"http://{}/take\" }}\n{more}", server.address)
}

fn sink(program: &Program) -> Value {
    program.report()["sinks"][0].clone()
}

#[test]
fn a_suspended_sink_that_skips_leaves_out_what_waits_and_what_comes_until_somebody_replays_it() {
    let server = Server::start();
    let program = Program::start(&configuration(GITHUB, &http(&server, "suspend: true")));
    program.send("d-1", "push", "{}");
    program.configure(&configuration(GITHUB, &http(&server, "suspend: true\nwhenSuspended: Skip")));
    until("what waited to be left out", || (sink(&program)["skipped"] == 1).then_some(()));
    program.send("d-2", "push", "{}");
    until("what came to be left out", || (sink(&program)["skipped"] == 2).then_some(()));
    assert_eq!((&sink(&program)["pending"], &sink(&program)["parked"]), (&0.into(), &0.into()));
    assert_eq!(program.report()["endpoints"][0]["events"]["skipped"], 2);
    assert_eq!(program.metric(r#"boathook_deliveries_total{outcome="skipped",sink="default/out"}"#), 2.0);
    let skipped = program.call("GET", "/v1/events?state=skipped", "").json();
    assert_eq!(skipped["events"].as_array().map(Vec::len), Some(2));
    assert_eq!(skipped["events"][0]["deliveries"][0]["state"], "skipped");
    program.configure(&configuration(GITHUB, &http(&server, "")));
    until("it to be served again", || (sink(&program)["suspended"] == false).then_some(()));
    program.send("d-3", "push", "{}");
    until("what comes later", || (sink(&program)["delivered"] == 1).then_some(()));
    assert_eq!(program.send("d-1", "push", "{}").status, 200, "skipped is not parked: it is not armed again");
    let uid = skipped["events"][0]["uid"].as_str().unwrap();
    assert_eq!(program.call("POST", &format!("/v1/events/{uid}/replay"), "").json()["deliveries"], 1);
    until("the replay", || (sink(&program)["delivered"] == 2).then_some(()));
    assert_eq!(server.values("boathook-event-id"), ["d-3", "d-2"]);
    assert_eq!(sink(&program)["skipped"], 1);
}

#[test]
fn who_waits_for_a_delivery_does_not_wait_for_a_sink_that_skips() {
    let server = Server::start();
    let endpoint = format!("{GITHUB}\nacknowledge: {{ mode: OnDelivered, deadline: 10s }}");
    let skips = http(&server, "suspend: true\nwhenSuspended: Skip");
    let program = Program::start(&configuration(&endpoint, &skips));
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    assert_eq!(sink(&program)["skipped"], 1);
}

#[test]
fn what_is_too_old_is_parked_while_the_sink_is_down() {
    // Port 9 of loopback: refused.
    let dead =
        "http: { url: \"http://127.0.0.1:9/\" }\nretry: { initialDelay: 1h, jitter: None, maxAge: 2h }";
    let program = Program::start(&configuration(GITHUB, dead));
    program.send("d-1", "push", "{}");
    until("the first attempt", || (sink(&program)["failedAttempts"] == 1).then_some(()));
    program.configure(&configuration(GITHUB, &dead.replace("2h", "100ms")));
    // What waits in the store alone is found as well.
    let program = Program::start_in(program.stop(), &[]);
    until("it to be parked", || (sink(&program)["parked"] == 1).then_some(()));
    program.logged(
        "parked: older than retry.maxAge; mend the sink, then replay it, or let the provider send the event again",
    );
    assert_eq!(sink(&program)["failedAttempts"], 1);
}

#[test]
fn only_what_goes_to_a_sink_with_a_full_backlog_is_refused_also_after_a_restart() {
    const BODY: &str = "{\"n\":1}";
    let server = Server::start();
    let all = |more: &str| {
        let other = "apiVersion: boathook.dev/v1alpha1\nkind: WebhookSink\nmetadata: { name: other }\nspec: { log: {} }\n---\n";
        let sinks = "{ name: out, types: [push] }, { name: other }]";
        other.to_owned() + &configuration(GITHUB, &http(&server, more)).replace("{ name: out }]", sinks)
    };
    let program = Program::start(&all(&format!("suspend: true\nbacklogBytesMax: {}", 3 * BODY.len())));
    let mut sent = 0;
    let refused = until("it to be full", || {
        sent += 1;
        let answer = program.send(&format!("d-{sent}"), "push", BODY);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((refused.refusal(), refused.header("retry-after")), ((503, "unavailable".into()), Some("5")));
    assert!(program.logged("refused")["reason"].as_str().unwrap().contains("default/out"));
    // One may be counted twice while the store is asked, never one too few.
    let waiting = sent - 1;
    assert!((2..=3).contains(&waiting), "{waiting} were taken");
    let sinks = program.report()["sinks"].clone();
    let out = sinks.as_array().unwrap().iter().find(|sink| sink["name"] == "default/out").unwrap();
    assert_eq!(out["pendingBytes"], waiting * BODY.len());
    let metric = program.metric(r#"boathook_pending_bytes{sink="default/out"}"#);
    assert!((metric - (waiting * BODY.len()) as f64).abs() < 0.5, "{metric}");
    let busy = || program.report()["endpoints"][0]["events"]["busy"] == 1;
    until("it to be counted", || busy().then_some(()));
    assert_eq!(program.send("f-1", "fork", BODY).status, 200, "it goes to the other one");
    let program = Program::start_in(program.kill(), &[]);
    until("it to be full again", || {
        sent += 1;
        (program.send(&format!("d-{sent}"), "push", BODY).status != 200).then_some(())
    });
    let all_of_them = sent - 2;
    assert!(all_of_them <= waiting + 1, "{all_of_them} were taken");
    assert_eq!(program.send("f-2", "fork", BODY).status, 200);
    program.configure(&all("backlogBytesMax: 21"));
    until("room", || (program.send("late", "push", BODY).status == 200).then_some(()));
    until("all of them", || (server.got().len() == 4).then_some(()));
}
