//! The keys that senders publish: fetched for the endpoints that need them, anew when they are old or a request names one
//! that is not known, and kept while their server is away, in the data folder over restarts.
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use boathook_sinks::Fetched;
use boathook_verify::{KeyDocument, KeyFormat, KeySlot, KeySource};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{self, JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    config::Configuration,
    key_copies::KeyCopies,
    limits::{KEYS_AGE_DEFAULT, KEYS_AGE_MAX, KEYS_APART, KEYS_RETRY_MIN, KEYS_WAIT_MAX, KEYS_WAITERS_MAX},
    metrics::Metrics,
};

/// Asks for keys.
pub(crate) struct PublishedKeys(mpsc::Sender<Ask>);

/// The place that lacks a key, and who waits: told by being dropped.
type Ask = (Arc<KeySlot>, oneshot::Sender<()>);

/// What is known of what is published at one URL.
struct Publication {
    document: Option<Arc<KeyDocument>>,
    /// When it may be fetched again.
    due: Instant,
    /// Whether it is fetched then without being asked for: not where a request has named the URL and nothing is there.
    by_itself: bool,
    /// When it was last asked for, with or without success.
    asked_at: Option<Instant>,
    fetching: bool,
    failures: u32,
    waiting: Vec<oneshot::Sender<()>>,
}

/// The task that fetches.
struct Keeper {
    configuration: Arc<Configuration>,
    metrics: Arc<Metrics>,
    copies: KeyCopies,
    publications: HashMap<KeySource, Publication>,
    /// The fetches under way, and which each is.
    under_way: HashMap<task::Id, KeySource>,
}

/// What a fetch has brought.
type Brought = Result<Fetched, String>;

/// Starts keeping the keys of all endpoints, with copies below the data folder, where there is one. `configured` is marked when something else
/// is served.
pub(crate) fn start(
    configuration: &Arc<Configuration>,
    metrics: &Arc<Metrics>,
    data: Option<&Path>,
    configured: watch::Receiver<()>,
) -> (PublishedKeys, JoinHandle<()>) {
    let (asks, asked) = mpsc::channel(KEYS_WAITERS_MAX);
    let keeper = Keeper {
        configuration: Arc::clone(configuration),
        metrics: Arc::clone(metrics),
        copies: KeyCopies::below(data),
        publications: HashMap::new(),
        under_way: HashMap::new(),
    };
    (PublishedKeys(asks), tokio::spawn(run(keeper, asked, configured)))
}

impl PublishedKeys {
    /// Waits until what belongs into this place was fetched once more; not at all where that was done just now, and not for
    /// long.
    pub(crate) async fn look_again(&self, slot: Arc<KeySlot>) {
        let (told, fetched) = oneshot::channel();
        if self.0.try_send((slot, told)).is_ok() {
            // Whether it was told or dropped: what is there is looked at.
            drop(timeout(KEYS_WAIT_MAX, fetched).await);
        }
    }
}

