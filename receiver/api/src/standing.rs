//! How endpoints and sinks stand, and what was refused.
use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All endpoints that are served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoints {
    /// By name.
    pub endpoints: Vec<Endpoint>,
}

/// How an endpoint stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// `namespace/name`
    pub name: String,
    /// The host of its URL, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path of its URL.
    pub path: String,
    /// Whether it answers 503 because `mode: Paused` says so.
    pub paused: bool,
    /// In one word: Idle, Healthy, Degraded or Failed.
    pub health: String,
    /// What a person should do next, in one sentence each, the worst first.
    pub recommendations: Vec<String>,
    /// By word, since the store was made: of events, and of their deliveries.
    pub events: BTreeMap<String, u64>,
    /// Failed attempts to deliver its events since the last that a sink has taken.
    pub consecutive_failures: u64,
    /// When a genuine event was last received by this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_event_time: Option<Timestamp>,
    /// When a request was last refused by this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_rejected_time: Option<Timestamp>,
    /// How long its oldest delivery waits; 0 = nothing waits.
    pub oldest_pending_seconds: u64,
    /// What a person should know of its configuration.
    pub notices: Vec<String>,
}

/// All sinks that are configured, or have a past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sinks {
    /// By name.
    pub sinks: Vec<Sink>,
}

/// How a sink stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sink {
    /// `namespace/name`
    pub name: String,
    /// Whether the configuration has it; else only its past is left.
    pub configured: bool,
    /// Whether its deliveries wait because `suspend` says so.
    pub suspended: bool,
    /// Deliveries that it has taken, since the store was made.
    pub delivered: u64,
    /// Deliveries on their way.
    pub pending: u64,
    /// Deliveries put aside.
    pub parked: u64,
    /// Deliveries left out while it was suspended (`whenSuspended: Skip`).
    #[serde(default)]
    pub skipped: u64,
    /// Bytes of the bodies of those on their way.
    #[serde(default)]
    pub pending_bytes: u64,
    /// Deliveries that were on their way when their event was erased.
    pub erased: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Delivered of all that is delivered or parked, from 0 to 1; absent before there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// Attempts under way.
    pub in_flight: usize,
    /// Parked deliveries that hold their keys (`onParked: Block`).
    #[serde(default)]
    pub blocking: usize,
    /// Failed attempts since the last that it has taken.
    pub consecutive_failures: u64,
    /// Whether it is left alone after failures: Closed (it is not), Open, HalfOpen.
    pub breaker: String,
    /// When an attempt last ended, in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_attempt_time: Option<Timestamp>,
    /// When it last took an event, in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_delivered_time: Option<Timestamp>,
    /// When an attempt last failed, in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_error_time: Option<Timestamp>,
    /// How it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Which refused requests are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectionQuery {
    /// By this endpoint, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How many at most; from 1 to 1000. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One page of refused requests, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejectionPage {
    /// The requests. Of floods only some are remembered, of each endpoint the last 400.
    pub rejections: Vec<Rejection>,
    /// To be given as `cursor` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A request that was refused. Nothing of its payload is kept, and no header's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The endpoint that refused it, `namespace/name`.
    pub endpoint: String,
    /// When it was received.
    #[schemars(with = "String")]
    pub received_at: Timestamp,
    /// The code of the answer.
    pub code: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The address of the sender.
    pub source: String,
    /// What happened, for the people who run the endpoint.
    pub diagnosis: String,
}
