//! What endpoints may ask for where nothing is kept.
use boathook_crds::{Notice, Reason, WebhookEndpoint, WebhookSink};
use boathook_table::{Accepted, Built, Input, Keys, Objects, build};
use serde_json::{Value, json};

fn object<T: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> T {
    let whole = json!({
        "apiVersion": "boathook.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec,
    });
    serde_json::from_value(whole).expect("an object of the right shape")
}

fn endpoint(more: &Value) -> WebhookEndpoint {
    let mut spec = json!({
        "provider": "github",
        "secrets": [{ "name": "hook", "key": "secret" }],
        "events": { "key": "{/repository/full_name}" },
        "acknowledge": { "mode": "OnDelivered" },
        "delivery": { "sinks": [{ "name": "out" }, { "name": "second", "required": false }] },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec.as_object_mut().map(|members| members.insert(key.clone(), value.clone()));
    }
    object("WebhookEndpoint", "a", &spec)
}

fn built(more: &Value, keeps_nothing: bool) -> Built {
    let mut keys = Keys::default();
    keys.insert("default", "hook", [("secret".to_owned(), b"hush-hush".to_vec())]);
    let sinks =
        ["out", "second"].map(|name| object::<WebhookSink>("WebhookSink", name, &json!({ "log": {} })));
    let objects = Objects { endpoints: vec![endpoint(more)], sinks: sinks.to_vec() };
    let accepted = Accepted::default();
    build(&Input { objects: &objects, keys: &keys, class: None, accepted: &accepted, keeps_nothing })
}

#[test]
fn an_endpoint_that_acknowledges_what_is_delivered_needs_no_store() {
    let built = built(&json!({ "retention": { "rejected": "1h" } }), true);
    assert_eq!(built.problems, []);
    assert!(built.table.endpoints().next().is_some_and(|endpoint| endpoint.name.name() == "a"));
}

#[test]
fn what_only_a_store_can_give_is_told_by_its_field_and_only_where_nothing_is_kept() {
    let schema = |on_mismatch: &str| json!([{ "schema": { "required": ["id"] }, "onMismatch": on_mismatch }]);
    let capture = json!({
        "provider": "notion",
        "secretCapture": { "secretRef": { "name": "hook", "key": "secret" }, "until": "2027-01-01T00:00:00Z" },
    });
    for (more, fields) in [
        (json!({ "acknowledge": { "mode": "OnStored" } }), &["spec.acknowledge.mode"][..]),
        (json!({ "acknowledge": {} }), &["spec.acknowledge.mode"]),
        (json!({ "mode": "Shadow" }), &["spec.mode"]),
        (json!({ "mode": "Paused" }), &[]),
        (
            json!({ "delivery": { "sinks": [{ "name": "out" }, { "name": "second" }] } }),
            &["spec.delivery.sinks[1].required"],
        ),
        (
            json!({ "delivery": { "sinks": [{ "name": "out", "onParked": "Block" }] } }),
            &["spec.delivery.sinks[0].onParked"],
        ),
        (json!({ "delivery": { "sinks": [{ "name": "out", "onParked": "Skip" }] } }), &[]),
        (json!({ "events": { "schemas": schema("Park") } }), &["spec.events.schemas[0].onMismatch"]),
        (json!({ "events": { "schemas": schema("Report") } }), &[]),
        (capture, &["spec.secretCapture"]),
        (json!({ "dedupe": { "window": "1h" } }), &["spec.dedupe.window"]),
        (json!({ "dedupe": {} }), &[]),
        (
            json!({ "retention": { "delivered": "1h", "parked": "1h" } }),
            &["spec.retention.delivered", "spec.retention.parked"],
        ),
    ] {
        assert_eq!(built(&more, false).problems, [], "{more}");
        let problems = built(&more, true).problems;
        let told: Vec<&str> = problems.iter().map(|problem| &*problem.field).collect();
        assert_eq!(told, fields, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.reason == Reason::NothingKept), "{problems:?}");
        assert!(problems.iter().all(|problem| problem.message.starts_with("nothing is kept here")));
    }
}

#[test]
fn that_nothing_guards_against_what_was_recorded_is_told() {
    let told = |more: &Value, keeps_nothing| {
        let built = built(more, keeps_nothing);
        let endpoint = built.table.endpoints().next().expect("it was built");
        endpoint.notices.contains(&Notice::RepetitionsForgotten)
    };
    assert_eq!((told(&json!({}), true), told(&json!({}), false)), (true, false));
    // It signs its time.
    assert!(!told(&json!({ "provider": "stripe" }), true));
}
