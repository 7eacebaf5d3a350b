//! What a lane reads from the store, and what it makes of the answers.
use boathook_event::{Delivery, Seq};

use super::{Lane, Read, State};
use crate::{
    Command, Now,
    keys::KeyRead,
    limits::{
        KEY_QUEUE_MAX, KEY_READ_BYTES_MAX, KEYS_TAKEN_MAX, LANE_BYTES_MAX, LANE_DELIVERIES_MAX,
        LANE_FRESH_MAX, LANE_WAITING_MAX, STORE_RETRY,
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
            if let Err(until) = self.admits(&delivery, now) {
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

    pub(crate) fn fed_key(&mut self, ticket: u64, deliveries: Vec<Delivery>, more: bool, now: Now) {
        if !self.keys.awaits(ticket) {
            return;
        }
        if self.known.len() + deliveries.len() > LANE_DELIVERIES_MAX {
            self.keys.failed(ticket, now.monotonic);
            self.read_ended();
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
        self.inherits(heir);
        self.read_ended();
    }

    /// The store may have these as due. What the lane has is read when it has let go of it.
    pub(crate) fn rearmed(&mut self, seqs: &[Seq], now: Now) {
        for seq in seqs {
            if self.known.contains_key(seq) && self.rearmed.len() < LANE_DELIVERIES_MAX {
                self.rearmed.insert(*seq);
            } else {
                self.due.has_news(now.monotonic);
            }
        }
    }

    /// The store may have more that is due.
    pub(crate) fn look(&mut self, now: Now) {
        self.due.has_news(now.monotonic);
        self.look_for_unblocked();
    }

    pub(crate) fn feed_failed(&mut self, ticket: u64, now: Now) {
        let again = now.monotonic + STORE_RETRY;
        if self.feed == Read::UnderWay(ticket) {
            self.feed = Read::NotBefore(again);
        } else if self.due.read == Read::UnderWay(ticket) {
            self.due.read = Read::NotBefore(again);
        } else if self.due.turns == Read::UnderWay(ticket) {
            self.due.turns = Read::NotBefore(again);
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
        let sink = self.settings.sink.clone();
        let (deliveries_max, bytes_max) = self.page();
        if self.feed.may(now.monotonic) && self.wants_feed() {
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
        if self.has_room_for_keys() {
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
        self.ask_for_due(now, out);
    }

    pub(super) fn wants_feed(&self) -> bool {
        self.spilled && !self.owned.is_empty() && self.half_empty() && self.keys.len() < KEYS_TAKEN_MAX
    }

    /// Room for a whole page of each read: read in pages, not one by one. What waits behind others of its key has room of its
    /// own: it goes only when those have gone, which may have to be read first.
    pub(super) fn half_empty(&self) -> bool {
        self.holds_at_most(LANE_WAITING_MAX)
    }

    /// The same for the few of a key, or of the oldest: they need not wait while reads in turns fill the memory.
    pub(super) fn has_room_for_keys(&self) -> bool {
        self.holds_at_most(LANE_FRESH_MAX)
    }

    fn holds_at_most(&self, deliveries: usize) -> bool {
        let (queued, queued_bytes) = self.keys.queued();
        self.known.len().saturating_sub(queued) <= deliveries
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
            of(self.due.read),
            of(self.due.turns),
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
