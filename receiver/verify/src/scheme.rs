//! A provider's scheme as data: the format of `providers/<id>.yaml` and of `scheme:` in an endpoint.
//!
//! A preset's id is its file's name. Only shapes are checked here; rules across members are checked when a
//! [`Verifier`](crate::Verifier) is compiled.
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::Duration;

/// How a provider proves that a delivery is its own, and where the delivery says what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheme {
    /// The provider's name as it writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub title: Option<String>,
    /// The provider's page on verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub docs: Option<String>,
    /// Where a person clicks in the provider's console, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub setup: Option<String>,
    /// The proof: `hmac` (a keyed digest over parts of the request) or `token` (a header equals the secret).
    pub kind: Kind,
    /// The digest of kind `hmac`. Default: sha256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// How the secret's text becomes the key's bytes. Default: utf8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Where the signature (or the token) is, and how it is written.
    pub signature: Signature,
    /// The bytes that are signed, in order: `body`, `timestamp` (as received), `{literal: TEXT}`, `{header: NAME}`.
    /// Default: the body. For kind `hmac` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "signed_parts")]
    pub signed: Vec<Part>,
    /// The time that makes a delivery fresh. Default: none; replays are then caught by deduplication alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampRule>,
    /// Requests that the provider sends to prove that the URL is ours; answered at once and not delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub handshakes: Vec<Handshake>,
    /// What the body may be, tried in order; none fits: 400. Default: `[Json]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub body: Vec<BodyKind>,
    /// The content types that are accepted (parameters ignored). Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 128)))]
    pub content_types: Vec<String>,
    /// JSON pointer to the array of events in one delivery (`""` is the body itself); a value that is no array is
    /// one event. Default: a delivery is one event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub batch: Option<String>,
    /// Templates for the provider's id of the event, tried in order. Default: no id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub id: Vec<String>,
    /// Templates for the id of an item of a batch, tried before those of `id`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub item_id: Vec<String>,
    /// Whether the signature covers the id. Where it does not, the same id with another body is another event.
    /// Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub id_signed: bool,
    /// Whether the id stays the same over the provider's own retries. Where it does not, ids do not deduplicate.
    /// Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub id_stable: bool,
    /// Whether two genuine deliveries never have the same body; then the body's digest deduplicates, too.
    /// Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub body_unique: bool,
    /// Whether the proof covers the body. Must be set to false where it does not. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub body_protected: bool,
    /// Templates for the event's type, tried in order. Default: no type.
    #[serde(default, rename = "type", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub event_type: Vec<String>,
    /// Template for the id of the thing that the event is about; it is told in the answer and in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub entity: Option<String>,
    /// Template for the account that the event belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub tenant: Option<String>,
    /// What the provider wants to hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// How long the provider goes on retrying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryHints>,
    /// The event types that the provider is known to send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub catalogue: Vec<CatalogueEntry>,
}

/// The kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A keyed digest (RFC 2104) over parts of the request.
    Hmac,
    /// A header equals the secret. Proves the sender, not the body.
    Token,
}

/// The digest of kind `hmac`. Default: sha256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

/// How the secret's text becomes the key's bytes. Default: utf8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// `utf8` the text as it is · `base64` decoded, padding optional · `prefixedBase64` a prefix such as `whsec_`
    /// is dropped when present, the rest decoded.
    pub decode: KeyDecode,
}

/// A decoding of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyDecode {
    /// The text's bytes.
    Utf8,
    /// Base64 (RFC 4648 § 4), padding optional.
    Base64,
    /// The same after a `whsec_` prefix, which may be missing (Standard Webhooks).
    PrefixedBase64,
}

