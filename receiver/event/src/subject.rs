//! What filters look at: an event, and its body as a JSON value that is made when the first of them asks for it.
use std::cell::OnceCell;

use bytes::Bytes;
use serde_json::Value;

use crate::Event;

/// One event that is decided on. The body's value is made once, and only if something needs it.
#[derive(Debug)]
pub struct Subject<'s> {
    event: &'s Event,
    document: &'s Bytes,
    body: OnceCell<Option<Value>>,
}

impl<'s> Subject<'s> {
    /// `document` is what pointers read ([`crate::ReadEvent::document`]); `None` = the event's own bytes.
    pub fn new(event: &'s Event, document: Option<&'s Bytes>) -> Self {
        Self { event, document: document.unwrap_or(&event.body), body: OnceCell::new() }
    }

    /// The event.
    pub fn event(&self) -> &'s Event {
        self.event
    }

    /// Bytes of the document.
    pub(crate) fn bytes(&self) -> usize {
        self.document.len()
    }

    /// The document; `None` where it is no JSON, or holds a number or a text that no value can be.
    pub fn body(&self) -> Option<&Value> {
        self.body.get_or_init(|| serde_json::from_slice(self.document).ok()).as_ref()
    }
}
