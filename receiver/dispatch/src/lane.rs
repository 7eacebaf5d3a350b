//! One sink's deliveries: which are in memory, which wait, which are under way, and what is still in the store.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    time::Duration,
};

use boathook_event::{Delivery, Next, Record, Seq, limits::RETRY_DELAY_MAX};
use jiff::Timestamp;

use crate::{
    Command, LaneSnapshot, Now, SinkSettings,
    limits::{LANE_BYTES_MAX, LANE_DELIVERIES_MAX, LANE_WAITING_MAX, RETRIES_IN_A_ROW_MAX, STORE_RETRY},
};

/// One sink's deliveries.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) settings: SinkSettings,
    /// Everything in memory, by place.
    known: BTreeMap<Seq, Known>,
    bytes: usize,
    /// Never tried, by sequence.
    fresh: VecDeque<Seq>,
    /// Tried, by the monotonic time from which they may go.
    waiting: BTreeSet<(Duration, Seq)>,
    /// Records to be written again at a time.
    unrecorded: BinaryHeap<Reverse<(Duration, Seq)>>,
    in_flight: usize,
    /// Never-tried deliveries up to here are in memory, tried, or done.
    cursor: Seq,
    /// The last place that is known to be committed.
    committed: Seq,
    spilled: bool,
    feed: Read,
    due_feed: Read,
    /// The last ticket given out.
    ticket: u64,
    /// What ended while a read was under way: the read may still show it.
    ended: BTreeSet<Seq>,
    /// What is pending anew, but could not be read yet.
    rearmed: BTreeSet<Seq>,
    /// When the store may have a tried delivery that is not in memory.
    stored_due: Option<Duration>,
    retries_in_a_row: u32,
}

/// A delivery in memory.
#[derive(Debug)]
struct Known {
    delivery: Delivery,
    state: State,
}

#[derive(Debug)]
enum State {
    Fresh,
    Waiting(Duration),
    InFlight,
    /// Its last attempt is being written.
    Recording(Record),
}

/// Whether a read of the store is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Idle,
    /// With this ticket.
    UnderWay(u64),
    /// The last one failed; not again before.
    NotBefore(Duration),
}

impl Lane {
    /// A lane that knows nothing: it reads the store from the beginning.
    pub(crate) fn new(settings: SinkSettings, committed: Seq, incarnation: u32, now: Now) -> Self {
        Self {
            settings,
            known: BTreeMap::new(),
            bytes: 0,
            fresh: VecDeque::new(),
            waiting: BTreeSet::new(),
            unrecorded: BinaryHeap::new(),
            in_flight: 0,
            cursor: 0,
            committed,
            spilled: true,
            feed: Read::Idle,
            due_feed: Read::Idle,
            ticket: u64::from(incarnation) << 32,
            ended: BTreeSet::new(),
            rearmed: BTreeSet::new(),
            stored_due: Some(now.monotonic),
            retries_in_a_row: 0,
        }
    }

    /// Events up to `last` are committed; those between the last known place and `first` were not told.
    pub(crate) fn committed(&mut self, first: Seq, last: Seq) {
        if first > self.committed.saturating_add(1) && first > self.cursor.saturating_add(1) {
            self.spilled = true;
        }
        self.committed = self.committed.max(last);
    }

    /// Events up to `last` are committed, and some were not told.
    pub(crate) fn missed(&mut self, last: Seq) {
        self.committed = self.committed.max(last);
        self.spilled |= self.cursor < self.committed;
    }

    /// A freshly committed delivery. It is left to the store when something before it is, or there is no room.
    pub(crate) fn fresh(&mut self, delivery: Delivery) {
        if delivery.seq <= self.cursor || self.known.contains_key(&delivery.seq) {
            return;
        }
        if self.spilled || !self.has_room(delivery.event.body.len()) {
            self.spilled = true;
            return;
        }
        self.take_fresh(delivery);
    }

    /// A handover was taken whole: without anything spilled, all up to its end is looked at.
    pub(crate) fn handed_over(&mut self) {
        if !self.spilled {
            self.cursor = self.cursor.max(self.committed);
        }
    }

