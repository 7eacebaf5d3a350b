//! The API of Boathook: two kinds in the group `boathook.dev`, version `v1alpha1`.
//!
//! A [`WebhookEndpoint`] receives what one provider sends; a [`WebhookSink`] is where events go. Both are written by the
//! platform team, as Kubernetes objects or as documents in a folder. What the schema cannot check (does the provider
//! exist, do the templates compile) is checked where the objects are compiled, and told as a [`Reason`].
#![expect(clippy::duplicated_attributes, reason = "every printer column has a type and a path")]

mod acknowledge;
mod conditions;
pub mod endpoint;
pub mod event_schema;
pub mod filter;
mod providers;
mod reference;
mod retention;
mod schema;
mod shared;
pub mod sink;
pub mod sink_body;
pub mod sink_selector;
mod status;

pub use acknowledge::{Acknowledge, AcknowledgeMode};
pub use conditions::{ConditionType, Notice, Reason};
pub use endpoint::*;
pub use event_schema::*;
pub use filter::*;
pub use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
pub use kube::core::ObjectMeta;
pub use providers::{
    FOLDER as PROVIDER_PAGES, list as provider_list, proof as provider_proof, read as provider_page,
};
pub use retention::Retention;
pub use schema::{SCHEMA_VERSION, SCHEMA_VERSION_ANNOTATION, crds, generated, members};
pub use shared::SecretRef;
pub use sink::*;
pub use sink_body::*;
pub use sink_selector::*;
pub use status::*;

/// The API group.
pub const GROUP: &str = "boathook.dev";
/// Group and version as documents write them.
pub const API_VERSION: &str = "boathook.dev/v1alpha1";
