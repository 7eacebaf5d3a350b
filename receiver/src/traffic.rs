//! What went through one endpoint and one sink; it outlives changes of the configuration.
use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use boathook_crds::Breaker;
use boathook_event::{Count, Failure, ObjectName, Rejected, Word};
use jiff::Timestamp;

use crate::{
    flood::Flood,
    held::BodiesHeld,
    limits::REFUSED_UNTOLD_MAX,
    metrics::{EndpointMeters, Metrics, SinkMeters},
    pulse::Pulse,
};

/// One endpoint's traffic.
#[derive(Debug)]
pub(crate) struct EndpointTraffic {
    name: ObjectName,
    /// Made with the first request: an endpoint without traffic costs no series.
    meters: OnceLock<EndpointMeters>,
    /// By [`Word::ALL`]: what the store was not told yet.
    untold: [AtomicU64; Word::ALL.len()],
    /// Refused requests that the store was not told yet.
    refused: Mutex<Vec<Rejected>>,
    /// What its health is judged by.
    pub(crate) pulse: Pulse,
    /// When a request was last refused.
    pub(crate) last_rejected: LastTime,
    /// When a sink last took one of its events.
    pub(crate) last_delivered: LastTime,
    /// Failed attempts since then.
    consecutive_failures: AtomicU64,
    /// Lines about refusals.
    pub(crate) refusals: Flood,
    /// Lines about handshakes: some need no secret.
    pub(crate) handshakes: Flood,
    /// Refusals whose reasons are looked for.
    pub(crate) hints: Flood,
    /// Lines about filters that could not be evaluated.
    pub(crate) unevaluated: Flood,
    /// Lines about events that are taken although they do not fit their schema.
    pub(crate) mismatches: Flood,
    /// Bytes of its bodies that are held before they are stored.
    pub(crate) bodies: BodiesHeld,
}

/// One sink's traffic.
#[derive(Debug, Default)]
pub(crate) struct SinkTraffic {
    meters: OnceLock<SinkMeters>,
    pub(crate) last_attempt: LastTime,
    pub(crate) last_delivered: LastTime,
    pub(crate) last_error: LastTime,
    error: Mutex<Option<String>>,
    /// Failed attempts since the last that was taken.
    consecutive_failures: AtomicU64,
    breaker: Mutex<Breaker>,
    /// Lines about failures.
    pub(crate) failures: Flood,
}

/// A time that may not have come yet, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct LastTime(AtomicI64);

impl LastTime {
    /// It was at this time, unless a later one is known. Returns what was known before.
    pub(crate) fn at(&self, time: Timestamp) -> Option<Timestamp> {
        Self::time(self.0.fetch_max(time.as_millisecond(), Relaxed))
    }

    pub(crate) fn get(&self) -> Option<Timestamp> {
        Self::time(self.0.load(Relaxed))
    }

    /// It is this from now on, whatever was known before.
    pub(crate) fn set(&self, time: Option<Timestamp>) {
        self.0.store(time.map_or(0, Timestamp::as_millisecond), Relaxed);
    }

    fn time(millis: i64) -> Option<Timestamp> {
        (millis != 0).then(|| Timestamp::from_millisecond(millis).ok()).flatten()
    }
}

impl EndpointTraffic {
    pub(crate) fn new(name: ObjectName) -> Self {
        Self {
            name,
            meters: OnceLock::new(),
            untold: Default::default(),
            refused: Mutex::default(),
            pulse: Pulse::default(),
            last_rejected: LastTime::default(),
            last_delivered: LastTime::default(),
            consecutive_failures: AtomicU64::new(0),
            refusals: Flood::default(),
            handshakes: Flood::default(),
            hints: Flood::default(),
            unevaluated: Flood::default(),
            mismatches: Flood::default(),
            bodies: BodiesHeld::default(),
        }
    }

    pub(crate) fn name(&self) -> &ObjectName {
        &self.name
    }

    pub(crate) fn meters(&self, metrics: &Metrics) -> &EndpointMeters {
        self.meters.get_or_init(|| metrics.endpoint(&self.name))
    }

    pub(crate) fn delivered(&self, at: Timestamp) {
        self.last_delivered.at(at);
        self.consecutive_failures.store(0, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.consecutive_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn consecutive_failures(&self) -> u64 {
        self.consecutive_failures.load(Relaxed)
    }

    /// To be told to the store by [`EndpointTraffic::take_untold`]: what it does not count itself.
    pub(crate) fn count(&self, word: Word, by: u64) {
        if let Some(number) =
            Word::ALL.iter().position(|known| *known == word).and_then(|at| self.untold.get(at))
        {
            number.fetch_add(by, Relaxed);
        }
    }

    pub(crate) fn take_untold(&self) -> impl Iterator<Item = Count> {
        let taken = Word::ALL.iter().zip(&self.untold).map(|(word, number)| (*word, number.swap(0, Relaxed)));
        taken.filter(|(_, by)| *by > 0).map(|(word, by)| Count { endpoint: self.name.clone(), word, by })
    }

    /// To be told to the store by [`EndpointTraffic::take_refused`].
    pub(crate) fn refuse(&self, rejected: Rejected) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REFUSED_UNTOLD_MAX {
            refused.push(rejected);
        }
    }

    pub(crate) fn take_refused(&self) -> Vec<Rejected> {
        std::mem::take(&mut self.refused.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SinkTraffic {
    pub(crate) fn meters(&self, sink: &ObjectName, metrics: &Metrics) -> &SinkMeters {
        self.meters.get_or_init(|| metrics.sink(sink))
    }

    /// Returns how many failures stood in a row before.
    pub(crate) fn delivered(&self, at: Timestamp) -> u64 {
        self.last_attempt.at(at);
        self.last_delivered.at(at);
        self.consecutive_failures.swap(0, Relaxed)
    }

    pub(crate) fn failed(&self, at: Timestamp, failure: &Failure) {
        self.last_attempt.at(at);
        self.last_error.at(at);
        let text = format!("{}: {}", failure.kind.as_str(), failure.message);
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        self.consecutive_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn breaker(&self) -> Breaker {
        *self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how it stood before.
    pub(crate) fn set_breaker(&self, breaker: Breaker) -> Breaker {
        std::mem::replace(&mut *self.breaker.lock().unwrap_or_else(PoisonError::into_inner), breaker)
    }

    pub(crate) fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn consecutive_failures(&self) -> u64 {
        self.consecutive_failures.load(Relaxed)
    }
}
