//! What this pod says in the objects' statuses: its own entry of `status.receivers`, by server-side apply, and nothing else.
//!
//! What changes an endpoint's health is said at once, within a rate that the API server bears; counters once a minute.
//! Nothing is written while nothing has changed.
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use boathook_crds::{
    Breaker, DeliveryTotals, EndpointReport, EventTotals, SecretRef, SecretStatus, SinkReport,
    WebhookEndpoint, WebhookSink,
};
use boathook_event::{EndpointTotals, ObjectName, SinkTotals, Word, limits::FAILURES_ARE_FAILED};
use boathook_store::{Reader, traits::Statistics};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    brought::Sealed,
    ingress::Ingress,
    limits::{
        REPORT_ASK, REPORT_COUNTERS_AFTER, REPORT_COUNTERS_PER_SECOND, REPORT_LOOK, REPORTS_AT_ONCE,
        REPORTS_PER_SECOND,
    },
    pulse::Pulse,
    serving::Serving,
};

/// Who reports.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// Writes this pod's entries.
pub(crate) struct Reporting {
    client: Client,
    pod: Pod,
    ingress: Arc<Ingress>,
    reader: Reader,
    endpoints: BTreeMap<ObjectName, Said<EndpointFacts>>,
    sinks: BTreeMap<ObjectName, Said<SinkFacts>>,
    sealed: Sealed,
    told: Told,
    asked: Option<Instant>,
    urgent: DefaultDirectRateLimiter,
    counters: DefaultDirectRateLimiter,
}

/// What the store told last.
#[derive(Default)]
struct Told {
    /// Since when each endpoint's oldest delivery waits.
    waiting: HashMap<ObjectName, Timestamp>,
    endpoints: HashMap<ObjectName, EventTotals>,
    sinks: HashMap<ObjectName, DeliveryTotals>,
}

/// What was said last of an object, and when.
struct Said<F> {
    facts: F,
    at: Instant,
}

/// What is known of an endpoint, numbers as the store told them last.
#[derive(Debug, Clone, PartialEq)]
struct EndpointFacts {
    generation: i64,
    serving: Option<i64>,
    totals: Option<EventTotals>,
    last_event: Option<Timestamp>,
    last_rejected: Option<Timestamp>,
    last_delivered: Option<Timestamp>,
    consecutive_failures: u64,
    refused_often: bool,
    signed_refused: bool,
    oldest_pending: Option<Timestamp>,
    /// For how many minutes it has waited: while it does, that is said again.
    pending_minutes: i64,
    keys_since: Option<Timestamp>,
    usual_gap: Option<Duration>,
    secrets: Vec<(SecretRef, Option<Timestamp>)>,
    /// The secret that the provider has sent, sealed.
    captured: Option<String>,
}

/// What is known of a sink, numbers as the store told them last.
#[derive(Debug, Clone, PartialEq)]
struct SinkFacts {
    generation: i64,
    totals: Option<DeliveryTotals>,
    last_delivered: Option<Timestamp>,
    last_error: Option<Timestamp>,
    consecutive_failures: u64,
    breaker: Breaker,
}

/// How soon a change is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Now,
    Sometime,
}

/// What decides on health, and what somebody waits for.
#[derive(Debug, Default, PartialEq)]
struct Vital<'f> {
    generation: i64,
    serving: Option<i64>,
    /// Something has come; of a sink: it has taken something.
    any: bool,
    /// Something is counted as delivered, which is so a moment after it was.
    counted: bool,
    failing: bool,
    shut: bool,
    behind: bool,
    refused: [bool; 2],
    forgets: bool,
    captured: Option<&'f str>,
}

trait Facts: Clone + PartialEq {
    fn vital(&self) -> Vital<'_>;
}

impl Facts for EndpointFacts {
    fn vital(&self) -> Vital<'_> {
        Vital {
            generation: self.generation,
            serving: self.serving,
            any: self.last_event.is_some(),
            counted: self.totals.is_some_and(|totals| totals.delivered > 0),
            failing: self.consecutive_failures >= FAILURES_ARE_FAILED,
            shut: false,
            behind: self.pending_minutes > 0,
            refused: [self.refused_often, self.signed_refused],
            forgets: self.keys_since.is_some(),
            captured: self.captured.as_deref(),
        }
    }
}

