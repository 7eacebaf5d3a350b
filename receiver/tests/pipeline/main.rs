//! The whole program, as senders, sinks and operators meet it: a process with real sockets, files and signals.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
mod acknowledge;
mod capture;
mod choosing;
mod defence;
mod delivery;
mod ending;
mod fair;
mod handshakes;
mod history;
mod keys;
mod lifecycle;
mod observing;
mod order;
mod passing;
mod program;
mod reload;
mod shared;
mod sink;

/// The program under test.
fn receiver_program() -> &'static str {
    env!("CARGO_BIN_EXE_boathook-receiver")
}
