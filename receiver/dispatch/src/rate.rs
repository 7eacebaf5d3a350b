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

    /// How many attempts may be made now.
    pub(crate) fn room(&self, now: Duration, per_minute: NonZeroU32) -> usize {
        let next_at = self.next_at(Some(per_minute)).unwrap_or_default();
        let Some(since) = now.checked_sub(next_at) else { return 0 };
        let refilled = since.as_nanos() / between(per_minute).as_nanos().max(1);
        let burst = per_minute.get().div_ceil(60);
        usize::try_from(refilled.saturating_add(1).min(u128::from(burst))).unwrap_or(usize::MAX)
    }

    /// Whether everything is paid for: then it is as if there had been no attempt.
    pub(crate) fn is_idle(&self, now: Duration) -> bool {
        self.paid_at <= now
    }

    /// An attempt is made.
    pub(crate) fn spend(&mut self, now: Duration, per_minute: Option<NonZeroU32>) {
        if let Some(per_minute) = per_minute {
            self.paid_at = self.paid_at.max(now) + between(per_minute);
        }
    }
}

pub(crate) fn between(per_minute: NonZeroU32) -> Duration {
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
    fn there_is_room_for_as_many_as_may_go_at_once() {
        let (mut rate, limit) = (Rate::default(), NonZeroU32::new(120).unwrap());
        let at = |millis: u64| Duration::from_millis(100_000 + millis);
        assert_eq!(rate.room(at(0), limit), 2);
        rate.spend(at(0), Some(limit));
        assert_eq!(rate.room(at(0), limit), 1);
        rate.spend(at(0), Some(limit));
        let rooms = [0, 499, 500, 999, 1_000, 9_000].map(|millis: u64| rate.room(at(millis), limit));
        assert_eq!(rooms, [0, 0, 1, 1, 2, 2]);
        assert_eq!((rate.is_idle(at(999)), rate.is_idle(at(1_000))), (false, true));
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
