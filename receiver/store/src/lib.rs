//! Nothing is acknowledged before it is durable.
//!
//! [`traits`] says what a store is, [`local`] is one in a folder, [`postgres`] one that
//! several processes share. [`GroupCommit`] decides what is written together and
//! who is answered when; [`StoreHandle`] and [`Reader`] are how asynchronous code reaches a store.
mod committer;
mod error;
mod group;
pub mod limits;
pub mod local;
mod oldest;
pub mod postgres;
mod question;
mod reader;
pub mod traits;

pub use committer::{Running, StoreHandle};
pub use error::{Error, SubmitError};
pub use group::{Command, GroupCommit, Handover, Input, Request};
pub use reader::Reader;
