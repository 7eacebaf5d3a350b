//! The commands as users meet them: flags and files in, an exit status and text out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test reads its data and fails where it cannot go on"
)]
mod api;
mod asking;
mod listing;
mod program;
mod sending;
mod server;
mod signing;
mod vectors;
mod verifying;
