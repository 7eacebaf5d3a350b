//! The metrics, in Prometheus' terms. Labels come from the configuration alone, never from a request.
use std::collections::HashMap;

use boathook_event::{ObjectName, Word};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
    core::{Collector, MetricVec, MetricVecBuilder},
    process_collector::ProcessCollector,
};

/// Upper edges in seconds: a durable answer, a slow one, and the deadlines of providers.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper edges in seconds of what takes microseconds.
const SHORT_SECONDS: &[f64] =
    &[0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.001, 0.01, 0.1, 1.0, 5.0, 30.0];

/// Every metric.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    refusals: IntCounterVec,
    events: IntCounterVec,
    request_seconds: HistogramVec,
    pub(crate) verify_seconds: Histogram,
    deliveries: IntCounterVec,
    delivery_age_seconds: HistogramVec,
    pub(crate) unrouted: IntCounter,
    key_fetches: IntCounterVec,
    unevaluated: IntCounterVec,
    mismatches: IntCounterVec,
    pub(crate) gauges: Gauges,
}

/// How things stand when they are asked for.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) log_lines_dropped: IntGauge,
    pub(crate) config_refused: IntGauge,
    pub(crate) config_loaded: IntGauge,
    pub(crate) endpoints: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) bodies_bytes: IntGauge,
    pending: IntGaugeVec,
    pending_bytes: IntGaugeVec,
    in_flight: IntGaugeVec,
    shut: IntGaugeVec,
}

/// One endpoint's, looked up once.
#[derive(Debug)]
pub(crate) struct EndpointMeters {
    requests: [IntCounter; Word::ALL.len()],
    pub(crate) seconds: Histogram,
}

/// One sink's, looked up once.
#[derive(Debug)]
pub(crate) struct SinkMeters {
    pub(crate) delivered: IntCounter,
    pub(crate) failed: IntCounter,
    pub(crate) parked: IntCounter,
    pub(crate) skipped: IntCounter,
    pub(crate) age_seconds: Histogram,
}

impl EndpointMeters {
    pub(crate) fn request(&self, word: Word) {
        let counter = Word::ALL.iter().position(|known| *known == word).and_then(|at| self.requests.get(at));
        counter.into_iter().for_each(IntCounter::inc);
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let maker = Maker(Registry::new());
        maker.register(ProcessCollector::for_self());
        Self {
            requests: maker.counters(
                "boathook_requests_total",
                "Requests to an endpoint, by what became of them; a batch counts once.",
                &["endpoint", "outcome"],
            ),
            refusals: maker.counters(
                "boathook_refusals_total",
                "Requests that were not taken, by the code that the sender was told.",
                &["endpoint", "code"],
            ),
            events: maker.counters(
                "boathook_events_total",
                "Events of genuine requests, by type (as the configuration lists it, else `other`) and what became of them.",
                &["endpoint", "type", "outcome"],
            ),
            request_seconds: maker.histograms(
                "boathook_request_seconds",
                "Time from a request's head to its answer.",
                &["endpoint"],
                SECONDS,
            ),
            verify_seconds: maker.histogram(
                "boathook_verify_seconds",
                "Time that checking a signature took, without waiting for the body.",
                SHORT_SECONDS,
            ),
            deliveries: maker.counters(
                "boathook_deliveries_total",
                "Attempts to deliver, by how they ended: delivered, failed (tried again), parked; and deliveries that ended without one: parked, skipped.",
                &["sink", "outcome"],
            ),
            delivery_age_seconds: maker.histograms(
                "boathook_delivery_age_seconds",
                "Time from a request's head to the sink's acknowledgement of its event.",
                &["sink"],
                SECONDS,
            ),
            unrouted: maker.counter(
                "boathook_unrouted_requests_total",
                "Requests to a URL that no endpoint has.",
            ),
            key_fetches: maker.counters(
                "boathook_key_fetches_total",
                "Fetches of the keys that senders publish, by how they ended: fetched, failed.",
                &["outcome"],
            ),
            unevaluated: maker.counters(
                "boathook_filter_failures_total",
                "Filters that could not be evaluated for an event, which was not wanted then; without a sink the endpoint's own.",
                &["endpoint", "sink"],
            ),
            mismatches: maker.counters(
                "boathook_schema_mismatches_total",
                "Events that do not fit their schema, by what became of them: rejected, parked, reported.",
                &["endpoint", "outcome"],
            ),
            gauges: Gauges::new(&maker),
            registry: maker.0,
        }
    }

    pub(crate) fn endpoint(&self, name: &ObjectName) -> EndpointMeters {
        EndpointMeters {
            requests: Word::ALL.map(|word| self.requests.with_label_values(&[name.as_str(), word.as_str()])),
            seconds: self.request_seconds.with_label_values(&[name.as_str()]),
        }
    }

    pub(crate) fn sink(&self, name: &ObjectName) -> SinkMeters {
        let deliveries = |outcome| self.deliveries.with_label_values(&[name.as_str(), outcome]);
        SinkMeters {
            delivered: deliveries("delivered"),
            failed: deliveries("failed"),
            parked: deliveries("parked"),
            skipped: deliveries("skipped"),
            age_seconds: self.delivery_age_seconds.with_label_values(&[name.as_str()]),
        }
    }

    pub(crate) fn refusal(&self, endpoint: &ObjectName, code: &str) {
        self.refusals.with_label_values(&[endpoint.as_str(), code]).inc();
    }

