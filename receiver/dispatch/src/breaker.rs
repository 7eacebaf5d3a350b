//! The breaker of one sink: after failures in a row it is left alone for a while, then tried with one delivery at a time until
//! it takes one. A sink that is down costs a few attempts a minute, whatever waits for it.
use std::time::Duration;

use boathook_event::{Attempt, limits::RETRY_DELAY_MAX};

use crate::limits::{BREAKER_FAILURES, BREAKER_PAUSE_MAX, BREAKER_PAUSE_MIN};

/// How a sink is treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// Deliveries go.
    #[default]
    Closed,
    /// None goes before this monotonic time.
    Open {
        /// The time.
        until: Duration,
    },
    /// One goes at a time: the sink's answer decides.
    HalfOpen,
}

/// Decides whether a delivery may go.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: BreakerState,
    /// Passing failures since the last delivery that the sink took.
    failures: u32,
    /// How long it was left alone the last time.
    pause: Duration,
    /// An attempt tries whether the sink is back.
    probing: bool,
    /// Deliveries at once, while that rises again: 1, 2, 4 …
    ramp: Option<usize>,
}

impl Breaker {
    /// From when another delivery may go, beside those under way; a time that has passed: now. `None`: not before one of those
    /// has ended.
    pub(crate) fn admits_at(&self, in_flight: usize, concurrency: usize) -> Option<Duration> {
        let admits = match self.state {
            BreakerState::Closed => in_flight < self.ramp.map_or(concurrency, |ramp| ramp.min(concurrency)),
            BreakerState::Open { until } => return Some(until),
            BreakerState::HalfOpen => !self.probing,
        };
        admits.then_some(Duration::ZERO)
    }

    /// A delivery is admitted: if it was shut, that is a probe.
    pub(crate) fn admit(&mut self) {
        if matches!(self.state, BreakerState::Open { .. }) {
            (self.state, self.probing) = (BreakerState::HalfOpen, false);
        }
    }

    /// A delivery goes.
    pub(crate) fn started(&mut self) {
        self.probing = self.state == BreakerState::HalfOpen;
    }

