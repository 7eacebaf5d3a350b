//! The data plane's edge: requests in, events out, and everything with a clock, a socket or a file.
//!
//! What is decided is decided in the pure crates below; here it is carried out. ARCHITECTURE.md walks an event
//! through the files in order.
mod admin;
mod api;
mod attempt;
mod awaited;
mod backlog;
mod brought;
pub mod config;
mod deliveries;
mod flood;
mod gate;
mod held;
mod ingress;
mod key_copies;
pub mod limits;
mod listener;
mod logs;
mod metrics;
mod published_keys;
mod pulse;
mod receiver;
mod report;
mod reporting;
mod run;
mod serving;
mod settings;
mod term;
mod traffic;
mod upkeep;

pub use run::{Failed, run};
pub use settings::{Confidential, LogFormat, LogLevel, Networks, Settings, StoreKind};
