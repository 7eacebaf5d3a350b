//! An endpoint whose provider makes the secret: what receivers are given, what people are told, and where the secret goes.
use boathook_crds::{Health, SecretRef};
use boathook_event::ObjectName;
use boathook_plan::Held;
use boathook_table::OpenKey;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Place, SEED, TEAM, compiled, condition, endpoint, pair, report, told};

/// A namespace with an endpoint of Notion that waits for its secret until a minute from now.
fn awaiting(entry: Value) -> Place {
    let mut place = Place::whole();
    place.now = "2026-01-01T00:00:00Z".parse().unwrap();
    let spec = json!({
        "provider": "notion",
        "secrets": [{ "name": "notion", "key": "token" }],
        "secretCapture": { "secretRef": { "name": "notion", "key": "token" }, "until": "2026-01-01T00:01:00Z" },
    });
    place.endpoints = vec![endpoint("notion", 1, spec, &report("pod-1", 1, entry))];
    place
}

fn secret_ref() -> SecretRef {
    SecretRef { name: "notion".into(), key: "token".into() }
}

#[test]
fn an_endpoint_that_waits_for_its_secret_is_served_and_says_so() {
    let place = awaiting(json!({}));
    let plan = place.plan();
    assert_eq!(plan.look_again, Some("2026-01-01T00:01:00Z".parse::<Timestamp>().unwrap()));
    assert!(plan.captured.is_empty() && compiled(&plan).contains("sealKey"));
    let status = place.status();
    assert_eq!(told(&status, "Ready"), pair("True", "Ready"));
    assert_eq!(told(&status, "Receiving"), pair("Unknown", "SecretAwaited"));
    assert!(condition(&status, "Accepted").message.contains("secret is still to come"));
}

#[test]
fn after_its_time_a_person_is_told_what_to_do() {
    let mut place = awaiting(json!({}));
    place.now = "2026-01-01T00:01:00Z".parse().unwrap();
    let status = place.status();
    assert_eq!(told(&status, "Receiving"), pair("False", "SecretNotSent"));
    assert!(condition(&status, "Receiving").message.contains("the Secret notion, key token"));
    assert_eq!(told(&status, "Accepted"), pair("False", "SecretMissing"));
    assert_eq!(
        (told(&status, "Ready"), status.health),
        (pair("False", "SecretMissing"), Some(Health::Failed))
    );
    assert!(place.plan().notices.iter().any(|notice| notice.reason == "SecretNotSent" && notice.warning));
}

#[test]
fn a_captured_secret_goes_where_the_endpoint_looks_for_it_and_nowhere_once_it_is_there() {
    let key = OpenKey::new(&SEED.into());
    let of = ObjectName::new(TEAM, "notion");
    let sealed = key.seal_key().seal(&of, &secret_ref(), "secret_abc", &mut rand::rng());
    let mut place = awaiting(json!({ "capturedSecret": sealed }));
    let captured = place.plan().captured;
    assert_eq!((&captured[0].endpoint, &captured[0].secret_ref), (&of, &secret_ref()));
    let opened = key.open(&captured[0].endpoint, &captured[0].secret_ref, &captured[0].sealed);
    assert_eq!(opened.as_deref().map(String::as_str), Some("secret_abc"));
    assert_eq!(told(&place.status(), "Receiving"), pair("Unknown", "SecretArrived"));
    place.captures_failed.insert(of, "it is full".into());
    let status = place.status();
    assert_eq!(told(&status, "Receiving"), pair("False", "SecretNotWritten"));
    assert!(condition(&status, "Receiving").message.ends_with("it is full"));
    place.keys.insert(TEAM, "notion", [("token".to_owned(), b"secret_abc".to_vec())]);
    let plan = place.plan();
    assert!(plan.captured.is_empty() && !compiled(&plan).contains("sealKey"));
    assert!(plan.notices.iter().any(|notice| notice.reason == "SecretCaptured" && !notice.warning));
    let status = place.status();
    assert_eq!(told(&status, "Receiving"), pair("Unknown", "SecretCaptured"));
    let message = &condition(&status, "Receiving").message;
    assert!(message.contains("Paste it into Notion's form") && message.contains("key token"), "{message}");
}

#[test]
fn a_secret_that_is_to_come_anew_does_not_go_on_counting() {
    let mut place = awaiting(json!({}));
    let values = vec![
        ("token".to_owned(), b"secret_old".to_vec().into()),
        ("other".to_owned(), b"kept".to_vec().into()),
    ];
    place.held = vec![Held { name: "notion".into(), values, since: place.now }];
    let status = place.status();
    assert_eq!(told(&status, "Receiving"), pair("Unknown", "SecretAwaited"));
    assert!(compiled(&place.plan()).contains("sealKey"));
}

#[test]
fn what_cannot_be_captured_is_told() {
    for (more, field) in [
        (json!({ "provider": "github" }), "spec.secretCapture:"),
        (json!({ "secrets": [{ "name": "hook", "key": "secret" }] }), "spec.secretCapture.secretRef:"),
    ] {
        let mut place = awaiting(json!({}));
        let spec = &mut serde_json::to_value(&place.endpoints[0]).unwrap();
        spec["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place.endpoints = vec![serde_json::from_value(spec.clone()).unwrap()];
        let status = place.status();
        assert_eq!(told(&status, "Accepted"), pair("False", "InvalidValue"));
        assert!(condition(&status, "Accepted").message.contains(field), "{more}");
    }
}
