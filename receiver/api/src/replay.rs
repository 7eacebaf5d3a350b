//! Delivering again, and trying a sink.
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DeliveryState, JobState};

/// Which deliveries of one event are made once more. Empty: all that are delivered, parked or skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventReplay {
    /// Those to this sink alone, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Those that stand so alone: delivered, parked or skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// To this sink instead, `namespace/name`, whether or not the event ever had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What a replay of one event has made pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Armed {
    /// Deliveries that go out again.
    pub deliveries: u64,
    /// Deliveries that are on their way already.
    pub already_pending: u64,
}

/// Which events are delivered again, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayRequest {
    /// Received by this endpoint, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Deliveries to this sink alone, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Deliveries that stand so: parked, skipped or delivered. Default: parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Of this type, exactly.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// With this ordering key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Received at this time (RFC 3339) or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Received before this time (RFC 3339). Default: now. Without `endpoint`, `sink` and `since` it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// To this sink instead, `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Count only: nothing is delivered.
    #[serde(default)]
    pub dry_run: bool,
    /// Deliveries a minute at most. Default: as fast as sinks take them; live traffic goes first in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
}

/// A replay by filter, and how far it is. The receiver that runs it forgets it when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// By which it is asked for and cancelled.
    pub id: String,
    /// How it stands.
    pub state: JobState,
    /// What was asked for.
    pub request: ReplayRequest,
    /// Events found so far.
    pub events: u64,
    /// Deliveries made pending so far; with `dryRun` those that would be.
    pub deliveries: u64,
    /// Deliveries that were on their way already.
    pub already_pending: u64,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a test sends to a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SinkTest {
    /// Its type. Default: `boathook.test`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Its body, a JSON value. Default: an object with type, sink and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// How a test of a sink ended. It is signed like live traffic, counted nowhere and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestOutcome {
    /// Whether the sink has taken it.
    pub delivered: bool,
    /// The sink's own answer, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_status: Option<u16>,
    /// How long it took.
    pub duration_ms: u32,
    /// What failed, as in [`crate::FailedAttempt::kind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What happened, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The uid that was sent.
    pub uid: String,
    /// When it was sent.
    #[schemars(with = "String")]
    pub sent_at: Timestamp,
}
