//! The time by which due times are written and asked for.
use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::Now;

/// The wall clock, but that it is never set back within a process. Where that is, it goes on at half the speed until it is one with
/// it again: what was due stays due, what was to wait waits twice as long at most, and a process that begins later finds
/// times of the wall clock. Where that goes forward it goes along.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<Read>,
}

/// When it was read last.
#[derive(Debug, Clone, Copy)]
struct Read {
    at: Duration,
    /// What it said less the monotonic time, since the Unix epoch.
    origin: SignedDuration,
}

impl Clock {
    /// The same moment by this clock, and by how much that is ahead of the wall clock.
    pub(crate) fn read(&mut self, now: Now) -> (Now, SignedDuration) {
        let signed = |time: Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let at = now.monotonic;
        let said = now.wall.as_duration().saturating_sub(signed(at));
        let slowed = |last: Read| last.origin.saturating_sub(signed(at.saturating_sub(last.at) / 2));
        let origin = self.last.map_or(said, |last| slowed(last).max(said));
        self.last = Some(Read { at, origin });
        let wall = Timestamp::from_duration(origin.saturating_add(signed(at))).unwrap_or(now.wall);
        (Now { wall, ..now }, origin.saturating_sub(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_when_the_wall_clock_is_set_back_and_along_when_that_goes_forward() {
        let mut clock = Clock::default();
        let mut read = |monotonic: u64, wall: i64| {
            let wall = Timestamp::from_second(wall).unwrap();
            let (now, ahead) = clock.read(Now { monotonic: Duration::from_secs(monotonic), wall });
            (now.wall.as_second(), ahead.as_secs())
        };
        assert_eq!(read(10, 1_000), (1_000, 0));
        assert_eq!(read(20, 1_010), (1_010, 0));
        assert_eq!(read(30, 520), (1_015, 495));
        assert_eq!(read(50, 540), (1_025, 485));
        assert_eq!(read(60, 850), (1_030, 180));
        // After twice the time that it was ahead the two are one.
        assert_eq!(read(420, 1_210), (1_210, 0));
        assert_eq!(read(430, 1_220), (1_220, 0));
        assert_eq!(read(440, 2_000), (2_000, 0));
    }
}
