//! `acknowledge.mode: OnDelivered`: a 2xx means that every required sink has the event.
use std::thread;

use super::{
    program::{Answer, GITHUB, Program, Request, SECRET, configuration, until},
    sink::Server,
};

/// Longer than a test waits for anything: whoever is answered was not late.
pub(crate) const FAR: &str = "30s";

/// An endpoint that waits so long for its sinks.
pub(crate) fn endpoint(deadline: &str) -> String {
    format!("{GITHUB}\nacknowledge: {{ mode: OnDelivered, deadline: {deadline} }}")
}

/// A sink that is soon tried again.
pub(crate) fn sink(server: &Server, more: &str) -> String {
    format!(
        "http: {{ url: \"http://{}/take\" }}\nretry: {{ initialDelay: 50ms, multiplier: 1.0, jitter: None }}\n{more}",
        server.address
    )
}

/// How what is late or parked is answered.
pub(crate) fn not_delivered() -> (u16, String) {
    (503, "not_delivered".into())
}

/// The reason that the log gives for the last refusal.
fn reason(program: &Program) -> String {
    program.logged("refused")["reason"].as_str().unwrap().to_owned()
}

fn accepted(program: &Program) -> (u64, u64) {
    let events = program.report()["endpoints"][0]["events"].clone();
    (events["accepted"].as_u64().unwrap(), events["duplicate"].as_u64().unwrap())
}

