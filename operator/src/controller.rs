//! The loop: whatever happens in a namespace, look at it whole, decide, and bring the cluster and the statuses there.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use boathook_event::ObjectName;
use boathook_plan::{Configuration, World, plan};
use boathook_table::{Accepted, OpenKey};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use zeroize::Zeroizing;

use crate::{
    apply,
    capture::capture,
    fetch::{self, Values, fetch},
    limits::{
        CAPTURE_RETRY, CHANGES_TOGETHER, DRAINING_LOOK, LOOKS_APART, NAMESPACES_AT_ONCE, RESYNC, RETRY_MAX,
        RETRY_MIN, WAITING_MAX,
    },
    report::report,
    watches::{self, Stores},
};

/// What is remembered of a namespace between two looks.
#[derive(Default)]
struct Memory {
    /// What was accepted last, by class; none = not known yet.
    accepted: Option<BTreeMap<String, Accepted>>,
    values: Values,
    /// Why captured secrets could not be put where they belong, the last time.
    captures_failed: BTreeMap<ObjectName, String>,
    /// Failures in a row.
    failures: u32,
}

/// What a look at a namespace needs.
struct Controller {
    client: Client,
    /// Opens secrets that receivers have captured. In memory alone: another leader has another, and receivers seal anew.
    key: OpenKey,
    configuration: Arc<Configuration>,
    stores: Stores,
    memories: Mutex<HashMap<String, Arc<Mutex<Memory>>>>,
}

/// Runs as long as the watches do.
pub(crate) async fn run(client: Client, configuration: Arc<Configuration>) {
    let (touch, mut touched) = mpsc::channel(WAITING_MAX);
    let stores = watches::start(&client, &touch).await;
    let key = OpenKey::new(&Zeroizing::new(rand::random()));
    let controller = Arc::new(Controller { client, key, configuration, stores, memories: Mutex::default() });
    let mut due: BTreeMap<String, Instant> = BTreeMap::new();
    let mut at_work: BTreeSet<String> = BTreeSet::new();
    // Namespaces that were looked at within the last second, and when the next look may come.
    let mut rests: BTreeMap<String, Instant> = BTreeMap::new();
    let mut works = JoinSet::new();
    let mut resync = tokio::time::interval(RESYNC);
    loop {
        let now = Instant::now();
        let ready = due.iter().filter(|(namespace, at)| **at <= now && !at_work.contains(*namespace));
        let ready: Vec<String> =
            ready.map(|(namespace, _)| namespace.clone()).take(NAMESPACES_AT_ONCE - at_work.len()).collect();
        for namespace in ready {
            due.remove(&namespace);
            at_work.insert(namespace.clone());
            let controller = Arc::clone(&controller);
            works.spawn(async move {
                let again = controller.reconcile(&namespace).await;
                (namespace, again)
            });
        }
        let next = if at_work.len() < NAMESPACES_AT_ONCE {
            due.iter().filter(|(namespace, _)| !at_work.contains(*namespace)).map(|(_, at)| *at).min()
        } else {
            None
        };
        tokio::select! {
            Some(namespace) = touched.recv() => {
                let soon = Instant::now() + CHANGES_TOGETHER;
                let at = rests.get(&namespace).map_or(soon, |rest| soon.max(*rest));
                by_then(&mut due, namespace, at);
            }
            Some(ended) = works.join_next(), if !works.is_empty() => {
                // A panic of one namespace's work is a bug, and must not stop the others.
                let Ok((namespace, again)) = ended else {
                    tracing::error!("work on a namespace broke off: this is a bug, please report it");
                    at_work.clear();
                    continue;
                };
                at_work.remove(&namespace);
                let ended = Instant::now();
                rests.retain(|_, rest| *rest > ended);
                rests.insert(namespace.clone(), ended + LOOKS_APART);
                if let Some(pause) = again {
                    by_then(&mut due, namespace, Instant::now() + pause);
                }
            }
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            _ = resync.tick() => {
                for endpoint in controller.stores.endpoints.state() {
                    by_then(&mut due, endpoint.namespace().unwrap_or_default(), Instant::now());
                }
            }
        }
    }
}

/// A namespace is to be looked at by then, if not earlier: something that happens does not wait for a time that was set.
fn by_then(due: &mut BTreeMap<String, Instant>, namespace: String, at: Instant) {
    let known = due.entry(namespace).or_insert(at);
    *known = (*known).min(at);
}

impl Controller {
    /// Looks at a namespace; says when to look again without anything happening.
    async fn reconcile(&self, namespace: &str) -> Option<Duration> {
        let memory = Arc::clone(self.memories.lock().await.entry(namespace.to_owned()).or_default());
        let mut memory = memory.lock().await;
        match self.steps(namespace, &mut memory).await {
            Ok(again) => {
                memory.failures = 0;
                if memory.accepted.as_ref().is_some_and(BTreeMap::is_empty) {
                    // Nothing of ours is there: nothing is to be remembered.
                    self.memories.lock().await.remove(namespace);
                }
                again
            }
            Err(error) => {
                let pause = RETRY_MIN.saturating_mul(1 << memory.failures.min(10)).min(RETRY_MAX);
                memory.failures += 1;
                tracing::warn!(namespace, %error, retry_seconds = pause.as_secs(), "cannot reconcile; trying again");
                Some(pause)
            }
        }
    }

    /// Fetch, plan, apply, capture, report.
    async fn steps(&self, namespace: &str, memory: &mut Memory) -> Result<Option<Duration>, kube::Error> {
        let Self { client, key, configuration, stores, .. } = self;
        let accepted = match memory.accepted.take() {
            Some(accepted) => accepted,
            None => fetch::accepted(client, configuration, namespace).await?,
        };
        let fetched = fetch(client, stores, configuration, namespace, &accepted, &mut memory.values).await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                memory.accepted = Some(accepted);
                return Err(error);
            }
        };
        let decided = plan(&World {
            namespace,
            configuration,
            endpoints: &fetched.endpoints,
            sinks: &fetched.sinks,
            keys: &fetched.keys,
            held: &fetched.held,
            accepted: &accepted,
            observed: &fetched.observed,
            seal_key: key.seal_key(),
            captures_failed: &memory.captures_failed,
            now: Timestamp::now(),
        });
        memory.accepted = Some(decided.accepted.clone());
        apply::delete(client, namespace, &decided.gone).await?;
        apply::apply(client, namespace, &decided.objects).await?;
        memory.captures_failed = capture(client, key, &decided.captured).await;
        report(client, &fetched, &decided).await?;
        let held = decided.look_again.map(|at| {
            // A little later, so that it has passed.
            Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default() + CHANGES_TOGETHER
        });
        let failed = (!memory.captures_failed.is_empty()).then_some(CAPTURE_RETRY);
        let draining = (!decided.draining.is_empty()).then_some(DRAINING_LOOK);
        Ok([held, draining, failed].into_iter().flatten().min())
    }
}
