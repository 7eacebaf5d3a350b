//! Outcomes and counts, which wait for appends to ride along with.
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use boathook_event::{Count, ObjectName, Record, Rejected, Word};

use super::Share;
use crate::{
    limits::{
        BATCH_RECORDS_MAX, FULL_PAUSE, RECORDS_KEPT_MAX, REJECTED_WAITING_MAX, RIDERS_MAX, RIDERS_WAIT,
    },
    traits::{Batch, Epoch},
};

/// What waits, and since when.
#[derive(Debug)]
pub(super) struct Riders<T> {
    queue: VecDeque<(T, Vec<(Epoch, Record)>)>,
    records: usize,
    /// Folded: there are as many as endpoints and words, however long they wait.
    counts: BTreeMap<(ObjectName, Word), u64>,
    rejected: Vec<Rejected>,
    /// When the oldest came.
    since: Option<Duration>,
    /// The store was full: nothing rides before this.
    not_before: Duration,
}

impl<T> Default for Riders<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            records: 0,
            counts: BTreeMap::new(),
            rejected: Vec::new(),
            since: None,
            not_before: Duration::ZERO,
        }
    }
}

impl<T> Riders<T> {
    pub(super) fn record(&mut self, now: Duration, ticket: T, records: Vec<(Epoch, Record)>) {
        self.records += records.len();
        self.queue.push_back((ticket, records));
        self.since.get_or_insert(now);
    }

    pub(super) fn count(&mut self, now: Duration, counts: Vec<Count>) {
        for Count { endpoint, word, by } in counts {
            *self.counts.entry((endpoint, word)).or_default() += by;
            self.since.get_or_insert(now);
        }
    }

    pub(super) fn reject(&mut self, now: Duration, rejected: Vec<Rejected>) {
        let room = REJECTED_WAITING_MAX.saturating_sub(self.rejected.len());
        self.rejected.extend(rejected.into_iter().take(room));
        if !self.rejected.is_empty() {
            self.since.get_or_insert(now);
        }
    }

    /// Moves what may ride along into the batch; gives the outcomes' members.
    pub(super) fn take(&mut self, now: Duration, closing: bool, batch: &mut Batch) -> Vec<Share<T>> {
        let mut members = Vec::new();
        if now < self.not_before && !closing {
            return members;
        }
        while let Some((_, records)) = self.queue.front() {
            if !members.is_empty() && batch.outcomes.len() + records.len() > BATCH_RECORDS_MAX {
                break;
            }
            let Some((ticket, mut records)) = self.queue.pop_front() else { break };
            self.records -= records.len();
            members.push(Share { ticket, items: records.len(), bytes: 0 });
            batch.outcomes.append(&mut records);
        }
        let counts = std::mem::take(&mut self.counts).into_iter();
        batch.counters.extend(counts.map(|((endpoint, word), by)| Count { endpoint, word, by }));
        batch.rejected.append(&mut self.rejected);
        if self.queue.is_empty() {
            self.since = None;
        }
        members
    }

    /// Takes back what was not written because the store is full, ahead of what came since. Gives those for which there
    /// is no room.
    pub(super) fn put_back(&mut self, now: Duration, members: Vec<Share<T>>, batch: &Batch) -> Vec<Share<T>> {
        self.not_before = now + FULL_PAUSE;
        self.count(now, batch.counters.clone());
        self.reject(now, batch.rejected.clone());
        let mut dropped = Vec::new();
        let mut rest = &batch.outcomes[..];
        let mut kept = VecDeque::new();
        for share in members {
            let (mine, behind) = rest.split_at(share.items);
            rest = behind;
            if self.records + mine.len() > RECORDS_KEPT_MAX {
                dropped.push(share);
                continue;
            }
            self.records += mine.len();
            self.since.get_or_insert(now);
            kept.push_back((share.ticket, mine.to_vec()));
        }
        kept.append(&mut self.queue);
        self.queue = kept;
        dropped
    }

    /// Everybody who still waits.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        let Self { queue, .. } = std::mem::take(self);
        queue.into_iter().map(|(ticket, _)| ticket)
    }

    /// Whether they go without appends.
    pub(super) fn must_go(&self, now: Duration, closing: bool) -> bool {
        let waiting = self.since.is_some();
        waiting && (closing || self.deadline().is_some_and(|at| at <= now))
    }

    /// When they go without appends.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let since = self.since?;
        let patience = if self.records > RIDERS_MAX { Duration::ZERO } else { RIDERS_WAIT };
        Some((since + patience).max(self.not_before))
    }
}
