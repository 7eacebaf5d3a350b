//! Ctrl-C is for the receiver: we pass it on and stay until the receiver has drained.
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use crate::process;

/// The signals that ask for an end; from [`Signals::catch`] on they do not end us.
pub(crate) struct Signals(Arc<Mutex<State>>);

/// What has come, and who is to get it.
#[derive(Default)]
struct State {
    came: bool,
    process: Option<u32>,
}

impl Signals {
    /// Catches them, so that none is lost before there is a process to pass it to.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub(crate) fn catch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        drop(inside);
        let state = Arc::new(Mutex::new(State::default()));
        let ours = Arc::clone(&state);
        let take = async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                let mut state = lock(&ours);
                state.came = true;
                state.process.into_iter().for_each(pass_on);
            }
        };
        thread::spawn(move || runtime.block_on(take));
        Ok(Self(state))
    }

    /// Passes each of them on as a request to drain, also one that has come already. The process must not get the
    /// terminal's own Ctrl-C besides: it is started in a process group of its own.
    pub(crate) fn pass_on(&self, process: u32) {
        let mut state = lock(&self.0);
        state.process = Some(process);
        if state.came {
            pass_on(process);
        }
    }

    /// Whether one has come.
    pub(crate) fn came(&self) -> bool {
        lock(&self.0).came
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(process: u32) {
    if let Err(error) = process::terminate(process) {
        eprintln!("» cannot pass the signal on to process {process}: {error}");
    }
}