/// Where the signature is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Where it is.
    pub from: SignatureFrom,
    /// How the header is built. Default: it is the signature alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grammar: Option<Grammar>,
    /// How the signature's bytes are written: `hex` (either case) or `base64` (padded, canonical). Default: hex.
    /// Ignored for kind `token`, where the text itself is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// Where the signature is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignatureFrom {
    /// Header names; the first that is present counts.
    #[schemars(length(min = 1, max = 4), inner(length(min = 1, max = 128)))]
    pub headers: Vec<String>,
}

/// How the header is built; exactly one member. Default: it is the signature alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grammar {
    /// A fixed text before the signature, such as `sha256=`; case matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
    /// `t=1492774577,v1=5257a8…`: keys and values; unknown keys are ignored, a key may repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_value: Option<KeyValue>,
    /// `v1,K5oZ… v1,g0hM…`: elements; any may match, those of another version are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<List>,
}

/// `t=1492774577,v1=5257a8…`: keys and values; unknown keys are ignored, a key may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyValue {
    /// Between the elements, such as `,`.
    #[schemars(length(min = 1, max = 4))]
    pub separator: String,
    /// The key of a signature, such as `v1`.
    #[schemars(length(min = 1, max = 64))]
    pub signature: String,
    /// The key of the timestamp, where it is in this header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub timestamp: Option<String>,
}

/// `v1,K5oZ… v1,g0hM…`: elements; any may match, those of another version are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// Between the elements, such as one space.
    #[schemars(length(min = 1, max = 4))]
    pub separator: String,
    /// The version that counts, such as `v1`.
    #[schemars(length(min = 1, max = 64))]
    pub tag: String,
    /// Between version and signature, such as `,`.
    #[schemars(length(min = 1, max = 4))]
    pub tag_separator: String,
}

/// How the signature's bytes are written: `hex` (either case) or `base64` (padded, canonical). Default: hex. Ignored
/// for kind `token`, where the text itself is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// Base 16, either case (RFC 4648 § 8).
    Hex,
    /// Base 64, padded, canonical (RFC 4648 § 4).
    Base64,
}

/// One part of the signed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The raw body.
    Body,
    /// The timestamp's text exactly as received.
    Timestamp,
    /// A fixed text.
    Literal(String),
    /// A header's value.
    Header(String),
}

/// The time that makes a delivery fresh. Default: none; replays are then caught by deduplication alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimestampRule {
    /// `signature` (the timestamp's key in the signature header) or `{header: NAME}`.
    #[schemars(schema_with = "timestamp_from")]
    pub from: TimestampFrom,
    /// `unixSeconds`, `unixMillis` or `rfc3339`; one, or a list that is tried in order.
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
    /// The timestamp's key in the signature header (grammar `keyValue`).
    Signature,
    /// A header.
    Header(String),
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
}

/// A request by which the provider makes sure that the URL is ours. It is answered only after its signature was
/// found genuine, with a text that the request itself carries: never with anything made from the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// Which requests it is.
    #[serde(rename = "match")]
    pub matches: HandshakeMatch,
    /// What is answered.
    pub answer: HandshakeAnswer,
}

/// Which requests are a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeMatch {
    /// A JSON pointer into the body…
    #[schemars(length(max = 256))]
    pub pointer: String,
    /// …whose value is this text.
    #[schemars(length(max = 256))]
    pub equals: String,
}

/// What a handshake is answered with: status 200 and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeAnswer {
    /// A template over the request, such as `{/challenge}`; sent as text/plain.
    #[schemars(length(max = 1024))]
    pub text: String,
}

/// What a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BodyKind {
    /// One JSON document (RFC 8259).
    Json,
    /// Anything: stored unparsed.
    Any,
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

impl TimeFormats {
    /// The formats, in the order in which they are tried.
    pub fn as_slice(&self) -> &[TimeFormat] {
        match self {
            Self::One(format) => std::slice::from_ref(format),
            Self::Several(formats) => formats,
        }
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

// A structural schema cannot say "a string or an object": such nodes keep unknown fields, the description names the
// forms, and the compiler of the scheme checks them.

fn signed_parts(_: &mut SchemaGenerator) -> Schema {
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
