//! What is served at one time: a table with its sinks, swapped whole when the configuration changes.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use boathook_dispatch::SinkSettings;
use boathook_event::{Attributes, ObjectName};
use boathook_sinks::Sink;
use boathook_table::{Endpoint, SealKey, Table};
use jiff::Timestamp;

use crate::{
    gate::Gate,
    limits::LOGGED_ENDPOINTS_MAX,
    metrics::Metrics,
    pulse::SecretPulse,
    traffic::{EndpointTraffic, SinkTraffic},
};

/// What is served now. A request keeps what it has begun with.
pub(crate) type Live = ArcSwap<Serving>;

/// One configuration with everything that it needs to run.
pub(crate) struct Serving {
    table: Table,
    endpoints: HashMap<ObjectName, Served>,
    sinks: HashMap<ObjectName, ServedSink>,
    /// Traffic of endpoints that are gone: their last requests may still end, and their counts are still to be told.
    departed: Mutex<Vec<Arc<EndpointTraffic>>>,
    /// Sinks that are gone since the configuration before.
    sinks_gone: Mutex<Vec<ObjectName>>,
    /// The objects as they were seen, served or not.
    pub(crate) observed: Observed,
    /// What seals secrets for the operator, where there is one and an endpoint waits for a secret.
    pub(crate) seal_key: Option<SealKey>,
    /// When it was loaded.
    pub(crate) loaded_at: Timestamp,
}

/// Objects with their generations; nothing where they are from a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) endpoints: BTreeMap<ObjectName, i64>,
    pub(crate) sinks: BTreeMap<ObjectName, i64>,
}

/// An endpoint with what outlives a change.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) traffic: Arc<EndpointTraffic>,
    /// In the order of the verifier.
    pub(crate) secrets: Arc<[SecretPulse]>,
}

impl Served {
    /// A genuine request was signed with the secret at this place of the verifier.
    pub(crate) fn matched(&self, secret: Option<usize>, at: Timestamp) {
        if let Some(secret) = secret.and_then(|place| self.secrets.get(place)) {
            secret.last_match.at(at);
        }
    }
}

/// A sink with what outlives a change.
#[derive(Clone)]
pub(crate) struct ServedSink {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) settings: SinkSettings,
    pub(crate) traffic: Arc<SinkTraffic>,
}