#[test]
fn what_is_acknowledged_is_at_the_sink_already() {
    let server = Server::start();
    let program = Program::start(&configuration(&endpoint(FAR), &sink(&server, "")));
    for number in 1..=20 {
        assert_eq!(program.send(&format!("d-{number}"), "push", "{}").status, 200);
        assert_eq!(server.got().len(), number);
    }
    assert_eq!(program.metric(r#"boathook_requests_total{endpoint="default/in",outcome="accepted"}"#), 20.0);
}

#[test]
fn what_is_put_aside_as_it_comes_is_acknowledged_each_time_and_what_was_parked_later_is_not() {
    let server = Server::start();
    let park = "events: { schemas: [{ schema: { required: [id] }, onMismatch: Park }] }";
    let retry = "retry: { maxAttempts: 1 }";
    let sink = format!("http: {{ url: \"http://{}/take\" }}\n{retry}", server.address);
    let program = Program::start(&configuration(&format!("{}\n{park}", endpoint(FAR)), &sink));
    for _ in 0..3 {
        assert_eq!(program.send("d-1", "push", "{}").status, 200);
    }
    assert_eq!((accepted(&program), server.got().len()), ((1, 2), 0));
    server.answer(500);
    for attempts in 1..=2 {
        assert_eq!(program.send("d-2", "push", "{\"id\":1}").refusal(), not_delivered());
        assert_eq!(server.got().len(), attempts);
    }
}

#[test]
fn what_is_late_is_answered_as_a_failure_and_delivered_all_the_same() {
    let server = Server::start();
    server.hold(true);
    let program = Program::start(&configuration(&endpoint("200ms"), &sink(&server, "")));
    let answer = program.send("d-1", "push", "{}");
    assert_eq!((answer.refusal(), answer.header("retry-after")), (not_delivered(), Some("5")));
    assert!(reason(&program).contains("acknowledge.deadline"), "{}", reason(&program));
    server.hold(false);
    until("the delivery", || (program.report()["sinks"][0]["delivered"] == 1).then_some(()));
    assert_eq!(program.send("d-1", "push", "{}").status, 200, "it is known that the sink has it");
    assert_eq!((server.got().len(), accepted(&program)), (1, (1, 1)));
    assert_eq!(program.metric(r#"boathook_requests_total{endpoint="default/in",outcome="unanswered"}"#), 1.0);
}

#[test]
fn a_retry_of_the_provider_waits_for_the_same_delivery() {
    let server = Server::start();
    server.hold(true);
    let program = Program::start(&configuration(&endpoint(FAR), &sink(&server, "")));
    let to = program.public;
    let send = || thread::spawn(move || Request::signed("d-1", "push", "{}").send(to).status);
    let first = send();
    until("the delivery to be under way", || (server.got().len() == 1).then_some(()));
    let others: Vec<_> = (0..3).map(|_| send()).collect();
    until("the retries to be known", || (accepted(&program) == (1, 3)).then_some(()));
    server.hold(false);
    assert_eq!(first.join().unwrap(), 200);
    others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), 200));
    assert_eq!(server.got().len(), 1);
}

#[test]
fn what_is_parked_fails_at_once_and_its_repetition_waits_for_another_attempt() {
    let server = Server::start();
    server.answer(410);
    let program = Program::start(&configuration(&endpoint(FAR), &sink(&server, "")));
    assert_eq!(program.send("d-1", "push", "{}").refusal(), not_delivered());
    assert!(reason(&program).contains("parked by the sink default/out"), "{}", reason(&program));
    server.answer(200);
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    assert_eq!((server.got().len(), accepted(&program)), (2, (1, 1)));
}

#[test]
fn a_suspended_sink_fails_at_once_also_who_waits_already() {
    let server = Server::start();
    server.hold(true);
    let program = Program::start(&configuration(&endpoint(FAR), &sink(&server, "")));
    let to = program.public;
    let waiting = thread::spawn(move || Request::signed("d-1", "push", "{}").send(to));
    until("the delivery to be under way", || (server.got().len() == 1).then_some(()));
    program.configure(&configuration(&endpoint(FAR), &sink(&server, "suspend: true")));
    assert_eq!(waiting.join().unwrap().refusal(), not_delivered());
    assert_eq!(program.send("d-2", "push", "{}").refusal(), not_delivered());
    assert!(reason(&program).contains("default/out is suspended"), "{}", reason(&program));
    server.hold(false);
    program.configure(&configuration(&endpoint(FAR), &sink(&server, "")));
    until("both", || (program.report()["sinks"][0]["delivered"] == 2).then_some(()));
}

#[test]
fn a_sink_that_is_left_alone_fails_at_once() {
    let server = Server::start();
    server.answer(500);
    let retry = sink(&server, "").replace("50ms", "1ms");
    let program = Program::start(&configuration(&endpoint(FAR), &retry));
    assert_eq!(program.send("d-1", "push", "{}").refusal(), not_delivered());
    assert!(reason(&program).contains("default/out is left alone"), "{}", reason(&program));
    server.answer(200);
    until("the delivery", || (program.report()["sinks"][0]["delivered"] == 1).then_some(()));
    assert_eq!(program.send("d-2", "push", "{}").status, 200);
}

#[test]
fn a_retry_after_a_crash_waits_for_the_same_delivery() {
    let server = Server::start();
    server.answer(500);
    let slow = sink(&server, "").replace("50ms", "400ms");
    let program = Program::start(&configuration(&endpoint("200ms"), &slow));
    assert_eq!(program.send("d-1", "push", "{}").refusal(), not_delivered());
    let folders = program.kill();
    server.answer(200);
    super::program::configure(folders.path(), &configuration(&endpoint(FAR), &slow));
    let program = Program::start_in(folders, &[]);
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    assert_eq!(accepted(&program), (1, 1));
    let keys = server.values("idempotency-key");
    assert!(keys.len() >= 2 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[test]
fn a_batch_is_acknowledged_when_the_last_of_it_is_delivered() {
    let server = Server::start();
    server.refuse(Some("sent"));
    let front = endpoint("400ms").replace("github", "front-seed");
    let program = Program::start(&configuration(&front, &sink(&server, "")));
    let send = || -> Answer {
        let mut request = Request::new("POST", "/in").header("X-Front-Event-ID", "b");
        request.body = br#"[{"type":"comment.added","id":"x"},{"type":"message.sent"}]"#.to_vec();
        request.sign("front-seed", SECRET).send(program.public)
    };
    assert_eq!(send().refusal(), not_delivered());
    server.refuse(None);
    let answer = until("it to be taken", || Some(send()).filter(|answer| answer.status == 200));
    assert_eq!(answer.json()["eventId"], "x");
    let types = server.values("boathook-event-type");
    assert!(types.contains(&"comment.added".into()) && types.contains(&"message.sent".into()), "{types:?}");
    assert_eq!(accepted(&program).0, 2);
}

#[test]
fn a_sink_that_is_not_required_is_not_waited_for() {
    let server = Server::start();
    // Port 9 of loopback: refused.
    let dead = "apiVersion: boathook.dev/v1alpha1\nkind: WebhookSink\nmetadata: { name: dead }\nspec:\n  http: { url: \"http://127.0.0.1:9/\" }\n---\n";
    let all = configuration(&endpoint(FAR), &sink(&server, ""))
        .replace("{ name: out }]", "{ name: out }, { name: dead, required: false }]");
    let program = Program::start(&format!("{dead}{all}"));
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    assert_eq!(program.report()["sinks"][0]["pending"], 1);
}
