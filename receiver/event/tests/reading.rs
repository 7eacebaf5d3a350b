//! What is read from genuine requests: the verification vectors say it, case by case.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads its data and fails where it cannot go on"
)]
use std::{fs, path::Path};

use boathook_event::{Attributes, Facts, ObjectName, Read, ReadError, Reading, ReadingSpec, Uid, UidFrom};
use boathook_verify::{
    BodyKind, Expected, Payload, PayloadEncoding, RawRequest, Scheme, Secret, Setup, Verified, Verifier,
    preset, preset_ids,
};
use http::{HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::Value;

static NONE: Attributes = Attributes::new();

fn spec(scheme: &Scheme) -> ReadingSpec<'_> {
    ReadingSpec {
        endpoint: ObjectName::new("shop", "hook"),
        scheme,
        id: None,
        event_type: None,
        tenant: None,
        key: None,
        attributes: &NONE,
        uid_from: UidFrom::Chance,
    }
}

/// Signs a request with the scheme and reads it.
fn read_as(spec: ReadingSpec<'_>, headers: &[(&str, &str)], body: &str) -> Result<Read, ReadError> {
    let secret = Secret {
        text: b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec().into(),
        not_before: None,
        not_after: None,
    };
    let secrets = [secret];
    let verifier = Verifier::compile(spec.scheme, &Setup { secrets: &secrets, ..Setup::default() }).unwrap();
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()));
    let mut request = RawRequest {
        method: Method::POST,
        path: "/shop/hook".into(),
        query: Some("team=search".into()),
        headers: pairs.collect(),
        body: body.to_owned().into(),
    };
    verifier.sign(&mut request, Timestamp::UNIX_EPOCH).unwrap();
    let verified = verifier.verify(&request, Timestamp::UNIX_EPOCH).unwrap();
    read(&Reading::compile(spec).unwrap(), &verified)
}

fn read(reading: &Reading, verified: &Verified<'_>) -> Result<Read, ReadError> {
    let mut number = 0;
    let mut uid = || {
        number += 1;
        Uid::new(number, &[0; 10])
    };
    reading.read(verified, &mut Facts { received_at: Timestamp::UNIX_EPOCH, uid: &mut uid })
}

/// Reads a vector as it is: its own request, secrets and clock.
fn read_vector(scheme: &Scheme, vector: &Value) -> Read {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let secret = |value: &Value| Secret {
        text: text(value).unwrap().into_bytes().into(),
        not_before: None,
        not_after: None,
    };
    let secrets: Vec<Secret> =
        vector["secrets"].as_array().unwrap().iter().map(|one| secret(&one["text"])).collect();
    let public_url = text(&vector["publicURL"]);
    let audience = vector.pointer("/jwt/audience").and_then(Value::as_str);
    let email = vector.pointer("/jwt/email").and_then(Value::as_str);
    let expected = Expected { audience, email, ..Expected::default() };
    let setup = Setup {
        secrets: &secrets,
        public_url: public_url.as_deref(),
        jwt: audience.map(|_| &expected),
        ..Setup::default()
    };
    let sent = &vector["request"];
    let pairs = sent["headers"].as_array().unwrap().iter();
    let path = text(&sent["path"]).unwrap();
    let request = RawRequest {
        method: sent["method"].as_str().unwrap().parse().unwrap(),
        path: path.split('?').next().unwrap().into(),
        query: path.split_once('?').map(|(_, query)| query.into()),
        headers: pairs
            .map(|pair| {
                let value = HeaderValue::from_bytes(pair[1].as_str().unwrap().as_bytes()).unwrap();
                (pair[0].as_str().unwrap().parse::<HeaderName>().unwrap(), value)
            })
            .collect(),
        body: text(&sent["body"]).unwrap().into(),
    };
    let verifier = Verifier::compile(scheme, &setup).unwrap();
    let now = vector["now"].as_str().unwrap().parse().unwrap();
    let certificate = vector["certificate"].as_str();
    if let Some((slot, certificate)) = verifier.lacks_key(&request, now).zip(certificate) {
        slot.fill(slot.source().format().parse(certificate.as_bytes()).unwrap().into());
    }
    let verified = verifier.verify(&request, now).unwrap();
    read(&Reading::compile(spec(scheme)).unwrap(), &verified).unwrap()
}

