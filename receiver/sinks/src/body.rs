//! The body that a sink gets: the provider's bytes, or a document made of the event. The same for every kind of sink.
use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_event::{Delivery, Event, Failure, FailureKind};
use boathook_template::{Place, Pointers, Template, Values};
use bytes::Bytes;
use http::{HeaderValue, header};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    BuildError, Sending,
    error::permanent,
    limits::{FIELD_NAME_BYTES_MAX, FIELDS_MAX},
    source::{DeliverySource, never_known},
};

/// What a sink's body is made of (`spec.body`, `spec.fields`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BodySpec {
    /// The provider's bytes.
    #[default]
    Raw,
    /// A CloudEvent 1.0 in the structured mode of JSON.
    CloudEvents,
    /// `{id, timestamp, event, teamId, data, previousData, metadata}`.
    Envelope,
    /// A flat JSON object: names and templates.
    Fields(Vec<FieldSpec>),
}

/// One member of a flat object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// The member's name.
    pub name: String,
    /// A template of [`Place::Delivery`]; one that is a pointer alone keeps the kind of its value.
    pub value: String,
}

/// A [`BodySpec`], compiled.
#[derive(Debug)]
pub(crate) enum BodyMaker {
    Raw,
    CloudEvents,
    Envelope,
    Fields(Fields),
}

/// A body as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    /// What it is; `None` = what the provider said.
    pub(crate) content_type: Option<HeaderValue>,
}

#[derive(Debug)]
pub(crate) struct Fields {
    fields: Vec<(String, Template)>,
    pointers: Pointers,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const CLOUD_EVENT: HeaderValue = HeaderValue::from_static("application/cloudevents+json");

impl BodyMaker {
    pub(crate) fn compile(spec: &BodySpec) -> Result<Self, BuildError> {
        Ok(match spec {
            BodySpec::Raw => Self::Raw,
            BodySpec::CloudEvents => Self::CloudEvents,
            BodySpec::Envelope => Self::Envelope,
            BodySpec::Fields(fields) => Self::Fields(Fields::compile(fields)?),
        })
    }

    /// Makes the body of one attempt.
    ///
    /// # Errors
    /// The event cannot be made into it: no other attempt can mend that.
    pub(crate) fn make(&self, sending: &Sending, now: Timestamp) -> Result<Body, Failure> {
        let event = &*sending.delivery.event;
        let (bytes, content_type) = match self {
            Self::Raw => return Ok(Body { bytes: event.body.clone(), content_type: None }),
            Self::CloudEvents => (written(&CloudEvent::of(&sending.delivery)), CLOUD_EVENT),
            Self::Envelope => (written(&Envelope::of(event)?), JSON),
            Self::Fields(fields) => (fields.object(sending, now), JSON),
        };
        let bytes = bytes.map_err(|error| unrenderable(format!("the body cannot be written: {error}")))?;
        Ok(Body { bytes: bytes.into(), content_type: Some(content_type) })
    }
}

impl Fields {
    fn compile(specs: &[FieldSpec]) -> Result<Self, BuildError> {
        if specs.is_empty() || specs.len() > FIELDS_MAX {
            let message = format!("has {} entries: write 1 to {FIELDS_MAX}", specs.len());
            return Err(BuildError::new("fields", message));
        }
        let mut compiled = Self { fields: Vec::with_capacity(specs.len()), pointers: Pointers::default() };
        for (index, FieldSpec { name, value }) in specs.iter().enumerate() {
            let refuse = |member: &str, message: String| {
                Err(BuildError::new(format!("fields[{index}].{member}"), message))
            };
            if name.is_empty() || name.len() > FIELD_NAME_BYTES_MAX {
                return refuse(
                    "name",
                    format!("has {} bytes: write 1 to {FIELD_NAME_BYTES_MAX}", name.len()),
                );
            }
            if compiled.fields.iter().any(|(earlier, _)| earlier == name) {
                return refuse("name", format!("`{name}` is there twice: remove one"));
            }
            let template = match Template::parse(value, Place::Delivery, &mut compiled.pointers) {
                Ok(template) => template,
                Err(error) => return refuse("value", error.to_string()),
            };
            if let Some(reason) = template.holes().find_map(never_known) {
                return refuse("value", format!("{reason}: remove it"));
            }
            compiled.fields.push((name.clone(), template));
        }
        Ok(compiled)
    }

