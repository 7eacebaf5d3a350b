//! Which delivery goes when, as a step function: [`Dispatcher::step`] takes what happened and says what to do.
//!
//! There is a [lane](lane::Lane) per sink. A lane is fed in two ways: the store's committer hands fresh events over as
//! they are committed, and what does not fit (or was missed, or was there before a restart) is read back from the store.
//! A lane that has something unread in the store is *spilled* and takes nothing fresh until it has caught up, so that
//! sequence order holds. Meanwhile the store is read in turns, too, flow by flow (an endpoint and a tenant): flows take turns, and
//! none waits behind what another has piled up, in memory or in the store. Memory is bounded by [`limits`], whatever the backlog.
//!
//! Guarantees: every delivery that the store has pending is offered until it is delivered or parked; never two attempts
//! of one delivery at once; every attempt is recorded before the delivery goes on; no retry before its time.
mod breaker;
mod clock;
mod dispatcher;
mod keys;
mod lane;
pub mod limits;
mod message;
mod rate;
mod sharing;
mod tenants;
mod turns;

pub use breaker::BreakerState;
pub use dispatcher::Dispatcher;
pub use message::{Command, Handover, Input, LaneSnapshot, Now, SinkSettings};
pub use sharing::{Change, Standing};
