//! Totals of one transaction, folded so that each total is written once. Each driver adds them to its tables.
use std::collections::BTreeMap;

use boathook_event::{Attempt, Next, Word};

use crate::{
    series::Hourly,
    traits::{DeliveryState, Hour},
};

/// What one transaction adds to the totals; `N` is how a driver numbers endpoints and sinks.
#[derive(Debug)]
pub(crate) struct Tally<N> {
    pub(crate) words: BTreeMap<(N, Word), i64>,
    /// What each hour gets of it.
    pub(crate) hours: BTreeMap<Hour, Hourly<N>>,
    /// The one that is counted for now.
    pub(crate) hour: Hour,
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

impl<N: Ord + Copy> Tally<N> {
    /// Nothing yet, in this hour.
    pub(crate) fn at(hour: Hour) -> Self {
        Self { words: BTreeMap::new(), hours: BTreeMap::new(), hour, routes: BTreeMap::new(), events: 0 }
    }

    /// What is counted from now on is of this hour.
    pub(crate) fn turn(&mut self, hour: Hour) {
        self.hour = hour;
    }

    fn hourly(&mut self) -> &mut Hourly<N> {
        self.hours.entry(self.hour).or_default()
    }

    /// Counts an event that is stored.
    pub(crate) fn stored(&mut self, endpoint: N, event_type: Option<&str>) {
        self.events += 1;
        self.word(endpoint, Word::Accepted, 1);
        self.hourly().stored(endpoint, event_type);
    }

    /// The same, in a tally that is never written away ([`Hourly::stored_among_all`]).
    pub(crate) fn stored_among_all(&mut self, endpoint: N, event_type: Option<&str>) {
        self.events += 1;
        self.word(endpoint, Word::Accepted, 1);
        self.hourly().stored_among_all(endpoint, event_type);
    }

    /// Counts a delivery that is put aside before anybody has tried it.
    pub(crate) fn put_aside(&mut self, endpoint: N, sink: N) {
        self.route(endpoint, sink).parked += 1;
        self.hourly().put_aside(endpoint, sink);
    }

    /// Counts an attempt that has failed.
    pub(crate) fn failed(&mut self, endpoint: N, sink: N) {
        self.route(endpoint, sink).failed_attempts += 1;
        self.hourly().ended(endpoint, sink).failed_attempts += 1;
    }

    /// Counts for its hour how a delivery has moved on. How many stand where then is counted by the driver.
    pub(crate) fn moved(&mut self, endpoint: N, sink: N, attempt: Option<&Attempt>, next: &Next) {
        self.hourly().moved(endpoint, sink, attempt, next);
    }

    /// Counts so many of a word at an endpoint.
    pub(crate) fn word(&mut self, endpoint: N, word: Word, by: u64) {
        let by = i64::try_from(by).unwrap_or(i64::MAX);
        *self.words.entry((endpoint, word)).or_default() += by;
        *self.hourly().words.entry((endpoint, word)).or_default() += by;
    }

    /// The part of one endpoint and one sink.
    pub(crate) fn route(&mut self, endpoint: N, sink: N) -> &mut RouteDelta {
        self.routes.entry((endpoint, sink)).or_default()
    }
}
