//! A receiver that is configured by objects of a Kubernetes namespace: it watches both kinds and the one Secret that the
//! operator writes for its class.
//!
//! The order in which changes come does not matter: an endpoint whose key is not here yet is served as it was before, and
//! as it is written once the key has come. While the API server is away, what is served goes on.
use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

use anyhow::Context as _;
use boathook_crds::{WebhookEndpoint, WebhookSink};
use boathook_event::ObjectName;
use boathook_sinks::AddressGuard;
use boathook_table::{Accepted, Built, DOCUMENT_KEY, Document, Input, Objects, Problem, build};
use futures::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch as channel;

use super::{Configuration, last_known::LastKnown};
use crate::{
    limits::{CHANGES_TOGETHER, WAITING_TOLD},
    metrics::Metrics,
    serving::Observed,
    settings::Settings,
};

/// The namespace's objects as they are known here, and what is served of them.
pub(crate) struct ClusterSource {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    class: String,
    changes: BoxStream<'static, Change>,
    endpoints: Known<WebhookEndpoint>,
    sinks: Known<WebhookSink>,
    secrets: Known<Secret>,
    /// What was accepted last, for what is not acceptable now.
    accepted: Accepted,
    told: Vec<String>,
    last_known: LastKnown,
    /// The mounted document, until the API server has said what it has.
    recalled: Option<Document>,
    configuration: Arc<Configuration>,
}

/// One step of one of the watches.
enum Change {
    Endpoint(Box<Event<DeserializeGuard<WebhookEndpoint>>>),
    Sink(Box<Event<DeserializeGuard<WebhookSink>>>),
    Secret(Box<Event<DeserializeGuard<Secret>>>),
    /// A watch failed; it is tried again.
    Failed(&'static str, watcher::Error),
}

/// The objects of one kind, by name.
struct Known<K> {
    objects: BTreeMap<String, K>,
    /// A list that is being read: it replaces the objects when it is whole.
    incoming: Option<BTreeMap<String, K>>,
    listed: bool,
}

impl ClusterSource {
    /// Connects, and waits until everything is here that the first table needs.
    ///
    /// # Errors
    /// There is no cluster to connect to.
    pub(crate) async fn load(settings: &Settings, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let client = Client::try_default().await.context(
            "no way to the Kubernetes API: run this in a pod, set KUBECONFIG, or configure a folder with --config",
        )?;
        let namespace = settings.namespace.clone().unwrap_or_default();
        let guard = AddressGuard { loopback: false, allow: settings.sink_allow.0.clone() };
        let mut source = Self {
            changes: changes(&client, &namespace, &secret_name(&settings.class)),
            client,
            namespace,
            class: settings.class.clone(),
            endpoints: Known::default(),
            sinks: Known::default(),
            secrets: Known::default(),
            accepted: Accepted::default(),
            told: Vec::new(),
            last_known: LastKnown::new(settings.data_folder(), settings.keys.as_deref()),
            recalled: None,
            configuration: Arc::new(Configuration::new(guard, metrics)),
        };
        source.wait().await;
        Ok(source)
    }

    /// Waits until something can be served: what the API server says or, while it is away, what was known last.
    async fn wait(&mut self) {
        let mut patience = tokio::time::interval(WAITING_TOLD);
        patience.tick().await;
        while !self.serve() {
            tokio::select! {
                () = self.take() => {}
                _ = patience.tick() => {
                    tracing::warn!(missing = self.missing().join(", "), "waiting for the Kubernetes API");
                    self.recall();
                }
            }
        }
        if self.recalled.is_some() {
            tracing::warn!("the Kubernetes API is away: what was known last is served");
        }
    }

    /// Takes what was known last for what the API server has not said.
    fn recall(&mut self) {
        let Some(document) = self.last_known.document(&self.namespace) else { return };
        let Some(objects) = self.last_known.objects() else { return };
        self.endpoints.recall(objects.endpoints);
        self.sinks.recall(objects.sinks);
        self.recalled = Some(document);
    }

    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// Takes changes as they come, those of a moment together, and serves what they amount to.
    pub(crate) async fn follow(mut self, configured: channel::Sender<()>) {
        loop {
            self.take().await;
            tokio::time::sleep(CHANGES_TOGETHER).await;
            while let Some(change) = futures::FutureExt::now_or_never(self.changes.next()).flatten() {
                self.apply(change);
            }
            let before = self.configuration.live.load_full();
            if tokio::task::block_in_place(|| self.serve()) {
                configured.send_replace(());
                let now = self.configuration.live.load();
                if before.observed != now.observed {
                    now.tell("the configuration has changed");
                }
            }
        }
    }

    /// Waits for the next change and takes it.
    async fn take(&mut self) {
        match self.changes.next().await {
            Some(change) => self.apply(change),
            // The watches never end by themselves.
            None => std::future::pending().await,
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Endpoint(event) => self.endpoints.apply(*event),
            Change::Sink(event) => self.sinks.apply(*event),
            Change::Secret(event) => {
                self.secrets.apply(*event);
                if self.secrets.listed {
                    self.recalled = None;
                }
            }
            Change::Failed(what, error) => tracing::warn!(%error, "the watch of {what} failed; trying again"),
        }
    }

