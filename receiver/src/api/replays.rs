//! Replays by filter: each walks the archive in a task of its own, a slice at a time, and leaves the store alone in between.
use std::time::{Duration, Instant};

use boathook_api::{DeliveryState, EventQuery, JobState, Order, Problem, Replay, ReplayRequest};
use boathook_event::Seq;
use boathook_store::{
    Reader,
    limits::REPLAY_SLICE,
    traits::{self, Found, Question, Replayed},
};
use jiff::Timestamp;

use super::{
    Answered, Parts,
    call::Call,
    events,
    hand::Hand,
    invalid,
    jobs::{Job, new_id},
};
use crate::limits::{REPLAY_LATE_MAX, REPLAY_SLICES_A_SECOND, REPLAY_SLICES_OF_PAGE};

/// A replay, as it runs.
struct Walk {
    job: Job<Replay>,
    question: Question,
    replay: traits::Replay,
    dry_run: bool,
    per_minute: Option<u32>,
    reader: Reader,
    hand: Hand,
}

impl Parts {
    pub(super) async fn start_replay(&self, call: &Call) -> Answered {
        self.may_replay()?;
        let mut request: ReplayRequest = call.body()?;
        let now = Timestamp::now();
        let state = *request.state.get_or_insert(DeliveryState::Parked);
        bounded(&request)?;
        // What comes from now on is not meant, though it may be looked at.
        request.until = Some(request.until.map_or(now, |until| until.min(now)));
        let replay = self.replay(request.sink.as_deref(), Some(state), request.to.as_deref())?;
        let question = events::question(EventQuery {
            endpoint: request.endpoint.clone(),
            sink: request.sink.clone(),
            state: Some(state),
            event_type: request.event_type.clone(),
            key: request.key.clone(),
            since: request.since,
            until: request.until,
            order: Some(Order::OldestFirst),
            ..EventQuery::default()
        })?;
        let (dry_run, per_minute) = (request.dry_run, request.per_minute);
        let job = self.replays.begin(Replay {
            id: new_id(),
            state: JobState::Running,
            request,
            events: 0,
            deliveries: 0,
            already_pending: 0,
            started_at: now,
            ended_at: None,
            error: None,
        })?;
        let walk = Walk {
            job: job.clone(),
            question,
            replay,
            dry_run,
            per_minute,
            reader: self.reader.clone(),
            hand: self.hand.clone(),
        };
        job.start(walk.run(), dry_run).await
    }
}

/// A filter that means everything there is may be a mistake.
fn bounded(request: &ReplayRequest) -> Result<(), Problem> {
    let ReplayRequest { endpoint, sink, since, until, per_minute, .. } = request;
    if endpoint.is_none() && sink.is_none() && since.is_none() && until.is_none() {
        return Err(invalid(
            "this would deliver everything again",
            "name at least one of `endpoint`, `sink`, `since` and `until`",
        ));
    }
    if *per_minute == Some(0) {
        return Err(invalid("`perMinute` is 0", "write at least 1, or leave it out"));
    }
    Ok(())
}

impl Walk {
    async fn run(self) {
        self.job.ended(self.walk().await);
        let Replay { id, state, events, deliveries, error, .. } = self.job.progress().clone();
        tracing::info!(id, ?state, events, deliveries, error, dry_run = self.dry_run, "a replay has ended");
    }

    /// Ends early, between two slices, if it is cancelled.
    async fn walk(&self) -> Result<(), boathook_store::Error> {
        let (mut after, mut free_at) = (None, Instant::now());
        loop {
            let Found { events, next } = self.reader.find(&self.question, after, self.page_max()).await?;
            if self.dry_run {
                self.count(&events);
            } else {
                for slice in events.chunks(self.slice_max()) {
                    let begun = Instant::now();
                    let armed = self.arm(slice.iter().map(|event| event.seq).collect()).await?;
                    free_at = self.free_at(free_at, armed, begun.elapsed());
                    if !self.job.goes_on(free_at).await {
                        return Ok(());
                    }
                }
            }
            after = next;
            if after.is_none() || !self.job.goes_on(free_at).await {
                return Ok(());
            }
        }
    }

    /// Events that are looked for at once: some slices of them.
    fn page_max(&self) -> usize {
        if self.dry_run { REPLAY_SLICE } else { REPLAY_SLICE.min(self.slice_max() * REPLAY_SLICES_OF_PAGE) }
    }

    /// Slices that a rate allows to be small are small: deliveries of what comes in do not wait long for one.
    fn slice_max(&self) -> usize {
        let slice = |per_minute: u32| {
            usize::try_from(per_minute.div_ceil(60 * REPLAY_SLICES_A_SECOND)).unwrap_or(REPLAY_SLICE)
        };
        self.per_minute.map_or(REPLAY_SLICE, slice).min(REPLAY_SLICE)
    }

    /// Until when the store is left alone: as long as it was busy, or until the rate allows more. A little that a slice came late is
    /// made up for, since timers are late.
    fn free_at(&self, before: Instant, armed: u64, busy: Duration) -> Instant {
        let now = Instant::now();
        let Some(per_minute) = self.per_minute else { return now + busy };
        let each = Duration::from_secs_f64(60.0 / f64::from(per_minute));
        let free_at = before + each.saturating_mul(u32::try_from(armed).unwrap_or(u32::MAX));
        now.checked_sub(REPLAY_LATE_MAX).map_or(free_at, |earliest| free_at.max(earliest))
    }

    fn count(&self, events: &[traits::Summary]) {
        let mut progress = self.job.progress();
        progress.events += events.len() as u64;
        progress.deliveries += events.iter().map(|event| self.meant(event)).sum::<u64>();
    }

    /// How many deliveries of the event would be made once more.
    fn meant(&self, event: &traits::Summary) -> u64 {
        if let Some(to) = &self.replay.to {
            let pending = |delivery: &traits::ArchivedDelivery| {
                delivery.sink == to.sink && delivery.state == traits::DeliveryState::Pending
            };
            return u64::from(!event.deliveries.iter().any(pending));
        }
        let meant = event.deliveries.iter().filter(|one| self.question.means(one, &event.deliveries));
        meant.count() as u64
    }

    async fn arm(&self, events: Vec<Seq>) -> Result<u64, boathook_store::Error> {
        let found = events.len() as u64;
        let Replayed { deliveries, pending, armed: _ } = self.hand.arm(events, &self.replay).await?;
        let mut progress = self.job.progress();
        progress.events += found;
        progress.deliveries += deliveries;
        progress.already_pending += pending;
        Ok(deliveries)
    }
}
