//! Erasing what a value is found in: each erasure walks the archive of one endpoint in a task of its own, a slice at a time.
use std::{sync::Arc, time::Instant};

use boathook_api::{Erasure, ErasureRequest, JobState};
use boathook_event::{Lookup, ObjectName, Seq};
use boathook_store::{
    Reader,
    limits::ERASE_SLICE,
    traits::{self, Archived, DeliveryState, Erased},
};
use jiff::Timestamp;

use super::{
    Answered, Parts,
    call::Call,
    events::ERASED_LATER,
    hand::Hand,
    invalid,
    jobs::{Job, new_id},
    object,
};
use crate::{
    limits::{ERASE_AGAIN, ERASE_AGAIN_MAX, ERASE_BYTES},
    serving::Live,
};

/// One erasure, as it runs.
struct Walk {
    job: Job<Erasure>,
    endpoint: ObjectName,
    lookup: Lookup,
    value: String,
    since: Option<Timestamp>,
    /// What comes later is not meant.
    until: Timestamp,
    dry_run: bool,
    live: Arc<Live>,
    reader: Reader,
    hand: Hand,
}

impl Parts {
    pub(super) async fn start_erasure(&self, call: &Call) -> Answered {
        let ErasureRequest { endpoint, template, value, since, until, dry_run } = call.body()?;
        let name = object("endpoint", &endpoint)?;
        let lookup = Lookup::compile(&template).map_err(|error| {
            invalid(format!("`template` is wrong: {error}"), "write one such as {/user/email}")
        })?;
        if value.is_empty() {
            return Err(invalid("`value` is empty", "write the text that is looked for, whole"));
        }
        let now = Timestamp::now();
        let job = self.erasures.begin(Erasure {
            id: new_id(),
            state: JobState::Running,
            endpoint,
            template,
            dry_run,
            looked_at: 0,
            events: 0,
            pending: 0,
            parked: 0,
            started_at: now,
            ended_at: None,
            error: None,
        })?;
        let walk = Walk {
            job: job.clone(),
            endpoint: name,
            lookup,
            value,
            since,
            until: until.map_or(now, |until| until.min(now)),
            dry_run,
            live: Arc::clone(&self.live),
            reader: self.reader.clone(),
            hand: self.hand.clone(),
        };
        job.start(walk.run(), dry_run).await
    }
}

impl Walk {
    async fn run(self) {
        let walked = self.walk().await;
        // Also of one that was cancelled nothing is to be found.
        let cleaned = if self.dry_run { Ok(()) } else { self.clean().await };
        self.job.ended(walked.and(cleaned));
        let Erasure { id, state, endpoint, looked_at, events, dry_run, error, .. } =
            self.job.progress().clone();
        tracing::warn!(
            id,
            ?state,
            endpoint,
            looked_at,
            events,
            dry_run,
            error,
            "a person has had events erased"
        );
    }

    /// Ends early, between two slices, if it is cancelled.
    async fn walk(&self) -> Result<(), boathook_store::Error> {
        let (mut after, mut events_max) = (0, 1);
        loop {
            let begun = Instant::now();
            let slice = self.reader.list(Some(&self.endpoint), after, events_max).await?;
            let Some(last) = slice.last() else { return Ok(()) };
            after = last.seq;
            // As many as their bodies allow, which are in memory together.
            let bytes: usize = slice.iter().map(|archived| archived.event.body.len()).sum();
            let twice = events_max.saturating_mul(2).min(ERASE_SLICE);
            events_max = if bytes > ERASE_BYTES { events_max.div_ceil(2) } else { twice };
            let looked_at = slice.len() as u64;
            let found: Vec<&Archived> = slice.iter().filter(|archived| self.is_meant(archived)).collect();
            let erased = match (&*found, self.dry_run) {
                ([], _) => Erased::default(),
                (found, true) => would_be(found),
                (found, false) => {
                    let seqs: Vec<Seq> = found.iter().map(|archived| archived.seq).collect();
                    self.hand.erase(seqs).await?
                }
            };
            self.add(looked_at, erased);
            // Others use the store, too.
            if !self.job.goes_on(Instant::now() + begun.elapsed()).await {
                return Ok(());
            }
        }
    }

    fn is_meant(&self, Archived { event, .. }: &Archived) -> bool {
        let in_time =
            self.since.is_none_or(|since| since <= event.received_at) && event.received_at <= self.until;
        let serving = self.live.load();
        let reading = serving.endpoint(&self.endpoint).map(|served| &served.endpoint.reading);
        in_time && self.lookup.value(event, reading).is_some_and(|value| value == self.value)
    }

    fn add(&self, looked_at: u64, Erased { events, pending, parked, traces: _ }: Erased) {
        let mut progress = self.job.progress();
        progress.looked_at += looked_at;
        progress.events += events;
        progress.pending += pending;
        progress.parked += parked;
    }

    /// Waits until whoever reads the store lets go of what was erased.
    async fn clean(&self) -> Result<(), boathook_store::Error> {
        for _ in 0..ERASE_AGAIN_MAX {
            if !self.hand.erase(Vec::new()).await?.traces {
                return Ok(());
            }
            tokio::time::sleep(ERASE_AGAIN).await;
        }
        Err(boathook_store::Error::Full(ERASED_LATER.into()))
    }
}

/// What erasing these would count.
fn would_be(found: &[&Archived]) -> Erased {
    let last = |state: DeliveryState| {
        let stands = |one: &&traits::ArchivedDelivery| one.state == state;
        found.iter().flat_map(|archived| archived.deliveries.iter().filter(stands)).count() as u64
    };
    let (pending, parked) = (last(DeliveryState::Pending), last(DeliveryState::Parked));
    Erased { events: found.len() as u64, pending, parked, traces: false }
}