#[test]
fn every_vector_that_names_ids_and_types_is_read_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verify/vectors");
    let mut compared = 0;
    for id in preset_ids() {
        let scheme = preset(id).unwrap();
        for line in fs::read_to_string(folder.join(format!("{id}.jsonl"))).unwrap().lines() {
            let vector: Value = serde_json::from_str(line).unwrap();
            let expected = match (&vector["expect"]["accepted"], &vector["expect"]["acceptedBatch"]) {
                (Value::Object(one), _) => vec![Value::Object(one.clone())],
                (_, Value::Array(items)) => items.clone(),
                _ => continue,
            };
            let found: Vec<Value> = read_vector(&scheme, &vector)
                .events
                .iter()
                .map(|read| serde_json::json!({ "id": read.event.id, "type": read.event.event_type }))
                .collect();
            assert_eq!(found, expected, "{id}/{}", vector["id"]);
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn items_of_a_batch_keep_their_bytes_and_share_the_head() {
    let scheme = preset("front-seed").unwrap();
    let body = r#"[ {"id" : "a"}, {"type":"x"} ]"#;
    let read = read_as(spec(&scheme), &[("X-Front-Event-ID", "e"), ("Cookie", "c=1")], body).unwrap();
    let [first, second] = &read.events[..] else { unreachable!("two items") };
    let (first, second) = (&first.event, &second.event);
    assert_eq!((&*first.body, &*second.body), (&br#"{"id" : "a"}"#[..], &br#"{"type":"x"}"#[..]));
    assert_eq!((first.index, second.index), (0, 1));
    assert!(std::sync::Arc::ptr_eq(&first.head, &second.head));
    assert!(!first.head.headers.contains_key("cookie"));
    assert!(read_as(spec(&scheme), &[], "[]").unwrap().events.is_empty());
}

#[test]
fn a_token_is_not_kept_with_the_event() {
    let scheme = preset("jiwaku-seed").unwrap();
    let read = read_as(spec(&scheme), &[], r#"{"id":"1"}"#).unwrap();
    assert!(!read.events[0].event.head.headers.contains_key("authorization"));
}

#[test]
fn a_token_in_the_query_is_not_kept_with_the_event() {
    let scheme = preset("azure-event-grid").unwrap();
    let read = read_as(spec(&scheme), &[], r#"[{"id":"1"}]"#).unwrap();
    assert_eq!(read.events[0].event.head.query.as_deref(), Some("team=search"));
}

#[test]
fn fields_of_a_form_are_read_like_members() {
    let mut scheme = preset("github").unwrap();
    scheme.body = vec![BodyKind::Form];
    let of = ReadingSpec { event_type: Some("{/Status|'none'}"), id: Some("{/Sid}"), ..spec(&scheme) };
    let read = read_as(of.clone(), &[], "Sid=S+1&Status=").unwrap().events.remove(0);
    assert_eq!(read.document.as_deref(), Some(&br#"{"Sid":"S 1","Status":""}"#[..]), "what filters see");
    let event = read.event;
    assert_eq!((event.id.as_deref(), event.event_type.as_deref()), (Some("S 1"), Some("none")));
    assert_eq!(event.body, "Sid=S+1&Status=");
    assert_eq!(read_as(of, &[], "Sid=%ff").unwrap_err(), ReadError::Form);
}

#[test]
fn a_document_in_a_field_of_a_form_is_read_like_one_in_a_member() {
    let mut scheme = preset("github").unwrap();
    scheme.body = vec![BodyKind::Form];
    scheme.event_type = vec!["{/type}".into()];
    scheme.payload = Some(Payload { pointer: "/payload".into(), encoding: PayloadEncoding::Text });
    let read = read_as(spec(&scheme), &[], "payload=%7B%22type%22%3A%22made%22%7D").unwrap();
    assert_eq!(read.events[0].event.event_type.as_deref(), Some("made"));
    assert_eq!(read.events[0].document.as_deref(), Some(&br#"{"type":"made"}"#[..]), "what filters see");
}

#[test]
fn items_of_xml_are_kept_as_json_and_one_is_a_batch_too() {
    let mut scheme = preset("github").unwrap();
    scheme.body = vec![BodyKind::Xml];
    scheme.batch = Some("/all/one".into());
    let of = ReadingSpec { id: Some("{/@id}"), event_type: Some("{/kind/#text|/kind}"), ..spec(&scheme) };
    let xml = [("content-type", "text/xml")];
    let one = r#"<x:all><x:one id="1"><kind>made</kind></x:one></x:all>"#;
    let several =
        r#"<all> <one id="1"><kind>made</kind></one> <one id="2"><kind lang="en">left</kind></one> </all>"#;
    let first = r#"{"@id":"1","kind":"made"}"#;
    let second = r##"{"@id":"2","kind":{"#text":"left","@lang":"en"}}"##;
    for (body, items) in [(one, &[first][..]), (several, &[first, second])] {
        let read = read_as(of.clone(), &xml, body).unwrap();
        let bodies: Vec<&[u8]> = read.events.iter().map(|read| &*read.event.body).collect();
        assert_eq!(bodies, items.iter().map(|item| item.as_bytes()).collect::<Vec<_>>());
        assert_eq!(read.events[0].event.id.as_deref(), Some("1"));
        assert_eq!(
            read.events.last().unwrap().event.event_type.as_deref(),
            Some(["made", "left"][items.len() - 1])
        );
        assert_eq!(read.events[0].event.head.headers["content-type"], "application/json");
    }
    let whole = read_as(of.clone(), &xml, "<all/>").unwrap();
    assert_eq!((&*whole.events[0].event.body, whole.events.len()), (&b"<all/>"[..], 1));
    assert_eq!(whole.events[0].event.head.headers["content-type"], "text/xml");
    assert!(matches!(read_as(of, &xml, "<all>").unwrap_err(), ReadError::Xml(_)));
}

#[test]
fn xml_without_a_batch_is_kept_as_it_came_and_read_like_members() {
    let mut scheme = preset("github").unwrap();
    scheme.body = vec![BodyKind::Json, BodyKind::Xml];
    let of = ReadingSpec { id: Some("{/a/id}"), ..spec(&scheme) };
    for body in ["<a><id>7</id></a>", r#"{"a":{"id":"7"}}"#] {
        let event = read_as(of.clone(), &[], body).unwrap().events.remove(0).event;
        assert_eq!((event.id.as_deref(), &*event.body), (Some("7"), body.as_bytes()));
    }
    assert!(matches!(read_as(of, &[], "<a>").unwrap_err(), ReadError::Body(_)), "the first kind is told");
    scheme.body = vec![BodyKind::Form, BodyKind::Xml];
    let of = ReadingSpec { id: Some("{/a/id|/id}"), ..spec(&scheme) };
    for body in ["<a><id>7</id></a>", "id=7"] {
        assert_eq!(
            read_as(of.clone(), &[], body).unwrap().events[0].event.id.as_deref(),
            Some("7"),
            "{body}"
        );
    }
}

#[test]
fn dedupe_keys_follow_what_the_scheme_signs() {
    let keys = |id: &str, headers: &[(&str, &str)], body: &str| {
        let scheme = preset(id).unwrap();
        read_as(spec(&scheme), headers, body).unwrap().events.remove(0).dedupe
    };
    let signed = keys("notion-seed", &[], r#"{"id":"1"}"#);
    assert_eq!(signed.len(), 1);
    assert_eq!(signed[0].body, None, "a signed id is enough");
    assert_eq!(signed, keys("notion-seed", &[], r#"{"id":"1","n":2}"#));
    let unsigned = keys("github", &[("X-GitHub-Delivery", "d")], "{}");
    let other = keys("github", &[("X-GitHub-Delivery", "d")], "{ }");
    assert_eq!(unsigned[0].hash, other[0].hash);
    assert!(unsigned[0].body.is_some() && unsigned[0].body != other[0].body);
    assert_eq!(keys("salesforce-seed", &[], "{}").len(), 1, "the body itself");
    assert_eq!(keys("slack", &[], "{}").len(), 0, "no id: a heartbeat may repeat");
}

#[test]
fn content_type_and_body_are_checked_as_the_scheme_wants() {
    let kayako = preset("kayako-seed").unwrap();
    for (headers, refused) in [
        (&[][..], true),
        (&[("content-type", "text/plain")], true),
        (&[("content-type", "Application/JSON; charset=utf-8")], false),
    ] {
        let error = read_as(spec(&kayako), headers, r#"{"event_id":"1"}"#).err();
        assert_eq!(matches!(error, Some(ReadError::ContentType { .. })), refused, "{headers:?}");
    }
    let json = [("content-type", "application/json")];
    assert!(matches!(read_as(spec(&kayako), &json, "{").unwrap_err(), ReadError::Body(_)));
    let slack = preset("slack").unwrap();
    assert_eq!(read_as(spec(&slack), &[], "command=/deploy").unwrap().events.len(), 1, "any body is kept");
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    assert!(read_as(spec(&preset("stripe").unwrap()), &[], &deep).is_err());
}

#[test]
fn an_endpoints_templates_replace_those_of_the_preset() {
    let scheme = preset("stripe").unwrap();
    let own = ReadingSpec {
        id: Some("{/data/id}"),
        event_type: Some("{query:team}.{endpoint}"),
        tenant: Some("{/team|'nobody'}"),
        key: Some("{type}:{id}:{tenant}"),
        ..spec(&scheme)
    };
    let read = read_as(own, &[], r#"{"id":"evt","data":{"id":"7"}}"#).unwrap();
    let event = &read.events[0].event;
    assert_eq!(event.id.as_deref(), Some("7"));
    assert_eq!(event.event_type.as_deref(), Some("search.hook"));
    assert_eq!(event.key.as_deref(), Some("search.hook:7:nobody"));
    assert_eq!(event.tenant.as_deref(), Some("nobody"));
}

#[test]
fn long_ids_and_keys_are_kept_as_their_digest() {
    let scheme = preset("stripe").unwrap();
    let body = format!(r#"{{"id":"{}"}}"#, "x".repeat(300));
    let read = read_as(ReadingSpec { key: Some("{id}"), ..spec(&scheme) }, &[], &body).unwrap();
    assert_eq!(read.events[0].event.id.as_deref().map(str::len), Some(64));
    assert_eq!(read.events[0].event.key.as_deref().map(str::len), Some(64));
}

#[test]
fn the_answer_is_taken_from_the_request() {
    let scheme = preset("salesforce-seed").unwrap();
    let read = read_as(
        spec(&scheme),
        &[],
        r#"{"action":"created","sobject":{"name":"Contact","fields":{"Id":"003"}}}"#,
    )
    .unwrap();
    assert_eq!(read.answer["eventType"].as_deref(), Some("created"));
    assert_eq!(read.answer["entityId"].as_deref(), Some("003"));
}

#[test]
fn broken_templates_are_named_by_their_field() {
    let scheme =
        Scheme { id: vec!["{".into(), "{key}".into()], batch: Some("x".into()), ..preset("stripe").unwrap() };
    let errors = Reading::compile(ReadingSpec { tenant: Some("{/"), ..spec(&scheme) }).unwrap_err();
    assert!(errors.iter().any(|error| error.field == "events.tenant"), "{errors:?}");
    let errors = Reading::compile(ReadingSpec { key: Some("{nope}"), ..spec(&scheme) }).unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| &*error.field).collect();
    assert_eq!(fields, ["id[0]", "id[1]", "events.key", "batch"]);
}

#[test]
fn attributes_are_constants_of_the_endpoint_and_an_unknown_one_is_told() {
    let scheme = preset("stripe").unwrap();
    let attributes = [("connection".to_owned(), "conn-456".to_owned())].into();
    let own = ReadingSpec {
        attributes: &attributes,
        tenant: Some("{attr:connection}"),
        key: Some("{attr:connection}/{/none|attr:connection|/id}"),
        ..spec(&scheme)
    };
    let event = read_as(own.clone(), &[], "{\"id\":\"evt_1\"}").unwrap().events.remove(0).event;
    assert_eq!(
        (event.tenant.as_deref(), event.key.as_deref()),
        (Some("conn-456"), Some("conn-456/conn-456"))
    );
    let errors = Reading::compile(ReadingSpec { key: Some("{attr:conection|'-'}"), ..own }).unwrap_err();
    assert_eq!(errors[0].field, "events.key");
    assert!(errors[0].message.contains("`{attr:conection}`: there is no such attribute"), "{errors:?}");
}

#[test]
fn a_uid_that_follows_from_the_key_is_the_same_wherever_and_whenever_the_event_comes() {
    let stripe = preset("stripe").unwrap();
    let uid = |scheme: &Scheme, endpoint: &str, headers: &[(&str, &str)], body: &str| {
        let endpoint = ObjectName::new("shop", endpoint);
        let spec = ReadingSpec { endpoint, uid_from: UidFrom::Key, ..spec(scheme) };
        read_as(spec, headers, body).unwrap().events[0].event.uid.to_string()
    };
    let first = uid(&stripe, "hook", &[], r#"{"id":"evt_1","n":1}"#);
    // Of every release: another one would deliver at a sink what is there.
    assert_eq!(first, "c30d00e6-4dba-839f-b78a-aeb3d9ed7a4f");
    assert_eq!(uid(&stripe, "hook", &[], r#"{"id":"evt_1","n":2}"#), first);
    assert_ne!(uid(&stripe, "hook", &[], r#"{"id":"evt_2","n":1}"#), first);
    assert_ne!(uid(&stripe, "other", &[], r#"{"id":"evt_1","n":1}"#), first);
    // An id that nobody has signed counts with the body alone.
    let github = preset("github").unwrap();
    let delivery = [("x-github-delivery", "d-1"), ("x-github-event", "push")];
    let of = |body| uid(&github, "hook", &delivery, body);
    assert_eq!((of("{}") == of("{}"), of("{}") == of("{ }")), (true, false));
    // Without a key it is one of those that chance makes.
    assert_eq!(uid(&stripe, "hook", &[], "{}"), Uid::new(1, &[0; 10]).to_string());
}
