//! What a lane reads from the store, and what it makes of the answers.
use std::time::Duration;

use boathook_event::{Delivery, Seq};
use jiff::Timestamp;

use super::{Lane, Read, State, earlier};
use crate::{
    Command, Now,
    keys::KeyRead,
    limits::{
        KEY_QUEUE_MAX, KEY_READ_BYTES_MAX, KEYS_TAKEN_MAX, LANE_BYTES_MAX, LANE_DELIVERIES_MAX,
        LANE_WAITING_MAX, STORE_RETRY,
    },
};

/// What the cursor passes.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) tried: Vec<(Seq, Box<str>)>,
    pub(crate) blocking: Vec<(Seq, Box<str>)>,
    pub(crate) up_to: Seq,
    pub(crate) more: bool,
}

impl Lane {
    pub(crate) fn fed(
        &mut self,
        ticket: u64,
        Passed { deliveries, tried, blocking, mut up_to, mut more }: Passed,
        now: Now,
    ) {
        if self.feed != Read::UnderWay(ticket) {
            return;
        }
        self.held(ticket, blocking);
        let (mut tried, mut next) = (tried.into_iter().peekable(), Read::Idle);
        for delivery in deliveries {
            while let Some((seq, key)) = tried.next_if(|(seq, _)| *seq < delivery.seq) {
                self.hold_tried(ticket, seq, &key);
            }
            // What came meanwhile may have taken the room that was there when the page was asked for.
            if !self.has_room(delivery.event.body.len()) && !self.known.is_empty() {
                (up_to, more) = (delivery.seq.saturating_sub(1), true);
                break;
            }
            let seq = delivery.seq;
            if seq <= self.cursor || !self.is_new(seq, ticket) || !self.owns(&delivery) {
                continue;
            }
            if let Err(until) = self.admit(&delivery, now) {
                // The cursor waits for its tenant; the others overtake it.
                self.overtaking.rests(delivery.flow(), until);
                (up_to, more, next) = (seq.saturating_sub(1), true, Read::NotBefore(until));
                break;
            }
            if !self.take_fresh(delivery) {
                (up_to, more) = (seq.saturating_sub(1), true);
                break;
            }
        }
        tried.for_each(|(seq, key)| self.hold_tried(ticket, seq, &key));
        self.feed = next;
        self.read_ended();
        self.cursor = self.cursor.max(up_to);
        self.committed = self.committed.max(up_to);
        self.spilled = more || self.cursor < self.committed;
        if !self.spilled {
            self.caught_up();
        }
    }

    fn hold_tried(&mut self, ticket: u64, seq: Seq, key: &str) {
        if self.is_new(seq, ticket) && self.owns_key(key) {
            self.keys.hold(key, seq);
        }
    }

    pub(crate) fn fed_due(
        &mut self,
        ticket: u64,
        deliveries: Vec<Delivery>,
        next: Option<Timestamp>,
        now: Now,
    ) {
        if self.due_feed != Read::UnderWay(ticket) {
            return;
        }
        let mut useless = true;
        for delivery in deliveries {
            if !self.has_room(delivery.event.body.len()) && !self.known.is_empty() {
                self.stored_due = Some(now.monotonic);
                break;
            }
            if self.is_new(delivery.seq, ticket) && self.owns(&delivery) {
                useless = false;
                if delivery.attempts == 0 {
                    self.armed.push(delivery.flow(), delivery.seq);
                    self.remember(delivery, State::Ready);
                    continue;
                }
                let due = delivery.due.map_or(now.monotonic, |due| self.monotonic(due, now));
                if let Some(key) = delivery.lane_key() {
                    self.keys.hold(key, delivery.seq);
                }
                self.remember(delivery, State::Waiting(due));
            }
        }
        self.due_feed = Read::Idle;
        self.read_ended();
        // What is due first may be in memory already, and stay there for a while: no read after read of the same.
        let earliest = if useless { now.monotonic + STORE_RETRY } else { Duration::ZERO };
        self.far = next.is_some_and(|due| self.is_far(due, now));
        let next = next.map(|due| self.monotonic(due, now).max(earliest));
        self.stored_due = earlier(self.stored_due, next);
    }

