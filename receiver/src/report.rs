//! How everything stands: the numbers of the store, which survive restarts, beside what this process saw.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use boathook_api::{Endpoint, Sink};
use boathook_crds::Breaker;
use boathook_dispatch::{BreakerState, LaneSnapshot};
use boathook_event::{EndpointTotals, ObjectName, SecretUse, SinkTotals, Vitals, Word, check_up, sink_fails};
use boathook_store::Reader;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::{
    ingress::Ingress,
    listener::Connections,
    logs::Logs,
    serving::{Served, ServedSink, Serving},
};

/// Makes reports and metrics.
pub(crate) struct Reporter {
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) reader: Reader,
    /// Asks the delivery loop how the lanes stand.
    lanes: mpsc::Sender<oneshot::Sender<Vec<LaneSnapshot>>>,
    connections: Connections,
    logs: Arc<Logs>,
    started_at: Timestamp,
    scrape: Mutex<()>,
}

/// The whole report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: &'static str,
    started_at: Timestamp,
    configuration: Configuration,
    /// Events in the store.
    events: u64,
    endpoints: Vec<Endpoint>,
    sinks: Vec<Sink>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    loaded_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// How endpoints and sinks stand, by name.
pub(crate) struct Standing {
    /// Events in the store.
    pub(crate) events: u64,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) sinks: Vec<Sink>,
}

impl Reporter {
    /// Of a receiver that starts now.
    pub(crate) fn new(
        ingress: &Arc<Ingress>,
        reader: &Reader,
        lanes: mpsc::Sender<oneshot::Sender<Vec<LaneSnapshot>>>,
        connections: Connections,
        logs: &Arc<Logs>,
    ) -> Self {
        Self {
            ingress: Arc::clone(ingress),
            reader: reader.clone(),
            lanes,
            connections,
            logs: Arc::clone(logs),
            started_at: Timestamp::now(),
            scrape: Mutex::default(),
        }
    }

    /// The text of `/report`.
    pub(crate) async fn report(&self) -> Result<String, String> {
        let Standing { events, endpoints, sinks } = self.standing().await?;
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            started_at: self.started_at,
            configuration: Configuration {
                loaded_at: self.ingress.live.load().loaded_at,
                refused: self.ingress.configuration.refused(),
            },
            events,
            endpoints,
            sinks,
        };
        serde_json::to_string_pretty(&report).map_err(|error| error.to_string())
    }

    /// How everything stands now.
    pub(crate) async fn standing(&self) -> Result<Standing, String> {
        let statistics = self.reader.statistics().await;
        let statistics = statistics.map_err(|error| format!("the store does not answer: {error}"))?;
        let waiting = self.reader.oldest_pending().await;
        let waiting = waiting.map_err(|error| format!("the store does not answer: {error}"))?;
        let waiting: HashMap<ObjectName, Timestamp> = waiting.into_iter().collect();
        let serving = self.ingress.live.load_full();
        let lanes = self.lanes().await;
        let totals: HashMap<&ObjectName, &EndpointTotals> =
            statistics.endpoints.iter().map(|totals| (&totals.endpoint, totals)).collect();
        let mut endpoints: Vec<Endpoint> = serving
            .endpoints()
            .map(|served| {
                let name = served.traffic.name();
                let oldest_pending = waiting.get(name).copied();
                let keys_since = self.ingress.keys_since.get();
                endpoint(served, &serving, totals.get(name).copied(), (oldest_pending, keys_since))
            })
            .collect();
        endpoints.sort_by(|a, b| a.name.cmp(&b.name));
        let totals: HashMap<&ObjectName, &SinkTotals> =
            statistics.sinks.iter().map(|totals| (&totals.sink, totals)).collect();
        let lanes: HashMap<&ObjectName, &LaneSnapshot> =
            lanes.iter().map(|lane| (&lane.sink, lane)).collect();
        let gone = totals.keys().filter(|name| serving.sink(name).is_none()).map(|name| (*name, None));
        let mut sinks: Vec<Sink> = serving
            .sinks()
            .map(|served| (&served.settings.sink, Some(served)))
            .chain(gone)
            .map(|(name, served)| Sink {
                in_flight: lanes.get(name).map_or(0, |lane| lane.in_flight),
                blocking: lanes.get(name).map_or(0, |lane| lane.blocking),
                ..sink(name, served, totals.get(name).copied())
            })
            .collect();
        sinks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Standing { events: statistics.events, endpoints, sinks })
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
            gauges.pending_bytes(&totals.sink, totals.pending_bytes);
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

