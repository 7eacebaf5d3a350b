//! A request comes in and is answered: [`capture`] reads it, [`accept`] decides, [`reply`] answers.
mod accept;
mod capture;
mod chosen;
mod code;
mod exchange;
mod noted;
mod outcome;
mod reply;
mod room;
mod source;
mod waiting;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use boathook_store::{Reader, StoreHandle};
use http::{Request, request::Parts};
use hyper::body::Incoming;
use tokio::sync::{Semaphore, mpsc};

pub(crate) use self::{accept::new_uid, reply::Reply, source::TrustedProxies};
use self::{
    exchange::Exchange,
    noted::Noted,
    outcome::{Outcome, Refusal},
};
use crate::{
    awaited::Awaited, backlog::Backlog, brought::BroughtSecrets, config::Configuration, deliveries::Changed,
    flood::Flood, held::BodiesHeld, limits::LOGGED_PATH_BYTES_MAX, metrics::Metrics,
    published_keys::PublishedKeys, serving::Live, traffic::LastTime,
};

/// Everything that a request meets.
pub(crate) struct Ingress {
    pub(crate) live: Arc<Live>,
    pub(crate) store: StoreHandle,
    /// Says how the deliveries of a repeated event stand.
    pub(crate) reader: Reader,
    /// How much waits for each sink.
    pub(crate) backlog: Backlog,
    /// Who waits for deliveries to end.
    pub(crate) awaited: Arc<Awaited>,
    /// Whose turn it is to look whether another receiver has delivered; none where the store is this one's alone.
    pub(crate) looking: Option<Semaphore>,
    /// The store lets go of events when their deliveries have ended.
    pub(crate) keeps_nothing: bool,
    /// Since when repetitions are known, where the store had no room for all keys.
    pub(crate) keys_since: LastTime,
    /// Told of parked deliveries that a repetition has made pending again.
    pub(crate) changed: mpsc::Sender<Changed>,
    /// The keys that senders publish.
    pub(crate) published_keys: PublishedKeys,
    /// The secrets that providers have sent by themselves.
    pub(crate) brought: BroughtSecrets,
    /// What visits the URLs that handshakes want visited.
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) bodies: BodiesHeld,
    pub(crate) metrics: Arc<Metrics>,
    /// Lines about URLs that no endpoint has.
    pub(crate) unrouted: Flood,
}

impl Ingress {
    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Reply {
        let (head, mut body) = request.into_parts();
        let source = self.proxies.source(peer.ip(), &head.headers);
        let serving = self.live.load_full();
        let Some(served) = serving.lookup(capture::host(&head), head.uri.path()) else {
            capture::leftover(body);
            return self.unrouted(&head, source);
        };
        let mut exchange = Exchange::begin(&served.traffic, &self.metrics, source);
        let outcome = self.accept(served, head, &mut body, source, &mut exchange).await;
        capture::leftover(body);
        exchange.end(&outcome.unwrap_or_else(Outcome::from), &served.endpoint.profile)
    }

    fn unrouted(&self, head: &Parts, source: IpAddr) -> Reply {
        self.metrics.unrouted.inc();
        let outcome = Outcome::from(Refusal::UnknownUrl);
        if self.unrouted.admits() {
            let path = head.uri.path();
            let path = path.get(..path.floor_char_boundary(LOGGED_PATH_BYTES_MAX));
            let host = capture::host(head);
            tracing::error!(
                status = 404, error_code = "not_found", method = %head.method, host, path, %source,
                "refused: no endpoint has this URL"
            );
        }
        reply::reply(&outcome, &reply::PLAIN, &Noted::default())
    }
}
