//! What the provider sends, and what it wants to hear.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// What a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BodyKind {
    /// One JSON document (RFC 8259).
    Json,
    /// Names and values as HTML forms write them (`application/x-www-form-urlencoded`).
    Form,
    /// One XML document (XML 1.0, UTF-8, without a document type); pointers read it as JSON.
    Xml,
    /// Anything: stored unparsed.
    Any,
}

/// Where an inner document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// A JSON pointer to the string that holds it.
    #[schemars(length(min = 1, max = 256))]
    pub pointer: String,
    /// How it is written there: `base64` (padding optional) or `text`. Default: text.
    #[serde(default)]
    pub encoding: PayloadEncoding,
}

/// How an inner document is written: `base64` (padding optional) or `text`. Default: text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PayloadEncoding {
    /// The characters of the string.
    #[default]
    Text,
    /// Base64 (RFC 4648 § 4) of its bytes.
    Base64,
}

/// The statuses and the body that the provider wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Status of an accepted (or ignored) delivery. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 299))]
    pub success: Option<u16>,
    /// Status of a delivery seen before. Default: that of `success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 499))]
    pub duplicate: Option<u16>,
    /// Status of a delivery that is not genuine. Default: 401.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 400, max = 499))]
    pub refused: Option<u16>,
    /// Status of our own failures, such as a store that is away. Default: 503.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 500, max = 599))]
    pub unavailable: Option<u16>,
    /// Members of the JSON answer to an accepted delivery, beside `success: true`: name and template. Each replaces
    /// or joins the default ones `eventId`, `eventType`, `entityId`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    pub body: BTreeMap<String, String>,
    /// A text that replaces the JSON answer to an accepted or ignored delivery; `""` is an empty body. Default: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub text: Option<String>,
    /// The content type of `text`: `text/plain`, `text/xml` or `application/json`. Default: text/plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<AnswerType>,
}

/// The content type of an answer's text: `text/plain`, `text/xml` or `application/json`. Default: text/plain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AnswerType {
    /// Characters.
    #[default]
    #[serde(rename = "text/plain")]
    Plain,
    /// XML (RFC 7303).
    #[serde(rename = "text/xml")]
    Xml,
    /// JSON (RFC 8259).
    #[serde(rename = "application/json")]
    Json,
}

/// How long the provider goes on retrying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryHints {
    /// The time after which the provider gives a delivery up: deduplication must remember at least as long.
    pub horizon: Duration,
}

/// One event type that the provider is known to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueEntry {
    /// The type as the `type` templates give it; `*` is any run of characters.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 256))]
    pub event_type: String,
    /// A group for pickers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub category: Option<String>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub description: Option<String>,
    /// How much it matters, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub priority: Option<String>,
}