    /// The object, its members in the order in which they are written; what is missing is null.
    fn object(&self, sending: &Sending, now: Timestamp) -> serde_json::Result<Vec<u8>> {
        let event = &*sending.delivery.event;
        let values = self.pointers.scan(&event.body).unwrap_or_else(|_| Values::none());
        let Sending { attempt, attributes, .. } = sending;
        let source = DeliverySource { event, attempt: *attempt, now, attributes, values: &values };
        let mut object = b"{".to_vec();
        for (index, (name, template)) in self.fields.iter().enumerate() {
            if index > 0 {
                object.push(b',');
            }
            serde_json::to_writer(&mut object, name)?;
            object.push(b':');
            match template.lone_pointer() {
                Some(slot) => object.extend_from_slice(values.raw(slot).unwrap_or("null").as_bytes()),
                None => serde_json::to_writer(&mut object, &template.render(&source))?,
            }
        }
        object.push(b'}');
        Ok(object)
    }
}

/// A CloudEvent 1.0 in JSON, structured mode (<https://github.com/cloudevents/spec>, `cloudevents/formats/json-format.md`).
#[derive(Serialize)]
struct CloudEvent<'e> {
    specversion: &'static str,
    id: String,
    source: String,
    /// Must not be empty: `unknown` where the provider names none.
    r#type: &'e str,
    time: Timestamp,
    /// The ordering key.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    datacontenttype: Cow<'e, str>,
    /// The body where it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'e RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

impl<'e> CloudEvent<'e> {
    fn of(delivery: &'e Delivery) -> Self {
        let event = &*delivery.event;
        let data = json(&event.body);
        let said = event.head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        // Some providers send JSON and say that it is a form: what is embedded as JSON is called JSON.
        let says_json =
            |said: &&str| said.split(';').next().is_some_and(|kind| kind.trim().ends_with("json"));
        let datacontenttype = match data {
            Some(_) => said.filter(says_json).unwrap_or("application/json"),
            None => said.unwrap_or("application/octet-stream"),
        };
        Self {
            specversion: "1.0",
            id: delivery.idempotency_key(),
            source: format!("/{}", event.endpoint.as_str()),
            r#type: event.event_type.as_deref().filter(|text| !text.is_empty()).unwrap_or("unknown"),
            time: event.received_at,
            subject: event.key.as_deref().filter(|text| !text.is_empty()),
            datacontenttype: datacontenttype.into(),
            data_base64: data.is_none().then(|| STANDARD.encode(&event.body)),
            data,
        }
    }
}

/// The envelope of an application's own webhooks.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'e> {
    /// The provider's id, else ours.
    id: Cow<'e, str>,
    timestamp: Timestamp,
    event: Option<&'e str>,
    /// The tenant.
    team_id: Option<&'e str>,
    data: Cow<'e, RawValue>,
    previous_data: Option<&'e RawValue>,
    metadata: Option<&'e RawValue>,
}

impl<'e> Envelope<'e> {
    /// A body that has `event` and `data` itself is such an envelope: it is not put into another. Any other is the data.
    fn of(event: &'e Event) -> Result<Self, Failure> {
        let whole = json(&event.body);
        let mut parts = [None; 4];
        if whole.is_some() {
            let mut pointers = Pointers::default();
            let slots = ["/event", "/data", "/previousData", "/metadata"].map(|path| pointers.slot(path));
            let values = pointers.scan(&event.body).unwrap_or_else(|_| Values::none());
            parts = slots.map(|slot| slot.ok().and_then(|slot| values.raw(slot)).and_then(raw));
        }
        let [name, own_data, previous_data, metadata] = parts;
        let is_envelope = name.is_some_and(|name| name.get().starts_with('"'));
        let inner = own_data.filter(|_| is_envelope);
        let data = match inner.or(whole) {
            Some(data) => Cow::Borrowed(data),
            None => Cow::Owned(text(&event.body)?),
        };
        Ok(Self {
            id: event.id.as_deref().map_or_else(|| event.uid.to_string().into(), Cow::Borrowed),
            timestamp: event.received_at,
            event: event.event_type.as_deref(),
            team_id: event.tenant.as_deref(),
            data,
            previous_data: previous_data.filter(|_| inner.is_some()),
            metadata: metadata.filter(|_| inner.is_some()),
        })
    }
}

