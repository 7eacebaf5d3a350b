//! A running receiver: its tasks, and how they end without losing anything.
use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use boathook_store::{Error, Handover, Reader, Running, local::Local, memory::Memory, postgres::Postgres};
use http::{HeaderValue, Version, header};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, mpsc, watch},
    task::{JoinError, JoinHandle},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::Admin,
    api::{self, Api},
    awaited::Awaited,
    backlog::Backlog,
    brought::BroughtSecrets,
    config::Source,
    deliveries,
    flood::Flood,
    held::BodiesHeld,
    ingress::{Ingress, TrustedProxies},
    limits::{ABANDON_TIME_MAX, CHANGED_MAX, DRAIN_DELIVERIES_MAX, DRAIN_REQUESTS_MAX, STANDING_LOOKS},
    listener::Listener,
    logs::Logs,
    metrics::Metrics,
    published_keys,
    report::Reporter,
    reporting::{Pod, Reporting},
    settings::{Settings, StoreKind},
    term,
    traffic::LastTime,
    upkeep,
};

/// An open store, in the parts that the others use.
pub(crate) struct Stores {
    running: Running,
    handed_over: mpsc::Receiver<Handover>,
    reader: Reader,
    brought: BroughtSecrets,
    kind: StoreKind,
}

/// How much a folder may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Bytes of its files; none = as many as the disk has.
    pub(crate) bytes_max: Option<u64>,
    /// Bytes of memory for deduplication keys.
    pub(crate) key_bytes_max: u64,
}

/// A running receiver.
pub(crate) struct Receiver {
    ingress: Arc<Ingress>,
    admin: Arc<Admin>,
    hands: Hands,
    running: Running,
    api: Arc<Api>,
    accepting: CancellationToken,
    stopping: watch::Sender<bool>,
    listener: JoinHandle<()>,
    data_api: JoinHandle<()>,
    deliveries: JoinHandle<Result<(), Error>>,
    upkeep: JoinHandle<()>,
    reporting: JoinHandle<()>,
    follow: JoinHandle<()>,
    keys: JoinHandle<()>,
}

/// The addresses that are served once everything is there.
pub(crate) struct Listeners {
    pub(crate) public: Listener,
    pub(crate) data_api: Listener,
}

/// What a person may ask of a running receiver.
#[derive(Clone)]
pub(crate) struct Hands {
    logs: Arc<Logs>,
    read_again: Arc<Notify>,
}

impl Hands {
    /// Reads the folder again.
    pub(crate) fn read_again(&self) {
        self.read_again.notify_one();
    }

    /// Debug logs on or off.
    pub(crate) fn toggle_debug(&self) {
        self.logs.toggle_debug();
    }
}

impl Stores {
    /// Starts committing to a folder.
    pub(crate) fn local(
        store: &Local,
        Room { bytes_max, key_bytes_max }: Room,
        brought: BroughtSecrets,
    ) -> Result<Self, Error> {
        let keeper = store.archive()?.remembering(key_bytes_max);
        let reader = Reader::new(store.feed()?, store.archive()?, keeper);
        let committer = store.committer().within(bytes_max.unwrap_or(u64::MAX));
        let (running, handed_over) = Running::start(committer)?;
        Ok(Self { running, handed_over, reader, brought, kind: StoreKind::Local })
    }

    /// Starts committing to a database.
    pub(crate) fn shared(store: &Postgres, brought: BroughtSecrets) -> Result<Self, Error> {
        let reader = Reader::new(store.feed()?, store.archive()?, store.archive()?);
        let (running, handed_over) = Running::start(store.committer()?)?;
        Ok(Self { running, handed_over, reader, brought, kind: StoreKind::Postgres })
    }

    /// Starts taking events that are kept nowhere.
    pub(crate) fn passing(store: &Memory) -> Result<Self, Error> {
        let reader = Reader::new(store.feed(), store.archive(), store.archive());
        let (running, handed_over) = Running::start(store.committer())?;
        let brought = BroughtSecrets::nowhere();
        Ok(Self { running, handed_over, reader, brought, kind: StoreKind::None })
    }
}

