//! One sink's deliveries: which are in memory, which wait, which are under way, and what is still in the store.
mod blocking;
mod due;
mod ending;
mod feeding;
mod gone;
mod overtaking;
mod owning;
mod starting;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use boathook_event::{Attempt, Delivery, Flow, Next, Partition, Partitions, Record, Seq};
use jiff::Timestamp;

use self::{blocking::Blocking, due::Due, ending::Ending, overtaking::Overtaking};
pub(crate) use self::{feeding::Passed, overtaking::Shown};
use crate::{
    BreakerState, Command, LaneSnapshot, Now, SinkSettings,
    breaker::Breaker,
    keys::{Heir, Keys, Turn},
    limits::{
        LANE_BYTES_FRESH_MAX, LANE_BYTES_MAX, LANE_DELIVERIES_MAX, LANE_FRESH_MAX, LANE_WAITING_MAX,
        STORE_RETRY,
    },
    rate::Rate,
    tenants::Tenants,
    turns::Turns,
};

/// One sink's deliveries.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) settings: SinkSettings,
    /// What of the sink's deliveries is this process's.
    owned: Partitions,
    /// Everything in memory, by place.
    known: BTreeMap<Seq, Known>,
    bytes: usize,
    /// Never tried, or the next of their keys, by flow.
    fresh: Turns,
    /// Armed again: delivered or parked before, and not tried since. They go when nothing else does.
    armed: Turns,
    /// Tried, and due.
    retries: Turns,
    /// Tried, by the monotonic time from which they may go.
    waiting: BTreeSet<(Duration, Seq)>,
    /// Their bytes.
    waiting_bytes: usize,
    /// Records to be written again at a time.
    unrecorded: BinaryHeap<Reverse<(Duration, Seq)>>,
    in_flight: usize,
    /// Never-tried deliveries up to here are in memory, tried, or done.
    cursor: Seq,
    /// The last place that is known to be committed.
    committed: Seq,
    spilled: bool,
    feed: Read,
    /// What is read of what was tried, or is armed again.
    due: Due,
    /// What is read ahead of the cursor.
    overtaking: Overtaking,
    /// The last ticket given out.
    ticket: u64,
    /// What was let go of while a read was under way, with the last ticket by then: that read may still show it.
    ended: BTreeMap<Seq, u64>,
    /// What is pending anew, but is in memory as it was before.
    rearmed: BTreeSet<Seq>,
    retries_in_a_row: u32,
    /// What ends without another attempt.
    ending: Ending,
    /// Order by key.
    keys: Keys,
    /// Parked ones that hold their keys.
    blocking: Blocking,
    breaker: Breaker,
    rate: Rate,
    tenants: Tenants,
    /// What was told of it last; nothing yet.
    told: Option<BreakerState>,
    /// When [`Lane::act`] was called last.
    acted_at: Duration,
}

/// A delivery in memory.
#[derive(Debug)]
struct Known {
    delivery: Delivery,
    state: State,
    /// The store has it no more: what is under way is the last of it.
    gone: bool,
}

impl Known {
    fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }
}

#[derive(Debug)]
enum State {
    /// It may go, or waits for others of its key.
    Ready,
    Waiting(Duration),
    InFlight,
    /// Its last attempt is being written.
    Recording(Record),
}

/// Whether a read of the store is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Read {
    #[default]
    Idle,
    /// With this ticket.
    UnderWay(u64),
    /// The last one failed; not again before.
    NotBefore(Duration),
}

impl Read {
    /// From when on it may be asked for; `None` = it was.
    fn may_at(self) -> Option<Duration> {
        match self {
            Self::Idle => Some(Duration::ZERO),
            Self::UnderWay(_) => None,
            Self::NotBefore(at) => Some(at),
        }
    }

    /// Whether it may be asked for now.
    fn may(self, now: Duration) -> bool {
        self.may_at().is_some_and(|at| at <= now)
    }
}