    pub(crate) fn fed(&mut self, ticket: u64, deliveries: Vec<Delivery>, up_to: Seq, more: bool) {
        if self.feed != Read::UnderWay(ticket) {
            return;
        }
        for delivery in deliveries {
            if delivery.seq > self.cursor && self.is_new(delivery.seq) {
                self.take_fresh(delivery);
            }
        }
        self.feed = Read::Idle;
        self.read_ended();
        self.cursor = self.cursor.max(up_to);
        self.committed = self.committed.max(up_to);
        self.spilled = more || self.cursor < self.committed;
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
            if self.is_new(delivery.seq) {
                useless = false;
                let due = delivery.due.map_or(now.monotonic, |due| monotonic(due, now));
                self.remember(delivery, State::Waiting(due));
            }
        }
        self.due_feed = Read::Idle;
        self.read_ended();
        // What is due first may be in memory already, and stay there for a while: no read after read of the same.
        let earliest = if useless { now.monotonic + STORE_RETRY } else { Duration::ZERO };
        let next = next.map(|due| monotonic(due, now).max(earliest));
        self.stored_due = earlier(self.stored_due, next);
    }

    /// The store may have more that is due. What is pending anew is read when the lane has let go of it and no read is
    /// under way that may show it as it was before.
    pub(crate) fn look(&mut self, rearmed: Option<Seq>, now: Now) {
        match rearmed {
            Some(seq)
                if (self.reads() || self.known.contains_key(&seq))
                    && self.rearmed.len() < LANE_DELIVERIES_MAX =>
            {
                self.rearmed.insert(seq);
            }
            _ => self.stored_due = earlier(self.stored_due, Some(now.monotonic)),
        }
    }

    pub(crate) fn feed_failed(&mut self, ticket: u64, now: Now) {
        let again = now.monotonic + STORE_RETRY;
        if self.feed == Read::UnderWay(ticket) {
            self.feed = Read::NotBefore(again);
        } else if self.due_feed == Read::UnderWay(ticket) {
            self.due_feed = Read::NotBefore(again);
            self.stored_due = earlier(self.stored_due, Some(again));
        }
        self.read_ended();
    }

    /// The attempt under way has ended; what follows is to be written. `None` when no such attempt is under way.
    pub(crate) fn finished(
        &mut self,
        seq: Seq,
        record: impl FnOnce(&SinkSettings, &Delivery) -> Record,
    ) -> Option<Record> {
        let known = self.known.get_mut(&seq).filter(|known| matches!(known.state, State::InFlight))?;
        let record = record(&self.settings, &known.delivery);
        known.delivery.attempts = record.attempt.number;
        known.state = State::Recording(record.clone());
        self.in_flight = self.in_flight.saturating_sub(1);
        Some(record)
    }

    pub(crate) fn recorded(&mut self, seq: Seq, written: bool, now: Now) {
        let Some(Known { state: State::Recording(record), .. }) = self.known.get(&seq) else { return };
        if !written {
            self.unrecorded.push(Reverse((now.monotonic + STORE_RETRY, seq)));
            return;
        }
        let Next::Retry { due } = record.next else {
            self.forget(seq);
            return;
        };
        let due_at = monotonic(due, now);
        if let Some(known) = self.known.get_mut(&seq) {
            known.state = State::Waiting(due_at);
            known.delivery.due = Some(due);
            self.waiting.insert((due_at, seq));
        }
        self.evict();
    }

    /// What can be done now: records to repeat, deliveries to start, reads to ask for.
    pub(crate) fn act(&mut self, now: Now, out: &mut Vec<Command>) {
        self.repeat_records(now, out);
        while !self.settings.suspend && self.in_flight < self.settings.concurrency.max(1) {
            let Some(seq) = self.next(now) else { break };
            let Some(known) = self.known.get_mut(&seq) else { continue };
            known.state = State::InFlight;
            self.in_flight += 1;
            out.push(Command::Deliver {
                delivery: known.delivery.clone(),
                attempt: known.delivery.attempts + 1,
            });
        }
        self.ask(now, out);
    }

    /// When [`Lane::act`] may have something to do without anything happening.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        let blocked = self.settings.suspend || self.in_flight >= self.settings.concurrency.max(1);
        let retry = self.waiting.first().map(|(due, _)| *due).filter(|_| !blocked);
        let record = self.unrecorded.peek().map(|Reverse((at, _))| *at);
        let feed = match self.feed {
            Read::NotBefore(at) if self.wants_feed() => Some(at),
            _ => None,
        };
        let due_feed = match self.due_feed {
            Read::UnderWay(_) => None,
            Read::Idle => self.stored_due,
            Read::NotBefore(at) => self.stored_due.map(|due| due.max(at)),
        };
        let due_feed = due_feed.filter(|_| self.half_empty());
        [retry, record, feed, due_feed].into_iter().flatten().min()
    }

    /// Whether attempts or records are still under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.known.values().any(|known| matches!(known.state, State::InFlight | State::Recording(_)))
    }

    /// Lets go of everything that the store has as well.
    pub(crate) fn retire(&mut self) {
        self.settings.suspend = true;
        let idle = |known: &Known| matches!(known.state, State::Fresh | State::Waiting(_));
        let seqs: Vec<Seq> =
            self.known.iter().filter(|(_, known)| idle(known)).map(|(seq, _)| *seq).collect();
        seqs.into_iter().for_each(|seq| self.forget(seq));
        self.fresh.clear();
        self.waiting.clear();
    }

    /// The sink is back: `fresh` reads everything from the store again, but for what is under way here.
    pub(crate) fn revived(mut self, fresh: Self) -> Self {
        self.retire();
        let Self { known, bytes, unrecorded, in_flight, .. } = self;
        Self { known, bytes, unrecorded, in_flight, ..fresh }
    }

    /// Whether something never tried is in the store alone.
    pub(crate) fn is_spilled(&self) -> bool {
        self.spilled
    }

    pub(crate) fn snapshot(&self) -> LaneSnapshot {
        LaneSnapshot {
            sink: self.settings.sink.clone(),
            ready: self.fresh.len(),
            waiting: self.waiting.len(),
            in_flight: self.in_flight,
            spilled: self.spilled,
            bytes: self.bytes,
        }
    }

    /// The next to go: due retries before fresh ones, but no more than a few in a row.
    fn next(&mut self, now: Now) -> Option<Seq> {
        let due = self.waiting.first().copied().filter(|(due, _)| *due <= now.monotonic);
        let fresh_turn = self.retries_in_a_row >= RETRIES_IN_A_ROW_MAX && !self.fresh.is_empty();
        match due.filter(|_| !fresh_turn) {
            Some(entry) => {
                self.waiting.remove(&entry);
                self.retries_in_a_row += 1;
                Some(entry.1)
            }
            None => {
                self.retries_in_a_row = 0;
                self.fresh.pop_front()
            }
        }
    }

    fn repeat_records(&mut self, now: Now, out: &mut Vec<Command>) {
        while let Some(Reverse((at, seq))) = self.unrecorded.peek().copied() {
            if at > now.monotonic {
                return;
            }
            self.unrecorded.pop();
            if let Some(Known { state: State::Recording(record), .. }) = self.known.get(&seq) {
                out.push(Command::Record(record.clone()));
            }
        }
    }

    fn ask(&mut self, now: Now, out: &mut Vec<Command>) {
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
        if may(self.due_feed) && self.half_empty() && self.stored_due.is_some_and(|due| due <= now.monotonic)
        {
            self.ticket += 1;
            self.due_feed = Read::UnderWay(self.ticket);
            self.stored_due = None;
            out.push(Command::FeedDue {
                sink,
                ticket: self.ticket,
                until: now.wall,
                deliveries_max,
                bytes_max,
            });
        }
    }

    fn wants_feed(&self) -> bool {
        self.spilled && self.half_empty()
    }

    /// Room for a whole page of each read: read in pages, not one by one.
    fn half_empty(&self) -> bool {
        self.known.len() <= LANE_WAITING_MAX && self.bytes <= LANE_BYTES_MAX / 2
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.known.len() < LANE_DELIVERIES_MAX && self.bytes.saturating_add(bytes) <= LANE_BYTES_MAX
    }

    fn take_fresh(&mut self, delivery: Delivery) {
        self.fresh.push_back(delivery.seq);
        self.remember(delivery, State::Fresh);
    }

    fn remember(&mut self, delivery: Delivery, state: State) {
        if let State::Waiting(due) = state {
            self.waiting.insert((due, delivery.seq));
        }
        self.bytes += delivery.event.body.len();
        self.known.insert(delivery.seq, Known { delivery, state });
    }

    fn forget(&mut self, seq: Seq) {
        if let Some(known) = self.known.remove(&seq) {
            self.bytes = self.bytes.saturating_sub(known.delivery.event.body.len());
            if self.reads() {
                self.ended.insert(seq);
            }
        }
        self.read_rearmed();
    }

    /// Whether a read shows something that is neither in memory nor has ended since the read was asked for.
    fn is_new(&self, seq: Seq) -> bool {
        !self.known.contains_key(&seq) && !self.ended.contains(&seq)
    }

    fn reads(&self) -> bool {
        matches!(self.feed, Read::UnderWay(_)) || matches!(self.due_feed, Read::UnderWay(_))
    }

    fn read_ended(&mut self) {
        if !self.reads() {
            self.ended.clear();
        }
        self.read_rearmed();
    }

    fn read_rearmed(&mut self) {
        if self.rearmed.is_empty() || self.reads() {
            return;
        }
        let before = self.rearmed.len();
        self.rearmed.retain(|seq| self.known.contains_key(seq));
        if self.rearmed.len() < before {
            self.stored_due = Some(Duration::ZERO);
        }
    }

    /// Leaves the latest retries to the store when too many wait: their times are written there.
    fn evict(&mut self) {
        while self.waiting.len() > LANE_WAITING_MAX / 2 {
            let Some((due, seq)) = self.waiting.pop_last() else { return };
            self.forget(seq);
            self.stored_due = earlier(self.stored_due, Some(due));
        }
    }
}

/// A stored time on the monotonic clock, never farther away than the longest pause: a jump of the wall clock can
/// neither lose a delivery nor hurry those in memory.
fn monotonic(due: Timestamp, now: Now) -> Duration {
    let ahead = Duration::try_from(due.duration_since(now.wall)).unwrap_or_default();
    now.monotonic + ahead.min(RETRY_DELAY_MAX)
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    [a, b].into_iter().flatten().min()
}