impl Receiver {
    /// Starts everything, and is ready.
    pub(crate) fn start(
        settings: &Settings,
        source: Source,
        stores: Stores,
        Listeners { public, data_api }: Listeners,
        (admin, api): (Arc<Admin>, Arc<Api>),
        (metrics, logs): (Arc<Metrics>, Arc<Logs>),
        receiving: &Handle,
    ) -> Self {
        let Stores { running, handed_over, reader, brought, kind } = stores;
        let keeps_nothing = kind == StoreKind::None;
        let configuration = Arc::clone(source.configuration());
        configuration.live.load().tell("the configuration is loaded");
        let (changed, to_look_for) = mpsc::channel(CHANGED_MAX);
        let (configured, changes) = watch::channel(());
        let (stopping, stop) = watch::channel(false);
        let (lanes, asked) = mpsc::channel(1);
        let (published_keys, keys) =
            published_keys::start(&configuration, &metrics, settings.data_folder(), changes.clone());
        let awaited = Arc::<Awaited>::default();
        let ingress = Arc::new(Ingress {
            live: Arc::clone(&configuration.live),
            store: running.handle(),
            reader: reader.clone(),
            backlog: Backlog::default(),
            awaited: Arc::clone(&awaited),
            // Only those who share a store deliver what another has taken.
            looking: (kind == StoreKind::Postgres).then(|| Semaphore::new(STANDING_LOOKS)),
            keeps_nothing,
            keys_since: LastTime::default(),
            changed: changed.clone(),
            published_keys,
            brought,
            configuration: Arc::clone(&configuration),
            proxies: TrustedProxies(settings.trusted_proxies.0.clone()),
            bodies: BodiesHeld::default(),
            metrics: Arc::clone(&metrics),
            unrouted: Flood::default(),
        });
        let deliveries = tokio::spawn(term::run(deliveries::Parts {
            live: Arc::clone(&configuration.live),
            store: running.handle(),
            reader: reader.clone(),
            metrics,
            awaited,
            handed_over,
            missed: running.missed(),
            changed: to_look_for,
            changes: changed.clone(),
            configured: changes,
            stopping: stop,
            asked,
            keeps_nothing,
        }));
        let reporter = Arc::new(Reporter::new(&ingress, &reader, lanes, public.connections(), &logs));
        api.ready(api::Parts::new(Arc::clone(&reporter), changed));
        let (read_again, accepting) = (Arc::new(Notify::new()), CancellationToken::new());
        let reporting = reporting(&source, settings, &ingress, &reader);
        let upkeep = tokio::spawn(upkeep::run(Arc::clone(&ingress), reader));
        let follow = tokio::spawn(source.follow(Arc::clone(&read_again), configured));
        let listener =
            receiving.spawn(listen(public, Arc::clone(&ingress), Arc::clone(&admin), accepting.clone()));
        let data_api = tokio::spawn(answer(data_api, Arc::clone(&api), admin.closing()));
        admin.ready(reporter);
        Self {
            ingress,
            admin,
            hands: Hands { logs, read_again },
            running,
            api,
            accepting,
            stopping,
            listener,
            data_api,
            deliveries,
            upkeep,
            reporting,
            follow,
            keys,
        }
    }

    pub(crate) fn hands(&self) -> Hands {
        self.hands.clone()
    }

