//! The values of a delivery, for the templates of sinks.
use std::borrow::Cow;

use boathook_event::Event;
use boathook_template::{Hole, Source, Values};
use jiff::Timestamp;

/// One attempt to deliver one event.
#[derive(Debug)]
pub(crate) struct DeliverySource<'d> {
    pub(crate) event: &'d Event,
    /// 1-based.
    pub(crate) attempt: u32,
    /// The time of rendering.
    pub(crate) now: Timestamp,
    /// What the pointers of the templates found in the body.
    pub(crate) values: &'d Values<'d>,
}

impl Source for DeliverySource<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let Self { event, attempt, now, values } = self;
        let text = match hole {
            Hole::Uid => event.uid.to_string().into(),
            Hole::Id => event.id.as_deref()?.into(),
            Hole::Type => event.event_type.as_deref()?.into(),
            Hole::Key => event.key.as_deref()?.into(),
            Hole::Tenant => event.tenant.as_deref()?.into(),
            Hole::Endpoint => event.endpoint.name().into(),
            Hole::Namespace => event.endpoint.namespace().into(),
            Hole::ReceivedAt => event.received_at.to_string().into(),
            Hole::Now => now.to_string().into(),
            Hole::Index => event.index.to_string().into(),
            Hole::Body => std::str::from_utf8(&event.body).ok()?.into(),
            Hole::Header(name) => event.head.headers.get(&**name)?.to_str().ok()?.into(),
            Hole::Query(name) => query_value(event.head.query.as_deref()?, name)?,
            Hole::Pointer(slot) => values.text(*slot)?,
            Hole::Attempt => attempt.to_string().into(),
            Hole::Attr(_) | Hole::Status | Hole::Error | Hole::ProcessedAt => return None,
        };
        (!text.is_empty()).then_some(text)
    }
}

/// Why the hole never has a value before the sink has answered: such a template is a mistake.
pub(crate) fn never_known(hole: &Hole) -> Option<&'static str> {
    match hole {
        Hole::Status => Some("`{status}` is known only after the answer"),
        Hole::Error => Some("`{error}` is known only after the answer"),
        Hole::ProcessedAt => Some("`{processedAt}` is known only after the answer"),
        Hole::Attr(_) => Some("`{attr:…}` does not travel with an event"),
        _ => None,
    }
}

/// The first value of that name, percent-decoded.
fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query.as_bytes()).find_map(|(key, value)| (key == name).then_some(value))
}
