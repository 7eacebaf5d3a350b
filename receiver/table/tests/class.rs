//! What a class decides, what is held back, and the document in which both travel.
use boathook_crds::{Reason, WebhookEndpoint, WebhookSink};
use boathook_event::ObjectName;
use boathook_table::{
    Accepted, Built, Class, Document, DocumentError, HostGrant, Input, Keys, Objects, build,
};
use serde_json::{Value, json};

fn keys() -> Keys {
    let mut keys = Keys::default();
    keys.insert("team", "hook", [("secret".to_owned(), b"hush-hush".to_vec())]);
    keys
}

fn object<T: serde::de::DeserializeOwned>(kind: &str, name: &str, generation: i64, spec: &Value) -> T {
    let metadata = json!({ "name": name, "namespace": "team", "generation": generation });
    let whole =
        json!({ "apiVersion": "boathook.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec });
    serde_json::from_value(whole).expect("an object of the right shape")
}

fn endpoint(name: &str, generation: i64, more: &Value) -> WebhookEndpoint {
    let mut spec = json!({
        "provider": "github",
        "secrets": [{ "name": "hook", "key": "secret" }],
        "delivery": { "sinks": [{ "name": "out" }] },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec.as_object_mut().map(|members| members.insert(key.clone(), value.clone()));
    }
    object("WebhookEndpoint", name, generation, &spec)
}

fn out() -> WebhookSink {
    object("WebhookSink", "out", 1, &json!({ "log": {} }))
}

fn class() -> Class {
    Class {
        name: "default".into(),
        host: Some("hooks.example.com".into()),
        hosts: vec![
            HostGrant { host: "team.example.com".into(), namespace: "team".into() },
            HostGrant { host: "other.example.com".into(), namespace: "other".into() },
        ],
        routed: true,
        secure: true,
        tls: true,
        proxies_known: false,
        keeps_nothing: false,
    }
}

fn built(endpoints: Vec<WebhookEndpoint>, class: &Class, accepted: &Accepted) -> Built {
    let objects = Objects { endpoints, sinks: vec![out()] };
    build(&Input { objects: &objects, keys: &keys(), class: Some(class), accepted, keeps_nothing: false })
}

fn served(built: &Built) -> Vec<(String, i64)> {
    let mut served: Vec<_> =
        built.table.endpoints().map(|endpoint| (endpoint.path.clone(), endpoint.generation)).collect();
    served.sort();
    served
}

#[test]
fn a_namespace_keeps_to_its_part_of_a_shared_host_and_to_hosts_of_its_own() {
    let proxies = json!({ "verification": { "allowedSources": ["192.0.2.0/24"] }, "limits": { "perSourcePerMinute": 5 } });
    for (spec, expected) in [
        (json!({}), None),
        (json!({ "path": "/team/x" }), None),
        (json!({ "path": "/team" }), Some(("spec.path", Reason::PathNotAllowed))),
        (json!({ "path": "/other/x" }), Some(("spec.path", Reason::PathNotAllowed))),
        (json!({ "host": "HOOKS.example.com", "path": "/x" }), Some(("spec.path", Reason::PathNotAllowed))),
        (json!({ "host": "team.example.com", "path": "/x" }), None),
        (json!({ "host": "other.example.com" }), Some(("spec.host", Reason::HostNotAllowed))),
        (json!({ "host": "elsewhere.example.com" }), Some(("spec.host", Reason::HostNotAllowed))),
        (proxies, Some(("spec.verification.allowedSources", Reason::ProxiesUnknown))),
    ] {
        let built = built(vec![endpoint("a", 1, &spec)], &class(), &Accepted::default());
        let first = built.problems.first().map(|problem| (&*problem.field, problem.reason));
        assert_eq!(first, expected, "{spec}");
    }
}

#[test]
fn a_route_without_tls_needs_the_classs_word() {
    let insecure = Class { secure: false, ..class() };
    let refused = built(vec![endpoint("a", 1, &json!({}))], &insecure, &Accepted::default());
    assert_eq!(refused.problems[0].reason, Reason::InsecureRoute);
    let inside = Class { routed: false, ..insecure };
    assert_eq!(built(vec![endpoint("a", 1, &json!({}))], &inside, &Accepted::default()).problems, []);
}

#[test]
fn the_shared_host_is_part_of_the_url() {
    let built = built(vec![endpoint("a", 1, &json!({}))], &class(), &Accepted::default());
    assert!(built.table.lookup(Some("hooks.example.com"), "/team/a").is_some());
    assert!(built.table.lookup(Some("elsewhere.example.com"), "/team/a").is_none());
}

#[test]
fn what_is_not_acceptable_is_held_back_and_what_was_accepted_goes_on() {
    let first = built(vec![endpoint("a", 1, &json!({}))], &class(), &Accepted::default());
    assert_eq!(served(&first), [("/team/a".to_owned(), 1)]);
    let broken = json!({ "provider": "gihtub", "path": "/team/moved" });
    let second = built(vec![endpoint("a", 2, &broken)], &class(), &first.accepted);
    assert_eq!((served(&second), second.problems.len()), (vec![("/team/a".to_owned(), 1)], 1));
    // And on, until it is mended.
    let third = built(vec![endpoint("a", 3, &broken)], &class(), &second.accepted);
    assert_eq!(served(&third), [("/team/a".to_owned(), 1)]);
    let mended = built(vec![endpoint("a", 4, &json!({ "path": "/team/moved" }))], &class(), &third.accepted);
    assert_eq!(served(&mended), [("/team/moved".to_owned(), 4)]);
    // A deleted endpoint is not served, whatever was accepted.
    assert_eq!(served(&built(vec![], &class(), &mended.accepted)), []);
}

#[test]
fn without_its_key_nothing_is_served_not_even_what_was_accepted() {
    let first = built(vec![endpoint("a", 1, &json!({}))], &class(), &Accepted::default());
    let objects = Objects { endpoints: vec![endpoint("a", 1, &json!({}))], sinks: vec![out()] };
    let revoked = build(&Input {
        objects: &objects,
        keys: &Keys::default(),
        class: Some(&class()),
        accepted: &first.accepted,
        keeps_nothing: false,
    });
    assert_eq!((served(&revoked), revoked.problems[0].reason), (vec![], Reason::SecretMissing));
}

#[test]
fn of_two_endpoints_of_one_url_the_older_is_served_and_both_are_known() {
    let at = |name: &str, time: &str| {
        let mut endpoint = endpoint(name, 1, &json!({ "path": "/team/x" }));
        endpoint.metadata.creation_timestamp = serde_json::from_value(json!(time)).expect("a time");
        endpoint
    };
    let two = vec![at("a", "2026-02-01T00:00:00Z"), at("b", "2026-01-01T00:00:00Z")];
    let built = built(two, &class(), &Accepted::default());
    let name = |name| ObjectName::new("team", name);
    assert_eq!(built.table.endpoints().map(|endpoint| &endpoint.name).collect::<Vec<_>>(), [&name("b")]);
    assert_eq!((&built.conflicts[0].older, &built.conflicts[0].younger), (&name("b"), &name("a")));
    assert_eq!(built.problems[0].reason, Reason::PathConflict);
}

#[test]
fn the_document_comes_back_as_it_was_and_shows_nothing_when_it_is_broken() {
    let accepted = built(vec![endpoint("a", 7, &json!({}))], &class(), &Accepted::default()).accepted;
    let document = Document { class: class(), keys: keys(), held_back: accepted, seal_key: None };
    let bytes = document.to_json("team");
    assert_eq!(Document::from_json("team", &bytes), Ok(document.clone()));
    assert_eq!(bytes, document.to_json("team"), "the same bytes each time");
    let other = String::from_utf8(bytes.to_vec()).expect("JSON").replacen("\"format\":1", "\"format\":2", 1);
    assert_eq!(Document::from_json("team", other.as_bytes()), Err(DocumentError::Format(2)));
    for broken in ["", "{", "{}", r#"{"format":1,"class":{"name":"hush"},"keys":{"a":{"b":"hush!"}}}"#] {
        let error = Document::from_json("team", broken.as_bytes()).expect_err("broken").to_string();
        assert!(!error.contains("hush"), "{error}");
    }
    assert!(!format!("{document:?}").contains("hush-hush"));
}

#[test]
fn a_url_that_the_provider_signs_is_that_of_the_route() {
    let square = endpoint("square", 1, &json!({ "provider": "square" }));
    let built = built(vec![square.clone()], &class(), &Accepted::default());
    assert_eq!(built.problems, []);
    let unrouted = Class { routed: false, ..class() };
    let built = self::built(vec![square], &unrouted, &Accepted::default());
    assert_eq!(built.problems[0].field, "spec.verification.publicURL");
}
