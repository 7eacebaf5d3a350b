//! How many bytes wait for each sink, for `backlogBytesMax`: what the store has said a moment ago, and what this process has
//! stored since. So the bound holds over restarts and over receivers that share a store, and is passed by a second's worth at
//! most.
use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use boathook_event::ObjectName;
use boathook_store::{Error, Reader};

/// Bytes of bodies that wait; as many entries as there are sinks with a bound.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// `None`: the store was not asked yet.
    sinks: RwLock<Option<HashMap<ObjectName, Waiting>>>,
}

/// What waits for one sink.
#[derive(Debug, Default)]
struct Waiting {
    /// As the store has said.
    said: u64,
    /// Stored since it was asked.
    since: AtomicU64,
}

impl Backlog {
    /// Asks the store.
    ///
    /// # Errors
    /// The store cannot be asked: what was known stays.
    pub(crate) async fn refresh(&self, reader: &Reader) -> Result<(), Error> {
        // What is stored while it is asked counts on top.
        if let Some(sinks) = &*self.sinks.read().unwrap_or_else(PoisonError::into_inner) {
            sinks.values().for_each(|waiting| waiting.since.store(0, Relaxed));
        }
        let said = reader.backlog().await?;
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = sinks.take().unwrap_or_default();
        let waiting = |(sink, said): (ObjectName, u64)| {
            let since = before.remove(&sink).map(|waiting| waiting.since).unwrap_or_default();
            (sink, Waiting { said, since })
        };
        *sinks = Some(said.into_iter().map(waiting).collect());
        Ok(())
    }

    /// Whether the store was asked.
    pub(crate) fn is_known(&self) -> bool {
        self.sinks.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// So many bytes were stored for the sink.
    pub(crate) fn stored(&self, sink: &ObjectName, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let add = |waiting: &Waiting| waiting.since.fetch_add(bytes, Relaxed);
        if let Some(sinks) = &*self.sinks.read().unwrap_or_else(PoisonError::into_inner)
            && let Some(waiting) = sinks.get(sink)
        {
            add(waiting);
            return;
        }
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(sinks) = &mut *sinks {
            add(sinks.entry(sink.clone()).or_default());
        }
    }

    /// Bytes that wait for the sink.
    pub(crate) fn bytes(&self, sink: &ObjectName) -> u64 {
        let sinks = self.sinks.read().unwrap_or_else(PoisonError::into_inner);
        let waiting = sinks.iter().find_map(|sinks| sinks.get(sink));
        waiting.map_or(0, |waiting| waiting.said.saturating_add(waiting.since.load(Relaxed)))
    }
}
