//! What the store promises, from the state machine alone to a killed process.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]
mod beside;
mod group;
mod handle;
mod kill;
mod local;
mod memory;
mod postgres;
mod program;
mod strace;
mod suite;