/// The body as it stands, where it is JSON.
fn json(body: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(body).ok()
}

fn raw(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// A body that is no JSON, as a text.
fn text(body: &[u8]) -> Result<Box<RawValue>, Failure> {
    let text = std::str::from_utf8(body).ok().and_then(|text| to_raw_value(text).ok());
    text.ok_or_else(|| {
        unrenderable("the body is neither JSON nor text: only Raw and CloudEvents carry it".into())
    })
}

fn written(document: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(document)
}

fn unrenderable(message: String) -> Failure {
    permanent(FailureKind::Unrenderable, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use boathook_event::{EventParts, Head, ObjectName, Uid};
    use http::{HeaderMap, Method};
    use serde_json::{Value, json};

    use super::*;

    const UID: &str = "01010101-0101-0101-0101-010101010101";

    fn event(content_type: Option<&'static str>, body: &[u8]) -> EventParts {
        let content_type = content_type.map(|text| (header::CONTENT_TYPE, HeaderValue::from_static(text)));
        EventParts {
            uid: Uid::from_bytes([1; 16]),
            endpoint: ObjectName::new("platform", "github"),
            received_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            id: Some("evt_1".into()),
            event_type: Some("push".into()),
            key: Some("acme/app".into()),
            tenant: Some("team-7".into()),
            entity: None,
            index: 0,
            head: Arc::new(Head {
                method: Method::POST,
                path: "/".into(),
                query: None,
                headers: HeaderMap::from_iter(content_type),
            }),
            body: Bytes::copy_from_slice(body),
        }
    }

    fn made(spec: &BodySpec, parts: EventParts) -> Result<Body, Failure> {
        let sink = ObjectName::new("platform", "target");
        let event = Arc::new(Event::restore(parts));
        let delivery = Delivery {
            seq: 1,
            sink,
            event,
            attempts: 0,
            due: None,
            ordered: false,
            blocks: false,
            replay: 0,
        };
        let attributes = Arc::new([("team".to_owned(), "red".to_owned())].into());
        let sending = Sending { delivery, attempt: 1, attributes };
        BodyMaker::compile(spec).unwrap().make(&sending, Timestamp::UNIX_EPOCH)
    }

    fn document(spec: &BodySpec, parts: EventParts) -> Value {
        serde_json::from_slice(&made(spec, parts).unwrap().bytes).unwrap()
    }

    #[test]
    fn raw_is_what_the_provider_sent() {
        let body = made(&BodySpec::Raw, event(Some("a/b"), b"\xff{}")).unwrap();
        assert_eq!((&body.bytes[..], body.content_type), (&b"\xff{}"[..], None));
    }

    #[test]
    fn a_cloud_event_carries_json_as_it_stands_and_all_else_as_base64() {
        let spec = BodySpec::CloudEvents;
        let whole = made(&spec, event(Some("application/vnd.x+json; v=1"), br#"{ "b" : 1.50 }"#)).unwrap();
        let text = format!(
            r#"{{"specversion":"1.0","id":"{UID}","source":"/platform/github","type":"push","time":"2026-01-02T03:04:05.678Z","subject":"acme/app","datacontenttype":"application/vnd.x+json; v=1","data":{{ "b" : 1.50 }}}}"#
        );
        assert_eq!(std::str::from_utf8(&whole.bytes), Ok(&*text));
        assert_eq!(whole.content_type, Some(CLOUD_EVENT));

        let bare = EventParts {
            event_type: None,
            key: None,
            ..event(Some("application/x-www-form-urlencoded"), b"[1]")
        };
        let bare = document(&spec, bare);
        assert_eq!((&bare["type"], bare.get("subject")), (&json!("unknown"), None));
        assert_eq!((&bare["datacontenttype"], &bare["data"]), (&json!("application/json"), &json!([1])));

        for (content_type, told) in [(Some("text/xml"), "text/xml"), (None, "application/octet-stream")] {
            let other = document(&spec, event(content_type, b"<a/>"));
            assert_eq!(
                (&other["datacontenttype"], &other["data_base64"]),
                (&json!(told), &json!("PGEvPg=="))
            );
            assert_eq!(other.get("data"), None);
        }
    }

    #[test]
    fn an_envelope_has_seven_members_and_one_that_comes_is_not_put_into_another() {
        let spec = BodySpec::Envelope;
        let around = |data: Value, previous: Value, metadata: Value| {
            json!({
                "id": "evt_1", "timestamp": "2026-01-02T03:04:05.678Z", "event": "push", "teamId": "team-7",
                "data": data, "previousData": previous, "metadata": metadata,
            })
        };
        let body = br#"{"data":{"object":1}}"#;
        assert_eq!(
            document(&spec, event(None, body)),
            around(json!({ "data": { "object": 1 } }), Value::Null, Value::Null)
        );
        let own = br#"{"id":"x","event":"ticket.created","data":{"a":1},"previousData":{"a":0},"metadata":{"userId":"u"}}"#;
        assert_eq!(
            document(&spec, event(None, own)),
            around(json!({ "a": 1 }), json!({ "a": 0 }), json!({ "userId": "u" }))
        );
        assert_eq!(document(&spec, event(None, b"a=1")), around(json!("a=1"), Value::Null, Value::Null));
        let bare = EventParts { id: None, event_type: None, tenant: None, ..event(None, b"{}") };
        let bare = document(&spec, bare);
        assert_eq!((&bare["id"], &bare["event"], &bare["teamId"]), (&json!(UID), &Value::Null, &Value::Null));
        let failure = made(&spec, event(None, b"\xff")).unwrap_err();
        assert_eq!((failure.kind, failure.permanent), (FailureKind::Unrenderable, true));
    }

    #[test]
    fn fields_keep_their_order_and_a_lone_pointer_its_kind() {
        let field = |name: &str, value: &str| FieldSpec { name: name.into(), value: value.into() };
        let spec = BodySpec::Fields(vec![
            field("z", "{/n}"),
            field("a", "{/n} {/list}"),
            field("list", "{/list}"),
            field("none", "{/none}"),
            field("empty", "{/none|'-'}"),
            field("who", "{tenant}/{endpoint}/{attr:team}/{attr:none}"),
        ]);
        let body = made(&spec, event(None, br#"{"n":1.50,"list":[true, null]}"#)).unwrap();
        let text = r#"{"z":1.50,"a":"1.50 [true, null]","list":[true, null],"none":null,"empty":"-","who":"team-7/github/red"}"#;
        assert_eq!((std::str::from_utf8(&body.bytes), body.content_type), (Ok(text), Some(JSON)));
        assert_eq!(document(&spec, event(None, b"no json"))["z"], Value::Null);
    }

    #[test]
    fn a_field_that_cannot_be_made_is_refused_with_its_place() {
        let field = |name: &str, value: &str| FieldSpec { name: name.into(), value: value.into() };
        for (fields, told) in [
            (vec![], "fields: has 0 entries: write 1 to 64"),
            (vec![field("", "x")], "fields[0].name: has 0 bytes"),
            (vec![field("a", "x"), field("a", "y")], "fields[1].name: `a` is there twice"),
            (vec![field("a", "{nonsense")], "fields[0].value: "),
            (vec![field("a", "{status}")], "fields[0].value: `{status}` is known only after the answer"),
        ] {
            let found = BodyMaker::compile(&BodySpec::Fields(fields)).unwrap_err().to_string();
            assert!(found.starts_with(told), "{told}\n{found}");
        }
    }
}
