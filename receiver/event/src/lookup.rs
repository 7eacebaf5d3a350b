//! A value that is looked for in stored events: a person's address, an account's number.
use std::{borrow::Cow, cell::OnceCell};

use boathook_template::{Hole, Place, Pointers, Source, Template, Values};
use boathook_verify::BodyKind;

use crate::{Event, Reading, document::Document};

/// A template over stored events.
#[derive(Debug)]
pub struct Lookup {
    template: Template,
    pointers: Pointers,
}

impl Lookup {
    /// Compiles.
    ///
    /// # Errors
    /// What is wrong with the text, for whoever wrote it.
    pub fn compile(text: &str) -> Result<Self, String> {
        let mut pointers = Pointers::default();
        let template =
            Template::parse(text, Place::Delivery, &mut pointers).map_err(|error| error.to_string())?;
        if template.constant().is_some() {
            return Err("it is the same for every event: write a hole, such as `{/user/email}`".into());
        }
        let not_of_events = |hole: &&Hole| {
            matches!(
                hole,
                Hole::Now | Hole::Attempt | Hole::Status | Hole::Error | Hole::ProcessedAt | Hole::Attr(_)
            )
        };
        if template.holes().any(|hole| not_of_events(&hole)) {
            return Err(
                "only what came with the event is known here: write `{/json/pointer}`, `{header:NAME}`, \
                        `{query:NAME}`, `{id}`, `{type}`, `{key}` or `{tenant}`"
                    .into(),
            );
        }
        Ok(Self { template, pointers })
    }

    /// The event's value, read as when it came: a form or XML like JSON, and a document inside it where `reading`, which is
    /// its endpoint's, says that there is one.
    pub fn value(&self, event: &Event, reading: Option<&Reading>) -> Option<String> {
        let kinds = [BodyKind::Json, BodyKind::Xml, BodyKind::Form, BodyKind::Any];
        let (room, inner_room) = (OnceCell::new(), reading.and_then(|reading| reading.inner_document(event)));
        let outer = Document::read(&kinds, &self.pointers, &event.body, &room).ok()?.values;
        let inner = inner_room.as_ref().and_then(|document| self.pointers.scan(document).ok());
        let values = [inner.as_ref(), Some(&outer)];
        self.template.render(&Stored { event, values }).map(Cow::into_owned)
    }
}

/// A stored event, and what pointers found in it, the inner document first.
struct Stored<'e> {
    event: &'e Event,
    values: [Option<&'e Values<'e>>; 2],
}

impl Source for Stored<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Pointer(slot) => self.values.iter().flatten().find_map(|values| values.text(*slot)),
            hole => self.event.value_of(hole),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use boathook_verify::{Scheme, preset};
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};
    use jiff::Timestamp;

    use super::*;
    use crate::{Attributes, EventParts, Head, ObjectName, ReadingSpec, Uid};

    fn event(body: &'static str) -> Event {
        let mut headers = HeaderMap::new();
        headers.insert("x-account", HeaderValue::from_static("7"));
        let (path, query) = ("/in".into(), Some("mail=ann%40example.org".into()));
        Event::restore(EventParts {
            uid: Uid::from_bytes([1; 16]),
            endpoint: ObjectName::new("shop", "hook"),
            received_at: Timestamp::UNIX_EPOCH,
            id: Some("evt_1".into()),
            event_type: None,
            key: None,
            tenant: Some("acme".into()),
            entity: None,
            index: 0,
            head: Arc::new(Head { method: Method::POST, path, query, headers }),
            body: Bytes::from_static(body.as_bytes()),
        })
    }

    #[test]
    fn values_are_found_in_whatever_kind_of_body_and_beside_it() {
        let value = |template: &str, body| Lookup::compile(template).unwrap().value(&event(body), None);
        let ann = Some("ann@example.org".to_owned());
        assert_eq!(value("{/user/email}", r#"{"user":{"email":"ann@example.org"}}"#), ann);
        assert_eq!(value("{/email}", "email=ann%40example.org&n=1"), ann);
        assert_eq!(value("{/user/@email}", r#"<user email="ann@example.org"/>"#), ann);
        assert_eq!(value("{query:mail}", "no document"), ann);
        assert_eq!(value("{tenant}/{header:X-Account}/{id}", "{}"), Some("acme/7/evt_1".into()));
        assert_eq!(value("{/user/email}", "{}"), None);
    }

    #[test]
    fn a_document_inside_is_looked_into_first() {
        let scheme = Scheme { batch: None, ..preset("google-pubsub").unwrap() };
        let (endpoint, attributes) = (ObjectName::new("shop", "hook"), Attributes::new());
        let reading = Reading::compile(ReadingSpec {
            endpoint,
            scheme: &scheme,
            id: None,
            event_type: None,
            tenant: None,
            key: None,
            attributes: &attributes,
            uid_from: crate::UidFrom::Chance,
        });
        // {"a":1}
        let event = event(r#"{"message":{"data":"eyJhIjoxfQ=="},"a":2,"b":3}"#);
        let value = |template: &str| Lookup::compile(template).unwrap().value(&event, reading.as_ref().ok());
        assert_eq!((value("{/a}").as_deref(), value("{/b}").as_deref()), (Some("1"), Some("3")));
    }

    #[test]
    fn what_is_no_value_of_an_event_is_told() {
        for text in ["ann@example.org", "{now}", "{attr:team}", "{/a}{attempt}", "{/a"] {
            assert!(Lookup::compile(text).is_err(), "{text}");
        }
    }
}
