//! When a failed delivery is tried again, and when no more.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{Attempt, Next, ParkReason, limits::RETRY_DELAY_MAX};

/// The retry schedule of a sink.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all; 0 = no limit (`max_age` ends it).
    pub max_attempts: u32,
    /// Pause before the first retry.
    pub initial_delay: Duration,
    /// Each pause is so many times the one before; ≥ 1.
    pub multiplier: f64,
    /// The longest pause.
    pub max_delay: Duration,
    /// Time after the event was received at which no further attempt is made.
    pub max_age: Duration,
    /// How a pause is spread.
    pub jitter: Jitter,
    /// Answers (HTTP statuses) after which trying again cannot help.
    pub permanent_statuses: Vec<u16>,
}

/// How a pause is spread, so that many deliveries do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Anything between nothing and the pause.
    Full,
    /// The pause exactly.
    None,
}

impl RetryPolicy {
    /// What follows `attempt` of an event received at `received_at`. `random` is uniform in 0..1.
    ///
    /// A sink's `Retry-After` lengthens the pause, at most to [`RETRY_DELAY_MAX`].
    pub fn next(&self, attempt: &Attempt, received_at: Timestamp, now: Timestamp, random: f64) -> Next {
        let failure = match &attempt.result {
            Ok(delivered) => return Next::Delivered { already_there: delivered.already_there },
            Err(failure) => failure,
        };
        if failure.permanent || failure.status.is_some_and(|status| self.permanent_statuses.contains(&status))
        {
            return Next::Parked(ParkReason::Permanent);
        }
        if self.max_attempts != 0 && attempt.number >= self.max_attempts {
            return Next::Parked(ParkReason::AttemptsExhausted);
        }
        let pause = self
            .pause(attempt.number, random)
            .max(failure.retry_after.unwrap_or_default())
            .min(RETRY_DELAY_MAX);
        let due = after(now, pause);
        if self.is_over(received_at, due) { Next::Parked(ParkReason::TooOld) } else { Next::Retry { due } }
    }

    /// Whether no further attempt is made of an event whose age counts from `since`.
    pub fn is_over(&self, since: Timestamp, now: Timestamp) -> bool {
        now > after(since, self.max_age)
    }

    /// The pause after the attempt of this 1-based number.
    fn pause(&self, number: u32, random: f64) -> Duration {
        let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial_delay.as_secs_f64() * self.multiplier.powi(exponent);
        let capped = seconds.min(self.max_delay.as_secs_f64());
        Duration::from_secs_f64(match self.jitter {
            Jitter::Full => capped * random,
            Jitter::None => capped,
        })
    }
}

/// `pause` after `time`, or the end of time.
fn after(time: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| time.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::{Delivered, Failure, FailureKind};

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 4,
        initial_delay: Duration::from_secs(5),
        multiplier: 1.5,
        max_delay: Duration::from_secs(8),
        max_age: Duration::from_secs(3_600),
        jitter: Jitter::None,
        permanent_statuses: Vec::new(),
    };
    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn failed(number: u32, failure: Failure) -> Attempt {
        Attempt { number, started_at: START, duration_millis: 1, result: Err(failure) }
    }

    fn refused() -> Failure {
        Failure {
            kind: FailureKind::Refused,
            permanent: false,
            status: Some(500),
            retry_after: None,
            message: Cow::Borrowed("500"),
        }
    }

    fn retry_in(seconds: f64) -> Next {
        Next::Retry { due: after(START, Duration::from_secs_f64(seconds)) }
    }

    #[test]
    fn pauses_grow_by_the_multiplier_up_to_the_longest_and_end_with_the_attempts() {
        for (number, expected) in [
            (1, retry_in(5.0)),
            (2, retry_in(7.5)),
            (3, retry_in(8.0)),
            (4, Next::Parked(ParkReason::AttemptsExhausted)),
        ] {
            assert_eq!(POLICY.next(&failed(number, refused()), START, START, 0.5), expected, "{number}");
        }
    }

    #[test]
    fn full_jitter_spreads_a_pause_between_nothing_and_itself() {
        let policy = RetryPolicy { jitter: Jitter::Full, ..POLICY };
        assert_eq!(policy.next(&failed(1, refused()), START, START, 0.0), retry_in(0.0));
        assert_eq!(policy.next(&failed(1, refused()), START, START, 0.5), retry_in(2.5));
    }

    #[test]
    fn retry_after_lengthens_a_pause_and_is_capped() {
        let asked = |seconds| Failure { retry_after: Some(Duration::from_secs(seconds)), ..refused() };
        let policy = RetryPolicy { max_age: Duration::from_secs(30 * 86_400), ..POLICY };
        assert_eq!(policy.next(&failed(1, asked(60)), START, START, 0.0), retry_in(60.0));
        assert_eq!(policy.next(&failed(1, asked(1)), START, START, 0.0), retry_in(5.0));
        let capped = retry_in(RETRY_DELAY_MAX.as_secs_f64());
        assert_eq!(policy.next(&failed(1, asked(u64::MAX)), START, START, 0.0), capped);
    }

    #[test]
    fn permanent_failures_and_old_events_are_parked() {
        let permanent = Failure { permanent: true, ..refused() };
        assert_eq!(
            POLICY.next(&failed(1, permanent), START, START, 0.0),
            Next::Parked(ParkReason::Permanent)
        );
        let policy = RetryPolicy { permanent_statuses: vec![500], ..POLICY };
        assert_eq!(
            policy.next(&failed(1, refused()), START, START, 0.0),
            Next::Parked(ParkReason::Permanent)
        );
        let late = after(START, Duration::from_secs(3_596));
        assert_eq!(POLICY.next(&failed(1, refused()), START, late, 0.0), Next::Parked(ParkReason::TooOld));
    }

    #[test]
    fn a_delivered_attempt_ends_the_delivery() {
        let result = Ok(Delivered { already_there: true, status: Some(200) });
        let attempt = Attempt { number: 9, started_at: START, duration_millis: 1, result };
        assert_eq!(POLICY.next(&attempt, START, START, 0.0), Next::Delivered { already_there: true });
    }

    #[test]
    fn many_attempts_never_overflow_a_pause() {
        let policy = RetryPolicy { max_attempts: 0, ..POLICY };
        assert_eq!(policy.next(&failed(u32::MAX, refused()), START, START, 0.0), retry_in(8.0));
    }
}