    /// Returns, with the reason, when this process must not go on.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        let store = self.running.handle();
        let broken = |task: &str, ended: Result<(), JoinError>| {
            let how = ended.err().map_or_else(|| "ended".to_owned(), |error| error.to_string());
            anyhow!("{task} broke off ({how}): this is a bug, please report it")
        };
        tokio::select! {
            reason = store.halted() => anyhow!(
                "the store is in doubt: {reason}; check the disk. What was acknowledged is stored, and the next start reads it anew"
            ),
            ended = &mut self.deliveries => match ended {
                Ok(Err(error)) => anyhow!("nothing can be delivered: {error}"),
                Ok(Ok(())) => broken("delivery", Ok(())),
                Err(error) => broken("delivery", Err(error)),
            },
            ended = &mut self.listener => broken("the listener", ended),
            ended = &mut self.data_api => broken("the data API", ended),
            ended = &mut self.upkeep => broken("upkeep", ended),
            ended = &mut self.reporting => broken("reporting", ended),
            ended = &mut self.follow => broken("watching the configuration", ended),
        }
    }

    /// Ends at once, but for the answers to those who wait: the store has told them that it does not have their events.
    pub(crate) async fn abandon(self) {
        self.admin.leave();
        self.accepting.cancel();
        drop(timeout(ABANDON_TIME_MAX, self.listener).await);
    }

    /// Ends everything in the order in which nothing is lost: no new connections, then no new requests, then no new
    /// attempts, then the store.
    pub(crate) async fn stop(self, delay: Duration) {
        self.admin.leave();
        tracing::info!(delay_seconds = delay.as_secs_f64(), "stopping");
        tokio::time::sleep(delay).await;
        self.accepting.cancel();
        drop(self.listener.await);
        self.api.stop();
        self.data_api.abort();
        self.stopping.send_replace(true);
        if timeout(DRAIN_DELIVERIES_MAX, self.deliveries).await.is_err() && !self.ingress.keeps_nothing {
            tracing::warn!("some attempts did not end in time; they are made again after the next start");
        }
        tell_what_is_lost(&self.ingress).await;
        self.upkeep.abort();
        // It may be handing counts over.
        drop(self.upkeep.await);
        self.reporting.abort();
        self.follow.abort();
        self.keys.abort();
        upkeep::tell(&self.ingress);
        self.running.close().await;
        tracing::info!("stopped");
    }
}

/// What was accepted and not delivered ends with this process, where nothing is kept.
async fn tell_what_is_lost(ingress: &Ingress) {
    if !ingress.keeps_nothing {
        return;
    }
    if let Ok(events) = ingress.reader.statistics().await.map(|statistics| statistics.events)
        && events > 0
    {
        tracing::warn!(
            events,
            "these events were on their way and end here (--store none): those that a required sink does not have were not \
             acknowledged, so their providers send them again"
        );
    }
}

/// Reports into the objects' statuses, where there are any.
fn reporting(
    source: &Source,
    settings: &Settings,
    ingress: &Arc<Ingress>,
    reader: &Reader,
) -> JoinHandle<()> {
    let reporting = source.client().map(|client| {
        let pod = Pod { name: settings.pod_name.clone().unwrap_or_default(), uid: settings.pod_uid.clone() };
        Reporting::new(client, pod, Arc::clone(ingress), reader.clone())
    });
    tokio::spawn(async {
        match reporting {
            Some(reporting) => reporting.run().await,
            None => std::future::pending().await,
        }
    })
}

/// Answers calls to the data API.
async fn answer(listener: Listener, api: Arc<Api>, closing: CancellationToken) {
    let handle = move |request, _| {
        let api = Arc::clone(&api);
        async move { api.answer(request).await }
    };
    listener.serve(handle, closing, Duration::from_secs(1)).await;
}

async fn listen(public: Listener, ingress: Arc<Ingress>, admin: Arc<Admin>, accepting: CancellationToken) {
    let handle = move |request: http::Request<hyper::body::Incoming>, peer| {
        let (ingress, admin) = (Arc::clone(&ingress), Arc::clone(&admin));
        async move {
            let version = request.version();
            let mut reply = ingress.answer(request, peer).await;
            if admin.is_leaving() && version <= Version::HTTP_11 {
                reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            reply
        }
    };
    public.serve(handle, accepting, DRAIN_REQUESTS_MAX).await;
}