    /// `label` is a text of the configuration.
    pub(crate) fn event(&self, endpoint: &ObjectName, label: &str, word: Word) {
        self.events.with_label_values(&[endpoint.as_str(), label, word.as_str()]).inc();
    }

    /// The endpoint's filter, or that of one of its sinks, could not be evaluated.
    pub(crate) fn unevaluated(&self, endpoint: &ObjectName, sink: Option<&ObjectName>) {
        let sink = sink.map_or("", ObjectName::as_str);
        self.unevaluated.with_label_values(&[endpoint.as_str(), sink]).inc();
    }

    /// An event does not fit its schema.
    pub(crate) fn mismatch(&self, endpoint: &ObjectName, outcome: &str) {
        self.mismatches.with_label_values(&[endpoint.as_str(), outcome]).inc();
    }

    /// A fetch of published keys has ended, whosever they are: a label of their URL would be a request's text.
    pub(crate) fn key_fetch(&self, fetched: bool) {
        self.key_fetches.with_label_values(&[if fetched { "fetched" } else { "failed" }]).inc();
    }

    /// Drops the series of an endpoint that is no longer served.
    pub(crate) fn forget_endpoint(&self, name: &ObjectName) {
        forget(&self.requests, "endpoint", name);
        forget(&self.refusals, "endpoint", name);
        forget(&self.events, "endpoint", name);
        forget(&self.request_seconds, "endpoint", name);
        forget(&self.unevaluated, "endpoint", name);
        forget(&self.mismatches, "endpoint", name);
    }

    /// Drops the series of a sink that is gone.
    pub(crate) fn forget_sink(&self, name: &ObjectName) {
        forget(&self.deliveries, "sink", name);
        forget(&self.delivery_age_seconds, "sink", name);
        forget(&self.unevaluated, "sink", name);
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

impl Gauges {
    fn new(maker: &Maker) -> Self {
        Self {
            log_lines_dropped: maker.gauge(
                "boathook_log_lines_dropped",
                "Log lines dropped since the start because nobody took them from standard error.",
            ),
            config_refused: maker.gauge(
                "boathook_config_refused",
                "1 while the folder holds a mistake and an older configuration is served, else 0.",
            ),
            config_loaded: maker.gauge(
                "boathook_config_loaded_timestamp_seconds",
                "When the configuration that is served was loaded.",
            ),
            endpoints: maker.gauge("boathook_endpoints", "Endpoints that are served."),
            connections: maker.gauge("boathook_connections", "Open connections of the public listener."),
            bodies_bytes: maker.gauge(
                "boathook_bodies_bytes",
                "Bytes of bodies that were read and are not verified and stored yet.",
            ),
            pending: maker.gauges(
                "boathook_pending_deliveries",
                "Deliveries that are stored and not finished.",
                &["sink"],
            ),
            pending_bytes: maker.gauges(
                "boathook_pending_bytes",
                "Bytes of the bodies of deliveries that are stored and not finished.",
                &["sink"],
            ),
            in_flight: maker.gauges("boathook_deliveries_in_flight", "Attempts under way.", &["sink"]),
            shut: maker.gauges(
                "boathook_sink_shut",
                "1 while a sink that has failed again and again is left alone or tried with one delivery at a time, else 0.",
                &["sink"],
            ),
        }
    }

    /// Sets a sink's gauges; those of sinks that were not set since [`Gauges::forget_sinks`] are gone.
    pub(crate) fn backlog(&self, sink: &ObjectName, pending: Option<u64>, in_flight: Option<usize>) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let Some(pending) = pending {
            self.pending.with_label_values(&[sink.as_str()]).set(number(pending));
        }
        if let Some(in_flight) = in_flight {
            self.in_flight.with_label_values(&[sink.as_str()]).set(number(in_flight as u64));
        }
    }

    /// Sets how many bytes wait for a sink.
    pub(crate) fn pending_bytes(&self, sink: &ObjectName, bytes: u64) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.pending_bytes.with_label_values(&[sink.as_str()]).set(bytes);
    }

    /// Whether the sink is left alone.
    pub(crate) fn shut(&self, sink: &ObjectName, shut: bool) {
        self.shut.with_label_values(&[sink.as_str()]).set(i64::from(shut));
    }

    pub(crate) fn forget_sinks(&self) {
        self.shut.reset();
        self.pending.reset();
        self.pending_bytes.reset();
        self.in_flight.reset();
    }
}

/// Removes the series whose label has this value.
fn forget<B: MetricVecBuilder>(series: &MetricVec<B>, label: &str, name: &ObjectName) {
    for family in series.collect() {
        for metric in family.get_metric() {
            let labels: HashMap<&str, &str> =
                metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            if labels.get(label) == Some(&name.as_str()) {
                // Somebody else may have removed it since.
                drop(series.remove(&labels));
            }
        }
    }
}

/// Makes metrics and registers each once.
struct Maker(Registry);

impl Maker {
    fn register(&self, collector: impl Collector + 'static) {
        self.0.register(Box::new(collector)).expect("each name is registered once");
    }

    fn made<C: Collector + Clone + 'static>(&self, collector: prometheus::Result<C>) -> C {
        let collector = collector.expect("names, labels and edges are constants that Prometheus takes");
        self.register(collector.clone());
        collector
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.made(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.made(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.made(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.made(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, edges: &[f64]) -> Histogram {
        self.made(Histogram::with_opts(HistogramOpts::new(name, help).buckets(edges.to_vec())))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], edges: &[f64]) -> HistogramVec {
        self.made(HistogramVec::new(HistogramOpts::new(name, help).buckets(edges.to_vec()), labels))
    }
}