    /// An attempt has ended.
    pub(crate) fn ended(&mut self, attempt: &Attempt, now: Duration, concurrency: usize) {
        match &attempt.result {
            Ok(_) => self.taken(concurrency),
            // It says something of the delivery, and little of the sink: another one is tried.
            Err(failure) if failure.permanent && !failure.is_gone() => self.probing = false,
            Err(failure) => {
                self.failures = self.failures.saturating_add(1);
                self.failed(failure.retry_after, now);
            }
        }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> BreakerState {
        self.state
    }

    /// How it stands for who looks at it then: when its pause is over the next one is tried, also if there is none yet.
    pub(crate) fn state_at(&self, now: Duration) -> BreakerState {
        match self.state {
            BreakerState::Open { until } if until <= now => BreakerState::HalfOpen,
            state => state,
        }
    }

    fn taken(&mut self, concurrency: usize) {
        (self.failures, self.pause, self.probing) = (0, Duration::ZERO, false);
        self.ramp = match (self.state, self.ramp) {
            (BreakerState::Closed, None) => None,
            (BreakerState::Closed, Some(ramp)) => {
                Some(ramp.saturating_mul(2)).filter(|ramp| *ramp < concurrency)
            }
            _ => Some(1),
        };
        self.state = BreakerState::Closed;
    }

    fn failed(&mut self, retry_after: Option<Duration>, now: Duration) {
        let asked = retry_after.map(|pause| now + pause.min(RETRY_DELAY_MAX));
        let shut = match self.state {
            BreakerState::Open { .. } => false,
            BreakerState::HalfOpen => true,
            BreakerState::Closed => self.failures >= BREAKER_FAILURES,
        };
        let own = shut.then(|| {
            self.pause = self.pause.saturating_mul(2).clamp(BREAKER_PAUSE_MIN, BREAKER_PAUSE_MAX);
            now + self.pause
        });
        let before = match self.state {
            BreakerState::Open { until } => Some(until),
            BreakerState::Closed | BreakerState::HalfOpen => None,
        };
        let until = [asked, own, before].into_iter().flatten().max();
        if let Some(until) = until {
            (self.state, self.probing) = (BreakerState::Open { until }, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use boathook_event::{Delivered, Failure, FailureKind};
    use jiff::Timestamp;

    use super::*;

    fn attempt(result: Result<(), (bool, Option<u64>)>) -> Attempt {
        let result = match result {
            Ok(()) => Ok(Delivered { already_there: false, status: None }),
            Err((permanent, retry_after)) => Err(Failure {
                kind: FailureKind::Refused,
                permanent,
                status: None,
                retry_after: retry_after.map(Duration::from_secs),
                message: "no".into(),
            }),
        };
        Attempt { number: 1, started_at: Timestamp::UNIX_EPOCH, duration_millis: 1, result }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Whether another delivery goes now.
    fn admits(breaker: &mut Breaker, now: Duration, in_flight: usize) -> bool {
        let admits = breaker.admits_at(in_flight, 8).is_some_and(|at| at <= now);
        if admits {
            breaker.admit();
        }
        admits
    }

    const FAILS: Result<(), (bool, Option<u64>)> = Err((false, None));

    #[test]
    fn failures_in_a_row_shut_it_for_longer_and_longer() {
        let mut breaker = Breaker::default();
        for _ in 1..BREAKER_FAILURES {
            breaker.ended(&attempt(FAILS), at(0), 8);
            assert!(admits(&mut breaker, at(0), 7) && !admits(&mut breaker, at(0), 8));
        }
        breaker.ended(&attempt(FAILS), at(0), 8);
        let mut now = Duration::ZERO;
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            let until = now + at(expected);
            assert_eq!(breaker.state(), BreakerState::Open { until });
            assert!(!admits(&mut breaker, until - Duration::from_millis(1), 0));
            now = until;
            assert!(admits(&mut breaker, now, 0));
            breaker.started();
            assert!(!admits(&mut breaker, now, 1), "one at a time");
            breaker.ended(&attempt(FAILS), now, 8);
        }
    }

    #[test]
    fn when_it_takes_one_again_deliveries_rise_from_one() {
        let mut breaker = Breaker::default();
        (0..BREAKER_FAILURES).for_each(|_| breaker.ended(&attempt(FAILS), at(0), 8));
        assert!(admits(&mut breaker, at(1), 0));
        breaker.started();
        for expected in [1, 2, 4, 8, 8] {
            breaker.ended(&attempt(Ok(())), at(1), 8);
            assert_eq!(breaker.state(), BreakerState::Closed);
            assert!(
                admits(&mut breaker, at(1), expected - 1) && !admits(&mut breaker, at(1), expected),
                "{expected}"
            );
        }
        (1..BREAKER_FAILURES).for_each(|_| breaker.ended(&attempt(FAILS), at(1), 8));
        assert_eq!(breaker.state(), BreakerState::Closed, "what was before does not count");
    }

    #[test]
    fn permanent_failures_say_nothing_of_the_sink() {
        let mut breaker = Breaker::default();
        (0..100).for_each(|_| breaker.ended(&attempt(Err((true, None))), at(0), 8));
        assert_eq!(breaker.state(), BreakerState::Closed);
        (0..BREAKER_FAILURES).for_each(|_| breaker.ended(&attempt(FAILS), at(0), 8));
        assert!(admits(&mut breaker, at(1), 0));
        breaker.started();
        breaker.ended(&attempt(Err((true, None))), at(1), 8);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(admits(&mut breaker, at(1), 0), "another one is tried");
    }

    #[test]
    fn a_sink_that_says_that_it_is_gone_is_left_alone_too() {
        let mut gone = attempt(Err((true, None)));
        gone.result = gone.result.map_err(|failure| Failure { status: Some(410), ..failure });
        let mut breaker = Breaker::default();
        (0..BREAKER_FAILURES).for_each(|_| breaker.ended(&gone, at(0), 8));
        assert_eq!(breaker.state(), BreakerState::Open { until: at(1) });
        assert!(admits(&mut breaker, at(1), 0));
        breaker.started();
        breaker.ended(&gone, at(1), 8);
        assert_eq!(breaker.state(), BreakerState::Open { until: at(3) });
    }

    #[test]
    fn a_sink_that_asks_for_a_pause_gets_it() {
        let mut breaker = Breaker::default();
        breaker.ended(&attempt(Err((false, Some(30)))), at(0), 8);
        assert_eq!(breaker.state(), BreakerState::Open { until: at(30) });
        breaker.ended(&attempt(FAILS), at(1), 8);
        assert_eq!(breaker.state(), BreakerState::Open { until: at(30) }, "one that was under way");
        breaker.ended(&attempt(Err((false, Some(1_000_000)))), at(2), 8);
        assert_eq!(breaker.state(), BreakerState::Open { until: at(2) + RETRY_DELAY_MAX });
        breaker.ended(&attempt(Ok(())), at(3), 8);
        assert_eq!(breaker.state(), BreakerState::Closed, "it takes something");
    }
}