    /// Serves what is known. Returns false while something is missing without which nothing can be decided.
    fn serve(&mut self) -> bool {
        let Some(document) = self.document() else { return false };
        if !self.endpoints.listed || !self.sinks.listed {
            return false;
        }
        let of_class = |endpoint: &&WebhookEndpoint| endpoint.spec.receiver_class_name == self.class;
        let objects = Objects {
            endpoints: self.endpoints.objects.values().filter(of_class).cloned().collect(),
            sinks: self.sinks.objects.values().cloned().collect(),
        };
        let accepted = self.accepted.clone().over(document.held_back);
        let input = Input {
            objects: &objects,
            keys: &document.keys,
            class: Some(&document.class),
            accepted: &accepted,
            keeps_nothing: document.class.keeps_nothing,
        };
        let Built { table, mut problems, accepted, .. } = build(&input);
        self.accepted = accepted;
        let observed = observed(&objects);
        if self.recalled.is_none() {
            self.last_known.keep(objects);
        }
        let served = self.configuration.serve(table, observed, document.seal_key, |found| {
            problems.extend(found);
            Ok::<_, std::convert::Infallible>(())
        });
        served.unwrap_or_else(|never| match never {});
        self.tell(&problems);
        true
    }

    /// Logs what is wrong when it is not what was wrong before.
    fn tell(&mut self, problems: &[Problem]) {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        for mistake in told.iter().filter(|mistake| !self.told.contains(mistake)) {
            tracing::error!(mistake, "not acceptable; what was accepted before goes on");
        }
        self.configuration.set_refused((!told.is_empty()).then(|| told.join("\n")));
        self.told = told;
    }

    /// What the operator has written for this class, if it can be read.
    fn document(&self) -> Option<Document> {
        if !self.secrets.listed {
            return self.recalled.clone();
        }
        let secret = self.secrets.objects.get(&secret_name(&self.class))?;
        let bytes = secret.data.as_ref()?.get(DOCUMENT_KEY)?;
        Document::from_json(&self.namespace, &bytes.0)
            .inspect_err(|error| tracing::error!(secret = secret_name(&self.class), %error, "the Secret cannot be used"))
            .ok()
    }

    fn missing(&self) -> Vec<String> {
        let lists = [("WebhookEndpoints", self.endpoints.listed), ("WebhookSinks", self.sinks.listed)];
        let lists = lists.into_iter().filter(|(_, listed)| !listed).map(|(kind, _)| kind.to_owned());
        let secret = self.document().is_none().then(|| format!("the Secret {}", secret_name(&self.class)));
        lists.chain(secret).collect()
    }
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), incoming: None, listed: false }
    }
}

impl<K: Resource + Clone + Debug> Known<K> {
    /// Takes these as a list, until there is one.
    fn recall(&mut self, objects: Vec<K>) {
        if !self.listed {
            self.objects = objects.into_iter().map(|object| (object.name_any(), object)).collect();
            self.listed = true;
        }
    }

    /// An object that cannot be read is left as it was.
    fn apply(&mut self, event: Event<DeserializeGuard<K>>) {
        match event {
            Event::Init => self.incoming = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let name = object.name_any();
                let before = self.objects.get(&name).cloned();
                if let (Some(object), Some(incoming)) = (read(object).or(before), &mut self.incoming) {
                    incoming.insert(name, object);
                }
            }
            Event::InitDone => {
                self.objects = self.incoming.take().unwrap_or_default();
                self.listed = true;
            }
            Event::Apply(object) => {
                let name = object.name_any();
                if let Some(object) = read(object) {
                    self.objects.insert(name, object);
                }
            }
            Event::Delete(object) => drop(self.objects.remove(&object.name_any())),
        }
    }
}

/// The object, without what only the API server needs.
fn read<K: Resource + Clone + Debug>(object: DeserializeGuard<K>) -> Option<K> {
    match object.0 {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            Some(object)
        }
        Err(invalid) => {
            let name = invalid.metadata.name.unwrap_or_default();
            tracing::error!(name, error = invalid.error, "an object cannot be read; what was before goes on");
            None
        }
    }
}

fn observed(objects: &Objects) -> Observed {
    let name = |metadata: &boathook_crds::ObjectMeta| {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = ObjectName::new(namespace, metadata.name.as_deref().unwrap_or_default());
        (name, metadata.generation.unwrap_or(0))
    };
    Observed {
        endpoints: objects.endpoints.iter().map(|object| name(&object.metadata)).collect(),
        sinks: objects.sinks.iter().map(|object| name(&object.metadata)).collect(),
    }
}

fn secret_name(class: &str) -> String {
    format!("boathook-{class}")
}

fn changes(client: &Client, namespace: &str, secret: &str) -> BoxStream<'static, Change> {
    let all = watcher::Config::default();
    let one = watcher::Config::default().fields(&format!("metadata.name={secret}"));
    let endpoints = watched(client, namespace, all.clone(), "WebhookEndpoints", |event| {
        Change::Endpoint(Box::new(event))
    });
    let sinks = watched(client, namespace, all, "WebhookSinks", |event| Change::Sink(Box::new(event)));
    let secrets = watched(client, namespace, one, "the Secret", |event| Change::Secret(Box::new(event)));
    futures::stream::select_all([endpoints.boxed(), sinks.boxed(), secrets.boxed()]).boxed()
}

fn watched<K>(
    client: &Client,
    namespace: &str,
    config: watcher::Config,
    what: &'static str,
    change: fn(Event<DeserializeGuard<K>>) -> Change,
) -> impl Stream<Item = Change> + Send + 'static + use<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
    K::DynamicType: Default + Eq + std::hash::Hash + Clone,
{
    let api: Api<DeserializeGuard<K>> = Api::namespaced(client.clone(), namespace);
    watcher(api, config)
        .default_backoff()
        .map(move |event| event.map_or_else(|error| Change::Failed(what, error), change))
}
