//! Where events go: the [`Sink`] trait, its drivers, and the guard over the addresses they may call.
//!
//! A sink tries once and says how that ended. It never retries, logs or measures: dispatch does, alike for all.
//! A driver is one file and one line in the [`Registry`], and passes the suite in `tests/suite`.
mod body;
mod client;
mod error;
mod fetch;
mod guard;
mod http;
pub mod limits;
mod log;
mod registry;
mod secret;
mod source;

use std::{fmt, sync::Arc};

use ::http::HeaderMap;
use boathook_event::{Attributes, Delivered, Delivery, Failure};
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;

pub use crate::{
    body::{BodySpec, FieldSpec},
    error::BuildError,
    fetch::{Fetched, Fetcher},
    guard::{AddressGuard, Forbidden, ForbiddenKind},
    http::{HeaderContent, HeaderSpec, HttpSpec},
    registry::{Registry, SinkSpec},
    secret::Secret,
};

/// One try to deliver, as dispatch hands it to a sink.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The event and its sink.
    pub delivery: Delivery,
    /// The number of this attempt, 1-based.
    pub attempt: u32,
    /// Constants of its endpoint, for templates.
    pub attributes: Arc<Attributes>,
}

/// What an attempt would send. Whoever sees it could send it, but for the secrets: they are blotted out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Where it would go: a URL for an `http` sink, as it is written, `stdout` for a `log` sink.
    pub destination: String,
    /// The headers of an `http` sink, but for what the client adds (`Host`, `Content-Length`).
    pub headers: HeaderMap,
    /// The body, or the line.
    pub body: Bytes,
}

/// A place that takes events.
pub trait Sink: fmt::Debug + Send + Sync {
    /// How many deliveries one call may carry; at least 1.
    fn batch_max(&self) -> usize;

    /// What an attempt at this time would send, without sending anything.
    ///
    /// # Errors
    /// What the attempt would end with before it sends anything.
    fn render(&self, sending: &Sending, now: Timestamp) -> Result<Rendered, Failure>;

    /// Tries each delivery once and gives one outcome for each, in the same order.
    ///
    /// The same event has the same idempotency key in every attempt (`{uid}`). Dropping the future gives up the
    /// attempts that are not finished; the sink may have taken them.
    ///
    /// # Errors
    /// A [`Failure`] says what kind of thing failed and whether trying again can help, without any secret.
    fn deliver_batch<'a>(&'a self, sendings: &'a [Sending])
    -> BoxFuture<'a, Vec<Result<Delivered, Failure>>>;
}
