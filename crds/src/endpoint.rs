//! WebhookEndpoint: what one provider sends, and what becomes of it.
#![expect(unreachable_pub, reason = "the derive of the CEL rules repeats the struct in a scope of its own")]
use std::collections::BTreeMap;

use boathook_verify::{Duration, Scheme};
use k8s_openapi::jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Acknowledge, EventFilter, EventSchema, Retention, SecretRef, SinkSelector, WebhookEndpointStatus, schema,
};

/// Receives the deliveries of one provider at one URL, verifies and stores each, and hands it to sinks.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "boathook.dev",
    version = "v1alpha1",
    kind = "WebhookEndpoint",
    namespaced,
    doc = "Receives what one provider sends, verifies and stores it, and hands it to sinks.",
    shortname = "whe",
    category = "webhooks",
    status = "WebhookEndpointStatus"
)]
#[kube(printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider"))]
#[kube(printcolumn(name = "Health", type_ = "string", json_path = ".status.health"))]
#[kube(printcolumn(name = "Last-Event", type_ = "date", json_path = ".status.lastEventTime"))]
#[kube(printcolumn(name = "Backlog", type_ = "integer", json_path = ".status.events.pending"))]
#[kube(printcolumn(name = "URL", type_ = "string", json_path = ".status.url"))]
#[kube(printcolumn(
    name = "Accepted",
    type_ = "integer",
    json_path = ".status.events.accepted",
    priority = 1
))]
#[kube(printcolumn(
    name = "Rejected",
    type_ = "integer",
    json_path = ".status.events.rejected",
    priority = 1
))]
#[kube(printcolumn(name = "Parked", type_ = "integer", json_path = ".status.events.parked", priority = 1))]
#[kube(printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", priority = 1))]
#[kube(printcolumn(name = "Class", type_ = "string", json_path = ".spec.receiverClassName", priority = 1))]
#[kube(printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"))]
#[x_kube(validation = Rule::new("has(self.provider) != has(self.scheme)").message("exactly one of provider and scheme must be set"))]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpointSpec {
    /// The id of a preset, such as `github` or `stripe`; an unknown one is answered with the nearest. Exactly one of
    /// `provider` and `scheme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub provider: Option<String>,
    /// A scheme of one's own, in the format of a preset. Exactly one of `provider` and `scheme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Box<Scheme>>,
    /// The host name under which the provider calls. Default: any. Of two endpoints with the same path, one with the
    /// request's host goes before one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
    /// The path that the provider calls, matched exactly. Default: `/<namespace>/<name>`. Two endpoints with the same
    /// host and path are an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.startsWith('/')").message("path must start with /"))]
    pub path: Option<String>,
    /// Which kind of receiver serves it. Default: `default`. Cannot be changed later.
    #[serde(default = "default_class")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("receiverClassName cannot be changed: delete the endpoint and make it anew"))]
    pub receiver_class_name: String,
    /// Constants for templates: `{attr:NAME}` in the endpoint's own fields (`events.id`, `type`, `key`, `tenant`, the
    /// scheme's) and in those of the sinks that get its events. A name that the endpoint's fields or the sinks that it names
    /// ask for and that is not here is an error; a sink's alternative (`{attr:NAME|'none'}`) is no error. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::attributes")]
    pub attributes: BTreeMap<String, String>,
    /// The secrets that the provider may sign with. Any of them may match: name the old and the new one while you
    /// rotate. The first is used where one must be chosen. Left out only where the issuer of a token publishes its keys
    /// (`verification.jwt.jwksURL`, or the preset's), and for schemes of kind `none`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub secrets: Vec<EndpointSecret>,
    /// For providers that make the secret themselves and send it once (Notion, Asana): it is taken from that request and
    /// put into a Secret. Leave it out once the secret is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_capture: Option<SecretCapture>,
    /// How strictly deliveries are checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Which events are wanted, and how they are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// How much may come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// When a delivery is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge: Option<Acknowledge>,
    /// How repetitions are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<Dedupe>,
    /// Where events go.
    pub delivery: DeliverySpec,
    /// How long events are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// `Active` takes deliveries. `Shadow` verifies, stores and answers like it, and sends nothing out: each delivery is put
    /// aside for its sink (parked, `shadow`), so that what would have gone where can be compared. `Paused` answers 503, so
    /// that the provider retries; what is stored still goes out. Default: Active.
    #[serde(default)]
    pub mode: Mode,
}

/// A secret, and when it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSecret {
    /// The name of a Secret in the endpoint's namespace.
    #[schemars(length(min = 1, max = 253), extend("pattern" = schema::NAME))]
    pub name: String,
    /// The key in its `data`.
    #[schemars(length(min = 1, max = 253), extend("pattern" = schema::KEY))]
    pub key: String,
    /// It does not count before this time (RFC 3339). Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub not_before: Option<Timestamp>,
    /// It does not count from this time on (RFC 3339). Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub not_after: Option<Timestamp>,
}

/// The capture of a secret that the provider sends by itself. That request is not signed: whoever knows the URL can send
/// one, so the first of the right shape counts, none after it, and none after `until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretCapture {
    /// Where the secret goes: one of `spec.secrets`. A value that is there is never overwritten: nothing is captured then.
    /// In a cluster the operator writes it; a receiver with a folder puts it into a file below `--data` and says which.
    pub secret_ref: SecretRef,
    /// Nothing is captured from this time on (RFC 3339). Keep it short: some minutes after you have the provider send it.
    #[schemars(schema_with = "schema::time")]
    pub until: Timestamp,
}

