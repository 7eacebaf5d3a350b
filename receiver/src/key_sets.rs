//! The keys that issuers publish: fetched for the endpoints that need them, anew when they are old or a token names one
//! that is not known, and kept while the issuer is away, in the data folder over restarts.
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use boathook_sinks::Fetched;
use boathook_verify::{KeySet, KeySlot, limits::KEY_SET_BYTES_MAX};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    config::Configuration,
    limits::{
        KEYS_AGE_DEFAULT, KEYS_AGE_MAX, KEYS_APART, KEYS_KEPT_MAX, KEYS_RETRY_MIN, KEYS_WAIT_MAX,
        KEYS_WAITERS_MAX,
    },
};

/// Asks for keys.
pub(crate) struct KeySets(mpsc::Sender<Ask>);

/// The place that lacks a key, and who waits: told by being dropped.
type Ask = (Arc<KeySlot>, oneshot::Sender<()>);

/// What is known of one issuer.
struct Issuer {
    keys: Option<Arc<KeySet>>,
    /// When they are fetched again.
    due: Instant,
    /// When they were last asked for, with or without success.
    asked_at: Option<Instant>,
    fetching: bool,
    failures: u32,
    waiting: Vec<oneshot::Sender<()>>,
}

/// The task that fetches.
struct Keeper {
    configuration: Arc<Configuration>,
    folder: PathBuf,
    issuers: HashMap<Box<str>, Issuer>,
}

/// What a fetch has brought.
type Brought = (Box<str>, Result<Fetched, String>);

/// Starts keeping the keys of all endpoints, with a copy below the data folder. `configured` is marked when something else
/// is served.
pub(crate) fn start(
    configuration: &Arc<Configuration>,
    data: &Path,
    configured: watch::Receiver<()>,
) -> (KeySets, JoinHandle<()>) {
    let (asks, asked) = mpsc::channel(KEYS_WAITERS_MAX);
    let folder = data.join("keysets");
    let keeper = Keeper { configuration: Arc::clone(configuration), folder, issuers: HashMap::new() };
    (KeySets(asks), tokio::spawn(run(keeper, asked, configured)))
}

