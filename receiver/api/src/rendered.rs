//! What sinks would get.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Body, DeliveryState, Header};

/// For which sink an event is rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderQuery {
    /// For this one, `namespace/name`, whether or not the event has it. Default: for each of the event's sinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
}

/// What sinks would get of an event if it went out now, with the configuration of now. Nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedEvent {
    /// The event.
    pub uid: String,
    /// Its ordering key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// One entry for each sink.
    pub deliveries: Vec<RenderedDelivery>,
}

/// What one sink would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedDelivery {
    /// The sink, `namespace/name`.
    pub sink: String,
    /// How its last delivery of the event stands; absent where it never had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// The number of the attempt: the next one of a pending delivery, else the first of one that is armed again.
    pub attempt: u32,
    /// Where it would go: the whole URL, or `stdout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The headers, but for those of the connection. A secret's value is `[secret]`.
    pub headers: Vec<Header>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Why nothing would be sent: the sink is not configured, or the event cannot be rendered for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
