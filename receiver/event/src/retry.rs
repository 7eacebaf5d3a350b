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
        if failure.permanent || failure.status.is_some_and(|status| self.permanent_statuses.contains(&status)) {
            return Next::Parked(ParkReason::Permanent);
        }
        if self.max_attempts != 0 && attempt.number >= self.max_attempts {
            return Next::Parked(ParkReason::AttemptsExhausted);
        }
        let pause = self.pause(attempt.number, random).max(failure.retry_after.unwrap_or_default()).min(RETRY_DELAY_MAX);
        let due = after(now, pause);
        if due > after(received_at, self.max_age) { Next::Parked(ParkReason::TooOld) } else { Next::Retry { due } }
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
    SignedDuration::try_from(pause).ok().and_then(|pause| time.checked_add(pause).ok()).unwrap_or(Timestamp::MAX)
}
