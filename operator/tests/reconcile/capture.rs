//! A provider that makes its secret itself, over a real API server.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    program::{Answer, Program, Request, until},
    team::Team,
};

const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
const FORGED: &str = "secret_0000000000000000000000000000000000000000000";

fn notion() -> Value {
    let place = json!({ "name": "notion", "key": "token" });
    json!({
        "provider": "notion",
        "secrets": [place],
        "secretCapture": { "secretRef": place, "until": "2099-01-01T00:00:00Z" },
        "delivery": { "sinks": [{ "name": "out" }] },
    })
}

fn brings(team: &Team, receiver: &Program, token: &str) -> Answer {
    let mut request = Request::new("POST", &format!("/{}/notion", team.namespace));
    request.body = json!({ "verification_token": token }).to_string().into_bytes();
    request.send(receiver.public)
}

fn delivers(team: &Team, receiver: &Program) -> Answer {
    let mut request = Request::new("POST", &format!("/{}/notion", team.namespace));
    request.body = br#"{"id":"1","type":"page.created"}"#.to_vec();
    request.sign("notion", TOKEN).send(receiver.public)
}

/// What is in the Secret, in Base64 as the API server has it.
fn data(team: &Team) -> BTreeMap<String, String> {
    let secret = team.object("secret", "notion").unwrap_or_default();
    serde_json::from_value(secret["data"].clone()).unwrap_or_default()
}

fn base64(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

#[test]
fn a_secret_that_the_provider_sends_gets_into_its_secret_sealed_and_counts() {
    let team = Team::new();
    team.sink("out", &json!({ "log": {} }));
    team.endpoint("notion", &notion());
    let receiver = team.receiver();
    let awaits = |status: &Value| Team::condition(status, "Receiving")["reason"] == "SecretAwaited";
    team.until("it to wait for its secret", "notion", |status| {
        Team::holds(status, "Ready") && awaits(status)
    });
    assert_eq!(delivers(&team, &receiver).status, 503);
    assert_eq!(brings(&team, &receiver, TOKEN).status, 200);
    assert_eq!(brings(&team, &receiver, FORGED).status, 401);
    until("the Secret", || (data(&team).get("token") == Some(&base64(TOKEN))).then_some(()));
    until("it to count", || (delivers(&team, &receiver).status == 200).then_some(()));
    let settled =
        team.until("the entry to go", "notion", |status| status["receivers"][0]["capturedSecret"].is_null());
    assert!(!settled.to_string().contains(TOKEN));
    let events = ["get", "events", "--field-selector", "reason=SecretCaptured", "--output", "name"];
    until("the Event", || (!team.kubectl(&events).trim().is_empty()).then_some(()));
}

#[test]
fn a_value_that_is_there_is_not_overwritten_and_other_keys_stay() {
    let team = Team::new();
    team.sink("out", &json!({ "log": {} }));
    // Somebody has the Secret already, with another key.
    team.kubectl(&["create", "secret", "generic", "notion", "--from-literal=other=kept"]);
    team.endpoint("notion", &notion());
    let receiver = team.receiver();
    until("the secret to be taken", || (brings(&team, &receiver, TOKEN).status == 200).then_some(()));
    let refused = team.until("the operator to ask", "notion", |status| Team::fails(status, "Receiving"));
    let receiving = Team::condition(&refused, "Receiving");
    assert_eq!(receiving["reason"], "SecretNotWritten");
    assert!(
        receiving["message"].as_str().unwrap().contains("boathook.dev/secret-capture=allowed"),
        "{receiving}"
    );
    team.kubectl(&["label", "secret", "notion", "boathook.dev/secret-capture=allowed"]);
    until("the Secret", || (data(&team).get("token") == Some(&base64(TOKEN))).then_some(()));
    assert_eq!(data(&team).get("other"), Some(&base64("kept")));
    until("it to count", || (delivers(&team, &receiver).status == 200).then_some(()));
    assert_eq!(brings(&team, &receiver, FORGED).status, 401);
    assert_eq!(data(&team).get("token"), Some(&base64(TOKEN)));
}
