//! When something is past its retention, and how deleting it leaves room for commits.
use std::{
    thread,
    time::{Duration, Instant},
};

use boathook_event::Retention;
use jiff::{SignedDuration, Timestamp};

/// Times up to which something is past its retention, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cuts {
    pub(crate) delivered: i64,
    pub(crate) parked: i64,
    pub(crate) rejected: i64,
}

impl Cuts {
    pub(crate) fn of(Retention { delivered, parked, rejected }: Retention, now: Timestamp) -> Self {
        let [delivered, parked, rejected] = [delivered, parked, rejected].map(|kept| before(now, kept));
        Self { delivered, parked, rejected }
    }

    /// Whether an event of this time may be past its retention, whatever became of it.
    pub(crate) fn may_reach(self, received: i64) -> bool {
        received <= self.delivered.max(self.parked)
    }
}

fn before(now: Timestamp, retention: Duration) -> i64 {
    let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
    now.as_microsecond().saturating_sub(i64::try_from(retention.as_micros()).unwrap_or(i64::MAX))
}

/// Does the work, then leaves the store to others for as long as it took.
pub(crate) fn yielding<R>(work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = work();
    thread::sleep(start.elapsed());
    result
}
