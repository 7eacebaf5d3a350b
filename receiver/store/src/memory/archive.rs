//! Answering questions about what is on its way, and about what was counted.
use std::{collections::BTreeSet, fmt, ops::Bound, sync::Arc};

use boathook_event::{ObjectName, Rejected, Seq, Uid};
use jiff::Timestamp;

use super::{
    Shared,
    state::{Kept, Making, State},
};
use crate::{
    Error,
    limits::{ERASE_SLICE, LIST_MAX, LIST_ROWS_MAX, OLDEST_LOOKED_AT},
    oldest::{Waiting, oldest},
    traits::{
        Archive, Archived, ArchivedDelivery, DeliveryState, Erased, Found, Hour, Order, Question, Replay,
        Replayed, Retentions, Series, Span, Statistics, Summary,
    },
};

/// The archive of a [`super::Memory`]: it knows the events that are on their way, and no others.
pub struct MemoryArchive(pub(super) Arc<Shared>);

impl Archive for MemoryArchive {
    fn list(&self, endpoint: Option<&ObjectName>, after: Seq, limit: usize) -> Result<Vec<Archived>, Error> {
        let state = self.0.state();
        let events = state.events.range((Bound::Excluded(after), Bound::Unbounded));
        let of = events.filter(|(_, kept)| endpoint.is_none_or(|name| kept.event.endpoint == *name));
        Ok(of.take(limit.min(LIST_MAX)).map(|(seq, kept)| archived(*seq, kept)).collect())
    }

    fn show(&self, uid: &Uid) -> Result<Option<Archived>, Error> {
        let state = self.0.state();
        let seq = state.place(uid);
        Ok(seq.and_then(|seq| Some(archived(seq, state.events.get(&seq)?))))
    }

    fn place(&self, uid: &Uid) -> Result<Option<Seq>, Error> {
        Ok(self.0.state().place(uid))
    }

    fn find(&self, question: &Question, after: Option<Seq>, limit: usize) -> Result<Found, Error> {
        let state = self.0.state();
        let limit = limit.clamp(1, LIST_MAX);
        Ok(match question.order {
            Order::OldestFirst => {
                let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
                find(question, after, limit, state.events.range((behind, Bound::Unbounded)))
            }
            Order::NewestFirst => {
                let before = after.map_or(Bound::Unbounded, Bound::Excluded);
                find(question, after, limit, state.events.range((Bound::Unbounded, before)).rev())
            }
        })
    }

    fn rejections(
        &self,
        endpoint: Option<&ObjectName>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Rejected)>, Error> {
        Ok(self.0.state().refused.list(endpoint, after, limit))
    }

    fn statistics(&self) -> Result<Statistics, Error> {
        let State { counts, last_seq, .. } = &*self.0.state();
        let (endpoints, sinks) = (counts.endpoints(), counts.sinks());
        Ok(Statistics { endpoints, sinks, events: counts.events(), last_seq: *last_seq })
    }

    fn series(&self, span: &Span) -> Result<Series, Error> {
        Ok(self.0.state().counts.series(span))
    }

    fn oldest_pending(&self) -> Result<Vec<(ObjectName, Timestamp)>, Error> {
        let state = self.0.state();
        let backlogs = state.counts.backlogs();
        let sinks: BTreeSet<&ObjectName> = backlogs.iter().map(|backlog| backlog.sink).collect();
        let waiting: Vec<_> = sinks.into_iter().flat_map(|sink| waiting_for(&state, sink)).collect();
        let oldest = oldest(&backlogs, &waiting).into_iter();
        Ok(oldest.map(|(endpoint, since)| (endpoint.clone(), since)).collect())
    }

    /// Events go by themselves; what is counted and refused is bounded in time.
    fn retain(&mut self, retentions: &Retentions, now: Timestamp) -> Result<u64, Error> {
        let mut state = self.0.state();
        state.refused.retain(retentions, now);
        state.counts.forget(Hour::of(now).first_kept());
        Ok(0)
    }

