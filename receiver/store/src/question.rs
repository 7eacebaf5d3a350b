//! What may be asked of an archive, and what may be delivered again.
use boathook_event::{Destination, ObjectName, Seq, Uid};
use jiff::{SignedDuration, Timestamp};

use crate::{
    limits::CLOCK_BACK_MAX,
    traits::{ArchivedDelivery, DeliveryState},
};

/// Which events are asked for: those of which all that is given is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Received by this endpoint.
    pub endpoint: Option<ObjectName>,
    /// With a delivery to this sink.
    pub sink: Option<ObjectName>,
    /// With a delivery that stands so now: to that sink, where it is given.
    pub state: Option<DeliveryState>,
    /// Of this type.
    pub event_type: Option<Box<str>>,
    /// With this id of the provider's.
    pub id: Option<Box<str>>,
    /// With this ordering key.
    pub key: Option<Box<str>>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// Which come first.
    pub order: Order,
}

impl Question {
    /// Whether the delivery is one that is asked for: to that sink, the last one to it, and standing so.
    pub fn means(&self, delivery: &ArchivedDelivery, of_event: &[ArchivedDelivery]) -> bool {
        let ArchivedDelivery { sink, replay, state, .. } = delivery;
        let later = |other: &ArchivedDelivery| other.sink == *sink && other.replay > *replay;
        self.sink.as_ref().is_none_or(|wanted| wanted == sink)
            && self.state.is_none_or(|wanted| wanted == *state)
            && !of_event.iter().any(later)
    }

    /// Whether an event is one that is asked for, its deliveries aside.
    pub(crate) fn fits(&self, summary: &Summary) -> bool {
        let Self { endpoint, sink: _, state: _, event_type, id, key, since, until, order: _ } = self;
        let is = |wanted: &Option<Box<str>>, value: &Option<Box<str>>| wanted.is_none() || wanted == value;
        endpoint.as_ref().is_none_or(|endpoint| *endpoint == summary.endpoint)
            && is(event_type, &summary.event_type)
            && is(id, &summary.id)
            && is(key, &summary.key)
            && since.is_none_or(|since| summary.received_at >= since)
            && until.is_none_or(|until| summary.received_at < until)
    }

    /// Whether these deliveries of an event are such as are asked for: one of them is, or none is asked for.
    pub(crate) fn fits_deliveries(&self, deliveries: &[ArchivedDelivery]) -> bool {
        let asks = self.sink.is_some() || self.state.is_some();
        !asks || deliveries.iter().any(|delivery| self.means(delivery, deliveries))
    }

    /// Whether nothing behind an event of this time can be wanted: events are stored about in the order they are received.
    pub(crate) fn ends_before(&self, received_at: Timestamp) -> bool {
        let slack = SignedDuration::try_from(CLOCK_BACK_MAX).unwrap_or_default();
        match self.order {
            Order::NewestFirst => {
                self.since.is_some_and(|since| received_at < since.saturating_sub(slack).unwrap_or(since))
            }
            Order::OldestFirst => {
                self.until.is_some_and(|until| received_at > until.saturating_add(slack).unwrap_or(until))
            }
        }
    }
}

/// The order of a list, by sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The last one first.
    #[default]
    NewestFirst,
    /// The first one first.
    OldestFirst,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The events.
    pub events: Vec<Summary>,
    /// Behind which place the next page begins; `None` = there is nothing more.
    pub next: Option<Seq>,
}

/// An event without its body and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its place.
    pub seq: Seq,
    /// Our own id.
    pub uid: Uid,
    /// The endpoint that received it.
    pub endpoint: ObjectName,
    /// When it was received.
    pub received_at: Timestamp,
    /// The provider's id.
    pub id: Option<Box<str>>,
    /// The type.
    pub event_type: Option<Box<str>>,
    /// The ordering key.
    pub key: Option<Box<str>>,
    /// The account it belongs to.
    pub tenant: Option<Box<str>>,
    /// Bytes of its body.
    pub bytes: u64,
    /// As in [`crate::traits::Archived::deliveries`].
    pub deliveries: Vec<ArchivedDelivery>,
}

/// Which deliveries of an event are made once more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// Those to this sink alone.
    pub sink: Option<ObjectName>,
    /// Those that stand so alone; without it parked, skipped and delivered ones.
    pub state: Option<DeliveryState>,
    /// To this sink instead, which may be another than the event ever had; once, if any of those is there.
    pub to: Option<Destination>,
}

/// What a replay has made pending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Deliveries that are pending now, and were not before.
    pub deliveries: u64,
    /// Deliveries that were pending already.
    pub pending: u64,
    /// The events of [`Replayed::deliveries`], in the order given.
    pub armed: Vec<Seq>,
}
