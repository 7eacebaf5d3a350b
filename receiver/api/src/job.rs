//! What runs for longer than a call.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a replay or an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// It is under way.
    Running,
    /// Everything that was asked for is done, or counted.
    Done,
    /// Somebody cancelled it; what was done by then stays done.
    Cancelled,
    /// The store did not let it go on; what was done by then stays done.
    Failed,
}
