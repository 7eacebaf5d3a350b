//! When a provider hears that its event was taken.
use boathook_verify::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a delivery is acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledge {
    /// `OnStored` answers 2xx once the event is on disk. `OnDelivered` stores it, too, and answers 2xx only when each sink that
    /// is `required` has it; until then the provider hears of a failure while deliveries go on, and its retry of the same event
    /// waits for the same delivery. Default: OnStored. OnDelivered needs a required sink in `delivery.sinks`.
    /// A class that keeps nothing (`store: none`) takes OnDelivered alone.
    #[serde(default)]
    pub mode: AcknowledgeMode,
    /// Time from the end of the request's head to the answer; at most 30s. What is not done by then is answered as a failure,
    /// and goes on. Default: 5s with OnDelivered; with OnStored ten seconds from the end of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
}

/// What must have happened before a delivery is acknowledged. Default: OnStored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AcknowledgeMode {
    /// The event is on disk.
    #[default]
    OnStored,
    /// It is, and each required sink has it.
    OnDelivered,
}
