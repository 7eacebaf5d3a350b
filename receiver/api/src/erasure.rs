//! Erasing what a value is found in.
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::JobState;

/// Which events are erased: those of one endpoint in which a template has this value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErasureRequest {
    /// Received by this endpoint, `namespace/name`; it need not exist any more.
    pub endpoint: String,
    /// What is looked at: a template over what came with the event, such as `{/user/email}`.
    pub template: String,
    /// The text that it must have, whole.
    pub value: String,
    /// Received at this time (RFC 3339) or later. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Received by this time (RFC 3339). Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Count only: nothing is erased.
    #[serde(default)]
    pub dry_run: bool,
}

/// An erasure, and how far it is. The value that was looked for is not told again. The receiver that runs it forgets it when
/// it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// By which it is asked for and cancelled.
    pub id: String,
    /// How it stands.
    pub state: JobState,
    /// The endpoint that was asked for.
    pub endpoint: String,
    /// The template that was asked for.
    pub template: String,
    /// Whether it counts only.
    pub dry_run: bool,
    /// Events looked at so far.
    pub looked_at: u64,
    /// Events erased so far; with `dryRun` those that would be.
    pub events: u64,
    /// Deliveries of theirs that were on their way: they count as erased now.
    pub pending: u64,
    /// Deliveries of theirs that were parked: they count as erased now.
    pub parked: u64,
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
