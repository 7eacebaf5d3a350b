//! Nothing is acknowledged before it is durable.
//!
//! [`traits`] says what a store is, [`local`] is one in a folder, [`postgres`] one that
//! several processes share; [`memory`] keeps nothing, for what is acknowledged once it is delivered. [`GroupCommit`] decides what is written together and
//! who is answered when; [`StoreHandle`] and [`Reader`] are how asynchronous code reaches a store.
mod columns;
mod committer;
mod cuts;
mod error;
mod group;
mod head;
pub mod limits;
pub mod local;
pub mod memory;
mod oldest;
pub mod postgres;
mod question;
mod reader;
mod series;
mod tally;
pub mod traits;
mod wire;

pub use committer::{Running, StoreHandle};
pub use error::{Error, SubmitError};
pub use group::{Command, GroupCommit, Handover, Input, Request};
pub use reader::Reader;