impl Lane {
    /// A lane that knows nothing: it reads the store from the beginning.
    pub(crate) fn new(
        settings: SinkSettings,
        (committed, owned): (Seq, Partitions),
        incarnation: u32,
        now: Now,
    ) -> Self {
        Self {
            settings,
            owned,
            known: BTreeMap::new(),
            bytes: 0,
            fresh: Turns::default(),
            armed: Turns::default(),
            retries: Turns::default(),
            waiting: BTreeSet::new(),
            waiting_bytes: 0,
            unrecorded: BinaryHeap::new(),
            in_flight: 0,
            cursor: 0,
            committed,
            spilled: true,
            feed: Read::Idle,
            due: Due::new(now),
            overtaking: Overtaking::default(),
            ticket: u64::from(incarnation) << 32,
            ended: BTreeMap::new(),
            rearmed: BTreeSet::new(),
            retries_in_a_row: 0,
            ending: Ending::new(now),
            keys: Keys::default(),
            blocking: Blocking::default(),
            breaker: Breaker::default(),
            rate: Rate::default(),
            tenants: Tenants::default(),
            told: None,
            acted_at: Duration::ZERO,
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
    pub(crate) fn fresh(&mut self, delivery: Delivery, now: Now) {
        if delivery.seq <= self.cursor || self.known.contains_key(&delivery.seq) || !self.owns(&delivery) {
            return;
        }
        let room = self.known.len() < LANE_FRESH_MAX
            && self.bytes.saturating_add(delivery.event.body.len()) <= LANE_BYTES_FRESH_MAX;
        let room = room && self.admits(&delivery, now).is_ok();
        self.spilled = self.spilled || !room || !self.take_fresh(delivery);
    }

    /// A handover was taken whole: without anything spilled, all up to its end is looked at.
    pub(crate) fn handed_over(&mut self) {
        if !self.spilled {
            self.cursor = self.cursor.max(self.committed);
        }
    }

    /// The attempt under way has ended; what follows is to be written. `None` when no such attempt is under way.
    pub(crate) fn finished(
        &mut self,
        seq: Seq,
        attempt: &Attempt,
        now: Now,
        record: impl FnOnce(&SinkSettings, &Delivery, Timestamp) -> Record,
    ) -> Option<(Partition, Record)> {
        let known = self.known.get_mut(&seq).filter(|known| matches!(known.state, State::InFlight))?;
        let since = self.ending.since(known.delivery.event.received_at);
        let record = record(&self.settings, &known.delivery, since);
        if let Next::Retry { due } = record.next {
            self.due.writes(due);
        }
        known.delivery.attempts = attempt.number;
        known.state = State::Recording(record.clone());
        self.in_flight = self.in_flight.saturating_sub(1);
        self.breaker.ended(attempt, now.monotonic, self.settings.concurrency);
        let partition = known.delivery.partition();
        Some((partition, record))
    }

    pub(crate) fn recorded(&mut self, seq: Seq, written: bool, now: Now) {
        let Some(Known { state: State::Recording(record), gone, .. }) = self.known.get(&seq) else { return };
        if !written {
            self.unrecorded.push(Reverse((now.monotonic + STORE_RETRY, seq)));
            return;
        }
        let next = record.next;
        let goes_on = !*gone && self.owns_known(seq);
        let due = match next {
            Next::Retry { due } if goes_on => due,
            Next::Parked(_) if goes_on && self.block(seq) => return,
            // What is another process's by now is read by that one.
            Next::Retry { .. } | Next::Parked(_) | Next::Delivered { .. } | Next::Skipped => {
                self.end(seq);
                return;
            }
        };
        let due_at = now.monotonic + ahead(due, now);
        if let Some(known) = self.known.get_mut(&seq) {
            known.state = State::Waiting(due_at);
            known.delivery.due = Some(due);
            let bytes = known.delivery.event.body.len();
            self.wait(due_at, seq, bytes);
        }
        self.evict();
    }

    /// What can be done now: records to repeat, deliveries to start, reads to ask for.
    pub(crate) fn act(&mut self, now: Now, out: &mut Vec<Command>) {
        self.acted_at = now.monotonic;
        self.repeat_records(now, out);
        self.start(now, out);
        self.sweep(now, out);
        let state = self.breaker.state_at(now.monotonic);
        if self.told.replace(state) != Some(state) {
            out.push(Command::Breaker { sink: self.settings.sink.clone(), state });
        }
        self.ask(now, out);
    }

    /// When [`Lane::act`] may have something to do without anything happening.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        let turns = [&self.retries, &self.fresh, &self.armed];
        let ready = turns.iter().any(|turns| turns.is_awake());
        let starts_at = self.starts_at();
        let retry = starts_at.zip(self.waiting.first()).map(|(at, (due, _))| at.max(*due));
        let rests = turns.iter().filter_map(|turns| turns.wakes_at()).min();
        let rested = starts_at.zip(rests).map(|(at, rests)| at.max(rests));
        let attempts = [starts_at.filter(|_| ready), rested, retry].into_iter().flatten();
        // What could go when it was looked at last has gone then, or waits for something else.
        let attempt = attempts.filter(|at| *at > self.acted_at).min();
        let record = self.unrecorded.peek().map(|Reverse((at, _))| *at);
        let feed = match self.feed {
            Read::NotBefore(at) if self.wants_feed() => Some(at),
            _ => None,
        };
        let key_feed = self.keys.wake_at().filter(|_| self.has_room_for_keys());
        let reads =
            [feed, self.turns_at(), self.due_at(), self.due_turns_at(), key_feed, self.unblocked_at()];
        let shut_until = match self.told {
            Some(BreakerState::Open { until }) => Some(until),
            Some(BreakerState::Closed | BreakerState::HalfOpen) | None => None,
        };
        [attempt, record, shut_until, self.sweeps_at()].into_iter().chain(reads).flatten().min()
    }

    /// Whether attempts or records are still under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.known.values().any(|known| matches!(known.state, State::InFlight | State::Recording(_)))
    }

