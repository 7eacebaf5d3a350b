//! The thread by which the database follows the journal while much comes in.
use std::{
    io,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use crate::local::Shared;

/// The thread. Dropping this waits until it has ended.
#[derive(Debug)]
pub(super) struct Settler {
    requests: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Settler {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        // One request waits at most: a second one would find nothing to do.
        let (requests, requested) = mpsc::sync_channel(1);
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().name("settler".into()).spawn(move || run(&shared, &requested))?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Has the database take what only the journal has, if that is much still.
    pub(super) fn wake(&self) {
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(());
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, requested: &mpsc::Receiver<()>) {
    while requested.recv().is_ok() {
        if let Err(error) = shared.writer().settle_if_long() {
            tracing::warn!(%error, "the database of the store is behind its journal; it is tried again");
        }
    }
}
