//! The values of a delivery, for the templates of sinks.
use std::borrow::Cow;

use boathook_event::{Attributes, Event};
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
    /// Constants of the endpoint.
    pub(crate) attributes: &'d Attributes,
    /// What the pointers of the templates found in the body.
    pub(crate) values: &'d Values<'d>,
}

impl Source for DeliverySource<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let Self { event, attempt, now, attributes, values } = self;
        let text = match hole {
            Hole::Now => now.to_string().into(),
            Hole::Pointer(slot) => values.text(*slot)?,
            Hole::Attempt => attempt.to_string().into(),
            Hole::Attr(name) => attributes.get(&**name)?.into(),
            hole => event.value_of(hole)?,
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
        _ => None,
    }
}