/// Never returns.
async fn run(mut keeper: Keeper, mut asked: mpsc::Receiver<Ask>, mut configured: watch::Receiver<()>) {
    let mut fetches: JoinSet<Brought> = JoinSet::new();
    keeper.attend();
    loop {
        keeper.fetch_what_is_due(&mut fetches);
        let next = keeper.publications.values().filter(|one| one.by_itself && !one.fetching);
        let next = next.map(|one| one.due).min();
        tokio::select! {
            changed = configured.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                keeper.attend();
            }
            Some(ask) = asked.recv() => keeper.asked(ask),
            Some(ended) = fetches.join_next_with_id(), if !fetches.is_empty() => keeper.ended(ended),
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

impl Keeper {
    /// Gives what is known to the endpoints that are served now, and forgets what nobody needs any more.
    fn attend(&mut self) {
        let live = self.configuration.live.load_full();
        let mut wanted: BTreeMap<KeySource, Vec<Arc<KeySlot>>> = BTreeMap::new();
        for slot in live.endpoints().flat_map(|served| served.endpoint.verifier.key_slots()) {
            wanted.entry(slot.source().clone()).or_default().push(slot);
        }
        self.publications.retain(|source, one| one.fetching || wanted.contains_key(source));
        for (source, slots) in wanted {
            let copies = &self.copies;
            let one = self
                .publications
                .entry(source)
                .or_insert_with_key(|source| Publication::new(source, copies.of(source)));
            for slot in slots {
                one.document.iter().for_each(|document| slot.fill(Arc::clone(document)));
            }
        }
    }

    fn fetch_what_is_due(&mut self, fetches: &mut JoinSet<Brought>) {
        let now = Instant::now();
        let due = self.publications.iter_mut().filter(|(_, one)| one.is_due(now));
        for (source, one) in due {
            one.fetching = true;
            one.asked_at = Some(now);
            let (wanted, fetcher) = (source.clone(), self.configuration.fetcher());
            let fetch = async move { fetcher?.get(wanted.url(), wanted.format().bytes_max()).await };
            self.under_way.insert(fetches.spawn(fetch).id(), source.clone());
        }
    }

    /// Somebody's request names a key that is not known: it is looked for, unless that was done just now.
    fn asked(&mut self, (slot, waiting): Ask) {
        let lacked = slot.is_empty();
        if !self.publications.contains_key(slot.source()) {
            self.attend();
        }
        let Some(one) = self.publications.get_mut(slot.source()) else { return };
        // It may be served by a configuration whose places are not filled yet, or be named for the first time since the start.
        if let Some(document) = one.document.as_ref().filter(|_| lacked) {
            slot.fill(Arc::clone(document));
            return;
        }
        if !one.fetching && !one.may_be_asked(Instant::now()) {
            return;
        }
        if one.waiting.len() < KEYS_WAITERS_MAX {
            one.waiting.push(waiting);
        }
    }

    /// A fetch has ended, whichever way.
    fn ended(&mut self, ended: Result<(task::Id, Brought), JoinError>) {
        let (id, brought) = match ended {
            Ok((id, brought)) => (id, brought),
            Err(broken) => (broken.id(), Err("the fetch broke off: this is a bug, please report it".into())),
        };
        if let Some(source) = self.under_way.remove(&id) {
            self.take(&source, brought);
        }
    }

    fn take(&mut self, source: &KeySource, brought: Brought) {
        let Some(one) = self.publications.get_mut(source) else { return };
        one.fetching = false;
        let (url, format) = (source.url(), source.format());
        let read = brought.and_then(|fetched| Ok((format.parse(&fetched.body)?, fetched)));
        self.metrics.key_fetch(read.is_ok());
        match read {
            Ok((document, Fetched { body, max_age })) => {
                if one.document.is_none() || one.failures > 0 {
                    tracing::info!(url, ?document, "the sender's keys are there");
                }
                one.document = Some(Arc::new(document));
                one.failures = 0;
                one.by_itself = true;
                one.due =
                    Instant::now() + max_age.unwrap_or(KEYS_AGE_DEFAULT).clamp(KEYS_APART, KEYS_AGE_MAX);
                self.copies.keep(source, &body);
            }
            Err(error) => {
                let known = one.document.is_some();
                let pause = KEYS_RETRY_MIN.saturating_mul(1 << one.failures.min(6));
                let pause = if known { KEYS_APART } else { pause.min(KEYS_APART) };
                one.failures = one.failures.saturating_add(1);
                one.by_itself = known || format == KeyFormat::KeySet;
                one.due = Instant::now() + pause;
                tracing::warn!(
                    url,
                    error,
                    known,
                    retry_seconds = pause.as_secs(),
                    "cannot fetch the sender's keys; those that were known go on counting"
                );
            }
        }
        // Who waits looks again once the places are filled.
        self.attend();
        self.publications.get_mut(source).into_iter().for_each(|one| one.waiting.clear());
    }
}

impl Publication {
    fn new(source: &KeySource, copy: Option<KeyDocument>) -> Self {
        Self {
            by_itself: copy.is_some() || source.format() == KeyFormat::KeySet,
            document: copy.map(Arc::new),
            due: Instant::now(),
            asked_at: None,
            fetching: false,
            failures: 0,
            waiting: Vec::new(),
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        !self.fetching && self.due <= now && (self.by_itself || !self.waiting.is_empty())
    }

    /// Whether it is fetched now since somebody asks: a set that is there may have another key by now, and what is not there
    /// has its own pauses.
    fn may_be_asked(&mut self, now: Instant) -> bool {
        if self.document.is_some() {
            let just_now = self.asked_at.is_some_and(|at| now.duration_since(at) < KEYS_APART);
            self.due = if just_now { self.due } else { now };
        } else if self.by_itself && self.asked_at.is_none_or(|at| now.duration_since(at) >= KEYS_APART) {
            self.due = now;
        }
        self.due <= now
    }
}

#[cfg(test)]
mod tests {
    use boathook_sinks::AddressGuard;

    use super::*;

    /// A keeper of nothing, and an endpoint's verifier.
    fn keeper(data: &Path) -> Keeper {
        let metrics = Arc::new(Metrics::new());
        Keeper {
            configuration: Arc::new(Configuration::new(AddressGuard::default(), Arc::clone(&metrics))),
            metrics,
            copies: KeyCopies::below(Some(data)),
            publications: HashMap::new(),
            under_way: HashMap::new(),
        }
    }

    /// The place of a key set.
    fn slot() -> Arc<KeySlot> {
        let scheme = serde_json::json!({
            "kind": "jwt",
            "signature": { "from": { "headers": ["Authorization"] } },
            "jwt": { "algorithms": ["EdDSA"], "jwksURL": "https://issuer.example/keys" },
            "bodyProtected": false,
        });
        let scheme = serde_json::from_value(scheme).unwrap();
        let verifier = boathook_verify::Verifier::compile(&scheme, &boathook_verify::Setup::default());
        verifier.unwrap().key_slots().pop().unwrap()
    }

    #[tokio::test]
    async fn a_fetch_that_breaks_off_is_one_that_has_failed() {
        let data = tempfile::TempDir::new().unwrap();
        let mut keeper = keeper(data.path());
        let source = slot().source().clone();
        let mut one = Publication::new(&source, None);
        (one.fetching, one.failures) = (true, 0);
        keeper.publications.insert(source.clone(), one);
        let mut fetches: JoinSet<Brought> = JoinSet::new();
        let fetch = fetches.spawn(std::future::pending());
        keeper.under_way.insert(fetch.id(), source.clone());
        fetch.abort();
        let ended = fetches.join_next_with_id().await.unwrap();
        assert!(ended.is_err());
        // Nobody is served here, so that what is not fetched would be forgotten.
        let one = keeper.publications.get(&source).map(|one| one.fetching);
        assert_eq!(one, Some(true));
        keeper.ended(ended);
        assert!(keeper.under_way.is_empty() && keeper.publications.is_empty());
        assert!(keeper.metrics.text().contains("boathook_key_fetches_total{outcome=\"failed\"} 1"));
    }

    #[test]
    fn what_requests_name_is_fetched_when_it_is_asked_for_and_then_at_growing_pauses() {
        let source = slot().source().clone();
        let mut named = Publication { by_itself: false, ..Publication::new(&source, None) };
        let now = Instant::now();
        assert!(!named.is_due(now), "nobody has asked");
        assert!(named.may_be_asked(now));
        let (told, _) = oneshot::channel();
        named.waiting.push(told);
        assert!(named.is_due(now));
        named.due = now + KEYS_RETRY_MIN;
        named.asked_at = Some(now);
        assert!(!named.may_be_asked(now) && named.may_be_asked(now + KEYS_RETRY_MIN));
    }
}
