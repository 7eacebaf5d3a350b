//! An event: one thing that happened at a provider, taken from a genuine request.
use std::{borrow::Cow, ops::Deref, sync::Arc};

use boathook_template::Hole;
use boathook_verify::{Verified, form_value};
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;

use crate::{ObjectName, Uid};

/// An event. Made by [`crate::Reading::read`] from a [`Verified`] request, or restored by a store from the parts of
/// one that was; or one that nobody sent, with which a sink is tried.
#[derive(Debug, Clone)]
pub struct Event(EventParts);

/// What an event consists of.
#[derive(Debug, Clone)]
pub struct EventParts {
    /// Our own id.
    pub uid: Uid,
    /// The endpoint that received it.
    pub endpoint: ObjectName,
    /// When the request's headers were read; microseconds are kept.
    pub received_at: Timestamp,
    /// The provider's id, at most [`crate::limits::ID_BYTES_MAX`] bytes.
    pub id: Option<Box<str>>,
    /// The type, at most [`crate::limits::TYPE_BYTES_MAX`] bytes.
    pub event_type: Option<Box<str>>,
    /// The ordering key, at most [`crate::limits::KEY_BYTES_MAX`] bytes.
    pub key: Option<Box<str>>,
    /// The account it belongs to.
    pub tenant: Option<Box<str>>,
    /// The thing it is about.
    pub entity: Option<Box<str>>,
    /// 0-based place in the batch it came in.
    pub index: u32,
    /// The request without its body; shared by the events of one batch.
    pub head: Arc<Head>,
    /// The event's bytes as received: the request's body, or the item of a batch.
    pub body: Bytes,
}

/// A request without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: Box<str>,
    /// The query without `?`.
    pub query: Option<Box<str>>,
    /// All headers but the provider's credential.
    pub headers: HeaderMap,
}

impl Event {
    pub(crate) fn from_verified(_proof: &Verified<'_>, parts: EventParts) -> Self {
        Self(parts)
    }

    /// An event that nobody sent, to try a sink with. It is never stored.
    pub fn trial(parts: EventParts) -> Self {
        Self(parts)
    }

    /// Restores an event that a store has kept. For stores alone: they keep only what was verified.
    pub fn restore(parts: EventParts) -> Self {
        Self(parts)
    }
}

impl Event {
    /// The text of a hole of a template that asks for what came with the event, but for pointers; `None` where there is none.
    pub fn value_of(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let text = match hole {
            Hole::Uid => self.uid.to_string().into(),
            Hole::Id => self.id.as_deref()?.into(),
            Hole::Type => self.event_type.as_deref()?.into(),
            Hole::Key => self.key.as_deref()?.into(),
            Hole::Tenant => self.tenant.as_deref()?.into(),
            Hole::Endpoint => self.endpoint.name().into(),
            Hole::Namespace => self.endpoint.namespace().into(),
            Hole::ReceivedAt => self.received_at.to_string().into(),
            Hole::Index => self.index.to_string().into(),
            Hole::Body => std::str::from_utf8(&self.body).ok()?.into(),
            Hole::Header(name) => self.head.headers.get(&**name)?.to_str().ok()?.into(),
            Hole::Query(name) => form_value(self.head.query.as_deref()?, name)?,
            Hole::Pointer(_) | Hole::Now | Hole::Attr(_) => return None,
            Hole::Status | Hole::Error | Hole::ProcessedAt | Hole::Attempt => return None,
        };
        Some(text)
    }
}

impl Deref for Event {
    type Target = EventParts;

    fn deref(&self) -> &EventParts {
        &self.0
    }
}
