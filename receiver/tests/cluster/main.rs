//! A receiver over a real API server: it serves the objects of its namespace, and reports into their statuses.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
#[expect(dead_code, reason = "shared with the pipeline's tests, which use more of it")]
#[path = "../pipeline/program.rs"]
mod program;
#[expect(dead_code, reason = "shared with the pipeline's tests, which use more of it")]
#[path = "../pipeline/sink.rs"]
mod sink;
mod team;

use std::time::{Duration, Instant};

use serde_json::json;

use self::{
    program::until,
    sink::Server,
    team::{Team, github},
};

/// The program under test.
fn receiver_program() -> &'static str {
    env!("CARGO_BIN_EXE_boathook-receiver")
}

#[test]
fn objects_are_served_delivered_and_reported_on() {
    let server = Server::start();
    let team = Team::new(boathook_testbed::shared());
    team.keys(&[("hook", "secret", "one")]);
    team.apply(&team.sink("out", &json!({ "http": { "url": format!("http://{}/take", server.address) } })));
    team.apply(&team.endpoint("github", &github(json!({}))));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "one", "d-1").status, 200);
    let got = until("the delivery", || server.got().pop());
    assert_eq!(got.header("boathook-event-id"), Some("d-1"));
    let entry = until("the report", || {
        let entry = team.entry("webhookendpoint", "github")?;
        entry["lastEventTime"].is_string().then_some(entry)
    });
    assert_eq!((&entry["pod"], &entry["uid"]), (&"pod-1".into(), &"uid-1".into()));
    assert_eq!((&entry["generation"], &entry["serving"]), (&1.into(), &1.into()));
    assert_eq!(entry["events"]["accepted"], 1, "{entry}");
    // What is delivered is counted once that is recorded, a little later.
    let sink = until("the sink's report", || {
        team.entry("webhooksink", "out").filter(|entry| entry["deliveries"]["delivered"] == 1)
    });
    assert!(sink["lastDeliveredTime"].is_string(), "{sink}");
}

#[test]
fn a_secret_is_rotated_without_a_restart() {
    let team = Team::new(boathook_testbed::shared());
    team.keys(&[("hook", "secret", "one")]);
    team.apply(&team.sink("out", &json!({ "log": {} })));
    team.apply(&team.endpoint("github", &github(json!({}))));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "one", "1").status, 200);
    team.keys(&[("hook", "secret", "two")]);
    until("the new secret to count", || (team.send(&receiver, "two", "2").status == 200).then_some(()));
    assert_eq!(team.send(&receiver, "one", "3").status, 401);
}

#[test]
fn what_is_not_acceptable_is_held_back_and_an_endpoint_waits_for_its_key() {
    let team = Team::new(boathook_testbed::shared());
    team.keys(&[("hook", "secret", "one")]);
    team.apply(&team.sink("out", &json!({ "log": {} })));
    team.apply(&team.endpoint("github", &github(json!({}))));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "one", "1").status, 200);
    // A mistake: what was accepted goes on, and the report says which generation that is.
    team.apply(&team.endpoint("github", &github(json!({ "provider": "gihtub" }))));
    let entry = until("the second generation to be seen", || {
        team.entry("webhookendpoint", "github").filter(|entry| entry["generation"] == 2)
    });
    assert_eq!(entry["serving"], 1, "{entry}");
    assert_eq!(team.send(&receiver, "one", "2").status, 200);
    // A key that is not there yet.
    let secrets = json!({ "secrets": [{ "name": "late", "key": "secret" }] });
    team.apply(&team.endpoint("github", &github(secrets)));
    until("the third generation to be seen", || {
        team.entry("webhookendpoint", "github").filter(|entry| entry["generation"] == 3)
    });
    assert_eq!(team.send(&receiver, "one", "3").status, 200);
    team.keys(&[("hook", "secret", "one"), ("late", "secret", "three")]);
    until("the late key to count", || (team.send(&receiver, "three", "4").status == 200).then_some(()));
    assert_eq!(team.send(&receiver, "one", "5").status, 401);
}

#[test]
fn endpoints_of_other_classes_and_deleted_ones_are_not_served() {
    let team = Team::new(boathook_testbed::shared());
    team.keys(&[("hook", "secret", "one")]);
    team.apply(&team.sink("out", &json!({ "log": {} })));
    team.apply(&team.endpoint("github", &github(json!({}))));
    team.apply(&team.endpoint("other", &github(json!({ "receiverClassName": "other" }))));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "one", "1").status, 200);
    assert_eq!(team.send_to(&receiver, "other", "one", "2").status, 404);
    team.kubectl(&["delete", "webhookendpoint", "github"]);
    until("the endpoint to be gone", || (team.send(&receiver, "one", "3").status == 404).then_some(()));
}

#[test]
fn while_the_api_server_is_away_what_is_served_goes_on_and_changes_come_after() {
    let binaries = boathook_testbed::Binaries::ensure(&boathook_testbed::progress).unwrap();
    let plane = boathook_testbed::ControlPlane::start(&binaries).unwrap();
    let team = Team::new(&plane);
    team.keys(&[("hook", "secret", "one")]);
    team.apply(&team.sink("out", &json!({ "log": {} })));
    team.apply(&team.endpoint("github", &github(json!({}))));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "one", "1").status, 200);
    plane.stop_apiserver().unwrap();
    let (away, mut sent) = (Instant::now(), 1);
    while away.elapsed() < Duration::from_secs(30) {
        assert_eq!(team.send(&receiver, "one", &format!("away-{sent}")).status, 200);
        sent += 1;
    }
    // A receiver that starts meanwhile has what was known last, and the keys that its pod has mounted.
    let folders = receiver.kill();
    let mounted = folders.path().join("config/table.json");
    std::fs::write(mounted, team.document(&[("hook", "secret", "one")])).unwrap();
    let receiver = team.receiver_in(folders);
    assert_eq!(team.send(&receiver, "one", "after-the-restart").status, 200);
    sent += 1;
    plane.start_apiserver().unwrap();
    team.keys(&[("hook", "secret", "two")]);
    until("the change made after it", || (team.send(&receiver, "two", "2").status == 200).then_some(()));
    assert_eq!(receiver.report()["endpoints"][0]["events"]["accepted"], sent + 1);
}
