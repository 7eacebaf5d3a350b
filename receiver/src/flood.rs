//! Log lines in a flood: the first few of each second are written, the others are counted.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::limits::FLOOD_LINES_PER_SECOND;

/// Lines about one thing. Exact for one thread; where several meet at the turn of a second a line more may pass.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    second: AtomicU64,
    lines: AtomicU32,
    held_back: AtomicU64,
}

impl Flood {
    /// Whether a line may be written in this second (any count of seconds that never goes back).
    pub(crate) fn admits(&self, second: u64) -> bool {
        let before = self.second.load(Relaxed);
        if before != second && self.second.compare_exchange(before, second, Relaxed, Relaxed).is_ok() {
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
        let written = |second| (0..25).filter(|_| flood.admits(second)).count();
        assert_eq!(written(7), 10);
        assert_eq!(written(8), 10);
        assert_eq!(flood.take_held_back(), 30);
        assert_eq!(flood.take_held_back(), 0);
    }
}
