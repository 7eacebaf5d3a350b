//! How long stored events are kept.
use boathook_verify::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long events are kept. What is still to be delivered is kept whatever its age; what is remembered for deduplication
/// (`dedupe.window`) and the totals outlive the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// Events that all their sinks have taken (or that no sink wanted), from then on. Default: 7d; at most 365d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Duration>,
    /// Events with a parked delivery, from its parking on. Default: 30d; at most 365d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Duration>,
    /// Why requests were refused, and who sent them; of each endpoint the last 400. Default: 1d; at most 365d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Duration>,
}