    /// Lets go of everything that the store has as well.
    pub(crate) fn retire(&mut self) {
        self.settings.paused = true;
        let idle = |known: &Known| matches!(known.state, State::Ready | State::Waiting(_));
        let seqs: Vec<Seq> =
            self.known.iter().filter(|(_, known)| idle(known)).map(|(seq, _)| *seq).collect();
        seqs.into_iter().for_each(|seq| self.forget(seq));
        self.fresh = Turns::default();
        self.armed = Turns::default();
        self.retries = Turns::default();
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.keys.retire(|seq| self.known.contains_key(&seq));
    }

    /// The sink is back: `fresh` reads everything from the store again, but for what is under way here.
    pub(crate) fn revived(mut self, fresh: Self) -> Self {
        self.retire();
        let Self { known, bytes, unrecorded, in_flight, keys, rearmed, due, .. } = self;
        let due = due.begun_anew(fresh.due);
        Self { known, bytes, unrecorded, in_flight, keys, rearmed, due, ..fresh }
    }

    /// Whether something never tried is in the store alone.
    pub(crate) fn is_spilled(&self) -> bool {
        self.spilled
    }

    pub(crate) fn snapshot(&self) -> LaneSnapshot {
        LaneSnapshot {
            sink: self.settings.sink.clone(),
            ready: self.retries.len() + self.fresh.len() + self.armed.len(),
            waiting: self.waiting.len(),
            in_flight: self.in_flight,
            keys: self.keys.len(),
            blocking: self.blocking.len(),
            breaker: self.breaker.state(),
            spilled: self.spilled,
            bytes: self.bytes,
        }
    }

    fn repeat_records(&mut self, now: Now, out: &mut Vec<Command>) {
        while let Some(Reverse((at, seq))) = self.unrecorded.peek().copied() {
            if at > now.monotonic {
                return;
            }
            self.unrecorded.pop();
            if let Some(Known { state: State::Recording(record), delivery, .. }) = self.known.get(&seq) {
                out.push(Command::Record { partition: delivery.partition(), record: record.clone() });
            }
        }
    }

    /// Deliveries and bytes of a page that is read now: there is room for two.
    fn page(&self) -> (usize, usize) {
        let deliveries = LANE_DELIVERIES_MAX.saturating_sub(self.known.len()) / 2;
        (deliveries, LANE_BYTES_MAX.saturating_sub(self.bytes) / 2)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.known.len() < LANE_DELIVERIES_MAX && self.bytes.saturating_add(bytes) <= LANE_BYTES_MAX
    }

    /// Whether one that was never tried may come into memory as far as the rate of its tenant goes; else when it may.
    fn admits(&self, delivery: &Delivery, now: Now) -> Result<(), Duration> {
        if self.settings.attempts_per_tenant_per_minute.is_none() {
            return Ok(());
        }
        let flow = delivery.flow();
        self.admit(flow, self.fresh.len_of(flow), now)
    }

