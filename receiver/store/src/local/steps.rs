//! Letting go of the processor in the middle of long work.
use std::{cell::Cell, thread, time::Instant};

use crate::limits::PROCESSOR_TIME_MAX;

thread_local! {
    /// When this thread last let go of it.
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// To be called between steps of some ten microseconds: who waits for this processor gets it now, if this thread may have had it for
/// long.
pub(super) fn between() {
    let long = SINCE.get().is_none_or(|since| since.elapsed() >= PROCESSOR_TIME_MAX);
    if long {
        thread::yield_now();
        SINCE.set(Some(Instant::now()));
    }
}
