//! `--store none`: what is delivered is acknowledged, and nothing is kept.
use std::{fs, process::Command, process::Stdio, sync::Arc, thread};

use tempfile::TempDir;

use super::{
    acknowledge::{FAR, endpoint, not_delivered, sink},
    program::{Answer, GITHUB, Program, Request, configuration, folders, until},
    sink::Server,
};

/// The token of the data API.
const TOKEN: &str = "0123456789abcdef";

fn command(folders: &TempDir) -> Command {
    let tokens = folders.path().join("tokens");
    fs::create_dir_all(&tokens).unwrap();
    fs::write(tokens.join("operate"), TOKEN).unwrap();
    let any = "127.0.0.1:0";
    let mut command = Command::new(super::receiver_program());
    command
        .args(["--store", "none", "--log", "json", "--listen", any, "--admin", any, "--api", any])
        .arg("--config")
        .arg(folders.path().join("config"))
        .arg("--api-tokens")
        .arg(&tokens)
        // Where a data folder would be made by default.
        .current_dir(folders.path())
        .env_clear()
        .stdin(Stdio::null());
    command
}

fn start(endpoint: &str, sink: &str) -> Program {
    start_in(folders(&configuration(endpoint, sink)))
}

fn start_in(folders: Arc<TempDir>) -> Program {
    Program::run(command(&folders), folders)
}

fn call(program: &Program, method: &str, path: &str, body: &str) -> Answer {
    let mut request = Request::new(method, path);
    request.body = body.into();
    request.header("Authorization", &format!("Bearer {TOKEN}")).send(program.api)
}

/// Accepted and duplicate events.
fn counted(program: &Program) -> [u64; 2] {
    let events = program.report()["endpoints"][0]["events"].clone();
    ["accepted", "duplicate"].map(|word| events[word].as_u64().unwrap())
}

#[test]
fn what_is_acknowledged_is_at_the_sink_and_nothing_is_on_disk() {
    let server = Server::start();
    let program = start(&endpoint(FAR), &sink(&server, ""));
    for number in 1..=20 {
        assert_eq!(program.send(&format!("d-{number}"), "push", "{}").status, 200);
        assert_eq!(server.got().len(), number);
    }
    assert_eq!(counted(&program), [20, 0]);
    let folders = program.stop();
    let mut there: Vec<_> =
        fs::read_dir(folders.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["config", "tokens"]);
}

#[test]
fn a_repetition_joins_what_is_on_its_way_and_is_delivered_again_under_the_same_uid_afterwards() {
    let server = Server::start();
    server.hold(true);
    let program = start(&endpoint(FAR), &sink(&server, ""));
    let to = program.public;
    let send = move || thread::spawn(move || Request::signed("d-1", "push", "{}").send(to).status);
    let first = send();
    until("the delivery to be under way", || (server.got().len() == 1).then_some(()));
    let others: Vec<_> = (0..3).map(|_| send()).collect();
    until("the retries to be known", || (counted(&program) == [1, 3]).then_some(()));
    server.hold(false);
    assert_eq!(first.join().unwrap(), 200);
    others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), 200));
    assert_eq!(server.got().len(), 1);
    // Another process comes to the same uid.
    let program = start_in(program.stop());
    for times in 1..=2 {
        assert_eq!(program.send("d-1", "push", "{}").status, 200);
        until("its end to be recorded", || {
            (program.report()["sinks"][0]["delivered"] == times).then_some(())
        });
    }
    assert_eq!(counted(&program), [2, 0]);
    let keys = server.values("idempotency-key");
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(program.send("d-2", "push", "{}").status, 200);
    assert_ne!(server.values("idempotency-key")[3], keys[0]);
}

