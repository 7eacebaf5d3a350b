//! Events and what became of them.
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which events are listed: those of which all that is given is true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventQuery {
    /// Received by this endpoint, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// With a delivery to this sink, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// With a delivery (to that sink) that stands so now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Of this type, exactly.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// With this id of the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// With this ordering key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Received at this time (RFC 3339) or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Received before this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Which come first. Default: newestFirst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// How many at most; from 1 to 1000. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which events come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// The last that was stored.
    NewestFirst,
    /// The first that was stored.
    OldestFirst,
}

/// One page of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events; a page may be short, or empty, though there is more.
    pub events: Vec<EventSummary>,
    /// To be given as `cursor` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An event without its headers and its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSummary {
    /// Boathook's own id.
    pub uid: String,
    /// The endpoint that received it, `namespace/name`.
    pub endpoint: String,
    /// When it was received.
    #[schemars(with = "String")]
    pub received_at: Timestamp,
    /// The provider's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// The ordering key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The account it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Bytes of its body.
    pub bytes: u64,
    /// One for each of its sinks, and one more for each replay.
    pub deliveries: Vec<Delivery>,
}

/// What became of an event at one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The sink, `namespace/name`.
    pub sink: String,
    /// 0 = the first time; n = the n-th time that it is delivered again although the sink had taken it.
    pub replay: u32,
    /// How it stands.
    pub state: DeliveryState,
    /// Why it was parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_for: Option<String>,
    /// Attempts made.
    pub attempts: u32,
    /// When the next one may be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_attempt_at: Option<Timestamp>,
    /// When it was delivered, parked or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// The attempts that failed: the first and the last nine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedAttempt>,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// Still to be delivered.
    Pending,
    /// The sink has it.
    Delivered,
    /// Put aside until somebody replays it.
    Parked,
    /// Left out, because its sink was suspended and skips what comes meanwhile.
    Skipped,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u32,
    /// What failed: unreachable, timeout, refused, throttled and so on.
    pub kind: String,
    /// Whether another attempt could not have helped.
    pub permanent: bool,
    /// The sink's own answer, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status: Option<u16>,
    /// What happened, for people.
    pub error: String,
}

/// An event, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What a list shows of it.
    #[serde(flatten)]
    pub summary: EventSummary,
    /// The thing it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Its place in the batch that it came in, from 0.
    pub index: u32,
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The request's query, without `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The request's headers, but for the provider's credential.
    pub headers: Vec<Header>,
    /// The event's bytes.
    pub body: Body,
}

/// A header of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Its name in lower case.
    pub name: String,
    /// Its value; bytes that are no UTF-8 are replaced.
    pub value: String,
}

/// A body, in one of two ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    /// As it is, where it is UTF-8.
    Text(String),
    /// In Base64, where it is not.
    Base64(String),
}
