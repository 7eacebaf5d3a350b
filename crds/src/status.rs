//! What the statuses say: the operator's summary, and below it what each receiver has reported.
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// How an endpoint stands. Written by the operator, but for `receivers`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpointStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the provider calls. Absent while the endpoint is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// In one word: `Pending` it does not serve yet, `Idle` nothing has come yet or nothing comes any more, `Healthy` events
    /// come and go on, `Degraded` events come and something is not as it should be, `Failed` deliveries fail again and again,
    /// what the provider signs is refused, or it cannot serve. `recommendations` say why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// `Accepted`, `Programmed`, `Receiving`, `Delivering`, `Ready`, `Stalled`; always all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// When the last genuine event came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_event_time: Option<Timestamp>,
    /// When a request was last refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_rejected_time: Option<Timestamp>,
    /// When a sink last took an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_delivered_time: Option<Timestamp>,
    /// What became of events, since the endpoint was first served; survives its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventTotals>,
    /// Failed attempts to deliver since the last that a sink took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub consecutive_failures: Option<i64>,
    /// How long its oldest delivery had waited when a receiver last said so; 0 = nothing waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub oldest_pending_seconds: Option<i64>,
    /// The usual time between two events, those that come within a minute counted as one. `health` is Idle after three
    /// times as long without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub usual_gap_seconds: Option<i64>,
    /// When each of its secrets last matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub secrets: Vec<SecretStatus>,
    /// What a person should do next, in one sentence each, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub recommendations: Vec<String>,
    /// What each receiver pod says. Each pod writes its own entry only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["pod"]))]
    pub receivers: Vec<EndpointReport>,
}

/// In one word: `Pending` it does not serve yet, `Idle` nothing has come yet or nothing comes any more, `Healthy` events come
/// and go on, `Degraded` events come and something is not as it should be, `Failed` deliveries fail again and again, what the
/// provider signs is refused, or it cannot serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Health {
    /// It does not serve yet.
    Pending,
    /// It serves, and nothing has come yet; or nothing has come for three times the usual gap between events, and a day at
    /// least.
    Idle,
    /// Events come and go on.
    Healthy,
    /// Events come, and something is not as it should be: a sink fails, a delivery has waited for more than a minute, or more
    /// than one in a hundred requests of the last hour was refused.
    Degraded,
    /// Ten attempts to deliver or more have failed in a row, all that the provider has signed in the last hour was refused, or
    /// it cannot serve.
    Failed,
}

/// When a secret last matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStatus {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in its `data`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// When a request that it had made was last taken. Absent while none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_match_time: Option<Timestamp>,
}

/// What became of events. A batch counts by its items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EventTotals {
    /// Stored and acknowledged.
    #[schemars(range(min = 0))]
    pub accepted: i64,
    /// Known already, acknowledged.
    #[schemars(range(min = 0))]
    pub duplicate: i64,
    /// Genuine and not wanted: by its type, or by the filter.
    #[schemars(range(min = 0))]
    pub ignored: i64,
    /// Refused: not genuine, or not acceptable.
    #[schemars(range(min = 0))]
    pub rejected: i64,
    /// Deliveries that sinks have taken: an event counts once for each sink.
    #[schemars(range(min = 0))]
    pub delivered: i64,
    /// Deliveries left out while their sink was suspended (`whenSuspended: Skip`).
    #[schemars(range(min = 0))]
    pub skipped: i64,
    /// Deliveries on their way.
    #[schemars(range(min = 0))]
    pub pending: i64,
    /// Deliveries put aside: they need a person, or their endpoint is in shadow.
    #[schemars(range(min = 0))]
    pub parked: i64,
}

/// What one receiver pod says of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointReport {
    /// The pod's name.
    #[schemars(length(min = 1, max = 253))]
    pub pod: String,
    /// The pod's uid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The generation that it has looked at last.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// The generation that it serves; absent while it serves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub serving: Option<i64>,
    /// When it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub report_time: Option<Timestamp>,
    /// When a genuine event last came here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_event_time: Option<Timestamp>,
    /// When a request was last refused here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_rejected_time: Option<Timestamp>,
    /// When a sink last took an event from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_delivered_time: Option<Timestamp>,
    /// What its store counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventTotals>,
    /// Failed attempts since the last that a sink took.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub consecutive_failures: i64,
    /// More than one in a hundred requests of the last hour was refused here, of a hundred at least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused_often: bool,
    /// All that the provider has signed in the last hour was refused here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed_refused: bool,
    /// Since when the oldest delivery waits. Absent while nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub oldest_pending_time: Option<Timestamp>,
    /// Since when repetitions are known here, where older deduplication keys were forgotten before their windows were over
    /// because there was no room for more. Absent while all are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub keys_since_time: Option<Timestamp>,
    /// The usual time between two events, as far as they have come here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub usual_gap_seconds: Option<i64>,
    /// When each secret last matched here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub secrets: Vec<SecretStatus>,
    /// The secret that the provider has sent (`spec.secretCapture`), sealed: the operator alone can open it. Absent once it
    /// is in its Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub captured_secret: Option<String>,
}

/// How a sink stands. Written by the operator, but for `receivers`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSinkStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Delivering`, `Stalled`; always all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What became of deliveries to it, since it was first served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<DeliveryTotals>,
    /// When it last took an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_delivered_time: Option<Timestamp>,
    /// When an attempt last failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_error_time: Option<Timestamp>,
    /// How that attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_error: Option<String>,
    /// `Closed` deliveries go, `Open` it has failed again and again and is left alone for a while, `HalfOpen` one delivery at a
    /// time tries whether it is back. What waits for it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// Endpoints that name or select it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub endpoints: Option<i64>,
    /// What each receiver pod says. Each pod writes its own entry only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["pod"]))]
    pub receivers: Vec<SinkReport>,
}

/// What became of deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeliveryTotals {
    /// Taken.
    #[schemars(range(min = 0))]
    pub delivered: i64,
    /// Left out while it was suspended (`whenSuspended: Skip`).
    #[schemars(range(min = 0))]
    pub skipped: i64,
    /// On their way.
    #[schemars(range(min = 0))]
    pub pending: i64,
    /// Put aside: they need a person.
    #[schemars(range(min = 0))]
    pub parked: i64,
    /// Attempts that failed.
    #[schemars(range(min = 0))]
    pub failed_attempts: i64,
}

/// Whether a sink is left alone. Default: Closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Breaker {
    /// Deliveries go.
    #[default]
    Closed,
    /// It has failed again and again, or has asked for a pause: nothing goes for a while.
    Open,
    /// One delivery at a time tries whether it is back.
    HalfOpen,
}

/// What one receiver pod says of a sink.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkReport {
    /// The pod's name.
    #[schemars(length(min = 1, max = 253))]
    pub pod: String,
    /// The pod's uid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The generation that it has looked at last.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// When it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub report_time: Option<Timestamp>,
    /// What its store counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<DeliveryTotals>,
    /// When the sink last took an event from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_delivered_time: Option<Timestamp>,
    /// When an attempt last failed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_error_time: Option<Timestamp>,
    /// How that attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub last_error: Option<String>,
    /// Failed attempts since the last that it took.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub consecutive_failures: i64,
    /// Whether it is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
}