    pub(crate) fn fed_key(&mut self, ticket: u64, deliveries: Vec<Delivery>, more: bool, now: Now) {
        if !self.keys.awaits(ticket) {
            return;
        }
        let last = deliveries.last().map(|delivery| delivery.seq);
        let mut shown = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            // One that waits among the fresh ones waits for its key from now on.
            let bytes = delivery.event.body.len();
            if self.is_ready(delivery.seq) {
                shown.push((delivery.seq, bytes));
                continue;
            }
            if !self.is_new(delivery.seq, ticket) {
                continue;
            }
            match (delivery.due.filter(|due| *due > now.wall), delivery.lane_key()) {
                (Some(due), Some(key)) => {
                    self.keys.hold(key, delivery.seq);
                    let due = self.monotonic(due, now);
                    self.remember(delivery, State::Waiting(due));
                }
                _ => {
                    shown.push((delivery.seq, bytes));
                    self.remember(delivery, State::Ready);
                }
            }
        }
        let heir = self.keys.read(ticket, &shown, last, more);
        self.inherits(heir, now);
        self.read_ended();
    }

    /// The store may have more that is due. What is pending anew is read when the lane has let go of it.
    pub(crate) fn look(&mut self, rearmed: Option<Seq>, now: Now) {
        match rearmed {
            Some(seq) if self.known.contains_key(&seq) && self.rearmed.len() < LANE_DELIVERIES_MAX => {
                self.rearmed.insert(seq);
            }
            _ => self.stored_due = earlier(self.stored_due, Some(now.monotonic)),
        }
        if rearmed.is_none() {
            self.look_for_unblocked();
        }
    }

    pub(crate) fn feed_failed(&mut self, ticket: u64, now: Now) {
        let again = now.monotonic + STORE_RETRY;
        if self.feed == Read::UnderWay(ticket) {
            self.feed = Read::NotBefore(again);
        } else if self.due_feed == Read::UnderWay(ticket) {
            self.due_feed = Read::NotBefore(again);
            self.stored_due = earlier(self.stored_due, Some(again));
        } else if self.overtaking.read == Read::UnderWay(ticket) {
            self.overtaking.read = Read::NotBefore(again);
        } else if self.ending.read == Read::UnderWay(ticket) {
            self.ending.read = Read::NotBefore(again);
        } else if self.blocking.read == Read::UnderWay(ticket) {
            self.blocking.read = Read::NotBefore(again);
            self.look_for_unblocked();
        } else {
            self.keys.failed(ticket, now.monotonic);
        }
        self.read_ended();
    }

    pub(super) fn ask(&mut self, now: Now, out: &mut Vec<Command>) {
        let may = |read: Read| match read {
            Read::Idle => true,
            Read::UnderWay(_) => false,
            Read::NotBefore(at) => at <= now.monotonic,
        };
        let sink = self.settings.sink.clone();
        let deliveries_max = LANE_DELIVERIES_MAX.saturating_sub(self.known.len()) / 2;
        let bytes_max = LANE_BYTES_MAX.saturating_sub(self.bytes) / 2;
        if may(self.feed) && self.wants_feed() {
            self.ticket += 1;
            self.feed = Read::UnderWay(self.ticket);
            out.push(Command::Feed {
                sink: sink.clone(),
                ticket: self.ticket,
                after: self.cursor,
                deliveries_max,
                bytes_max,
            });
        }
        self.ask_for_turns(now, out);
        if self.half_empty() {
            for (ticket, KeyRead { key, after }) in self.keys.ask(now.monotonic, &mut self.ticket) {
                out.push(Command::FeedKey {
                    sink: sink.clone(),
                    ticket,
                    key,
                    after,
                    deliveries_max: KEY_QUEUE_MAX,
                    bytes_max: KEY_READ_BYTES_MAX,
                });
            }
        }
        self.ask_for_blocking(now, out);
        if may(self.due_feed) && self.half_empty() && self.stored_due.is_some_and(|due| due <= now.monotonic)
        {
            self.ticket += 1;
            self.due_feed = Read::UnderWay(self.ticket);
            self.stored_due = None;
            out.push(Command::FeedDue {
                sink,
                ticket: self.ticket,
                until: if std::mem::take(&mut self.far) { Timestamp::MAX } else { now.wall },
                deliveries_max,
                bytes_max,
            });
        }
    }

    pub(super) fn wants_feed(&self) -> bool {
        self.spilled && !self.owned.is_empty() && self.half_empty() && self.keys.len() < KEYS_TAKEN_MAX
    }

    /// Room for a whole page of each read: read in pages, not one by one. What waits behind others of its key has room of its
    /// own: it goes only when those have gone, which may have to be read first.
    pub(super) fn half_empty(&self) -> bool {
        let (queued, queued_bytes) = self.keys.queued();
        self.known.len().saturating_sub(queued) <= LANE_WAITING_MAX
            && self.bytes.saturating_sub(queued_bytes) <= LANE_BYTES_MAX / 2
    }

    /// Whether a read of this ticket shows something that is neither in memory, nor was let go of since the read was asked for.
    pub(super) fn is_new(&self, seq: Seq, ticket: u64) -> bool {
        !self.known.contains_key(&seq) && self.ended.get(&seq).is_none_or(|last| *last < ticket)
    }

    /// Reads that were asked for by now may show the delivery as it was: they are not believed.
    pub(super) fn disbelieve(&mut self, seq: Seq) {
        if self.earliest_read().is_some() {
            self.ended.insert(seq, self.ticket);
        }
    }

    /// Forgets what no read under way can show any more.
    pub(super) fn read_ended(&mut self) {
        match self.earliest_read() {
            Some(ticket) => self.ended.retain(|_, last| *last >= ticket),
            None => self.ended.clear(),
        }
    }

    /// The ticket of the read under way that was asked for first.
    fn earliest_read(&self) -> Option<u64> {
        let of = |read: Read| match read {
            Read::UnderWay(ticket) => Some(ticket),
            Read::Idle | Read::NotBefore(_) => None,
        };
        [
            of(self.feed),
            of(self.due_feed),
            of(self.overtaking.read),
            of(self.ending.read),
            of(self.blocking.read),
            self.keys.earliest_read(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
