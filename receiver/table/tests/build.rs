//! What objects compile to, and what is said of those that do not.
use std::{sync::Arc, time::Duration};

use boathook_crds::{Notice, Reason, WebhookEndpoint, WebhookSink};
use boathook_event::{Destination, Event, EventParts, Head, ObjectName, ParkReason, Subject, Uid};
use boathook_table::{
    Accepted, Acknowledge, Choice, Endpoint, Ignored, Input, Keys, Objects, Problem, Table, Taken,
};
use serde_json::{Value, json};

fn keys() -> Keys {
    let mut keys = Keys::default();
    let public = b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmwIDAQAB";
    let data = [("secret".to_owned(), b"hush-hush".to_vec()), ("empty".to_owned(), b"\n".to_vec())];
    keys.insert("default", "hook", data);
    keys.insert("default", "salesforce", [("organisation".to_owned(), b"00D3j0000002abC".to_vec())]);
    keys.insert("default", "google", [("publicKey".to_owned(), public.to_vec())]);
    keys
}

fn endpoint(name: &str, spec: &Value) -> WebhookEndpoint {
    let mut whole = json!({
        "provider": "github",
        "secrets": [{ "name": "hook", "key": "secret" }],
        "delivery": { "sinks": [{ "name": "out" }] },
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole.as_object_mut().map(|members| members.insert(key.clone(), value.clone()));
    }
    let document = json!({ "apiVersion": "boathook.dev/v1alpha1", "kind": "WebhookEndpoint", "metadata": { "name": name }, "spec": whole });
    serde_json::from_value(document).expect("an endpoint of the right shape")
}

fn sink(name: &str, spec: &Value) -> WebhookSink {
    let document = json!({ "apiVersion": "boathook.dev/v1alpha1", "kind": "WebhookSink", "metadata": { "name": name }, "spec": spec });
    serde_json::from_value(document).expect("a sink of the right shape")
}

fn build(objects: &Objects, keys: &Keys) -> (Table, Vec<Problem>) {
    let accepted = Accepted::default();
    let built = boathook_table::build(&Input {
        objects,
        keys,
        class: None,
        accepted: &accepted,
        keeps_nothing: false,
    });
    (built.table, built.problems)
}

fn built(endpoints: Vec<WebhookEndpoint>) -> (Table, Vec<Problem>) {
    let out = json!({ "log": {}, "types": ["push*", "issues.*"] });
    build(&Objects { endpoints, sinks: vec![sink("out", &out)] }, &keys())
}

/// An event of this type and body.
fn event(endpoint: &Endpoint, event_type: Option<&str>, body: &str) -> Event {
    Event::restore(EventParts {
        uid: Uid::from_bytes([0; 16]),
        endpoint: endpoint.name.clone(),
        received_at: boathook_crds::Timestamp::UNIX_EPOCH,
        id: None,
        event_type: event_type.map(Into::into),
        key: None,
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::new(Head {
            method: http::Method::POST,
            path: "/".into(),
            query: None,
            headers: http::HeaderMap::new(),
        }),
        body: body.to_owned().into(),
    })
}

/// What becomes of an event of this type and body, and the sinks whose filters could not say.
fn chosen(endpoint: &Endpoint, event_type: Option<&str>, body: &str) -> (Choice, Vec<String>) {
    let event = event(endpoint, event_type, body);
    let mut unsaid = Vec::new();
    let choice = endpoint.choose(&Subject::new(&event, None), true, |unevaluated| {
        unsaid.push(unevaluated.sink.map_or(String::new(), |sink| sink.name().to_owned()));
    });
    (choice, unsaid)
}

#[test]
fn a_sound_endpoint_is_found_by_its_path() {
    let (table, problems) = built(vec![
        endpoint("a", &json!({})),
        endpoint("b", &json!({ "path": "/b" })),
        endpoint("c", &json!({ "path": "/b", "host": "Hooks.example.com" })),
    ]);
    assert_eq!(problems, []);
    let found = |host, path| table.lookup(host, path).map(|endpoint| endpoint.name.name().to_owned());
    assert_eq!(found(None, "/default/a").as_deref(), Some("a"));
    assert_eq!(found(Some("other"), "/b").as_deref(), Some("b"));
    assert_eq!(found(Some("HOOKS.example.com"), "/b").as_deref(), Some("c"));
    assert_eq!(found(None, "/default/a/"), None);
}

#[test]
fn types_decide_what_is_taken_and_where_it_goes() {
    let take = |spec: Value, event_type: Option<&str>| {
        let (table, problems) = built(vec![endpoint("a", &spec)]);
        assert_eq!(problems, []);
        table.lookup(None, "/default/a").map(|endpoint| chosen(endpoint, event_type, "{}").0)
    };
    let destination =
        || Destination { sink: ObjectName::new("default", "out"), ordered: false, blocks: false };
    let to = |destinations| Some(Choice::Take(Taken { destinations, ..Taken::default() }));
    let out = || to(vec![destination()]);
    let events = |types: &[&str], unknown: Option<&str>| {
        let mut events = json!({ "types": types });
        unknown.into_iter().for_each(|unknown| events["unknownTypes"] = unknown.into());
        json!({ "events": events })
    };
    assert_eq!(take(json!({}), Some("push")), out());
    assert_eq!(take(json!({}), Some("fork")), to(vec![]), "stored, though no sink wants it");
    assert_eq!(take(events(&["push"], None), Some("fork")), Some(Choice::Ignore(Ignored::UnknownType)));
    assert_eq!(take(events(&["push"], Some("Reject")), Some("fork")), Some(Choice::RejectType));
    assert_eq!(take(events(&["push"], Some("Accept")), Some("push.x")), out());
    assert_eq!(take(events(&[], Some("Reject")), Some("issues.opened")), out(), "the catalogue knows it");
    assert_eq!(take(events(&[], Some("Reject")), Some("made_up")), Some(Choice::RejectType));
    let own = json!({ "delivery": { "sinks": [{ "name": "out", "types": ["issues.*"] }] } });
    assert_eq!(take(own, Some("push")), to(vec![]));
}

#[test]
fn filters_decide_after_types_what_is_taken_and_where_it_goes() {
    let objects = |endpoint_filter: Value, sink_filter: Value| {
        let spec = json!({ "events": { "types": ["push"], "filter": endpoint_filter } });
        let out = json!({ "log": {}, "filter": sink_filter });
        let objects = Objects { endpoints: vec![endpoint("a", &spec)], sinks: vec![sink("out", &out)] };
        build(&objects, &keys())
    };
    let high = json!({ "match": [{ "field": "data.priority", "operator": "In", "value": ["high"] }] });
    let (table, problems) = objects(high, json!({ "cel": "body.data.n > 1" }));
    assert_eq!(problems, []);
    let endpoint = table.endpoints().next().expect("it was built");
    let choice = |event_type, body| chosen(endpoint, Some(event_type), body);
    let out = Destination { sink: ObjectName::new("default", "out"), ordered: false, blocks: false };
    let take = |destinations| Choice::Take(Taken { destinations, ..Taken::default() });
    assert_eq!(choice("fork", "{}").0, Choice::Ignore(Ignored::UnknownType));
    assert_eq!(choice("push", "{}").0, Choice::Ignore(Ignored::Filtered));
    let body = r#"{"data":{"priority":"high","n":2}}"#;
    assert_eq!(choice("push", body), (take(vec![out]), vec![]));
    assert_eq!(choice("push", r#"{"data":{"priority":"high","n":1}}"#), (take(vec![]), vec![]));
    let unsaid = choice("push", r#"{"data":{"priority":"high"}}"#);
    assert_eq!(unsaid, (take(vec![]), vec!["out".into()]));

    let (_, problems) = objects(json!({ "cel": "boddy" }), json!({ "match": [], "cel": "true" }));
    let told: Vec<_> = problems.iter().map(|problem| (&*problem.field, problem.reason)).collect();
    // The filter of the sink is whole: no rule is written.
    assert_eq!(told, [("spec.events.filter.cel", Reason::InvalidFilter)]);
    let (_, problems) = objects(json!({}), json!({ "cel": "true" }));
    assert_eq!(problems[0].field, "spec.events.filter");
    assert!(problems[0].message.contains("exactly one of match and cel"), "{problems:?}");
}

#[test]
fn an_event_that_does_not_fit_its_schema_is_refused_parked_or_reported_before_the_filter_sees_it() {
    let schema = json!({ "required": ["id"], "properties": { "id": { "type": "string" } } });
    let become_of = |on_mismatch: &str, mode: &str, alone: bool| {
        let schemas = json!([{ "types": ["push"], "schema": schema, "onMismatch": on_mismatch }]);
        let spec = json!({ "mode": mode, "events": { "schemas": schemas, "filter": { "cel": "event.type == 'push'" } } });
        let (table, problems) = built(vec![endpoint("a", &spec)]);
        assert_eq!(problems, []);
        let endpoint = Arc::clone(table.endpoints().next().expect("it was built"));
        move |event_type: &str, body: &str| {
            let event = event(&endpoint, Some(event_type), body);
            match endpoint.choose(&Subject::new(&event, None), alone, |_| {}) {
                Choice::Take(Taken { destinations, parked, mismatch }) => {
                    assert_eq!(destinations.len(), 1);
                    (parked, mismatch.map(|mismatch| mismatch.code().into_owned()))
                }
                Choice::RejectBody(mismatch) => (None, Some(format!("rejected: {}", mismatch.code()))),
                other => (None, Some(format!("{other:?}"))),
            }
        }
    };
    let mismatch = |parked| (parked, Some("missing_id".to_owned()));
    let aside = Some(ParkReason::SchemaMismatch);
    assert_eq!(
        become_of("Reject", "Active", true)("push", "{}"),
        (None, Some("rejected: missing_id".into()))
    );
    assert_eq!(become_of("Reject", "Active", false)("push", "{}"), mismatch(aside), "in a batch");
    assert_eq!(become_of("Park", "Active", true)("push", "{}"), mismatch(aside));
    assert_eq!(become_of("Report", "Active", true)("push", "{}"), mismatch(None));
    assert_eq!(become_of("Report", "Shadow", true)("push", "{}"), mismatch(Some(ParkReason::Shadow)));
    assert_eq!(become_of("Reject", "Active", true)("push", r#"{"id":"1"}"#), (None, None));
    assert_eq!(
        become_of("Reject", "Shadow", true)("push", r#"{"id":"1"}"#),
        (Some(ParkReason::Shadow), None)
    );
    assert_eq!(become_of("Reject", "Active", true)("fork", "{}").1.as_deref(), Some("Ignore(Filtered)"));

    let broken = json!([{ "schema": {} }, { "schema": { "type": "objekt" } }]);
    let (_, problems) = built(vec![endpoint("a", &json!({ "events": { "schemas": broken } }))]);
    let told: Vec<_> = problems.iter().map(|problem| (&*problem.field, problem.reason)).collect();
    assert_eq!(told, [("spec.events.schemas[1].schema", Reason::InvalidSchema)]);
}

#[test]
fn sinks_come_by_their_labels_beside_those_that_are_named_and_each_once() {
    let labelled = |name: &str, team: &str, spec: Value| {
        let mut sink = sink(name, &spec);
        sink.metadata.labels = Some([("team".to_owned(), team.to_owned())].into());
        sink
    };
    let spec = json!({
        "events": { "key": "{/id}" },
        "delivery": {
            "sinks": [{ "name": "b", "ordering": "None", "types": ["push"] }],
            "sinkSelector": { "matchLabels": { "team": "search" } },
        },
    });
    let log = || json!({ "log": {} });
    let with = |sinks| build(&Objects { endpoints: vec![endpoint("a", &spec)], sinks }, &keys());
    let goes_to = |sinks: Vec<WebhookSink>, event_type: &str| {
        let (table, problems) = with(sinks);
        assert_eq!(problems, []);
        let endpoint = table.endpoints().next().expect("it was built");
        match chosen(endpoint, Some(event_type), "{}").0 {
            Choice::Take(taken) => {
                let to = |to: Destination| (to.sink.name().to_owned(), to.ordered);
                taken.destinations.into_iter().map(to).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let sinks = || {
        let mut elsewhere = labelled("z", "search", log());
        elsewhere.metadata.namespace = Some("other".into());
        vec![
            labelled("d", "search", json!({ "log": {}, "types": ["push"] })),
            labelled("c", "search", log()),
            labelled("b", "search", log()),
            labelled("e", "other", log()),
            elsewhere,
        ]
    };
    let to = |names: &[(&str, bool)]| {
        names.iter().map(|(name, ordered)| ((*name).to_owned(), *ordered)).collect::<Vec<_>>()
    };
    assert_eq!(goes_to(sinks(), "push"), to(&[("b", false), ("c", true), ("d", true)]));
    assert_eq!(goes_to(sinks(), "fork"), to(&[("c", true)]));

    let many: Vec<_> =
        (0..20).map(|n| labelled(&format!("s{n:02}"), "search", log())).chain([sink("b", &log())]).collect();
    let notices = |sinks| {
        with(sinks)
            .0
            .endpoints()
            .map(|endpoint| (endpoint.sinks.len(), endpoint.notices.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(notices(many), [(16, vec![Notice::SinksLeftOut])]);
    let none = json!({ "delivery": { "sinkSelector": { "matchLabels": {} } } });
    let (_, problems) = built(vec![endpoint("a", &none)]);
    assert_eq!(problems[0].field, "spec.delivery.sinkSelector.matchLabels");
}

#[test]
fn metrics_labels_are_only_what_the_configuration_lists() {
    let (table, _) =
        built(vec![endpoint("a", &json!({ "events": { "types": ["mine"], "unknownTypes": "Accept" } }))]);
    let endpoint = table.lookup(None, "/default/a").expect("it was built");
    let types = [Some("mine"), Some("push"), Some("pull_request.opened"), Some("made-up"), None];
    let labels = types.map(|text| endpoint.type_label(text));
    assert_eq!(labels, ["mine", "push", "pull_request.*", "other", "other"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_mistake_names_its_field_reason_and_next_step() {
    for (spec, field, reason, part) in [
        (json!({ "provider": "gihtub" }), "spec.provider", Reason::UnknownProvider, "did you mean github?"),
        (json!({ "provider": null }), "spec", Reason::InvalidScheme, "exactly one"),
        (
            json!({ "secrets": [{ "name": "x", "key": "y" }] }),
            "spec.secrets[0]",
            Reason::SecretMissing,
            "create it",
        ),
        (
            json!({ "secrets": [{ "name": "hook", "key": "y" }] }),
            "spec.secrets[0]",
            Reason::SecretMissing,
            "only: empty, secret",
        ),
        (
            json!({ "secrets": [{ "name": "hook", "key": "empty" }] }),
            "spec.secrets[0]",
            Reason::SecretInvalid,
            "empty",
        ),
        (json!({ "secrets": [] }), "spec.secrets", Reason::SecretInvalid, "1 to 8 secrets"),
        (
            json!({ "delivery": { "sinks": [{ "name": "nope" }] } }),
            "spec.delivery.sinks[0].name",
            Reason::SinkMissing,
            "default/nope",
        ),
        (
            json!({ "events": { "key": "{nope}" } }),
            "spec.events.key",
            Reason::InvalidTemplate,
            "unknown hole",
        ),
        (json!({ "path": "/a b" }), "spec.path", Reason::InvalidValue, "blank"),
        (json!({ "host": "https://a.example" }), "spec.host", Reason::InvalidValue, "without scheme"),
        (
            json!({ "limits": { "requestsPerMinute": 0 } }),
            "spec.limits.requestsPerMinute",
            Reason::InvalidValue,
            "0 is not between 1",
        ),
        (
            json!({ "limits": { "perSourcePerMinute": 0 } }),
            "spec.limits.perSourcePerMinute",
            Reason::InvalidValue,
            "0 is not between 1",
        ),
        (
            json!({ "limits": { "bodyBytesMax": 4_000_000_000_u32 } }),
            "spec.limits.bodyBytesMax",
            Reason::InvalidValue,
            "is not between 1 and 26214400",
        ),
        (json!({ "dedupe": { "window": "365d" } }), "spec.dedupe.window", Reason::InvalidValue, "more than"),
        (
            json!({ "verification": { "tolerance": "48h" } }),
            "spec.verification.tolerance",
            Reason::InvalidValue,
            "more than",
        ),
        (
            json!({ "verification": { "allowedSources": ["all"] } }),
            "spec.verification.allowedSources[0]",
            Reason::InvalidValue,
            "address block",
        ),
        (
            json!({ "provider": null, "scheme": { "kind": "token", "signature": { "from": { "headers": ["X-Token"] } } } }),
            "spec.scheme.bodyProtected",
            Reason::InvalidScheme,
            "set to false",
        ),
    ] {
        let (table, problems) = built(vec![endpoint("a", &spec)]);
        let [problem] = &problems[..] else { unreachable!("one problem, not {problems:?}") };
        assert_eq!((&*problem.field, problem.reason), (field, reason), "{spec}");
        assert!(problem.message.contains(part), "{problem}");
        assert_eq!(table.endpoints().count(), 0, "{spec}");
    }
}

#[test]
fn of_two_endpoints_with_one_url_the_first_is_served() {
    let (table, problems) =
        built(vec![endpoint("a", &json!({ "path": "/x" })), endpoint("b", &json!({ "path": "/x" }))]);
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].object.name(), problems[0].reason), ("b", Reason::PathConflict));
    assert!(problems[0].message.contains("default/a"));
    assert!(table.lookup(None, "/x").is_some_and(|endpoint| endpoint.name.name() == "a"));
}

#[test]
fn sinks_with_mistakes_name_their_field() {
    for (spec, field) in [
        (json!({}), "spec"),
        (json!({ "http": { "url": "https://" } }), "spec.http.url"),
        (json!({ "http": { "url": "http://x/", "timeout": "1h" } }), "spec.http.timeout"),
        (json!({ "http": { "url": "http://x/", "headers": [{ "name": "A" }] } }), "spec.http.headers[0]"),
        (
            json!({ "http": { "url": "http://x/", "headers": [{ "name": "A B", "value": "x" }] } }),
            "spec.http.headers[0].name",
        ),
        (
            json!({ "http": { "url": "http://x/", "headers": [{ "name": "A", "value": "{" }] } }),
            "spec.http.headers[0].value",
        ),
        (
            json!({ "http": { "url": "http://x/", "headers": [{ "name": "A", "secretRef": { "name": "x", "key": "y" } }] } }),
            "spec.http.headers[0].secretRef",
        ),
        (json!({ "log": {}, "retry": { "maxDelay": "8d" } }), "spec.retry.maxDelay"),
        (json!({ "log": {}, "retry": { "multiplier": 0.5 } }), "spec.retry.multiplier"),
        (json!({ "log": {}, "concurrency": 0 }), "spec.concurrency"),
        (json!({ "log": {}, "rateLimit": { "perMinute": 0 } }), "spec.rateLimit.perMinute"),
        (json!({ "log": {}, "rateLimit": { "perTenantPerMinute": 0 } }), "spec.rateLimit.perTenantPerMinute"),
    ] {
        let (table, problems) = build(&Objects { endpoints: vec![], sinks: vec![sink("s", &spec)] }, &keys());
        let fields: Vec<&str> = problems.iter().map(|problem| &*problem.field).collect();
        assert_eq!(fields, [field], "{spec}");
        assert_eq!(table.sinks().count(), 0, "{spec}");
    }
}

#[test]
fn weak_schemes_are_served_with_a_notice() {
    let organisation = json!([{ "name": "salesforce", "key": "organisation" }]);
    let secret = json!([{ "name": "hook", "key": "secret" }]);
    for (provider, secrets, notices) in [
        ("github", &secret, &[][..]),
        ("acme", &secret, &[Notice::TimestampNotSigned]),
        ("jiwaku-seed", &secret, &[Notice::BodyNotProtected]),
        ("salesforce-outbound-message", &organisation, &[Notice::BodyNotProtected]),
    ] {
        let spec = json!({ "provider": provider, "secrets": secrets });
        let (table, problems) = built(vec![endpoint("a", &spec)]);
        assert_eq!(problems, []);
        let found = table.lookup(None, "/default/a").map(|endpoint| endpoint.notices.clone());
        assert_eq!(found.as_deref(), Some(notices), "{provider}");
    }
}

#[test]
fn what_a_provider_needs_beside_its_secret_is_asked_for() {
    let field = |spec: Value| {
        let (_, problems) = built(vec![endpoint("a", &spec)]);
        problems.first().map(|problem| (problem.field.clone(), problem.reason))
    };
    let url = "https://hooks.example.com/a";
    let token = |key: &str| json!({ "verifyToken": { "name": "hook", "key": key } });
    let public_url = "spec.verification.publicURL".to_owned();
    let verify_token = "spec.verification.verifyToken".to_owned();
    for (spec, expected) in [
        (json!({ "provider": "square" }), Some((public_url.clone(), Reason::InvalidValue))),
        (
            json!({ "provider": "square", "verification": { "publicURL": "hooks.example.com" } }),
            Some((public_url, Reason::InvalidValue)),
        ),
        (json!({ "provider": "square", "verification": { "publicURL": url } }), None),
        (json!({ "provider": "meta" }), Some((verify_token.clone(), Reason::SecretMissing))),
        (
            json!({ "provider": "meta", "verification": token("lost") }),
            Some((verify_token.clone(), Reason::SecretMissing)),
        ),
        (json!({ "provider": "meta", "verification": token("secret") }), None),
        (json!({ "verification": token("secret") }), Some((verify_token, Reason::InvalidValue))),
        (
            json!({ "verification": { "jwt": { "audience": "us" } } }),
            Some(("spec.verification.jwt".into(), Reason::InvalidValue)),
        ),
        (
            json!({ "provider": "google-pubsub", "secrets": [{ "name": "google", "key": "publicKey" }] }),
            Some(("spec.verification.jwt.audience".into(), Reason::InvalidValue)),
        ),
        (
            json!({ "provider": "google-pubsub", "secrets": [{ "name": "google", "key": "publicKey" }],
                    "verification": { "jwt": { "audience": "us", "email": "a@b" } } }),
            None,
        ),
        (
            json!({ "provider": "google-pubsub", "secrets": [],
                    "verification": { "jwt": { "audience": "us", "email": "a@b" } } }),
            None,
        ),
        (
            json!({ "provider": "google-pubsub", "secrets": [],
                    "verification": { "jwt": { "audience": "us", "email": "a@b", "jwksURL": "http://issuer.example/keys" } } }),
            Some(("spec.verification.jwt.jwksURL".into(), Reason::InvalidValue)),
        ),
        (json!({ "secrets": [] }), Some(("spec.secrets".into(), Reason::SecretInvalid))),
    ] {
        assert_eq!(field(spec.clone()), expected, "{spec}");
    }
}

#[test]
fn who_believes_everybody_is_told_so() {
    let none = json!({ "kind": "none", "bodyProtected": false });
    let (table, problems) =
        built(vec![endpoint("a", &json!({ "provider": null, "scheme": none, "secrets": [] }))]);
    assert_eq!(problems, []);
    let notices = table.lookup(None, "/default/a").map(|endpoint| endpoint.notices.clone());
    assert_eq!(notices, Some(vec![Notice::NothingProved, Notice::NoReplayGuard]));
}

#[test]
fn secrets_are_not_shown() {
    let (table, _) = built(vec![endpoint("a", &json!({}))]);
    assert!(!format!("{:?} {table:?}", keys()).contains("hush"));
}

#[test]
fn events_are_ordered_where_they_have_a_key_and_nobody_says_otherwise() {
    let ordered = |key: Option<&str>, ordering: Option<&str>| {
        let events = key.map(|key| json!({ "key": key })).unwrap_or_default();
        let mut sink = json!({ "name": "out" });
        sink["ordering"] = ordering.into();
        let spec = json!({ "events": events, "delivery": { "sinks": [sink] } });
        let (table, problems) = built(vec![endpoint("a", &spec)]);
        let endpoint = table.endpoints().next().cloned();
        let problems: Vec<String> = problems.into_iter().map(|problem| problem.field).collect();
        match endpoint.map(|endpoint| chosen(&endpoint, Some("push"), "{}").0) {
            Some(Choice::Take(taken)) => Ok(taken.destinations[0].ordered),
            _ => Err(problems),
        }
    };
    assert_eq!(ordered(None, None), Ok(false));
    assert_eq!(ordered(Some("{/id}"), None), Ok(true));
    assert_eq!(ordered(Some("{/id}"), Some("ByKey")), Ok(true));
    assert_eq!(ordered(Some("{/id}"), Some("None")), Ok(false));
    assert_eq!(ordered(None, Some("None")), Ok(false));
    assert_eq!(ordered(None, Some("ByKey")), Err(vec!["spec.delivery.sinks[0].ordering".into()]));
}

#[test]
fn two_endpoints_do_not_take_a_secret_into_one_place() {
    let place = json!({ "name": "notion", "key": "token" });
    let spec = |path: &str| {
        json!({
            "provider": "notion", "path": path, "secrets": [place],
            "secretCapture": { "secretRef": place, "until": "2027-01-01T00:00:00Z" },
        })
    };
    let (table, problems) = built(vec![endpoint("a", &spec("/a")), endpoint("b", &spec("/b"))]);
    let told: Vec<_> = problems.iter().map(|problem| (problem.object.name(), &*problem.field)).collect();
    assert_eq!(told, [("b", "spec.secretCapture.secretRef")]);
    assert!(table.lookup(None, "/a").is_some() && table.lookup(None, "/b").is_none());
}

#[test]
fn only_an_endpoint_with_a_required_sink_can_acknowledge_what_is_delivered() {
    let on_delivered = |sinks: Value| {
        let acknowledge = json!({ "mode": "OnDelivered", "deadline": "2s" });
        let spec = json!({ "acknowledge": acknowledge, "delivery": { "sinks": sinks } });
        built(vec![endpoint("a", &spec)])
    };
    let (table, problems) = on_delivered(json!([{ "name": "out" }]));
    assert_eq!(problems, []);
    let acknowledge = table.lookup(None, "/default/a").map(|endpoint| endpoint.acknowledge);
    assert_eq!(acknowledge, Some(Acknowledge::OnDelivered { deadline: Duration::from_secs(2) }));
    for sinks in [json!([]), json!([{ "name": "out", "required": false }])] {
        let (_, problems) = on_delivered(sinks);
        let fields: Vec<&str> = problems.iter().map(|problem| &*problem.field).collect();
        assert_eq!(fields, ["spec.acknowledge.mode"]);
    }
}

#[test]
fn a_deadline_is_some_time_and_not_too_long() {
    for (deadline, sound) in [("0s", false), ("1ms", true), ("30s", true), ("30001ms", false)] {
        let (_, problems) = built(vec![endpoint("a", &json!({ "acknowledge": { "deadline": deadline } }))]);
        assert_eq!(problems.is_empty(), sound, "{deadline}: {problems:?}");
    }
}

#[test]
fn a_key_waits_behind_what_is_parked_only_where_its_order_is_kept() {
    let blocking = |events: Value, ordering: Option<&str>| {
        let mut choice = json!({ "name": "out", "onParked": "Block" });
        ordering.into_iter().for_each(|ordering| choice["ordering"] = ordering.into());
        let spec = json!({ "events": events, "delivery": { "sinks": [choice] } });
        let (table, problems) = built(vec![endpoint("a", &spec)]);
        let blocks = table.lookup(None, "/default/a").map(|endpoint| endpoint.sinks[0].blocks);
        (blocks, problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>())
    };
    let keyed = || json!({ "key": "{/repository/full_name}" });
    let refused = vec!["spec.delivery.sinks[0].onParked".to_owned()];
    assert_eq!(blocking(keyed(), None), (Some(true), Vec::new()));
    assert_eq!(blocking(keyed(), Some("None")), (None, refused.clone()));
    assert_eq!(blocking(json!({}), None), (None, refused));
}

#[test]
fn attributes_that_are_asked_for_and_not_there_are_told_where_they_are_missing() {
    let told = |spec: Value| {
        let fields =
            json!([{ "name": "a", "value": "{attr:team}" }, { "name": "b", "value": "{attr:room|'-'}" }]);
        let sinks = vec![sink("out", &json!({ "log": {}, "body": "Fields", "fields": fields }))];
        let (table, problems) = build(&Objects { endpoints: vec![endpoint("a", &spec)], sinks }, &keys());
        assert_eq!(table.endpoints().count(), usize::from(problems.is_empty()));
        problems
            .into_iter()
            .map(|problem| format!("{}: {}", problem.field, problem.message))
            .collect::<Vec<_>>()
    };
    let key = json!({ "key": "{attr:team}" });
    assert_eq!(told(json!({ "attributes": { "team": "red" }, "events": key })), [""; 0]);
    let none = told(json!({ "events": key }));
    assert_eq!(none.len(), 2, "{none:?}");
    assert!(none[0].starts_with("spec.events.key: `{attr:team}`: there is no such attribute"), "{none:?}");
    assert!(
        none[1].starts_with(
            "spec.attributes: WebhookSink default/out asks for `{attr:team}` in spec.fields[0].value"
        ),
        "{none:?}"
    );
    let many: serde_json::Map<String, Value> = (0..33).map(|n| (format!("n{n}"), "x".into())).collect();
    for (attributes, field) in [
        (json!({ "team": "" }), "spec.attributes.team: "),
        (json!({ "team": "x".repeat(1_025) }), "spec.attributes.team: "),
        (json!({ "team": "red", "a b": "x" }), "spec.attributes: "),
        (json!({ "team": "red", "": "x" }), "spec.attributes: "),
        (
            Value::Object([("team".to_owned(), "red".into())].into_iter().chain(many).collect()),
            "spec.attributes: ",
        ),
    ] {
        let told = told(json!({ "attributes": attributes }));
        assert!(told.len() == 1 && told[0].starts_with(field), "{told:?}");
    }
}