impl Serving {
    /// Nothing yet.
    pub(crate) fn nothing() -> Self {
        Self {
            table: Table::default(),
            endpoints: HashMap::new(),
            sinks: HashMap::new(),
            departed: Mutex::default(),
            sinks_gone: Mutex::default(),
            observed: Observed::default(),
            seal_key: None,
            loaded_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// The configuration that follows this one: rates go on where their numbers are the same, traffic always.
    pub(crate) fn followed_by(
        &self,
        table: Table,
        mut sinks: HashMap<ObjectName, Arc<dyn Sink>>,
        observed: Observed,
        seal_key: Option<SealKey>,
    ) -> Self {
        let served = |endpoint: &Arc<Endpoint>| {
            let before = self.endpoints.get(&endpoint.name);
            let gate = before.map(|served| &served.gate).filter(|gate| gate.is_for(endpoint));
            let traffic = before.map(|served| Arc::clone(&served.traffic));
            let secrets = before.map_or(&[][..], |served| &served.secrets);
            before.into_iter().for_each(|served| endpoint.verifier.take_over(&served.endpoint.verifier));
            let served = Served {
                endpoint: Arc::clone(endpoint),
                gate: gate.cloned().unwrap_or_else(|| Arc::new(Gate::new(endpoint))),
                traffic: traffic.unwrap_or_else(|| Arc::new(EndpointTraffic::new(endpoint.name.clone()))),
                secrets: SecretPulse::all(endpoint, secrets),
            };
            (endpoint.name.clone(), served)
        };
        let served_sink = |sink: &boathook_table::Sink| {
            let driver = sinks.remove(&sink.name)?;
            let before = self.sinks.get(&sink.name).map(|served| Arc::clone(&served.traffic));
            let settings = SinkSettings {
                sink: sink.name.clone(),
                retry: sink.retry.clone(),
                concurrency: sink.concurrency,
                attempts_per_minute: sink.attempts_per_minute,
                attempts_per_tenant_per_minute: sink.attempts_per_tenant_per_minute,
                suspend: sink.suspend,
                skip: sink.suspend && sink.skip_when_suspended,
                paused: false,
            };
            let served = ServedSink { sink: driver, settings, traffic: before.unwrap_or_default() };
            Some((sink.name.clone(), served))
        };
        let endpoints: HashMap<_, _> = table.endpoints().map(served).collect();
        let sinks: HashMap<_, _> = table.sinks().filter_map(served_sink).collect();
        let gone = self.endpoints.values().filter(|served| !endpoints.contains_key(served.traffic.name()));
        let departed = gone.map(|served| Arc::clone(&served.traffic)).chain(take(&self.departed));
        let sinks_gone = self.sinks.keys().filter(|name| !sinks.contains_key(*name)).cloned();
        Self {
            departed: Mutex::new(departed.collect()),
            sinks_gone: Mutex::new(sinks_gone.chain(take(&self.sinks_gone)).collect()),
            endpoints,
            sinks,
            table,
            observed,
            seal_key,
            loaded_at: Timestamp::now(),
        }
    }

    /// Gives what departed endpoints have to tell to `tell`, and drops what the metrics have of those that nobody uses any
    /// more.
    pub(crate) fn settle(&self, metrics: &Metrics, mut tell: impl FnMut(&EndpointTraffic)) {
        // The configuration that follows takes all of them, or none before this has ended.
        self.departed.lock().unwrap_or_else(PoisonError::into_inner).retain(|traffic| {
            let used = Arc::strong_count(traffic) > 1;
            tell(traffic);
            if !used && !self.endpoints.contains_key(traffic.name()) {
                metrics.forget_endpoint(traffic.name());
            }
            used
        });
        let gone = take(&self.sinks_gone);
        gone.iter().filter(|name| !self.sinks.contains_key(*name)).for_each(|name| metrics.forget_sink(name));
    }

    /// Logs what is served, and what a person should know of it.
    pub(crate) fn tell(&self, news: &str) {
        let (endpoints, sinks) = (self.endpoints.len(), self.sinks.len());
        tracing::info!(endpoints, sinks, "{news}");
        let mut served: Vec<&Served> = self.endpoints.values().collect();
        served.sort_by_key(|served| served.traffic.name());
        for Served { endpoint, .. } in served.into_iter().take(LOGGED_ENDPOINTS_MAX) {
            let (host, path) = (endpoint.host.as_deref(), &endpoint.path);
            tracing::info!(endpoint = %endpoint.name, host, path, "serving");
            for notice in &endpoint.notices {
                tracing::warn!(endpoint = %endpoint.name, notice = notice.message(), "please note");
            }
        }
    }

    /// The endpoint of a URL; see [`Table::lookup`].
    pub(crate) fn lookup(&self, host: Option<&str>, path: &str) -> Option<&Served> {
        self.table.lookup(host, path).and_then(|endpoint| self.endpoints.get(&endpoint.name))
    }

    pub(crate) fn endpoint(&self, name: &ObjectName) -> Option<&Served> {
        self.endpoints.get(name)
    }

    /// An endpoint's constants for the templates of sinks; none where it is gone.
    pub(crate) fn attributes(&self, endpoint: &ObjectName) -> Arc<Attributes> {
        self.endpoint(endpoint).map(|served| Arc::clone(&served.endpoint.attributes)).unwrap_or_default()
    }

    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Served> {
        self.endpoints.values()
    }

    pub(crate) fn sinks(&self) -> impl Iterator<Item = &ServedSink> {
        self.sinks.values()
    }

    pub(crate) fn sink(&self, name: &ObjectName) -> Option<&ServedSink> {
        self.sinks.get(name)
    }
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut list.lock().unwrap_or_else(PoisonError::into_inner))
}
