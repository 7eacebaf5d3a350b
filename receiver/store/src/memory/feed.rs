//! What is still to be delivered, page by page.
use std::{fmt, ops::Bound, sync::Arc, time::Duration};

use boathook_event::{Delivery, DuePlace, ObjectName, Seq};
use jiff::Timestamp;

use super::{
    Shared,
    state::{Kept, Making, State},
    turns,
};
use crate::{
    Error,
    limits::FEED_ROWS_MAX,
    traits::{DueTurns, Fed, Feed, Joined, News, Page, Standing, Turned, TurnedDue, Turns},
};

/// The feed of a [`super::Memory`].
pub struct MemoryFeed(pub(super) Arc<Shared>);

impl Feed for MemoryFeed {
    fn join(&mut self, _: Duration) -> Result<Joined, Error> {
        Ok(Joined::Sole(self.0.state().claim()))
    }

    fn news(&self, _: u64) -> Result<News, Error> {
        Ok(News { last: self.0.state().last_seq, ..News::default() })
    }

    fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let state = self.0.state();
        let seqs = state.lanes.of(sink).into_iter().flat_map(|lane| lane.seqs.range(behind(after)));
        Ok(Filling::new(&state, sink, page, after).fill(seqs.copied(), |making| making.due.is_none()))
    }

    fn turns(&self, sink: &ObjectName, turns: &Turns, page: Page) -> Result<Turned, Error> {
        Ok(turns::read(&self.0.state(), sink, turns, page))
    }

    fn due(&self, sink: &ObjectName, until: Timestamp, after: DuePlace, page: Page) -> Result<Fed, Error> {
        let state = self.0.state();
        let due = state.lanes.of(sink).into_iter().flat_map(|lane| lane.due.range(behind(after)));
        let due = due.take_while(|(due, _)| *due <= until);
        Ok(Filling::new(&state, sink, page, 0).fill(due.map(|(_, seq)| *seq), |_| true))
    }

    fn due_turns(&self, sink: &ObjectName, turns: &DueTurns, page: Page) -> Result<TurnedDue, Error> {
        Ok(turns::read_due(&self.0.state(), sink, turns, page))
    }

    fn earliest_due(&self, sink: &ObjectName, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        let state = self.0.state();
        let later = (Bound::Excluded((after, Seq::MAX)), Bound::Unbounded);
        let due = state.lanes.of(sink).and_then(|lane| lane.due.range(later).next());
        Ok(due.map(|(due, _)| *due))
    }

    fn oldest(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let state = self.0.state();
        let seqs = state.lanes.of(sink).into_iter().flat_map(|lane| lane.seqs.range(behind(after)));
        Ok(Filling::new(&state, sink, page, after).fill(seqs.copied(), |_| true))
    }

    /// Nothing that is parked stays, so nothing holds its key.
    fn blocking(&self, _: &ObjectName, _: &[Seq]) -> Result<Vec<Seq>, Error> {
        Ok(Vec::new())
    }

    fn backlog(&self) -> Result<Vec<(ObjectName, u64)>, Error> {
        let sinks = self.0.state().counts.sinks();
        Ok(sinks.into_iter().map(|totals| (totals.sink, totals.pending_bytes)).collect())
    }

    fn standing(&self, seq: Seq) -> Result<Option<Standing>, Error> {
        Ok(self.0.state().standing(seq))
    }

    fn by_key(&self, sink: &ObjectName, key: &str, after: Seq, page: Page) -> Result<Fed, Error> {
        let state = self.0.state();
        let of_key = state.lanes.of(sink).and_then(|lane| lane.by_key.get(key));
        let seqs = of_key.into_iter().flat_map(|seqs| seqs.range(behind(after)));
        Ok(Filling::new(&state, sink, page, after).fill(seqs.copied(), |_| true))
    }
}

impl fmt::Debug for MemoryFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryFeed")
    }
}

fn behind<T>(after: T) -> (Bound<T>, Bound<T>) {
    (Bound::Excluded(after), Bound::Unbounded)
}

/// A page while it is filled.
pub(super) struct Filling<'f> {
    state: &'f State,
    sink: &'f ObjectName,
    page: Page,
    bytes: usize,
    fed: Fed,
}

impl<'f> Filling<'f> {
    pub(super) fn new(state: &'f State, sink: &'f ObjectName, page: Page, after: Seq) -> Self {
        let fed =
            Fed { deliveries: Vec::new(), tried: Vec::new(), blocking: Vec::new(), up_to: after, more: true };
        Self { state, sink, page, bytes: 0, fed }
    }

    /// Takes deliveries until the page is full, or as many were looked at as one page may cost.
    fn fill(mut self, seqs: impl Iterator<Item = Seq>, wanted: impl Fn(&Making) -> bool) -> Fed {
        for (looked_at, seq) in seqs.enumerate() {
            let Some((kept, making)) = self.waiting(seq) else { continue };
            let full = looked_at == FEED_ROWS_MAX || self.fed.deliveries.len() >= self.page.deliveries_max;
            let wanted = wanted(making);
            if full || (wanted && !self.take(seq, kept, making)) {
                return self.fed;
            }
            if !wanted && making.attempts > 0 {
                let key = kept.event.key.clone().filter(|_| making.ordered);
                self.fed.tried.extend(key.map(|key| (seq, key)));
            }
            self.fed.up_to = seq;
        }
        // There is nothing behind: everything that was stored at this moment was looked at.
        self.fed.up_to = self.fed.up_to.max(self.state.last_seq);
        self.fed.more = false;
        self.fed
    }

    /// Adds the delivery of the event at this place if the page has room for it. Returns whether it has.
    pub(super) fn take_next(&mut self, seq: Seq) -> bool {
        let full = self.fed.deliveries.len() >= self.page.deliveries_max.max(1);
        !full && self.waiting(seq).is_some_and(|(kept, making)| self.take(seq, kept, making))
    }

    /// The key of the last one that was taken, where it is ordered.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.fed.deliveries.last().and_then(Delivery::lane_key)
    }

    /// What was taken.
    pub(super) fn deliveries(self) -> Vec<Delivery> {
        self.fed.deliveries
    }

    /// The event at this place, and its delivery to the sink.
    fn waiting(&self, seq: Seq) -> Option<(&'f Kept, &'f Making)> {
        let kept = self.state.events.get(&seq)?;
        Some((kept, kept.deliveries.get(kept.last_to(self.sink)?)?))
    }

    /// Adds the delivery. Returns false if the page has no room for it.
    fn take(&mut self, seq: Seq, kept: &Kept, making: &Making) -> bool {
        let bytes = self.bytes + kept.event.body.len();
        if bytes > self.page.bytes_max && !self.fed.deliveries.is_empty() {
            return false;
        }
        self.bytes = bytes;
        self.fed.deliveries.push(Delivery {
            seq,
            sink: self.sink.clone(),
            event: Arc::clone(&kept.event),
            attempts: making.attempts,
            due: making.due,
            ordered: making.ordered,
            blocks: false,
            replay: making.replay,
        });
        true
    }
}