impl Facts for SinkFacts {
    fn vital(&self) -> Vital<'_> {
        Vital {
            generation: self.generation,
            any: self.last_delivered.is_some(),
            counted: self.totals.is_some_and(|totals| totals.delivered > 0),
            failing: self.consecutive_failures >= FAILURES_ARE_FAILED,
            // Its endpoints are Degraded while it is.
            shut: self.breaker != Breaker::Closed,
            ..Vital::default()
        }
    }
}

/// Whether, and how soon, the facts are to be said.
fn urgency<F: Facts>(said: Option<&Said<F>>, facts: &F, now: Instant) -> Option<Urgency> {
    match said {
        None => Some(Urgency::Now),
        Some(said) if said.facts == *facts => None,
        Some(said) if said.facts.vital() != facts.vital() => Some(Urgency::Now),
        Some(said) if now.duration_since(said.at) >= REPORT_COUNTERS_AFTER => Some(Urgency::Sometime),
        Some(_) => None,
    }
}

impl Reporting {
    pub(crate) fn new(client: Client, pod: Pod, ingress: Arc<Ingress>, reader: Reader) -> Self {
        let rate = |per_second: NonZeroU32, at_once: NonZeroU32| {
            RateLimiter::direct(Quota::per_second(per_second).allow_burst(at_once))
        };
        Self {
            client,
            pod,
            ingress,
            reader,
            endpoints: BTreeMap::new(),
            sinks: BTreeMap::new(),
            sealed: Sealed::default(),
            told: Told::default(),
            asked: None,
            urgent: rate(REPORTS_PER_SECOND, REPORTS_AT_ONCE),
            counters: rate(REPORT_COUNTERS_PER_SECOND, REPORT_COUNTERS_PER_SECOND),
        }
    }

