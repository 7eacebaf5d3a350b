//! Everything that the store knows, and how a batch changes it.
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use boathook_event::{
    Attempt, DedupeKey, Digest, Event, Flow, ObjectName, ParkReason, Seq, Uid, limits::SINKS_PER_EVENT_MAX,
};
use jiff::Timestamp;

use super::{
    counts::Counts,
    lanes::{Lanes, Waiting},
    refused::Refused,
};
use crate::{
    Error,
    limits::{APPEND_OVERHEAD_BYTES, MEMORY_BYTES_MAX, MEMORY_ENDED_MAX, MEMORY_EVENTS_MAX},
    traits::{Append, Batch, DeliveryState, Epoch, Standing, Verdict},
};

/// What is on its way, and what was counted.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) last_seq: Seq,
    /// The last right that was given.
    epoch: u64,
    /// Those of which a delivery has not ended.
    pub(super) events: BTreeMap<Seq, Kept>,
    uids: HashMap<Uid, Seq>,
    /// By the hash of each key: the digest of the body that came with it, and the place.
    keys: HashMap<Digest, Vec<(Option<Digest>, Seq)>>,
    pub(super) lanes: Lanes,
    /// Bytes of all events.
    bytes: usize,
    /// How the last ones ended that are not here any more: a request that has just joined one asks for it.
    ended: VecDeque<(Seq, Standing)>,
    pub(super) counts: Counts,
    pub(super) refused: Refused,
}

/// An event that is on its way.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) event: Arc<Event>,
    dedupe: Vec<DedupeKey>,
    /// By sink, and within one sink by [`Making::replay`].
    pub(super) deliveries: Vec<Making>,
}

/// A delivery, and how it stands.
#[derive(Debug, Clone)]
pub(super) struct Making {
    pub(super) sink: ObjectName,
    pub(super) ordered: bool,
    pub(super) replay: u32,
    pub(super) state: DeliveryState,
    pub(super) parked_for: Option<ParkReason>,
    pub(super) attempts: u32,
    pub(super) due: Option<Timestamp>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) failures: Vec<Attempt>,
}

impl Making {
    /// Pending, and never tried.
    pub(super) fn new(sink: ObjectName, ordered: bool) -> Self {
        Self {
            sink,
            ordered,
            replay: 0,
            state: DeliveryState::Pending,
            parked_for: None,
            attempts: 0,
            due: None,
            completed_at: None,
            failures: Vec::new(),
        }
    }
}

impl Kept {
    /// Bytes of its body.
    pub(super) fn body_bytes(&self) -> i64 {
        i64::try_from(self.event.body.len()).unwrap_or(i64::MAX)
    }

    /// How a delivery of it waits.
    pub(super) fn waiting(&self, seq: Seq, ordered: bool, due: Option<Timestamp>) -> Waiting<'_> {
        let flow = Flow::of(&self.event.endpoint, self.event.tenant.as_deref());
        Waiting { seq, key: self.event.key.as_deref().filter(|_| ordered), due, flow }
    }

    /// The place of the last delivery to this sink among them.
    pub(super) fn last_to(&self, sink: &ObjectName) -> Option<usize> {
        self.deliveries.iter().rposition(|making| making.sink == *sink)
    }

    fn standing(&self) -> Standing {
        // A later one of the same sink stands for it.
        let last = |(place, making): &(usize, &Making)| self.last_to(&making.sink) == Some(*place);
        let last = self.deliveries.iter().enumerate().filter(last);
        let deliveries = last.map(|(_, making)| (making.sink.clone(), making.state)).collect();
        Standing { uid: self.event.uid, deliveries }
    }

    fn is_pending(&self) -> bool {
        self.deliveries.iter().any(|making| making.state == DeliveryState::Pending)
    }

    /// What it weighs, about.
    fn bytes(&self) -> usize {
        let head = &self.event.head;
        let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        let query = head.query.as_ref().map_or(0, |query| query.len());
        self.event.body.len() + head.path.len() + query + headers.sum::<usize>() + APPEND_OVERHEAD_BYTES
    }
}

/// What an append is.
enum Known {
    New,
    Conflicts,
    Repeats(Seq),
}

impl State {
    pub(super) fn commit(&mut self, batch: &Batch, now: Timestamp) -> Result<Vec<Verdict>, Error> {
        let Batch { appends, outcomes, counters, rejected } = batch;
        if let Some(append) = appends.iter().find(|append| append.destinations.len() > SINKS_PER_EVENT_MAX) {
            return Err(Error::Rejected(format!(
                "it has {} sinks, more than {SINKS_PER_EVENT_MAX}",
                append.destinations.len()
            )));
        }
        self.counts.turn(now);
        let verdicts = appends.iter().map(|append| self.append(append, now)).collect();
        for (epoch, record) in outcomes {
            if epoch.0 == self.epoch {
                self.record(record, now);
            }
        }
        counters.iter().for_each(|count| self.counts.add(count));
        rejected.iter().for_each(|rejected| self.refused.remember(rejected.clone().bounded()));
        Ok(verdicts)
    }

