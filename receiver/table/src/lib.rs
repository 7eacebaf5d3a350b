//! Objects in, what a receiver serves out: one pure function, [`build`], so that whoever writes an object and whoever
//! serves it come to the same result.
//!
//! An object with a problem is served as it was accepted before, or left out of the [`Table`]; the others are served. What
//! else to do about it is the caller's decision: a folder with a problem is refused whole.
mod accepted;
mod acknowledge;
mod attributes;
mod build;
mod capture;
mod checks;
mod choosing;
mod class;
mod document;
mod endpoint;
mod filter;
mod keeping;
mod keys;
pub mod limits;
mod problem;
mod retention;
mod routes;
mod schemas;
mod sealed;
mod sink;
mod sink_body;
mod table;

use boathook_crds::{WebhookEndpoint, WebhookSink};

pub use accepted::{Accepted, Written};
pub use acknowledge::Acknowledge;
pub use build::{Built, Conflict, Input, build};
pub use capture::Capture;
pub use choosing::{Choice, Ignored, Taken, Unevaluated};
pub use class::{Class, HostGrant};
pub use document::{DOCUMENT_KEY, Document, DocumentError};
pub use endpoint::{Endpoint, Profile};
pub use keys::Keys;
pub use problem::{Kind, Problem};
pub use retention::RETENTION_DEFAULT;
pub use routes::SinkRoute;
pub use sealed::{OpenKey, SealKey};
pub use sink::{Header, HeaderContent, Sink, Target};
pub use sink_body::Body;
pub use table::Table;

/// Everything that was written.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// The endpoints, oldest first: of two with the same URL the first is served.
    pub endpoints: Vec<WebhookEndpoint>,
    /// The sinks.
    pub sinks: Vec<WebhookSink>,
}
