//! The commits that the journal has and the database does not have yet.
use std::collections::HashSet;

use boathook_event::{Next, Seq};

use crate::{
    limits::{APPEND_OVERHEAD_BYTES, TAIL_BYTES_MAX, TAIL_ITEMS_MAX},
    local::journal::{Decided, Frame, Stored},
};

#[derive(Debug, Default)]
pub(super) struct Tail {
    frames: Vec<Frame>,
    items: usize,
    bytes: usize,
    /// Events one of whose deliveries was put aside, or started anew, in these commits.
    touched: HashSet<Seq>,
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
                Decided::Duplicate { of, rearm, .. } => self.touched.extend(rearm.then_some(*of)),
            }
        }
        for record in &frame.outcomes {
            self.touched.extend(matches!(record.next, Next::Parked(_)).then_some(record.seq));
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

    /// Roughly what it weighs in the database.
    pub(super) fn weight(&self) -> usize {
        self.items * APPEND_OVERHEAD_BYTES / 4
    }
}
