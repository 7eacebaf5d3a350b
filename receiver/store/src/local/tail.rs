//! The commits that the journal has and the database does not have yet.
use std::{collections::HashSet, sync::Arc};

use boathook_event::{Next, ObjectName, Seq};

use crate::{
    limits::{APPEND_OVERHEAD_BYTES, TAIL_BYTES_MAX, TAIL_ITEMS_LEFT, TAIL_ITEMS_MAX},
    local::journal::{Decided, Frame, Stored},
};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Tails {
    /// Those that the database is taking, or could not take the last time.
    taken: Vec<Arc<Tail>>,
    /// Those after them.
    tail: Tail,
}

/// Some of them, one after another.
#[derive(Debug, Default)]
pub(super) struct Tail {
    frames: Vec<Frame>,
    items: usize,
    bytes: usize,
    /// Events one of whose deliveries was put aside, or started anew, in these commits.
    touched: HashSet<Seq>,
    /// A delivery has become due, or due at another time, in these commits.
    due: bool,
}

impl Tails {
    pub(super) fn push(&mut self, frame: Frame) {
        self.tail.push(frame);
    }

    /// What the database is to take now. It is kept until it is [`Tails::taken`].
    pub(super) fn take(&mut self) -> Vec<Arc<Tail>> {
        if !self.tail.frames.is_empty() {
            self.taken.push(Arc::new(std::mem::take(&mut self.tail)));
        }
        self.taken.clone()
    }

    /// The database has what it took.
    pub(super) fn taken(&mut self) {
        self.taken.clear();
    }

    /// Whether the database should take what it is not taking yet.
    pub(super) fn are_long(&self) -> bool {
        self.tail.items >= TAIL_ITEMS_MAX || self.tail.bytes >= TAIL_BYTES_MAX
    }

    /// Whether nothing may be added before the database has taken some.
    pub(super) fn are_full(&self) -> bool {
        let items: usize = self.all().map(|tail| tail.items).sum();
        let bytes: usize = self.all().map(|tail| tail.bytes).sum();
        items >= 4 * TAIL_ITEMS_MAX || bytes >= 4 * TAIL_BYTES_MAX
    }

    /// Whether these commits may have changed which deliveries of this event are put aside.
    pub(super) fn touched(&self, seq: Seq) -> bool {
        self.all().any(|tail| tail.touched.contains(&seq))
    }

    /// Whether a transaction about these events alone may go without these commits: they are few, and none concerns one of the events.
    pub(super) fn may_follow_work_on(&self, events: &[Seq]) -> bool {
        let (Some(first), Some(last)) = (events.iter().min(), events.iter().max()) else { return true };
        let among = |seq: &Seq| (first..=last).contains(&seq) && events.contains(seq);
        self.are_few()
            && !self.tail.frames.iter().any(|frame| {
                frame.outcomes.iter().any(|record| among(&record.seq))
                    || frame.appends.iter().any(|decided| match decided {
                        Decided::Stored(Stored { seq, .. }) => among(seq),
                        Decided::Duplicate { of, .. } => among(of),
                    })
            })
    }

    /// The deliveries to this sink that have ended in these commits, in order, if these are few, and nothing else in them changes what
    /// is due.
    pub(super) fn only_ended(&self, sink: &ObjectName) -> Option<Vec<Seq>> {
        if self.tail.due || !self.are_few() {
            return None;
        }
        let outcomes = self.tail.frames.iter().flat_map(|frame| &frame.outcomes);
        let mut ended: Vec<Seq> =
            outcomes.filter(|record| record.sink == *sink).map(|record| record.seq).collect();
        ended.sort_unstable();
        Some(ended)
    }

    /// Whether they are worth no transaction of their own. Some that it could not take the database takes first.
    fn are_few(&self) -> bool {
        self.taken.is_empty() && self.tail.items <= TAIL_ITEMS_LEFT
    }

    fn all(&self) -> impl Iterator<Item = &Tail> {
        self.taken.iter().map(Arc::as_ref).chain([&self.tail])
    }
}

impl Tail {
    fn push(&mut self, frame: Frame) {
        self.items +=
            frame.appends.len() + frame.outcomes.len() + frame.counters.len() + frame.rejected.len();
        for decided in &frame.appends {
            self.bytes += APPEND_OVERHEAD_BYTES;
            match decided {
                Decided::Stored(Stored { seq, append, .. }) => {
                    self.bytes += append.event.body.len();
                    self.touched.extend(append.parked.is_some().then_some(*seq));
                }
                Decided::Duplicate { of, rearm, .. } => {
                    self.touched.extend(rearm.then_some(*of));
                    self.due |= rearm;
                }
            }
        }
        for record in &frame.outcomes {
            self.touched.extend(matches!(record.next, Next::Parked(_)).then_some(record.seq));
            self.due |= matches!(record.next, Next::Retry { .. });
        }
        self.frames.push(frame);
    }

    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }
}
