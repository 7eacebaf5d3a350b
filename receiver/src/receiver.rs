//! A running receiver: its tasks, and how they end without losing anything.
use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use boathook_store::{Error, Handover, Reader, Running, local::Local};
use http::{HeaderValue, Version, header};
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, Notify, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::Admin,
    config::Configuration,
    deliveries,
    flood::Flood,
    ingress::{BodiesHeld, Ingress, TrustedProxies},
    limits::{DRAIN_DELIVERIES_MAX, DRAIN_REQUESTS_MAX, REARMED_MAX},
    listener::Listener,
    logs::Logs,
    metrics::Metrics,
    report::Reporter,
    settings::Settings,
    upkeep,
};

/// An open store, in the parts that the others use.
pub(crate) struct Stores {
    running: Running,
    handed_over: mpsc::Receiver<Handover>,
    reader: Reader,
}

/// A running receiver.
pub(crate) struct Receiver {
    ingress: Arc<Ingress>,
    admin: Arc<Admin>,
    logs: Arc<Logs>,
    running: Running,
    /// Asks for the folder to be read.
    read_again: Arc<Notify>,
    accepting: CancellationToken,
    stopping: watch::Sender<bool>,
    listener: JoinHandle<()>,
    deliveries: Mutex<JoinHandle<Result<(), Error>>>,
    others: Vec<JoinHandle<()>>,
}

impl Stores {
    /// Starts committing.
    pub(crate) fn start(store: &Local) -> Result<Self, Error> {
        let reader = Reader::new(store.feed()?, store.archive()?, store.archive()?);
        let (running, handed_over) = Running::start(store.committer())?;
        Ok(Self { running, handed_over, reader })
    }
}

impl Receiver {
    /// Starts everything, and is ready.
    pub(crate) fn start(
        settings: &Settings,
        configuration: Configuration,
        stores: Stores,
        public: Listener,
        admin: Arc<Admin>,
        metrics: Arc<Metrics>,
        logs: Arc<Logs>,
    ) -> Self {
        let Stores { running, handed_over, reader } = stores;
        let (rearmed, to_look_for) = mpsc::channel(REARMED_MAX);
        let (configured, changes) = watch::channel(());
        let (stopping, stop) = watch::channel(false);
        let (lanes, asked) = mpsc::channel(1);
        let ingress = Arc::new(Ingress {
            live: Arc::clone(&configuration.live),
            store: running.handle(),
            rearmed,
            proxies: TrustedProxies(settings.trusted_proxies.clone()),
            bodies: BodiesHeld::default(),
            metrics: Arc::clone(&metrics),
            unrouted: Flood::default(),
        });
        let deliveries = tokio::spawn(deliveries::run(deliveries::Parts {
            live: Arc::clone(&configuration.live),
            store: running.handle(),
            reader: reader.clone(),
            metrics,
            handed_over,
            rearmed: to_look_for,
            configured: changes,
            stopping: stop,
            asked,
        }));
        let reporter = Reporter {
            ingress: Arc::clone(&ingress),
            reader: reader.clone(),
            lanes,
            connections: public.connections(),
            logs: Arc::clone(&logs),
            started_at: Timestamp::now(),
            refused: Arc::clone(&configuration.refused),
        };
        let (read_again, accepting) = (Arc::new(Notify::new()), CancellationToken::new());
        let others = vec![
            tokio::spawn(upkeep::run(Arc::clone(&ingress), reader)),
            tokio::spawn(configuration.follow(Arc::clone(&read_again), configured)),
        ];
        let listener =
            tokio::spawn(listen(public, Arc::clone(&ingress), Arc::clone(&admin), accepting.clone()));
        admin.ready(reporter);
        Self {
            ingress,
            admin,
            logs,
            running,
            read_again,
            accepting,
            stopping,
            listener,
            deliveries: Mutex::new(deliveries),
            others,
        }
    }

    /// Reads the folder again.
    pub(crate) fn read_again(&self) {
        self.read_again.notify_one();
    }

    /// Debug logs on or off.
    pub(crate) fn toggle_debug(&self) {
        self.logs.toggle_debug();
    }

    /// Returns, with the reason, when this process must not go on. What waited for the store was told so already.
    pub(crate) async fn failed(&self) -> anyhow::Error {
        let store = self.running.handle();
        let mut deliveries = self.deliveries.lock().await;
        tokio::select! {
            reason = store.halted() => anyhow!(
                "the store is in doubt: {reason}; check the disk. What was acknowledged is stored, and the next start reads it anew"
            ),
            ended = &mut *deliveries => match ended {
                Ok(Ok(())) => anyhow!("deliveries ended before they were told to: this is a bug, please report it"),
                Ok(Err(error)) => anyhow!("nothing can be delivered: {error}"),
                Err(error) => anyhow!("deliveries broke off: {error}: this is a bug, please report it"),
            },
        }
    }

    /// Ends everything in the order in which nothing is lost: no new connections, then no new requests, then no new
    /// attempts, then the store.
    pub(crate) async fn stop(self, delay: Duration) {
        self.admin.leave();
        tracing::info!(delay_ms = delay.as_millis(), "stopping");
        tokio::time::sleep(delay).await;
        self.accepting.cancel();
        drop(self.listener.await);
        self.stopping.send_replace(true);
        if timeout(DRAIN_DELIVERIES_MAX, self.deliveries.into_inner()).await.is_err() {
            tracing::warn!("some attempts did not end in time; they are made again after the next start");
        }
        self.others.iter().for_each(JoinHandle::abort);
        upkeep::tell(&self.ingress);
        self.running.close().await;
        tracing::info!("stopped");
    }
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
