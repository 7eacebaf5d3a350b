//! A thread that does one thing whenever it is woken.
use std::{
    io,
    sync::mpsc,
    thread::{self, JoinHandle},
};

/// The thread. Dropping this waits until it has ended, and with it what it holds.
#[derive(Debug)]
pub(super) struct Woken {
    requests: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Woken {
    pub(super) fn start(
        thread: thread::Builder,
        mut what: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        // One request waits at most: a second one would find nothing to do.
        let (requests, requested) = mpsc::sync_channel(1);
        let run = move || {
            while requested.recv().is_ok() {
                what();
            }
        };
        Ok(Self { requests: Some(requests), thread: Some(thread.spawn(run)?) })
    }

    /// Has it done soon, once.
    pub(super) fn wake(&self) {
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(());
        }
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
