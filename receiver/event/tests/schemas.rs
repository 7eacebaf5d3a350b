//! Bodies held against schemas.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::sync::Arc;

use boathook_event::{Event, EventParts, Head, Mismatch, ObjectName, Schema, Subject, Uid, limits};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

fn check(schema: &Value, body: &str) -> Result<(), Mismatch> {
    let head = Head { method: Method::POST, path: "/".into(), query: None, headers: HeaderMap::new() };
    let event = Event::restore(EventParts {
        uid: Uid::from_bytes([7; 16]),
        endpoint: ObjectName::new("default", "in"),
        received_at: Timestamp::UNIX_EPOCH,
        id: None,
        event_type: None,
        key: None,
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::new(head),
        body: body.to_owned().into(),
    });
    Schema::compile(schema).unwrap().check(&Subject::new(&event, None))
}

fn kayako() -> Value {
    json!({
        "type": "object",
        "required": ["event_id", "event_type", "timestamp", "customer"],
        "properties": {
            "event_id": { "type": "string", "minLength": 1 },
            "event_type": { "enum": ["conversation.created", "conversation.updated"] },
            "timestamp": { "format": "date-time" },
            "customer": { "type": "object", "required": ["email"], "properties": { "email": { "format": "email" } } },
            "agents": { "items": { "format": "email" } },
            "a/b c": { "type": "string" },
        },
    })
}

#[test]
fn a_body_that_fits_fits_whatever_else_it_has() {
    let body = r#"{"event_id":"1","event_type":"conversation.created","timestamp":"2026-01-31T00:00:00Z",
        "customer":{"email":"a@example.com"},"more":[1]}"#;
    assert_eq!(check(&kayako(), body), Ok(()));
}

#[test]
fn faults_are_told_in_the_order_in_which_the_schema_requires_members_and_then_by_name() {
    for (body, code, message) in [
        (
            "{}",
            "missing_event_id",
            "the body does not fit: event_id is missing, event_type is missing, timestamp is missing, customer is missing",
        ),
        (
            r#"{"event_id":"","event_type":"made.up","timestamp":"yesterday","customer":{"email":"x"},"agents":["a@b.c","x"],"a/b c":1}"#,
            "invalid_event_id",
            "the body does not fit: event_id is not valid, event_type is not valid, timestamp is not valid, customer.email is \
             not valid, a_1b_c is not valid, agents.1 is not valid",
        ),
        (
            r#"{"event_id":"1","event_type":"conversation.created","timestamp":"2026-01-31T00:00:00Z","customer":{}}"#,
            "missing_customer.email",
            "the body does not fit: customer.email is missing",
        ),
        ("[]", "invalid_body", "the body does not fit: the whole of it is not valid"),
        ("no json", "invalid_body", "the body does not fit: the whole of it is not valid"),
    ] {
        let mismatch = check(&kayako(), body).unwrap_err();
        assert_eq!((&*mismatch.code(), &*mismatch.to_string()), (code, message));
    }
}

#[test]
fn at_most_ten_faults_are_told_and_of_a_large_body_one() {
    let numbers = json!({ "items": { "type": "number" } });
    let list = |items: usize| format!("[{}1]", r#""x","#.repeat(items));
    let told = |items| check(&numbers, &list(items)).unwrap_err().faults.len();
    assert_eq!(told(9), 9);
    assert_eq!(told(30), limits::FAULTS_MAX);
    assert_eq!(told(limits::SCHEMA_FAULTS_BODY_BYTES_MAX / 4 + 1), 1);
}

#[test]
fn a_schema_that_cannot_be_used_is_refused_with_its_place() {
    for (schema, told) in [
        (json!({ "properties": { "a": { "type": "objekt" } } }), "(at /properties/a/type)"),
        (json!({ "properties": { "a": { "pattern": "(" } } }), "(at /properties/a/pattern)"),
        (json!({ "$ref": "https://example.com/a.json" }), "https://example.com/a.json"),
        (json!({ "description": "x".repeat(limits::SCHEMA_BYTES_MAX) }), "a schema has at most 65536 bytes"),
    ] {
        let found = Schema::compile(&schema).unwrap_err();
        assert!(found.contains(told), "{told}\n{found}");
    }
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    assert_eq!(check(&json!({ "allOf": [{ "$ref": "#" }] }), "1"), Ok(()));
    let tree = json!({ "properties": { "child": { "$ref": "#" }, "n": { "type": "number" } } });
    assert_eq!(check(&tree, r#"{"child":{"child":{"n":"x"}}}"#).unwrap_err().code(), "invalid_child.child.n");
}