/// How strictly deliveries are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// How far the provider's timestamp may be from our clock, both ways. Default: the preset's. Without effect where
    /// the provider sends no timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Duration>,
    /// The URL as it is registered at the provider, for those that sign it. The query that is signed is that of the request. Default:
    /// `status.url`.
    #[serde(default, rename = "publicURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub public_url: Option<String>,
    /// The verify token of the provider's handshake (`hub.verify_token` and the like): any text that you give to the
    /// provider, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_token: Option<SecretRef>,
    /// What a provider's JSON Web Token must say, for those that send one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtExpectation>,
    /// Addresses that may call, as CIDR blocks; others get 403. Default: all. Behind a proxy the receiver must know its
    /// trusted proxies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 2, max = 64)))]
    pub allowed_sources: Vec<String>,
}

/// What a provider's JSON Web Token must say, for those that send one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtExpectation {
    /// The claim `iss`. Default: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub issuer: Option<String>,
    /// What the claim `aud` must name. Default: the preset's; some demand that it is said here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub audience: Option<String>,
    /// Where the issuer publishes its public keys (RFC 7517), `https://`; then `secrets` are left out. Default: the preset's,
    /// where no secrets are named. Fetched anew every hour or so, and when a token names a key that is not known.
    #[serde(default, rename = "jwksURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub jwks_url: Option<String>,
    /// The claim `email`, which must be verified: the sender's service account. Some presets demand it; else it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub email: Option<String>,
}

/// Which events are wanted, and how they are named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// Types that are wanted; `*` is any run of characters, dots included; case matters. Default: the preset's
    /// catalogue where `unknownTypes` is set, else all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub types: Vec<String>,
    /// What becomes of other types: `Ignore` answers 2xx and forgets them, `Accept` takes them, `Reject` answers 400.
    /// Default: Ignore where `types` is set, else Accept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_types: Option<UnknownTypes>,
    /// What the bodies of events must look like, by type; looked at before `filter`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub schemas: Vec<EventSchema>,
    /// Which events of these types are wanted, by what they say. Others are answered 2xx and forgotten: they count as
    /// ignored. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<EventFilter>,
    /// Template for the provider's id of an event. Default: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub id: Option<String>,
    /// Template for the type. Default: the preset's.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub event_type: Option<String>,
    /// Template for the tenant: the account that the event belongs to (`limits.perTenantPerMinute`). A literal text makes all of
    /// them one tenant's. Default: the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub tenant: Option<String>,
    /// Template for the ordering key; it may use `{id}`, `{type}`, `{tenant}`. Events of one key reach a sink in the order in
    /// which they came (`delivery.sinks[].ordering`). Default: none, and no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub key: Option<String>,
}

/// What becomes of other types: `Ignore` answers 2xx and forgets them, `Accept` takes them, `Reject` answers 400.
/// Default: Ignore where `types` is set, else Accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnknownTypes {
    /// Answered 2xx and forgotten.
    Ignore,
    /// Taken like the others.
    Accept,
    /// Answered 400.
    Reject,
}

/// How much may come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of a body; a longer one gets 413. Default: 1048576.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 26214400))]
    pub body_bytes_max: Option<u32>,
    /// Genuine deliveries a minute; further ones get 429. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub requests_per_minute: Option<u32>,
    /// Requests a minute from one address, genuine or not; further ones get 429. Default: no limit. Behind a proxy the
    /// receiver must know its trusted proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub per_source_per_minute: Option<u32>,
    /// Genuine deliveries a minute that carry events of one tenant (`events.tenant`); further ones get 429. Those without a tenant
    /// are not limited. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000000))]
    pub per_tenant_per_minute: Option<u32>,
}

/// How repetitions are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dedupe {
    /// How long an event is remembered. Default: as long as the preset says that the provider retries, else 72h; and at
    /// least as long as a recorded delivery would be taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
}

/// Where events go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliverySpec {
    /// Sinks in the endpoint's namespace. An event goes to each that wants its type.
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkChoice>,
    /// More sinks, by their labels. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_selector: Option<SinkSelector>,
}

/// One sink, and the types that go there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkChoice {
    /// The sink's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Types that go there; `*` is any run of characters. Default: all that the sink itself wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub types: Vec<String>,
    /// `ByKey`: of the events of one `events.key` one goes at a time, in the order in which they came; one that fails holds
    /// up its key, and no other, until it is delivered or parked. `None`: as they come. Default: ByKey where `events.key` is
    /// set; without it there is no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// What becomes of an `events.key` of which an event was parked here. `Skip`: the next one goes. `Block`: the key waits until
    /// the parked event is delivered (a person replays it, or its provider sends it again), or is gone (erased, or past its
    /// retention). What is put aside as it comes (a schema, `mode: Shadow`) holds up nothing. Needs `ByKey`. Default: Skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_parked: Option<OnParked>,
    /// Whether `acknowledge.mode: OnDelivered` waits for this sink, where it wants the event. Without effect with OnStored.
    /// Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
}

/// Whether events go one after the other. Default: ByKey where `events.key` is set; without it there is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Ordering {
    /// Of one key one at a time, in the order in which they came.
    ByKey,
    /// As they come.
    None,
}

/// What becomes of a key of which an event was parked. Default: Skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnParked {
    /// The next one goes.
    Skip,
    /// The key waits.
    Block,
}

/// Whether an endpoint takes deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// It does.
    #[default]
    Active,
    /// It answers 503; stored events still go out.
    Paused,
    /// It takes deliveries, and sends nothing out.
    Shadow,
}

fn default_class() -> String {
    "default".into()
}