    /// Never returns.
    pub(crate) async fn run(mut self) {
        let mut looks = tokio::time::interval(REPORT_LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "cannot report into the objects' statuses; trying again");
            }
        }
    }

    /// Says what is to be said now.
    async fn look(&mut self) -> Result<(), kube::Error> {
        let (serving, now) = (self.ingress.live.load_full(), Instant::now());
        self.endpoints.retain(|name, _| serving.observed.endpoints.contains_key(name));
        self.sinks.retain(|name, _| serving.observed.sinks.contains_key(name));
        self.sealed.look(&self.ingress.brought, &serving);
        self.ask_now_and_then(now).await;
        let keys_since = self.ingress.keys_since.get();
        let endpoints =
            due(endpoint_facts(&serving, &self.sealed, &self.told, keys_since), &self.endpoints, now);
        let sinks = due(sink_facts(&serving, &self.told), &self.sinks, now);
        if endpoints.is_empty() && sinks.is_empty() {
            return Ok(());
        }
        let Ok(statistics) = self.reader.statistics().await else { return Ok(()) };
        self.told.count(&statistics);
        for (urgency, name, mut facts) in endpoints {
            if self.may(urgency) {
                facts.totals = self.told.endpoints.get(&name).copied();
                self.say::<WebhookEndpoint>(&name, &endpoint_entry(&self.pod, &facts)).await?;
                self.endpoints.insert(name, Said { facts, at: now });
            }
        }
        for (urgency, name, mut facts) in sinks {
            if self.may(urgency) {
                facts.totals = self.told.sinks.get(&name).copied();
                let error = serving.sink(&name).and_then(|served| served.traffic.error());
                self.say::<WebhookSink>(&name, &sink_entry(&self.pod, &facts, error)).await?;
                self.sinks.insert(name, Said { facts, at: now });
            }
        }
        Ok(())
    }

    /// Asks the store from time to time; what it told last goes on counting while it does not answer.
    async fn ask_now_and_then(&mut self, now: Instant) {
        if self.asked.is_some_and(|asked| now.duration_since(asked) < REPORT_ASK) {
            return;
        }
        self.asked = Some(now);
        if let Ok(waiting) = self.reader.oldest_pending().await {
            self.told.waiting = waiting.into_iter().collect();
        }
        if let Ok(statistics) = self.reader.statistics().await {
            self.told.count(&statistics);
        }
    }

    fn may(&self, urgency: Urgency) -> bool {
        match urgency {
            Urgency::Now => self.urgent.check().is_ok(),
            Urgency::Sometime => self.counters.check().is_ok(),
        }
    }

    /// Applies one entry. An object that is gone by now is none to report on.
    async fn say<K>(&self, name: &ObjectName, entry: &impl Serialize) -> Result<(), kube::Error>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), name.namespace());
        let manager = format!("boathook-receiver-{}", self.pod.name);
        let manager = manager.get(..manager.floor_char_boundary(128)).unwrap_or_default();
        let patch = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "status": { "receivers": [entry] },
        });
        match api.patch_status(name.name(), &PatchParams::apply(manager).force(), &Patch::Apply(patch)).await
        {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Told {
    fn count(&mut self, statistics: &Statistics) {
        let endpoints = statistics.endpoints.iter().map(|totals| (totals.endpoint.clone(), events(totals)));
        let sinks = statistics.sinks.iter().map(|totals| (totals.sink.clone(), deliveries(totals)));
        (self.endpoints, self.sinks) = (endpoints.collect(), sinks.collect());
    }
}

/// What is to be said, the urgent first.
fn due<F: Facts>(
    facts: impl Iterator<Item = (ObjectName, F)>,
    said: &BTreeMap<ObjectName, Said<F>>,
    now: Instant,
) -> Vec<(Urgency, ObjectName, F)> {
    let due = facts.filter_map(|(name, facts)| Some((urgency(said.get(&name), &facts, now)?, name, facts)));
    let mut due: Vec<_> = due.collect();
    due.sort_by_key(|(urgency, name, _)| {
        // Of those that can wait, the one that has waited longest.
        (*urgency, said.get(name).map(|said| said.at))
    });
    due
}

fn endpoint_facts<'s>(
    serving: &'s Serving,
    sealed: &'s Sealed,
    told: &'s Told,
    keys_since: Option<Timestamp>,
) -> impl Iterator<Item = (ObjectName, EndpointFacts)> + 's {
    let now = Timestamp::now();
    serving.observed.endpoints.iter().map(move |(name, generation)| {
        let served = serving.endpoint(name);
        let traffic = served.map(|served| &served.traffic);
        let pulse = traffic.map(|traffic| &traffic.pulse);
        let oldest_pending = told.waiting.get(name).copied();
        let secrets = served.iter().flat_map(|served| served.secrets.iter());
        let facts = EndpointFacts {
            generation: *generation,
            serving: served.map(|served| served.endpoint.generation),
            totals: told.endpoints.get(name).copied(),
            last_event: pulse.and_then(|pulse| pulse.last_event.get()),
            last_rejected: traffic.and_then(|traffic| traffic.last_rejected.get()),
            last_delivered: traffic.and_then(|traffic| traffic.last_delivered.get()),
            consecutive_failures: traffic.map_or(0, |traffic| traffic.consecutive_failures()),
            refused_often: pulse.is_some_and(Pulse::refused_often),
            signed_refused: pulse.is_some_and(Pulse::signed_refused),
            oldest_pending,
            pending_minutes: oldest_pending.map_or(0, |since| now.duration_since(since).as_mins()),
            keys_since,
            usual_gap: pulse.and_then(Pulse::usual_gap),
            secrets: secrets.map(|secret| (secret.place.clone(), secret.last_match.get())).collect(),
            captured: sealed.of(name).map(str::to_owned),
        };
        (name.clone(), facts)
    })
}

fn sink_facts<'s>(
    serving: &'s Serving,
    told: &'s Told,
) -> impl Iterator<Item = (ObjectName, SinkFacts)> + 's {
    serving.observed.sinks.iter().filter_map(move |(name, generation)| {
        let traffic = &serving.sink(name)?.traffic;
        let facts = SinkFacts {
            generation: *generation,
            totals: told.sinks.get(name).copied(),
            last_delivered: traffic.last_delivered.get(),
            last_error: traffic.last_error.get(),
            consecutive_failures: traffic.consecutive_failures(),
            breaker: traffic.breaker(),
        };
        Some((name.clone(), facts))
    })
}