    /// Gives the right to record outcomes; those given before end.
    pub(super) fn claim(&mut self) -> Epoch {
        self.epoch += 1;
        Epoch(self.epoch)
    }

    /// Whether no more events may come for now.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= MEMORY_EVENTS_MAX || self.bytes >= MEMORY_BYTES_MAX
    }

    /// How an event stands, also one that has just ended.
    pub(super) fn standing(&self, seq: Seq) -> Option<Standing> {
        let ended = || self.ended.iter().rev().find(|(place, _)| *place == seq);
        let here = self.events.get(&seq).map(Kept::standing);
        here.or_else(|| ended().map(|(_, standing)| standing.clone()))
    }

    /// The place of an event that is here.
    pub(super) fn place(&self, uid: &Uid) -> Option<Seq> {
        self.uids.get(uid).copied()
    }

    fn append(&mut self, append: &Append, now: Timestamp) -> Verdict {
        let event = &append.event;
        let conflict = match self.known(&append.dedupe) {
            Known::Repeats(of) => {
                self.counts.repeated(&event.endpoint);
                let rearmed = append.parked.is_none() && self.rearm(of, now);
                return Verdict::Duplicate { of, rearmed };
            }
            Known::Conflicts => true,
            Known::New => false,
        };
        self.last_seq += 1;
        let seq = self.last_seq;
        self.counts.stored(&event.endpoint, event.event_type.as_deref(), conflict);
        let deliveries = append.distinct_destinations().map(|destination| {
            let making = Making::new(destination.sink.clone(), destination.ordered && event.key.is_some());
            match append.parked {
                None => making,
                Some(reason) => Making {
                    state: DeliveryState::Parked,
                    parked_for: Some(reason),
                    completed_at: Some(now),
                    ..making
                },
            }
        });
        let deliveries = deliveries.collect();
        let kept = Kept { event: Arc::clone(event), dedupe: append.dedupe.clone(), deliveries };
        for making in &kept.deliveries {
            let route = self.counts.route(&event.endpoint, &making.sink);
            if making.state == DeliveryState::Pending {
                route.waits(kept.body_bytes());
                self.lanes.enter(&making.sink, kept.waiting(seq, making.ordered, None));
            } else {
                self.counts.put_aside(&event.endpoint, &making.sink);
            }
        }
        for key in &append.dedupe {
            self.keys.entry(key.hash).or_default().push((key.body, seq));
        }
        self.uids.insert(event.uid, seq);
        self.bytes += kept.bytes();
        self.events.insert(seq, kept);
        self.end(seq);
        if conflict { Verdict::IdConflict { seq } } else { Verdict::Stored { seq } }
    }

    /// Whether an event with one of these keys is on its way: the first one of the first such key.
    fn known(&self, dedupe: &[DedupeKey]) -> Known {
        let mut known = Known::New;
        for key in dedupe {
            let Some(entries) = self.keys.get(&key.hash) else { continue };
            let same = |(body, _): &&(Option<Digest>, Seq)| key.body.is_none() || *body == key.body;
            if let Some((_, seq)) = entries.iter().find(same) {
                return Known::Repeats(*seq);
            }
            known = Known::Conflicts;
        }
        known
    }

    /// Lets the event go if none of its deliveries is pending.
    pub(super) fn end(&mut self, seq: Seq) {
        if self.events.get(&seq).is_some_and(Kept::is_pending) {
            return;
        }
        if let Some(kept) = self.remove(seq) {
            self.ended.push_back((seq, kept.standing()));
            if self.ended.len() > MEMORY_ENDED_MAX {
                self.ended.pop_front();
            }
        }
    }

    /// Takes the event away, with its keys. What waits of it in lanes is the caller's.
    pub(super) fn remove(&mut self, seq: Seq) -> Option<Kept> {
        let kept = self.events.remove(&seq)?;
        for key in &kept.dedupe {
            if let Some(entries) = self.keys.get_mut(&key.hash) {
                entries.retain(|(_, of)| *of != seq);
                if entries.is_empty() {
                    self.keys.remove(&key.hash);
                }
            }
        }
        if self.uids.get(&kept.event.uid) == Some(&seq) {
            self.uids.remove(&kept.event.uid);
        }
        self.bytes = self.bytes.saturating_sub(kept.bytes());
        self.counts.gone();
        Some(kept)
    }
}
