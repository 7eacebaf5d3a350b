//! Where the holes of an endpoint's templates get their values.
use std::borrow::Cow;

use boathook_template::{Hole, Source, Values};
use boathook_verify::RawRequest;
use jiff::Timestamp;

use crate::{EventParts, ObjectName};

/// A genuine request, or one item of its batch.
#[derive(Clone, Copy)]
pub(crate) struct FromRequest<'r> {
    pub(crate) request: &'r RawRequest,
    pub(crate) endpoint: &'r ObjectName,
    pub(crate) received_at: Timestamp,
    pub(crate) values: &'r Values<'r>,
    /// Those of the delivery, where `values` are those of a document inside it.
    pub(crate) outer: Option<&'r Values<'r>>,
    pub(crate) body: &'r [u8],
    /// Place in the batch; `None` for a request that is none.
    pub(crate) index: Option<u32>,
}

/// The same, when the event's own values are known.
pub(crate) struct FromEvent<'r> {
    pub(crate) request: &'r FromRequest<'r>,
    pub(crate) parts: &'r EventParts,
}

impl Source for FromRequest<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Pointer(slot) => {
                self.values.text(*slot).or_else(|| self.outer.and_then(|outer| outer.text(*slot)))
            }
            Hole::Header(name) => self.request.header(name).map(Cow::Borrowed),
            Hole::Query(name) => self.request.parameter(name),
            Hole::Endpoint => Some(self.endpoint.name().into()),
            Hole::Namespace => Some(self.endpoint.namespace().into()),
            Hole::ReceivedAt => Some(self.received_at.to_string().into()),
            Hole::Index => self.index.map(|index| index.to_string().into()),
            Hole::Body => std::str::from_utf8(self.body).ok().map(Cow::Borrowed),
            // Attributes are put into the template when it is compiled; the rest is known only later.
            _ => None,
        }
    }
}

impl Source for FromEvent<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let text = |value: &'_ Option<Box<str>>| value.clone().map(|text| Cow::Owned(text.into_string()));
        match hole {
            Hole::Uid => Some(self.parts.uid.to_string().into()),
            Hole::Id => text(&self.parts.id),
            Hole::Type => text(&self.parts.event_type),
            Hole::Tenant => text(&self.parts.tenant),
            _ => self.request.value(hole),
        }
    }
}
