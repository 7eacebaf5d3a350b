//! What is signed, and the time that makes a delivery fresh.
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{is_true, yes};
use crate::Duration;

/// One part of the signed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The raw body.
    Body,
    /// The timestamp's text exactly as received.
    Timestamp,
    /// The request's method, in upper case.
    Method,
    /// The public URL as the provider has it, with the query as received.
    Url,
    /// The same with these escapes decoded, in either case: `%3A %2F %3F %40 %21 %24 %27 %28 %29 %2A %2C %3B` (HubSpot).
    UrlUnescaped,
    /// The same with and without its port; either may be signed (Twilio).
    UrlEitherPort,
    /// The query's parameters sorted by name, joined again by `=` and `&` as received.
    QuerySorted,
    /// The SHA-256 of the body, 32 bytes.
    BodySha256,
    /// The same in lower-case hex.
    BodySha256Hex,
    /// The secret itself; for kind `hash` alone.
    Secret,
    /// A fixed text.
    Literal(String),
    /// A header's value.
    Header(String),
    /// A query parameter's value, decoded.
    Query(String),
    /// The value of a form body's field, decoded.
    Form(String),
    /// A JSON pointer into the body: a string's characters, or the value as it is written.
    Pointer(String),
    /// A form body's fields sorted by name, each name followed by its different values in order; nothing for another
    /// body.
    FormSorted(FormSorted),
}

/// How a body that is no form is bound to the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormSorted {
    /// The query parameter that must be the hex SHA-256 of a body that is no form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_query: Option<String>,
}

/// A header that must have this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The header's name.
    #[schemars(length(min = 1, max = 128))]
    pub header: String,
    /// Its value; case matters.
    #[schemars(length(min = 1, max = 256))]
    pub equals: String,
}

/// The time that makes a delivery fresh. Default: none; replays are then caught by deduplication alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimestampRule {
    /// `signature` (the timestamp in the signature's own text), `{header: NAME}`, `{pointer: /p}` or `{form: NAME}`.
    #[schemars(schema_with = "timestamp_from")]
    pub from: TimestampFrom,
    /// `unixSeconds`, `unixMillis`, `rfc3339` or `httpDate`; one, or a list that is tried in order.
    #[schemars(schema_with = "time_formats")]
    pub format: TimeFormats,
    /// How far it may be from our clock, both ways. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Duration>,
    /// Whether the signature covers it. Where it does not, freshness proves little, and a condition says so.
    /// Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub signed: bool,
    /// Whether a stale or missing timestamp is refused. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enforce: bool,
}

/// Where the timestamp is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimestampFrom {
    /// The timestamp in the signature's own text (grammars `keyValue` and `positional`).
    Signature,
    /// A header.
    Header(String),
    /// A JSON pointer into the body.
    Pointer(String),
    /// A field of a form body.
    Form(String),
}

/// One time format or several, tried in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TimeFormats {
    /// One.
    One(TimeFormat),
    /// Several, tried in order.
    Several(Vec<TimeFormat>),
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimeFormat {
    /// Whole seconds since 1970-01-01T00:00:00Z, decimal digits only.
    UnixSeconds,
    /// Whole milliseconds since then.
    UnixMillis,
    /// RFC 3339, any offset, 0 to 9 fractional digits.
    #[serde(rename = "rfc3339")]
    Rfc3339,
    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 § 5.6.7, the preferred form).
    HttpDate,
}

impl TimeFormats {
    /// The formats, in the order in which they are tried.
    pub fn as_slice(&self) -> &[TimeFormat] {
        match self {
            Self::One(format) => std::slice::from_ref(format),
            Self::Several(formats) => formats,
        }
    }
}

// A structural schema cannot say "a string or an object": such nodes keep unknown fields, the description names the
// forms, and the compiler of the scheme checks them.

pub(super) fn signed_parts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": { "x-kubernetes-preserve-unknown-fields": true },
    })
}

fn timestamp_from(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

fn time_formats(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}
