//! Ctrl-C is for the receiver: we pass it on and stay until the receiver has drained.
use std::{io, thread};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

use crate::receiver;

/// The signals that ask for an end; from [`Signals::catch`] on they do not end us.
pub(crate) struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches them, so that none is lost before there is a process to pass it to.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub(crate) fn catch() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hangup = signal(SignalKind::hangup())?;
        drop(inside);
        Ok(Self { runtime, interrupt, terminate, hangup })
    }

    /// Passes each of them on as a request to drain. The process must not get the terminal's own Ctrl-C besides: it
    /// is started in a process group of its own.
    pub(crate) fn pass_on(self, process: u32) {
        let Self { runtime, mut interrupt, mut terminate, mut hangup } = self;
        let pass_on = async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                if let Err(error) = receiver::terminate(process) {
                    eprintln!("» cannot pass the signal on to process {process}: {error}");
                }
            }
        };
        thread::spawn(move || runtime.block_on(pass_on));
    }
}