#[test]
fn what_is_late_is_answered_as_a_failure_and_goes_on_and_its_repetition_waits_for_it() {
    let server = Server::start();
    server.answer(500);
    let slow = sink(&server, "").replace("50ms", "400ms");
    let program = start(&endpoint("200ms"), &slow);
    assert_eq!(program.send("d-1", "push", "{}").refusal(), not_delivered());
    let pending = call(&program, "GET", "/v1/events?state=pending", "").json();
    assert_eq!(pending["events"].as_array().unwrap().len(), 1);
    let uid = pending["events"][0]["uid"].as_str().unwrap().to_owned();
    server.answer(200);
    until("the delivery", || (program.report()["sinks"][0]["delivered"] == 1).then_some(()));
    assert_eq!(counted(&program), [1, 0]);
    assert_eq!(program.metric(r#"boathook_requests_total{endpoint="default/in",outcome="unanswered"}"#), 1.0);
    let shown = call(&program, "GET", &format!("/v1/events/{uid}"), "");
    assert_eq!(shown.status, 404);
    assert!(shown.json()["error"]["next"].as_str().unwrap().contains("nothing is kept here"));
}

#[test]
fn what_is_parked_is_counted_and_gone_and_nothing_can_be_replayed() {
    let server = Server::start();
    server.answer(410);
    let program = start(&endpoint(FAR), &sink(&server, ""));
    assert_eq!(program.send("d-1", "push", "{}").refusal(), not_delivered());
    program.logged(
        "parked: it is not tried again, and kept nowhere (--store none), so it cannot be replayed; mend the sink, then let the \
         provider send the event again",
    );
    assert_eq!(program.report()["sinks"][0]["parked"], 1);
    assert_eq!(call(&program, "GET", "/v1/events", "").json()["events"], serde_json::json!([]));
    for (path, body) in [
        ("/v1/replays", "{\"sink\":\"default/out\"}"),
        ("/v1/events/00000000-0000-0000-0000-000000000000/replay", "{}"),
    ] {
        let answer = call(&program, "POST", path, body);
        assert_eq!(answer.status, 409);
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains("--store none"));
    }
    // Its repetition is a new event.
    server.answer(200);
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    assert_eq!(counted(&program), [2, 0]);
    assert_eq!(program.metric(r#"boathook_requests_total{endpoint="default/in",outcome="unanswered"}"#), 1.0);
    let refused = Request::signed_with("wrong", "d-2", "push", "{}").send(program.public);
    assert_eq!(refused.status, 401);
    until("the refusal to be remembered", || {
        let rejections = call(&program, "GET", "/v1/rejections", "").json();
        (rejections["rejections"][0]["code"] == "invalid_signature").then_some(())
    });
}

#[test]
fn more_than_fits_into_memory_is_not_taken_until_some_of_it_is_delivered() {
    let server = Server::start();
    // Nothing is computed over its bodies, which a debug build would take long for.
    let endpoint = endpoint(FAR)
        .replace(GITHUB, "scheme: { title: Open, kind: none, bodyProtected: false, body: [Any] }")
        + "\nlimits: { bodyBytesMax: 26214400 }";
    let sink = |more: &str| sink(&server, more).replace("/take\"", "/take\", bodyBytesMax: 52428800");
    let program = start(&endpoint, &sink("suspend: true"));
    let send = |bytes| {
        let mut request = Request::new("POST", "/in");
        request.body = vec![b'x'; bytes];
        request.send(program.public)
    };
    let mut taken = 0;
    let refusal = until("it to be full", || {
        taken += 1;
        let answer = send(24 << 20);
        (answer.refusal() != not_delivered()).then(|| answer.refusal())
    });
    assert_eq!(refusal, (503, "unavailable".into()));
    // 256 MiB in bodies of 24, and one more.
    assert_eq!(taken, 12);
    assert_eq!(program.metric(r#"boathook_requests_total{endpoint="default/in",outcome="busy"}"#), 1.0);
    // Lines about refusals are few a second, and the others had theirs.
    until("the reason to be told", || {
        assert_eq!(send(2).refusal(), refusal);
        let refused = program.logs().with("message", "refused");
        refused.iter().any(|line| line["reason"].as_str().unwrap().contains("wait in memory")).then_some(())
    });
    program.configure(&configuration(&endpoint, &sink("")));
    until("it to be taken", || (send(2).status == 200).then_some(()));
}

#[test]
fn what_ends_with_the_process_is_told() {
    let server = Server::start();
    server.answer(500);
    let slow = sink(&server, "").replace("50ms", "10m");
    let program = start(&endpoint("100ms"), &slow);
    assert_eq!(program.send("d-1", "push", "{}").refusal(), not_delivered());
    let logs = program.logs();
    program.stop();
    let told = logs.all().into_iter().filter(|line| line["events"] == 1 && line["level"] == "WARN");
    assert_eq!(told.count(), 1);
}

#[test]
fn a_configuration_that_wants_events_kept_and_a_data_folder_are_refused_at_the_start() {
    let server = Server::start();
    let refused = |folders: Arc<TempDir>, arguments: &[&str]| {
        let output = command(&folders).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = refused(folders(&configuration(GITHUB, &sink(&server, ""))), &[]);
    assert!(told.contains("spec.acknowledge.mode: nothing is kept here (store: none)"), "{told}");
    let told = refused(folders(&configuration(&endpoint(FAR), &sink(&server, ""))), &["--data", "x"]);
    assert!(told.contains("--store none keeps nothing and has no data folder"), "{told}");
}
