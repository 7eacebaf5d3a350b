//! What a sink gets as its body.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is sent: `Raw` the provider's bytes; `CloudEvents` a CloudEvent 1.0 in JSON; `Envelope` the JSON object `{id,
/// timestamp, event, teamId, data, previousData, metadata}`; `Fields` a flat JSON object of `fields`. Default: Raw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SinkBody {
    /// The provider's bytes, with its headers.
    #[default]
    Raw,
    /// A CloudEvent 1.0 in the structured mode of JSON.
    CloudEvents,
    /// `{id, timestamp, event, teamId, data, previousData, metadata}`.
    Envelope,
    /// A flat JSON object.
    Fields,
}

/// One member of a flat JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BodyField {
    /// The member's name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// A template over the event, such as `{type}`. A pointer alone, `{/data/amount}`, keeps the kind of its value; all else
    /// is a text. What is missing is `null`.
    #[schemars(length(max = 1024))]
    pub value: String,
}
