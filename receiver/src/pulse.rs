//! An endpoint's pulse: what its health is judged by beside the store's numbers. A request costs it an addition or two; once
//! a second they become part of the last hour.
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use boathook_crds::SecretRef;
use boathook_event::{Hour, Requests, limits::GAP_MIN};
use boathook_table::Endpoint;
use jiff::Timestamp;

use crate::traffic::LastTime;

/// The requests of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    taken: AtomicU64,
    refused: AtomicU64,
    signed: AtomicU64,
    hour: Mutex<Hour>,
    /// When a genuine event last came.
    pub(crate) last_event: LastTime,
    /// The usual seconds between two events; 0 = not known yet.
    usual_gap: AtomicU64,
}

/// When one secret of an endpoint last matched.
#[derive(Debug, Clone)]
pub(crate) struct SecretPulse {
    pub(crate) place: SecretRef,
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) last_match: Arc<LastTime>,
}

impl Pulse {
    /// A genuine request was taken.
    pub(crate) fn taken(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    /// A request was refused; `signed` = although the provider has signed it.
    pub(crate) fn refused(&self, signed: bool) {
        self.refused.fetch_add(1, Relaxed);
        self.signed.fetch_add(signed.into(), Relaxed);
    }

    /// A genuine event has come.
    pub(crate) fn event(&self, at: Timestamp) {
        let before = self.last_event.at(at);
        let gap = before.and_then(|before| Duration::try_from(at.duration_since(before)).ok());
        if let Some(gap) = gap.filter(|gap| *gap >= GAP_MIN) {
            let gap = gap.as_secs();
            let averaged = |usual| Some(if usual == 0 { gap } else { usual - usual / 8 + gap / 8 });
            self.usual_gap.fetch_update(Relaxed, Relaxed, averaged).ok();
        }
    }

    pub(crate) fn usual_gap(&self) -> Option<Duration> {
        let seconds = self.usual_gap.load(Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// Makes what has come by now part of the hour.
    pub(crate) fn beat(&self, now: Timestamp) {
        let take = |number: &AtomicU64| number.swap(0, Relaxed);
        let (taken, refused, signed) = (take(&self.taken), take(&self.refused), take(&self.signed));
        self.hour().add(Requests { taken, refused, signed }, now);
    }

    pub(crate) fn refused_often(&self) -> bool {
        self.hour().refused_often()
    }

    pub(crate) fn signed_refused(&self) -> bool {
        self.hour().signed_refused()
    }

    fn hour(&self) -> std::sync::MutexGuard<'_, Hour> {
        self.hour.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretPulse {
    /// Those of an endpoint, in the order of its verifier; what is known of a secret goes on under its place.
    pub(crate) fn all(endpoint: &Endpoint, before: &[Self]) -> Arc<[Self]> {
        let pulse = |(place, not_after): &(SecretRef, Option<Timestamp>)| {
            let known = before.iter().find(|known| known.place == *place);
            let last_match = known.map(|known| Arc::clone(&known.last_match)).unwrap_or_default();
            Self { place: place.clone(), not_after: *not_after, last_match }
        };
        endpoint.secret_places.iter().map(pulse).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn events_that_come_together_are_one_visit_and_gaps_between_visits_are_averaged() {
        let pulse = Pulse::default();
        let mut at = Timestamp::from_second(1_800_000_000).unwrap();
        let mut after = |seconds: i64| {
            at += SignedDuration::from_secs(seconds);
            pulse.event(at);
            pulse.usual_gap().map(|gap| gap.as_secs())
        };
        assert_eq!(after(0), None);
        assert_eq!(after(1), None);
        assert_eq!(after(3_600), Some(3_600));
        assert_eq!(after(59), Some(3_600));
        assert_eq!(after(7_600), Some(4_100));
        assert_eq!(after(-100), Some(4_100));
    }
}