fn endpoint_entry(pod: &Pod, facts: &EndpointFacts) -> EndpointReport {
    EndpointReport {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        generation: facts.generation,
        serving: facts.serving,
        report_time: Some(seconds(Timestamp::now())),
        last_event_time: facts.last_event.map(seconds),
        last_rejected_time: facts.last_rejected.map(seconds),
        last_delivered_time: facts.last_delivered.map(seconds),
        events: facts.totals,
        consecutive_failures: number(facts.consecutive_failures),
        refused_often: facts.refused_often,
        signed_refused: facts.signed_refused,
        oldest_pending_time: facts.oldest_pending.map(seconds),
        keys_since_time: facts.keys_since.map(seconds),
        usual_gap_seconds: facts.usual_gap.map(|gap| number(gap.as_secs())),
        secrets: facts.secrets.iter().map(secret).collect(),
        captured_secret: facts.captured.clone(),
    }
}

fn secret((SecretRef { name, key }, last_match): &(SecretRef, Option<Timestamp>)) -> SecretStatus {
    SecretStatus { name: name.clone(), key: key.clone(), last_match_time: last_match.map(seconds) }
}

fn events(totals: &EndpointTotals) -> EventTotals {
    EventTotals {
        accepted: number(totals.of(Word::Accepted)),
        duplicate: number(totals.of(Word::Duplicate)),
        ignored: number(totals.of(Word::Ignored)),
        rejected: number(totals.of(Word::Rejected)),
        delivered: number(totals.delivered),
        skipped: number(totals.skipped),
        pending: number(totals.pending),
        parked: number(totals.parked),
    }
}

fn deliveries(totals: &SinkTotals) -> DeliveryTotals {
    DeliveryTotals {
        delivered: number(totals.delivered),
        skipped: number(totals.skipped),
        pending: number(totals.pending),
        parked: number(totals.parked),
        failed_attempts: number(totals.failed_attempts),
    }
}

fn sink_entry(pod: &Pod, facts: &SinkFacts, error: Option<String>) -> SinkReport {
    SinkReport {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        generation: facts.generation,
        report_time: Some(seconds(Timestamp::now())),
        deliveries: facts.totals,
        last_delivered_time: facts.last_delivered.map(seconds),
        last_error_time: facts.last_error.map(seconds),
        last_error: error,
        consecutive_failures: number(facts.consecutive_failures),
        breaker: Some(facts.breaker),
    }
}

/// Whole seconds, as Kubernetes writes times.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn facts(generation: i64, events: i64, failures: u64) -> SinkFacts {
        SinkFacts {
            generation,
            totals: None,
            last_delivered: (events > 0).then(|| Timestamp::from_second(events).unwrap()),
            last_error: None,
            consecutive_failures: failures,
            breaker: Breaker::Closed,
        }
    }

    fn counted(facts: &SinkFacts, delivered: i64) -> SinkFacts {
        SinkFacts { totals: Some(DeliveryTotals { delivered, ..DeliveryTotals::default() }), ..facts.clone() }
    }

    #[test]
    fn health_is_said_at_once_counters_after_a_minute_and_nothing_when_nothing_changed() {
        let now = Instant::now();
        let said = |facts: SinkFacts, ago: Duration| Some(Said { facts, at: now.checked_sub(ago).unwrap() });
        let (short, long) = (Duration::from_secs(1), REPORT_COUNTERS_AFTER);
        for (before, then, expected) in [
            (None, facts(1, 0, 0), Some(Urgency::Now)),
            (said(facts(1, 0, 0), long), facts(1, 0, 0), None),
            (said(facts(1, 0, 0), short), facts(2, 0, 0), Some(Urgency::Now)),
            (said(facts(1, 0, 0), short), facts(1, 5, 0), Some(Urgency::Now)),
            (said(facts(1, 5, 0), short), facts(1, 6, 0), None),
            (said(facts(1, 5, 0), long), facts(1, 6, 0), Some(Urgency::Sometime)),
            // It was said before the store had counted it.
            (said(facts(1, 5, 0), short), counted(&facts(1, 5, 0), 1), Some(Urgency::Now)),
            (said(counted(&facts(1, 5, 0), 1), short), counted(&facts(1, 5, 0), 2), None),
            (said(counted(&facts(1, 5, 0), 1), long), counted(&facts(1, 5, 0), 2), Some(Urgency::Sometime)),
            (said(facts(1, 5, 0), short), facts(1, 5, FAILURES_ARE_FAILED), Some(Urgency::Now)),
            (said(facts(1, 5, FAILURES_ARE_FAILED), short), facts(1, 5, 0), Some(Urgency::Now)),
        ] {
            assert_eq!(urgency(before.as_ref(), &then, now), expected, "{then:?}");
        }
    }
}