    fn replay(&mut self, events: &[Seq], replay: &Replay) -> Result<Replayed, Error> {
        self.0.state().replay(events, replay, self.0.now())
    }

    fn erase(&mut self, events: &[Seq]) -> Result<Erased, Error> {
        if events.len() > ERASE_SLICE {
            return Err(Error::Rejected(format!("{} events, more than {ERASE_SLICE}", events.len())));
        }
        let (mut state, mut erased) = (self.0.state(), Erased::default());
        events.iter().for_each(|seq| state.erase(*seq, &mut erased));
        Ok(erased)
    }
}

impl fmt::Debug for MemoryArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryArchive")
    }
}

impl State {
    /// Lets the event go, whatever its deliveries.
    fn erase(&mut self, seq: Seq, erased: &mut Erased) {
        let Some(kept) = self.remove(seq) else { return };
        erased.events += 1;
        for making in &kept.deliveries {
            let route = self.counts.route(&kept.event.endpoint, &making.sink);
            match making.state {
                DeliveryState::Pending => {
                    route.waits_no_more(kept.body_bytes());
                    erased.pending += 1;
                    self.lanes.leave(&making.sink, kept.waiting(seq, making.ordered, making.due));
                }
                DeliveryState::Parked => {
                    route.parked -= 1;
                    erased.parked += 1;
                }
                DeliveryState::Delivered | DeliveryState::Skipped => continue,
            }
            route.erased += 1;
        }
    }
}

/// Looks at one after the other until the page is full or has cost enough.
fn find<'s>(
    question: &Question,
    after: Option<Seq>,
    limit: usize,
    events: impl Iterator<Item = (&'s Seq, &'s Kept)>,
) -> Found {
    let (mut found, mut at) = (Found { events: Vec::new(), next: None }, after);
    for (looked_at, (seq, kept)) in events.enumerate() {
        if found.events.len() == limit || looked_at == LIST_ROWS_MAX {
            found.next = at;
            return found;
        }
        at = Some(*seq);
        let summary = summary(*seq, kept);
        if question.ends_before(summary.received_at) {
            return found;
        }
        if question.fits(&summary) && question.fits_deliveries(&summary.deliveries) {
            found.events.push(summary);
        }
    }
    found
}

fn summary(seq: Seq, kept: &Kept) -> Summary {
    let event = &kept.event;
    Summary {
        seq,
        uid: event.uid,
        endpoint: event.endpoint.clone(),
        received_at: event.received_at,
        id: event.id.clone(),
        event_type: event.event_type.clone(),
        key: event.key.clone(),
        tenant: event.tenant.clone(),
        bytes: event.body.len() as u64,
        deliveries: kept.deliveries.iter().map(delivery).collect(),
    }
}

fn archived(seq: Seq, kept: &Kept) -> Archived {
    let deliveries = kept.deliveries.iter().map(delivery).collect();
    Archived { seq, event: Arc::clone(&kept.event), deliveries }
}

fn delivery(making: &Making) -> ArchivedDelivery {
    let Making { sink, ordered: _, replay, state, parked_for, attempts, due, completed_at, failures } =
        making;
    ArchivedDelivery {
        sink: sink.clone(),
        replay: *replay,
        state: *state,
        parked_for: parked_for.map(|reason| reason.as_str().into()),
        attempts: *attempts,
        due: *due,
        completed_at: *completed_at,
        failures: failures.clone(),
    }
}

/// The sink's oldest deliveries, by sequence.
fn waiting_for<'s>(state: &'s State, sink: &'s ObjectName) -> impl Iterator<Item = Waiting<&'s ObjectName>> {
    let seqs = state.lanes.of(sink).into_iter().flat_map(|lane| &lane.seqs).take(OLDEST_LOOKED_AT);
    seqs.filter_map(move |seq| {
        let event = &state.events.get(seq)?.event;
        Some(Waiting { sink, endpoint: &event.endpoint, since: event.received_at })
    })
}
