//! What the bodies of events must look like.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// What the bodies of events of some types must look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSchema {
    /// The types that it is for; `*` is any run of characters. Default: all. Of several entries for a type the first counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub types: Vec<String>,
    /// A JSON Schema, of at most 64 KiB, of draft 2020-12 unless it names another. Formats (`email`, `date-time`, …) are checked;
    /// references lead to its own `$defs` only. Where a provider wraps a document, the inner one is looked at.
    #[schemars(schema_with = "schema::object")]
    pub schema: Value,
    /// What becomes of an event that does not fit: `Reject` answers 400 and stores nothing (in a batch with other events it is
    /// parked instead), `Park` stores it and puts its deliveries aside, `Report` takes it like any other. All are counted and
    /// logged. Default: Reject.
    #[serde(default)]
    pub on_mismatch: OnMismatch,
}

/// What becomes of an event that does not fit its schema. Default: Reject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnMismatch {
    /// Answered 400 and not stored; in a batch with other events it is parked.
    #[default]
    Reject,
    /// Stored, and its deliveries put aside.
    Park,
    /// Taken like any other, and told.
    Report,
}
