//! Log lines in a flood: the first few of each second are written, the others are counted.
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::limits::FLOOD_LINES_PER_SECOND;

/// Lines about one thing. Exact for one thread; where several meet at the turn of a second a line more may pass.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    second: AtomicU64,
    lines: AtomicU32,
    held_back: AtomicU64,
}

impl Flood {
    /// Whether a line may be written now.
    pub(crate) fn admits(&self) -> bool {
        static STARTED: OnceLock<Instant> = OnceLock::new();
        self.admits_in(STARTED.get_or_init(Instant::now).elapsed().as_secs())
    }

    /// The same in this second since some start. A second that has passed does not begin anew.
    fn admits_in(&self, second: u64) -> bool {
        if self.second.fetch_max(second, Relaxed) < second {
            self.lines.store(0, Relaxed);
        }
        let admitted = self.lines.fetch_add(1, Relaxed) < FLOOD_LINES_PER_SECOND;
        if !admitted {
            self.held_back.fetch_add(1, Relaxed);
        }
        admitted
    }

    /// How many lines were not written since the last call.
    pub(crate) fn take_held_back(&self) -> u64 {
        self.held_back.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_lines_and_the_rest_is_counted_once() {
        let flood = Flood::default();
        let written = |second| (0..25).filter(|_| flood.admits_in(second)).count();
        assert_eq!(written(7), 10);
        assert_eq!(written(8), 10);
        assert_eq!(written(7), 0, "it is over");
        assert_eq!(flood.take_held_back(), 55);
        assert_eq!(flood.take_held_back(), 0);
    }
}
