//! The commits that the journal has and the database does not have yet.
use std::collections::HashSet;

use boathook_event::{Next, ObjectName, Seq};

use crate::{
    limits::{APPEND_OVERHEAD_BYTES, TAIL_BYTES_MAX, TAIL_ITEMS_LEFT, TAIL_ITEMS_MAX},
    local::journal::{Decided, Frame, Stored},
};

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

impl Tail {
    pub(super) fn push(&mut self, frame: Frame) {
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

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the database should take it now.
    pub(super) fn is_long(&self) -> bool {
        self.items >= TAIL_ITEMS_MAX || self.bytes >= TAIL_BYTES_MAX
    }

    /// Whether nothing may be added before the database has taken it.
    pub(super) fn is_full(&self) -> bool {
        self.items >= 4 * TAIL_ITEMS_MAX || self.bytes >= 4 * TAIL_BYTES_MAX
    }

    /// Whether these commits may have changed which deliveries of this event are put aside.
    pub(super) fn touched(&self, seq: Seq) -> bool {
        self.touched.contains(&seq)
    }

    /// Whether a transaction about these events alone may go without these commits: they are few, and none concerns one of the events.
    pub(super) fn may_follow_work_on(&self, events: &[Seq]) -> bool {
        let (Some(first), Some(last)) = (events.iter().min(), events.iter().max()) else { return true };
        let among = |seq: &Seq| (first..=last).contains(&seq) && events.contains(seq);
        self.items <= TAIL_ITEMS_LEFT
            && !self.frames.iter().any(|frame| {
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
        if self.due || self.items > TAIL_ITEMS_LEFT {
            return None;
        }
        let outcomes = self.frames.iter().flat_map(|frame| &frame.outcomes);
        let mut ended: Vec<Seq> =
            outcomes.filter(|record| record.sink == *sink).map(|record| record.seq).collect();
        ended.sort_unstable();
        Some(ended)
    }
}
