//! WebhookSink: where events go.
#![expect(unreachable_pub, reason = "the derive of the CEL rules repeats the struct in a scope of its own")]
use boathook_verify::Duration;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BodyField, EventFilter, SecretRef, SinkBody, WebhookSinkStatus};

/// A place that takes events, and how persistently they are offered to it.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "boathook.dev",
    version = "v1alpha1",
    kind = "WebhookSink",
    namespaced,
    doc = "A place where events go.",
    shortname = "whs",
    category = "webhooks",
    status = "WebhookSinkStatus"
)]
#[kube(printcolumn(
    name = "Ready",
    type_ = "string",
    json_path = ".status.conditions[?(@.type==\"Ready\")].status"
))]
#[kube(printcolumn(name = "Last-Delivered", type_ = "date", json_path = ".status.lastDeliveredTime"))]
#[kube(printcolumn(name = "Backlog", type_ = "integer", json_path = ".status.deliveries.pending"))]
#[kube(printcolumn(name = "Parked", type_ = "integer", json_path = ".status.deliveries.parked"))]
#[kube(printcolumn(name = "Suspend", type_ = "boolean", json_path = ".spec.suspend"))]
#[kube(printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"))]
#[x_kube(validation = Rule::new("has(self.http) != has(self.log)").message("exactly one of http and log must be set"))]
#[serde(rename_all = "camelCase")]
pub struct WebhookSinkSpec {
    /// An HTTP server that gets each event as a POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSink>,
    /// The receiver's standard output, one JSON line per event: for trying things out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSink>,
    /// What is sent: `Raw` the provider's bytes and headers; `CloudEvents` a CloudEvent 1.0 in JSON; `Envelope` the JSON object
    /// `{id, timestamp, event, teamId, data, previousData, metadata}`; `Fields` a flat JSON object of `fields`. Default: Raw.
    #[serde(default)]
    pub body: SinkBody,
    /// The members of the object for `body: Fields`, and only for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub fields: Vec<BodyField>,
    /// Types that this sink wants, whatever endpoint they come from; `*` is any run of characters. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub types: Vec<String>,
    /// Which events of these types this sink wants, by what they say; others make no delivery. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<EventFilter>,
    /// When a failed delivery is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Deliveries under way at once, of all receivers together where several share a store; each has one at least. Default: 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: Option<u32>,
    /// How much the sink gets. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Bytes of bodies that may wait for the sink. While as many wait, endpoints answer events that would go there with the failure
    /// of their preset and `Retry-After`, and others as ever. What comes within a second of its being full comes on top.
    /// Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_125_899_906_842_624_i64))]
    pub backlog_bytes_max: Option<i64>,
    /// Nothing is delivered until this is false again; `whenSuspended` says what becomes of it. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// What becomes of deliveries while `suspend` is true. `Hold`: they wait, and `retry.maxAge` counts anew when the sink is
    /// not suspended any more. `Skip`: those that wait and those that come are left out, and counted as skipped; they are
    /// delivered only where somebody replays them. Without effect while `suspend` is false. Default: Hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_suspended: Option<WhenSuspended>,
}

/// What becomes of deliveries while their sink is suspended. Default: Hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenSuspended {
    /// They wait.
    Hold,
    /// They are left out.
    Skip,
}

/// How much a sink gets. What is more waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Attempts a minute, spread evenly; as many as fit into a second may go at once. Receivers that share a store share
    /// it: each takes the part that it has of the deliveries.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub per_minute: Option<u32>,
    /// Attempts a minute for each tenant (`events.tenant` of the endpoint; of one name at several endpoints, all together), spread
    /// evenly like `perMinute`, which counts beside it. A tenant at its limit waits, and the others go on. Retries and what is
    /// delivered once more count, too. Events without a tenant are not limited by it. Receivers that share a store share it.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub per_tenant_per_minute: Option<u32>,
}

/// An HTTP server that gets each event as a POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpSink {
    /// Where to POST: http or https, without user and password (use a header from a Secret).
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new("self.startsWith('http://') || self.startsWith('https://')").message("url must start with http:// or https://"))]
    pub url: String,
    /// Headers to add; one of the same name that the provider sent is replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub headers: Vec<HttpHeader>,
    /// How long one attempt may take, from connecting to the last byte of the answer. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Bytes of the body as it is sent; a delivery with a larger one is parked (`body_too_large`). Default: 1048576.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 52428800))]
    pub body_bytes_max: Option<u32>,
}

/// A header to add: exactly one of `value` and `secretRef`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.value) != has(self.secretRef)").message("exactly one of value and secretRef must be set"))]
#[serde(rename_all = "camelCase")]
pub struct HttpHeader {
    /// The header's name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// A template over the event, such as `{type}`. An empty value leaves the header out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,
    /// A Secret whose value is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
}

/// The receiver's standard output, one JSON line per event: for trying things out. It has no settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogSink {}

/// When a failed delivery is tried again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// Attempts in all; 0 = no limit, `maxAge` ends it. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000000))]
    pub max_attempts: Option<u32>,
    /// Pause before the first retry. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_delay: Option<Duration>,
    /// Each pause is so many times the one before. Default: 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0, max = 100.0))]
    pub multiplier: Option<f64>,
    /// The longest pause, at most 7d. Default: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Duration>,
    /// No attempt is made later than so long after the event was received; then it is parked, also while the sink is down or
    /// the event waits for its key. It stands still while the sink is suspended. At most 30d. Default: 3d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// How pauses are spread: `Full` takes anything between nothing and the pause, `None` the pause exactly.
    /// Default: Full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// HTTP statuses after which a delivery is not tried again. 410 always is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(range(min = 300, max = 599)))]
    pub permanent_statuses: Vec<u16>,
}

/// How pauses are spread: `Full` takes anything between nothing and the pause, `None` the pause exactly. Default:
/// Full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Jitter {
    /// Anything between nothing and the pause.
    Full,
    /// The pause exactly.
    None,
}