impl KeySets {
    /// Waits until the keys at this URL were fetched once more; not at all where that was done just now, and not for long.
    pub(crate) async fn look_again(&self, slot: &Arc<KeySlot>) {
        let (told, fetched) = oneshot::channel();
        if self.0.try_send((Arc::clone(slot), told)).is_ok() {
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
        let next = keeper.issuers.values().filter(|issuer| !issuer.fetching).map(|issuer| issuer.due).min();
        tokio::select! {
            changed = configured.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
                keeper.attend();
            }
            Some(ask) = asked.recv() => keeper.asked(ask),
            Some(brought) = fetches.join_next(), if !fetches.is_empty() => {
                if let Ok((url, fetched)) = brought {
                    keeper.take(&url, fetched);
                }
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

impl Keeper {
    /// Gives what is known to the endpoints that are served now, and forgets issuers that nobody needs any more.
    fn attend(&mut self) {
        let live = self.configuration.live.load_full();
        let mut wanted: BTreeMap<&str, Vec<&Arc<KeySlot>>> = BTreeMap::new();
        for served in live.endpoints() {
            if let Some(slot) = served.endpoint.verifier.key_slot() {
                wanted.entry(slot.url()).or_default().push(slot);
            }
        }
        self.issuers.retain(|url, issuer| issuer.fetching || wanted.contains_key(&**url));
        for (url, slots) in wanted {
            if !self.issuers.contains_key(url) {
                let issuer = self.recalled(url);
                self.issuers.insert(url.into(), issuer);
            }
            if let Some(keys) = self.issuers.get(url).and_then(|issuer| issuer.keys.as_ref()) {
                slots.iter().for_each(|slot| slot.fill(Arc::clone(keys)));
            }
        }
    }

    /// An issuer with what was known before the last start.
    fn recalled(&self, url: &str) -> Issuer {
        let file = self.file(url);
        let age = std::fs::metadata(&file).and_then(|about| about.modified()).map(|at| at.elapsed());
        let young = age.is_ok_and(|age| age.is_ok_and(|age| age <= KEYS_KEPT_MAX));
        let bytes = young.then(|| std::fs::read(&file).ok()).flatten();
        let keys = bytes.and_then(|bytes| KeySet::parse(&bytes).ok()).map(Arc::new);
        let (due, asked_at) = (Instant::now(), None);
        Issuer { keys, due, asked_at, fetching: false, failures: 0, waiting: Vec::new() }
    }

    fn file(&self, url: &str) -> PathBuf {
        let name: String = Sha256::digest(url).iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{name}.json"))
    }

    fn fetch_what_is_due(&mut self, fetches: &mut JoinSet<Brought>) {
        let now = Instant::now();
        let due = self.issuers.iter_mut().filter(|(_, issuer)| !issuer.fetching && issuer.due <= now);
        for (url, issuer) in due {
            issuer.fetching = true;
            issuer.asked_at = Some(now);
            let (url, fetcher) = (url.clone(), self.configuration.fetcher());
            fetches.spawn(async move {
                let fetched = match fetcher {
                    Ok(fetcher) => fetcher.get(&url, KEY_SET_BYTES_MAX).await,
                    Err(error) => Err(error),
                };
                (url, fetched)
            });
        }
    }

    /// Somebody's token names a key that is not known: it is looked for, unless that was done just now.
    fn asked(&mut self, (slot, waiting): Ask) {
        if !self.issuers.contains_key(slot.url()) {
            self.attend();
        }
        let Some(issuer) = self.issuers.get_mut(slot.url()) else { return };
        // It may be served by a configuration whose places are not filled yet.
        if let Some(keys) = issuer.keys.as_ref().filter(|_| slot.is_empty()) {
            slot.fill(Arc::clone(keys));
            return;
        }
        let now = Instant::now();
        let just_now = issuer.asked_at.is_some_and(|at| now.duration_since(at) < KEYS_APART);
        if !issuer.fetching && just_now {
            return;
        }
        issuer.due = now;
        if issuer.waiting.len() < KEYS_WAITERS_MAX {
            issuer.waiting.push(waiting);
        }
    }

    fn take(&mut self, url: &str, fetched: Result<Fetched, String>) {
        let file = self.file(url);
        let Some(issuer) = self.issuers.get_mut(url) else { return };
        issuer.fetching = false;
        let read = fetched.and_then(|fetched| Ok((KeySet::parse(&fetched.body)?, fetched)));
        match read {
            Ok((keys, Fetched { body, max_age })) => {
                if issuer.keys.is_none() || issuer.failures > 0 {
                    tracing::info!(url, ?keys, "the issuer's keys are there");
                }
                issuer.keys = Some(Arc::new(keys));
                issuer.failures = 0;
                issuer.due =
                    Instant::now() + max_age.unwrap_or(KEYS_AGE_DEFAULT).clamp(KEYS_APART, KEYS_AGE_MAX);
                keep(&file, &body);
            }
            Err(error) => {
                let pause = KEYS_RETRY_MIN.saturating_mul(1 << issuer.failures.min(6));
                let pause = if issuer.keys.is_some() { KEYS_APART } else { pause.min(KEYS_APART) };
                issuer.failures = issuer.failures.saturating_add(1);
                issuer.due = Instant::now() + pause;
                let known = issuer.keys.is_some();
                tracing::warn!(
                    url,
                    error,
                    known,
                    retry_seconds = pause.as_secs(),
                    "cannot fetch the issuer's keys; those that were known go on counting"
                );
            }
        }
        // Who waits looks again once the places are filled.
        self.attend();
        self.issuers.get_mut(url).into_iter().for_each(|issuer| issuer.waiting.clear());
    }
}

/// Keeps the document for a start while the issuer is away; that it cannot be kept harms nobody now.
fn keep(file: &Path, body: &[u8]) {
    let write = || {
        std::fs::create_dir_all(file.parent().unwrap_or(file))?;
        let new = file.with_extension("new");
        std::fs::write(&new, body)?;
        std::fs::rename(&new, file)
    };
    if let Err(error) = tokio::task::block_in_place(write) {
        tracing::warn!(file = %file.display(), %error, "cannot keep the issuer's keys for the next start");
    }
}
