//! A store that keeps nothing: events are in memory until their last delivery has ended, for endpoints that acknowledge
//! what is delivered.
//!
//! What is accepted and not delivered when the process ends is gone: nobody was told that it was taken, so its provider sends
//! it again. A repetition of an event that is on its way joins it; one that comes later is a new event. Everything is
//! behind one mutex, which is held for the time of a commit or a page. Totals count from the start of the process. A key
//! never waits behind what is parked: nothing that is parked stays.
mod archive;
mod counts;
mod feed;
mod lanes;
mod outcome;
mod refused;
mod replay;
mod state;
mod turns;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use self::state::State;
pub use self::{archive::MemoryArchive, feed::MemoryFeed};
use crate::{
    Error,
    limits::{MEMORY_BYTES_MAX, MEMORY_EVENTS_MAX},
    local::Clock,
    traits::{Batch, Committer, Verdict},
};

/// A store in this process's memory.
#[derive(Clone)]
pub struct Memory(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    clock: Clock,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(Timestamp::now))
    }

    /// Like [`Memory::new`], with another clock than the system's.
    pub fn with_clock(clock: Clock) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), clock }))
    }

    /// What takes batches.
    pub fn committer(&self) -> MemoryCommitter {
        MemoryCommitter(Arc::clone(&self.0))
    }

    /// A feed.
    pub fn feed(&self) -> MemoryFeed {
        MemoryFeed(Arc::clone(&self.0))
    }

    /// An archive of what is on its way.
    pub fn archive(&self) -> MemoryArchive {
        MemoryArchive(Arc::clone(&self.0))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Shared {
    /// A panic while it was held has told the committer thread that the store is in doubt.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Takes batches into a [`Memory`]. There is nothing to wait for: what is lost with the process was not acknowledged.
pub struct MemoryCommitter(Arc<Shared>);

impl Committer for MemoryCommitter {
    fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        self.0.state().commit(batch, self.0.now())
    }

    fn rest(&mut self) -> Option<String> {
        self.0.state().is_full().then(|| {
            format!(
                "{MEMORY_EVENTS_MAX} events, or {} MiB of them, wait in memory: mend the sinks that do not take them",
                MEMORY_BYTES_MAX >> 20
            )
        })
    }
}

impl fmt::Debug for MemoryCommitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryCommitter")
    }
}
