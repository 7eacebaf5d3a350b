//! What happened hour by hour.
use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Of whom and of when it is told what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatisticsQuery {
    /// Of this endpoint alone, `namespace/name`, and hour by hour. Default: of all, unless a sink is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Of this sink alone, `namespace/name`, and hour by hour. Default: of all, unless an endpoint is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// From the hour of this time (RFC 3339) on; eight days are kept. Default: the 24 hours before `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Up to the hour of this time (RFC 3339), which is included. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

/// What happened in some hours. What is counted stays counted when its events are deleted or erased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// When the first hour begins.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When the last hour ends.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// Endpoints with something to tell, by name.
    pub endpoints: Vec<EndpointStatistics>,
    /// Sinks with something to tell, by name.
    pub sinks: Vec<SinkStatistics>,
}

/// What happened at an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatistics {
    /// `namespace/name`
    pub name: String,
    /// What became of its events, by word.
    pub events: BTreeMap<String, u64>,
    /// Events accepted, by their types; of each hour the first 64 types.
    pub types: BTreeMap<String, u64>,
    /// Events accepted of further types.
    pub other_types: u64,
    /// Events accepted that have no type.
    pub without_type: u64,
    /// What became of its deliveries, by sink.
    pub deliveries: Vec<SinkShare>,
    /// Hour by hour, without hours in which nothing happened; empty unless the endpoint was named.
    pub hours: Vec<EndpointHour>,
}

/// What became of an endpoint's deliveries to one sink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkShare {
    /// `namespace/name`
    pub sink: String,
    /// What became of them.
    #[serde(flatten)]
    pub ended: Ended,
}

/// What happened at an endpoint in one hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointHour {
    /// When the hour begins.
    #[schemars(with = "String")]
    pub hour: Timestamp,
    /// What became of events, by word.
    pub events: BTreeMap<String, u64>,
    /// What became of deliveries.
    #[serde(flatten)]
    pub ended: Ended,
}

/// What happened at a sink.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkStatistics {
    /// `namespace/name`
    pub name: String,
    /// What became of deliveries.
    #[serde(flatten)]
    pub ended: Ended,
    /// How long the attempts took with which it took events; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Hour by hour, without hours in which nothing happened; empty unless the sink was named.
    pub hours: Vec<SinkHour>,
}

/// What happened at a sink in one hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkHour {
    /// When the hour begins.
    #[schemars(with = "String")]
    pub hour: Timestamp,
    /// What became of deliveries.
    #[serde(flatten)]
    pub ended: Ended,
    /// How long the attempts took with which it took events; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

/// What became of deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Taken.
    pub delivered: u64,
    /// Put aside. What is armed again afterwards stays counted.
    pub parked: u64,
    /// Left out. What is armed again afterwards stays counted.
    pub skipped: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Delivered of all that was delivered or put aside, from 0 to 1; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
}

/// Durations in milliseconds, each at most 3.2 % off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// How many there are.
    pub count: u64,
    /// The mean.
    pub mean_ms: u32,
    /// Half of them took no longer.
    pub p50_ms: u32,
    /// 90 % took no longer.
    pub p90_ms: u32,
    /// 95 % took no longer.
    pub p95_ms: u32,
    /// 99 % took no longer.
    pub p99_ms: u32,
    /// The longest.
    pub max_ms: u32,
}

impl Ended {
    /// With the rate that follows.
    #[expect(clippy::cast_precision_loss, reason = "a rate is about that precise")]
    #[must_use]
    pub fn rated(self) -> Self {
        let ended = self.delivered + self.parked;
        let success_rate = (ended > 0).then(|| self.delivered as f64 / ended as f64);
        Self { success_rate, ..self }
    }

    /// Both together, without a rate.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            delivered: self.delivered + other.delivered,
            parked: self.parked + other.parked,
            skipped: self.skipped + other.skipped,
            failed_attempts: self.failed_attempts + other.failed_attempts,
            success_rate: None,
        }
    }
}