    /// The same of any of a flow of which so many wait.
    fn admit(&self, flow: Flow, waiting: usize, now: Now) -> Result<(), Duration> {
        self.tenants.admit(flow, waiting, self.settings.attempts_per_tenant_per_minute, now.monotonic)
    }

    /// Takes one that was never tried. An ordered one takes its key at once, or waits for it, whichever flow has its turn first.
    /// Returns false if too many keys are held up.
    fn take_fresh(&mut self, delivery: Delivery) -> bool {
        let (seq, bytes) = (delivery.seq, delivery.event.body.len());
        let turn = match delivery.lane_key() {
            None => Turn::Go,
            Some(key) if self.keys.is_behind(key) => {
                self.keys.left(key, seq);
                Turn::Leave
            }
            Some(key) => self.keys.turn(key, seq, bytes, false),
        };
        match turn {
            Turn::Go => self.fresh.push(delivery.flow(), seq),
            Turn::Wait => {}
            Turn::Leave => return true,
            Turn::Full => return false,
        }
        self.remember(delivery, State::Ready);
        true
    }

    /// It is delivered, or put aside: the next of its key may go.
    fn end(&mut self, seq: Seq) {
        let key = self.known.get(&seq).and_then(|known| known.delivery.lane_key());
        let heir = key.map_or(Heir::None, |key| self.keys.release(key, seq));
        self.inherits(heir);
        self.blocks_no_more(seq);
        self.forget(seq);
    }

    /// A key was passed on.
    fn inherits(&mut self, heir: Heir) {
        match heir {
            Heir::Goes(seq) => {
                let flow = self.known.get(&seq).map(|known| known.delivery.flow());
                flow.into_iter().for_each(|flow| self.fresh.push_first(flow, seq));
            }
            // It is in the store alone: whatever was planned, it is looked for.
            Heir::Waits(seq) if !self.known.contains_key(&seq) => {
                self.due.look_at_once();
            }
            Heir::Waits(_) | Heir::None => {}
        }
    }

    /// Lets go of what a read of its key will show again. Says whether it was there.
    fn leave(&mut self, seq: Seq) -> bool {
        let Some(known) = self.known.remove(&seq) else { return false };
        self.bytes = self.bytes.saturating_sub(known.delivery.event.body.len());
        if self.rearmed.remove(&seq) {
            self.due.look_at_once();
        }
        true
    }

    fn remember(&mut self, delivery: Delivery, state: State) {
        let bytes = delivery.event.body.len();
        if let State::Waiting(due) = state {
            self.wait(due, delivery.seq, bytes);
        }
        self.bytes += bytes;
        self.known.insert(delivery.seq, Known { delivery, state, gone: false });
    }

    fn wait(&mut self, due: Duration, seq: Seq, bytes: usize) {
        if self.waiting.insert((due, seq)) {
            self.waiting_bytes += bytes;
        }
    }

    fn waits_no_more(&mut self, due: Duration, seq: Seq) {
        if self.waiting.remove(&(due, seq)) {
            self.waiting_bytes -= self.bytes_of(seq);
        }
    }

    fn bytes_of(&self, seq: Seq) -> usize {
        self.known.get(&seq).map_or(0, |known| known.delivery.event.body.len())
    }

    /// Lets go of a delivery. Reads that were asked for before may show it as it was, and are not believed.
    fn forget(&mut self, seq: Seq) {
        if self.leave(seq) {
            self.disbelieve(seq);
        }
    }

    /// Leaves the latest retries to the store when too many wait, or too many bytes: their times are written there.
    fn evict(&mut self) {
        while self.waiting.len() + self.retries.len() > LANE_WAITING_MAX / 2
            || self.waiting_bytes > LANE_BYTES_MAX / 4
        {
            let Some((due, seq)) = self.waiting.pop_last() else { return };
            self.waiting_bytes -= self.bytes_of(seq);
            self.forget(seq);
            self.due.look(due);
        }
    }
}

fn ahead(due: Timestamp, now: Now) -> Duration {
    Duration::try_from(due.duration_since(now.wall)).unwrap_or_default()
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    [a, b].into_iter().flatten().min()
}
