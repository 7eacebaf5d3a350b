//! Totals of one transaction, folded so that each total is written once. Each driver adds them to its tables.
use std::collections::BTreeMap;

use boathook_event::{Next, Word};

use crate::traits::DeliveryState;

/// What one transaction adds to the totals; `N` is how a driver numbers endpoints and sinks.
#[derive(Debug)]
pub(crate) struct Tally<N> {
    pub(crate) words: BTreeMap<(N, Word), i64>,
    pub(crate) routes: BTreeMap<(N, N), RouteDelta>,
    /// Events stored less events deleted.
    pub(crate) events: i64,
}

/// What is added to the totals of one endpoint's deliveries to one sink.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct RouteDelta {
    pub(crate) delivered: i64,
    pub(crate) parked: i64,
    pub(crate) skipped: i64,
    pub(crate) pending: i64,
    /// Of their bodies.
    pub(crate) pending_bytes: i64,
    pub(crate) failed_attempts: i64,
    pub(crate) erased: i64,
}

impl RouteDelta {
    /// A delivery of so many bytes waits.
    pub(crate) fn waits(&mut self, bytes: i64) {
        self.pending += 1;
        self.pending_bytes += bytes;
    }

    /// It waits no more.
    pub(crate) fn waits_no_more(&mut self, bytes: i64) {
        self.pending -= 1;
        self.pending_bytes -= bytes;
    }

    /// A delivery that stood so, where there was one, is made once more: what was delivered stays counted.
    pub(crate) fn starts_anew(&mut self, before: Option<DeliveryState>) {
        match before {
            Some(DeliveryState::Parked) => self.parked -= 1,
            Some(DeliveryState::Skipped) => self.skipped -= 1,
            Some(DeliveryState::Delivered | DeliveryState::Pending) | None => {}
        }
    }

    /// Where deliveries that end so are counted.
    pub(crate) fn ended(&mut self, next: &Next) -> Option<&mut i64> {
        match next {
            Next::Delivered { .. } => Some(&mut self.delivered),
            Next::Parked(_) => Some(&mut self.parked),
            Next::Skipped => Some(&mut self.skipped),
            Next::Retry { .. } => None,
        }
    }
}

impl<N> Default for Tally<N> {
    fn default() -> Self {
        Self { words: BTreeMap::new(), routes: BTreeMap::new(), events: 0 }
    }
}

impl<N: Ord> Tally<N> {
    /// Counts so many of a word at an endpoint.
    pub(crate) fn word(&mut self, endpoint: N, word: Word, by: u64) {
        *self.words.entry((endpoint, word)).or_default() += i64::try_from(by).unwrap_or(i64::MAX);
    }

    /// The part of one endpoint and one sink.
    pub(crate) fn route(&mut self, endpoint: N, sink: N) -> &mut RouteDelta {
        self.routes.entry((endpoint, sink)).or_default()
    }
}
