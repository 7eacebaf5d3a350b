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
use tokio::sync::Mutex;

/// Bytes of bodies that wait; as many entries as there are sinks with a bound.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// `None`: the store was not asked yet.
    sinks: RwLock<Option<HashMap<ObjectName, Waiting>>>,
    /// Held while the store is asked for the first time: one asks for all.
    asking: Mutex<()>,
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
        // What was stored by now is in what the store says; what is stored while it is asked counts on top.
        let stored = self.since();
        let said: HashMap<ObjectName, u64> = reader.backlog().await?.into_iter().collect();
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: HashMap<ObjectName, Waiting> = HashMap::new();
        for (sink, before) in sinks.take().unwrap_or_default() {
            let stored = stored.get(&sink).copied().unwrap_or(0);
            let since = before.since.into_inner().saturating_sub(stored);
            waiting.insert(sink, Waiting { said: 0, since: since.into() });
        }
        said.into_iter().for_each(|(sink, said)| waiting.entry(sink).or_default().said = said);
        waiting.retain(|_, waiting| waiting.said > 0 || *waiting.since.get_mut() > 0);
        *sinks = Some(waiting);
        Ok(())
    }

    /// Asks the store if it was not asked yet.
    ///
    /// # Errors
    /// See [`Backlog::refresh`].
    pub(crate) async fn know(&self, reader: &Reader) -> Result<(), Error> {
        let _one = self.asking.lock().await;
        if self.is_known() { Ok(()) } else { self.refresh(reader).await }
    }

    /// Bytes that were stored since the store was asked.
    fn since(&self) -> HashMap<ObjectName, u64> {
        let sinks = self.sinks.read().unwrap_or_else(PoisonError::into_inner);
        let since = |(sink, waiting): (&ObjectName, &Waiting)| (sink.clone(), waiting.since.load(Relaxed));
        sinks.iter().flatten().map(since).collect()
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
