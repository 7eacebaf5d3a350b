//! The rate of one sink: attempts a minute, spread evenly (the generic cell rate algorithm), with a burst of one second's worth.
use std::{num::NonZeroU32, time::Duration};

/// When attempts may be made.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// When the attempts so far are paid for.
    paid_at: Duration,
}

impl Rate {
    /// When the next attempt may be made; a time that has passed: now. `None` without a limit.
    pub(crate) fn next_at(&self, per_minute: Option<NonZeroU32>) -> Option<Duration> {
        let per_minute = per_minute?;
        let burst = per_minute.get().div_ceil(60) - 1;
        Some(self.paid_at.saturating_sub(between(per_minute) * burst))
    }

    /// An attempt is made.
    pub(crate) fn spend(&mut self, now: Duration, per_minute: Option<NonZeroU32>) {
        if let Some(per_minute) = per_minute {
            self.paid_at = self.paid_at.max(now) + between(per_minute);
        }
    }
}

fn between(per_minute: NonZeroU32) -> Duration {
    Duration::from_secs(60) / per_minute.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many attempts are made in this many seconds, whenever one may be.
    fn made(per_minute: u32, seconds: u64) -> u32 {
        let (mut rate, mut now, mut made) = (Rate::default(), Duration::from_secs(7), 0);
        let (end, limit) = (now + Duration::from_secs(seconds), NonZeroU32::new(per_minute));
        while let Some(next) = rate.next_at(limit).filter(|next| *next < end) {
            now = now.max(next);
            rate.spend(now, limit);
            made += 1;
        }
        made
    }

    #[test]
    fn as_many_go_a_minute_as_are_allowed_and_a_burst_of_one_second() {
        assert_eq!(made(60, 60), 60);
        assert_eq!(made(1, 60), 1);
        assert_eq!(made(1, 61), 2);
        assert_eq!(made(6_000, 1), 199, "a burst, and as many as that second allows");
        assert_eq!(made(6_000, 60), 6_099);
        assert_eq!(Rate::default().next_at(None), None);
    }

    #[test]
    fn what_was_not_used_is_not_saved_beyond_the_burst() {
        let (mut rate, limit) = (Rate::default(), NonZeroU32::new(120));
        let late = Duration::from_secs(1_000);
        for expected in [Duration::ZERO, late - Duration::from_millis(0), late + Duration::from_millis(500)] {
            assert!(rate.next_at(limit).is_some_and(|next| next <= expected.max(late)), "{expected:?}");
            rate.spend(late, limit);
        }
        assert_eq!(rate.next_at(limit), Some(late + Duration::from_millis(1_000)));
    }
}
