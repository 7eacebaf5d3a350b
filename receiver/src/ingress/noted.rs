//! What is learnt of a request's first event on the way to its answer.
use std::{borrow::Cow, sync::Arc};

use boathook_event::{Event, Uid};

/// What is learnt of a request's first event.
#[derive(Debug, Default)]
pub(super) struct Noted(Option<Arc<Event>>);

impl Noted {
    pub(super) fn first(&mut self, event: Option<&Arc<Event>>) {
        self.0 = event.cloned();
    }

    /// The provider's id, else ours.
    pub(super) fn event_id(&self) -> Option<Cow<'_, str>> {
        let event = self.0.as_ref()?;
        Some(event.id.as_deref().map_or_else(|| event.uid.to_string().into(), Cow::Borrowed))
    }

    /// Ours.
    pub(super) fn uid(&self) -> Option<Uid> {
        self.0.as_ref().map(|event| event.uid)
    }

    pub(super) fn event_type(&self) -> Option<&str> {
        self.0.as_ref().and_then(|event| event.event_type.as_deref())
    }

    pub(super) fn entity(&self) -> Option<&str> {
        self.0.as_ref().and_then(|event| event.entity.as_deref())
    }
}