fn endpoint(
    served: &Served,
    serving: &Serving,
    totals: Option<&EndpointTotals>,
    (oldest_pending, keys_since): (Option<Timestamp>, Option<Timestamp>),
) -> Endpoint {
    let Served { endpoint, traffic, gate: _, secrets: _ } = served;
    let now = Timestamp::now();
    let checkup = check_up(&vitals(served, serving, (oldest_pending, keys_since)), now);
    let number = |word| totals.map_or(0, |totals| totals.of(word));
    Endpoint {
        name: endpoint.name.to_string(),
        host: endpoint.host.as_deref().map(str::to_owned),
        path: endpoint.path.to_string(),
        paused: endpoint.paused,
        health: checkup.health.as_str().to_owned(),
        recommendations: checkup.recommendations(),
        events: Word::ALL
            .into_iter()
            .map(|word| (word.as_str(), number(word)))
            .chain(deliveries(totals))
            .map(|(word, number)| (word.to_owned(), number))
            .collect(),
        consecutive_failures: traffic.consecutive_failures(),
        last_event_time: traffic.pulse.last_event.get(),
        last_rejected_time: traffic.last_rejected.get(),
        oldest_pending_seconds: oldest_pending
            .map_or(0, |since| now.duration_since(since).as_secs().max(0).unsigned_abs()),
        notices: endpoint.notices.iter().map(|notice| notice.message().to_owned()).collect(),
    }
}

/// What the endpoint's health is judged by.
fn vitals<'s>(
    served: &'s Served,
    serving: &Serving,
    (oldest_pending, keys_since): (Option<Timestamp>, Option<Timestamp>),
) -> Vitals<'s> {
    let Served { endpoint, traffic, gate: _, secrets } = served;
    let fails = |sink: &ObjectName| {
        let traffic = serving.sink(sink).map(|served| &served.traffic);
        traffic.is_some_and(|traffic| {
            sink_fails(traffic.consecutive_failures(), traffic.breaker() != Breaker::Closed)
        })
    };
    let sinks = endpoint.sinks.iter().map(|route| &route.sink);
    Vitals {
        last_event: traffic.pulse.last_event.get(),
        usual_gap: traffic.pulse.usual_gap(),
        refused_often: traffic.pulse.refused_often(),
        signed_refused: traffic.pulse.signed_refused(),
        oldest_pending,
        dedupe_window: endpoint.dedupe_window,
        keys_since,
        consecutive_failures: traffic.consecutive_failures(),
        failing_sinks: sinks.filter(|sink| fails(sink)).map(ObjectName::name).collect(),
        secrets: secrets
            .iter()
            .map(|secret| SecretUse {
                place: (&secret.place.name, &secret.place.key),
                not_after: secret.not_after,
                last_match: secret.last_match.get(),
            })
            .collect(),
    }
}

/// What became of the endpoint's deliveries: an event counts once for each sink.
fn deliveries(totals: Option<&EndpointTotals>) -> [(&'static str, u64); 5] {
    let number = |of: fn(&EndpointTotals) -> u64| totals.map_or(0, of);
    [
        ("delivered", number(|totals| totals.delivered)),
        ("pending", number(|totals| totals.pending)),
        ("parked", number(|totals| totals.parked)),
        ("skipped", number(|totals| totals.skipped)),
        ("erased", number(|totals| totals.erased)),
    ]
}

fn sink(name: &ObjectName, served: Option<&ServedSink>, totals: Option<&SinkTotals>) -> Sink {
    let traffic = served.map(|served| &served.traffic);
    let number = |of: fn(&SinkTotals) -> u64| totals.map_or(0, of);
    Sink {
        name: name.to_string(),
        configured: served.is_some(),
        suspended: served.is_some_and(|served| served.settings.suspend),
        delivered: number(|totals| totals.delivered),
        pending: number(|totals| totals.pending),
        parked: number(|totals| totals.parked),
        skipped: number(|totals| totals.skipped),
        pending_bytes: number(|totals| totals.pending_bytes),
        erased: number(|totals| totals.erased),
        failed_attempts: number(|totals| totals.failed_attempts),
        success_rate: totals.and_then(success_rate),
        in_flight: 0,
        blocking: 0,
        consecutive_failures: traffic.map_or(0, |traffic| traffic.consecutive_failures()),
        breaker: format!("{:?}", traffic.map(|traffic| traffic.breaker()).unwrap_or_default()),
        last_attempt_time: traffic.and_then(|traffic| traffic.last_attempt.get()),
        last_delivered_time: traffic.and_then(|traffic| traffic.last_delivered.get()),
        last_error_time: traffic.and_then(|traffic| traffic.last_error.get()),
        last_error: traffic.and_then(|traffic| traffic.error()),
    }
}

/// Delivered of all that has ended at the sink.
#[expect(clippy::cast_precision_loss, reason = "a rate is about that precise")]
fn success_rate(totals: &SinkTotals) -> Option<f64> {
    let ended = totals.delivered + totals.parked;
    (ended > 0).then(|| totals.delivered as f64 / ended as f64)
}
