//! What a namespace's receivers need in the cluster: the operator's decisions, as functions of what was written and what
//! is there.
//!
//! [`Configuration`] is the operator's file. [`plan`] decides on a namespace as a whole: objects, statuses, what is to go. [`objects()`] renders what one class needs in one namespace, [`is_within`]
//! says whether the cluster has it already. Nothing here reads a clock, a file or the API server.
pub mod class;
mod conditions;
mod decide;
mod decided;
mod folded;
pub mod limits;
pub mod names;
pub mod objects;
mod room;
pub mod same;
mod sink_status;
mod status;
mod vitals;
mod world;

pub use class::{Class, Configuration};
pub use decide::{plan, references};
pub use objects::{Need, objects};
pub use same::is_within;
pub use world::{
    Captured, DeadEntry, Gone, GoneKind, Held, Notice, Observed, ObservedClass, Plan, Pod, World,
};
