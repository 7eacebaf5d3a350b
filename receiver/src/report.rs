//! How everything stands: the numbers of the store, which survive restarts, beside what this process saw.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use boathook_crds::Breaker;
use boathook_dispatch::{BreakerState, LaneSnapshot};
use boathook_event::{EndpointTotals, ObjectName, SinkTotals, Word};
use boathook_store::Reader;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::{
    config,
    ingress::Ingress,
    listener::Connections,
    logs::Logs,
    serving::{Served, ServedSink},
};

/// Makes reports and metrics.
pub(crate) struct Reporter {
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) reader: Reader,
    /// Asks the delivery loop how the lanes stand.
    pub(crate) lanes: mpsc::Sender<oneshot::Sender<Vec<LaneSnapshot>>>,
    pub(crate) connections: Connections,
    pub(crate) logs: Arc<Logs>,
    pub(crate) started_at: Timestamp,
    pub(crate) configuration: Arc<config::Configuration>,
    pub(crate) scrape: Mutex<()>,
}

/// The whole report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'r> {
    version: &'static str,
    started_at: Timestamp,
    configuration: Configuration,
    /// Events in the store.
    events: u64,
    endpoints: Vec<Endpoint<'r>>,
    sinks: Vec<Sink<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    loaded_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'r> {
    name: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'r str>,
    path: &'r str,
    paused: bool,
    /// By word, since the store was made: of events, and of their deliveries.
    events: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_rejected_time: Option<Timestamp>,
    notices: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sink<'r> {
    name: &'r str,
    /// Whether the configuration has it; else only its past is left.
    configured: bool,
    suspended: bool,
    delivered: u64,
    pending: u64,
    parked: u64,
    failed_attempts: u64,
    in_flight: usize,
    consecutive_failures: u64,
    /// Whether it is left alone.
    breaker: Breaker,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_delivered_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

impl Reporter {
    /// The text of `/report`.
    pub(crate) async fn report(&self) -> Result<String, String> {
        let statistics = self.reader.statistics().await;
        let statistics = statistics.map_err(|error| format!("the store does not answer: {error}"))?;
        let serving = self.ingress.live.load_full();
        let lanes = self.lanes().await;
        let totals: HashMap<&ObjectName, &EndpointTotals> =
            statistics.endpoints.iter().map(|totals| (&totals.endpoint, totals)).collect();
        let mut endpoints: Vec<Endpoint<'_>> = serving
            .endpoints()
            .map(|served| endpoint(served, totals.get(served.traffic.name()).copied()))
            .collect();
        endpoints.sort_by_key(|endpoint| endpoint.name);
        let totals: HashMap<&ObjectName, &SinkTotals> =
            statistics.sinks.iter().map(|totals| (&totals.sink, totals)).collect();
        let in_flight: HashMap<&ObjectName, usize> =
            lanes.iter().map(|lane| (&lane.sink, lane.in_flight)).collect();
        let gone = totals.keys().filter(|name| serving.sink(name).is_none()).map(|name| (*name, None));
        let mut sinks: Vec<Sink<'_>> = serving
            .sinks()
            .map(|served| (&served.settings.sink, Some(served)))
            .chain(gone)
            .map(|(name, served)| Sink {
                in_flight: in_flight.get(name).copied().unwrap_or(0),
                ..sink(name, served, totals.get(name).copied())
            })
            .collect();
        sinks.sort_by_key(|sink| sink.name);
        let refused = self.configuration.refused();
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            configuration: Configuration { loaded_at: serving.loaded_at, refused },
            events: statistics.events,
            endpoints,
            sinks,
        };
        serde_json::to_string_pretty(&report).map_err(|error| error.to_string())
    }

    /// The text of `/metrics`. While the store does not answer, the backlog is missing in it.
    pub(crate) async fn metrics(&self) -> String {
        let (statistics, lanes) = tokio::join!(self.reader.statistics(), self.lanes());
        let serving = self.ingress.live.load_full();
        let gauges = &self.ingress.metrics.gauges;
        // One scrape at a time: the next one begins with no backlog.
        let _scrape = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.forget_sinks();
        for totals in statistics.iter().flat_map(|statistics| &statistics.sinks) {
            gauges.backlog(&totals.sink, Some(totals.pending), None);
        }
        for lane in lanes {
            gauges.backlog(&lane.sink, None, Some(lane.in_flight));
            gauges.shut(&lane.sink, lane.breaker != BreakerState::Closed);
        }
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        gauges.log_lines_dropped.set(number(self.logs.dropped()));
        gauges.config_loaded.set(serving.loaded_at.as_second());
        gauges.endpoints.set(number(serving.endpoints().count()));
        gauges.connections.set(number(self.connections.open()));
        gauges.bodies_bytes.set(number(self.ingress.bodies.bytes()));
        self.ingress.metrics.text()
    }

    /// Nothing when deliveries have ended.
    async fn lanes(&self) -> Vec<LaneSnapshot> {
        let (answer, answered) = oneshot::channel();
        drop(self.lanes.send(answer).await);
        answered.await.unwrap_or_default()
    }
}

fn endpoint<'s>(served: &'s Served, totals: Option<&EndpointTotals>) -> Endpoint<'s> {
    let Served { endpoint, traffic, gate: _ } = served;
    let number = |word| totals.map_or(0, |totals| totals.of(word));
    Endpoint {
        name: endpoint.name.as_str(),
        host: endpoint.host.as_deref(),
        path: &endpoint.path,
        paused: endpoint.paused,
        events: Word::ALL
            .into_iter()
            .map(|word| (word.as_str(), number(word)))
            .chain(deliveries(totals))
            .collect(),
        last_event_time: traffic.last_event.get(),
        last_rejected_time: traffic.last_rejected.get(),
        notices: endpoint.notices.iter().map(|notice| notice.message()).collect(),
    }
}

/// What became of the endpoint's deliveries: an event counts once for each sink.
fn deliveries(totals: Option<&EndpointTotals>) -> [(&'static str, u64); 3] {
    let number = |of: fn(&EndpointTotals) -> u64| totals.map_or(0, of);
    [
        ("delivered", number(|totals| totals.delivered)),
        ("pending", number(|totals| totals.pending)),
        ("parked", number(|totals| totals.parked)),
    ]
}

fn sink<'s>(name: &'s ObjectName, served: Option<&'s ServedSink>, totals: Option<&SinkTotals>) -> Sink<'s> {
    let traffic = served.map(|served| &served.traffic);
    Sink {
        name: name.as_str(),
        configured: served.is_some(),
        suspended: served.is_some_and(|served| served.settings.suspend),
        delivered: totals.map_or(0, |totals| totals.delivered),
        pending: totals.map_or(0, |totals| totals.pending),
        parked: totals.map_or(0, |totals| totals.parked),
        failed_attempts: totals.map_or(0, |totals| totals.failed_attempts),
        in_flight: 0,
        consecutive_failures: traffic.map_or(0, |traffic| traffic.consecutive_failures()),
        breaker: traffic.map(|traffic| traffic.breaker()).unwrap_or_default(),
        last_attempt_time: traffic.and_then(|traffic| traffic.last_attempt.get()),
        last_delivered_time: traffic.and_then(|traffic| traffic.last_delivered.get()),
        last_error_time: traffic.and_then(|traffic| traffic.last_error.get()),
        last_error: traffic.and_then(|traffic| traffic.error()),
    }
}
