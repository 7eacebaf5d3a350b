//! The model: a store and sinks that fail as told, and time that goes on by itself.
mod arming;
mod checks;
mod flows;
mod sharing;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU32,
    time::Duration,
};

use boathook_dispatch::{Command, Dispatcher, Handover, Input, Now, SinkSettings, limits};
use boathook_event::{
    Attempt, Delivered, Delivery, Failure, FailureKind, Flow, Jitter, Making, Next, ObjectName, Partitions,
    Record, RetryPolicy, Seq,
};
use jiff::{SignedDuration, Timestamp};

use super::store::Page;

const CONCURRENCY: usize = 3;
const ATTEMPTS_MAX: u32 = 6;
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A small generator, so that a failing seed can be run again.
pub(super) struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub(super) fn once_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// What the store has pending: attempts made and the due time.
type Pending = BTreeMap<Seq, (u32, Option<Timestamp>)>;

pub(crate) struct World {
    pub(super) dice: Dice,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) elapsed: Duration,
    wake_at: Option<Duration>,
    pub(super) committed: Seq,
    pub(super) pending: BTreeMap<ObjectName, Pending>,
    pub(crate) done: BTreeMap<ObjectName, Vec<Seq>>,
    /// The first place of each commit, and when it was.
    pub(super) commits: BTreeMap<Seq, Timestamp>,
    /// What was put aside, and may be asked for again.
    pub(crate) parked: Vec<(ObjectName, Seq)>,
    /// How many of them for their age.
    pub(crate) too_old: u64,
    pub(crate) skipped: u64,
    pub(crate) max_age: Duration,
    /// Nothing ages before that: the sink was suspended until then. A new process does not know.
    resumed: BTreeMap<ObjectName, Timestamp>,
    pub(crate) rearmed: u64,
    /// Events are erased now and then.
    pub(crate) erases: bool,
    pub(super) erased: BTreeSet<Seq>,
    in_flight: BTreeSet<(ObjectName, Seq)>,
    /// Answers on their way back to the dispatcher.
    answers: VecDeque<Input>,
    pub(crate) faults: bool,
    suspended: bool,
    /// The process may not begin anything.
    paused: bool,
    /// What comes to a suspended sink is left out.
    skip: bool,
    b_is_there: bool,
    pub(crate) feeds: u64,
    pub(crate) key_feeds: u64,
    pub(crate) turn_feeds: u64,
    pub(crate) due_feeds: u64,
    pub(crate) due_turn_feeds: u64,
    /// Deliveries of this key fail.
    pub(crate) held_up: Option<&'static str>,
    pub(crate) attempts_max: u32,
    /// Every delivery fails.
    pub(crate) down: bool,
    pub(crate) attempts: u64,
    /// Some bodies are so large that a few of them fill a lane.
    pub(crate) large: bool,
    /// 0 = no limit.
    pub(crate) attempts_per_minute: u32,
    pub(crate) per_tenant_per_minute: u32,
    /// Events get too old, and suspended sinks may skip.
    pub(crate) ages: bool,
    /// A key waits behind what was parked.
    pub(crate) blocks: bool,
    pub(super) blocking: BTreeSet<(ObjectName, Seq)>,
    /// Events have keys, whose order both sinks keep.
    pub(crate) keyed: bool,
    /// Events are of many flows, most of them of one.
    pub(crate) mixed: bool,
    /// Else of this flow, from this place on.
    flows: BTreeMap<Seq, u64>,
    /// By place.
    flow_of: Vec<Flow>,
    /// What was attempted first, in that order.
    pub(crate) begun: Vec<(ObjectName, Seq)>,
    /// Attempts at the first sink by flow.
    pub(crate) tries: BTreeMap<u64, usize>,
    /// Those that were parked and armed again: they join the order of their key where they come.
    replays: BTreeSet<(ObjectName, Seq)>,
    /// What is this process's; another one delivers the rest.
    owned: Partitions,
    /// What was attempted here and is not recorded yet.
    unrecorded: BTreeSet<(ObjectName, Seq)>,
    /// Seconds by which the wall clock was set forward, or back.
    pub(crate) set: i64,
    /// The most of them in the life of the process.
    most: i64,
    /// The wall clock is set now and then.
    pub(crate) jumps: bool,
}

/// Half of all events are of one key, a fifth has none.
pub(crate) fn key_of(seq: Seq) -> Option<&'static str> {
    // A stretch of many keys in turn, so that more wait than the queues of all keys hold.
    const MANY: [&str; 16] =
        ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "ma", "mb", "mc", "md", "me", "mf"];
    if seq / 1_000 % 2 == 1 {
        return usize::try_from(seq % 17).ok().and_then(|place| MANY.get(place)).copied();
    }
    match seq % 10 {
        0 | 5 => None,
        n if n % 2 == 0 => Some("hot"),
        1 => Some("k1"),
        3 => Some("k3"),
        _ => Some(["x", "y", "z"][usize::try_from(seq / 10 % 3).unwrap_or(0)]),
    }
}

pub(crate) fn sinks() -> [ObjectName; 2] {
    [ObjectName::new("default", "a"), ObjectName::new("default", "b")]
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            dispatcher: Dispatcher::new(seed),
            elapsed: Duration::ZERO,
            wake_at: None,
            committed: 0,
            pending: sinks().into_iter().map(|sink| (sink, Pending::new())).collect(),
            done: sinks().into_iter().map(|sink| (sink, Vec::new())).collect(),
            commits: BTreeMap::new(),
            parked: Vec::new(),
            too_old: 0,
            skipped: 0,
            max_age: Duration::from_secs(86_400),
            resumed: BTreeMap::new(),
            rearmed: 0,
            erases: false,
            erased: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            answers: VecDeque::new(),
            faults: true,
            suspended: false,
            paused: false,
            skip: false,
            b_is_there: true,
            feeds: 0,
            key_feeds: 0,
            turn_feeds: 0,
            due_feeds: 0,
            due_turn_feeds: 0,
            keyed: false,
            held_up: None,
            attempts_max: ATTEMPTS_MAX,
            down: false,
            attempts: 0,
            large: false,
            attempts_per_minute: 0,
            per_tenant_per_minute: 0,
            ages: false,
            blocks: false,
            blocking: BTreeSet::new(),
            mixed: false,
            flows: BTreeMap::new(),
            flow_of: Vec::new(),
            begun: Vec::new(),
            tries: BTreeMap::new(),
            replays: BTreeSet::new(),
            owned: Partitions::ALL,
            unrecorded: BTreeSet::new(),
            set: 0,
            most: 0,
            jumps: false,
        };
        world.configure();
        world
    }

    fn now(&self) -> Now {
        Now { monotonic: self.elapsed, wall: self.at(self.set) }
    }

    /// The time of a wall clock that was set so.
    fn at(&self, set: i64) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.elapsed).unwrap_or_default();
        Timestamp::UNIX_EPOCH + elapsed + SignedDuration::from_secs(set)
    }

    /// Somebody sets the wall clock, which the dispatcher sees with whatever happens next.
    pub(crate) fn set_clock(&mut self, by: i64) {
        self.set += by;
    }

    pub(crate) fn configure(&mut self) {
        let settings = |sink| SinkSettings {
            sink,
            retry: RetryPolicy {
                max_attempts: self.attempts_max,
                initial_delay: Duration::from_millis(500),
                multiplier: 2.0,
                max_delay: PAUSE_MAX,
                max_age: self.max_age,
                jitter: Jitter::Full,
                permanent_statuses: Vec::new(),
            },
            concurrency: CONCURRENCY,
            attempts_per_minute: NonZeroU32::new(self.attempts_per_minute),
            attempts_per_tenant_per_minute: NonZeroU32::new(self.per_tenant_per_minute),
            suspend: self.suspended,
            paused: self.paused,
            skip: self.suspended && self.skip,
        };
        let served = sinks().into_iter().filter(|sink| self.b_is_there || sink.name() == "a");
        let settings = served.map(settings).collect();
        self.step(Input::Configured(settings));
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        let now = self.now();
        self.most = self.most.max(self.set);
        let ticks = matches!(input, Input::Tick);
        self.dispatcher.step(now, input, &mut out);
        // All that could be done was done: another tick at once would find nothing, and the next, and the next.
        let too_soon = |command: &&Command| matches!(command, Command::WakeAt(at) if *at <= now.monotonic);
        assert!(!ticks || !out.iter().any(|command| too_soon(&command)), "{out:?} at {now:?}");
        out.into_iter().for_each(|command| self.obey(command));
        for lane in self.dispatcher.snapshot() {
            assert!(lane.in_flight <= CONCURRENCY, "{lane:?}");
            let held = lane.ready + lane.waiting + lane.in_flight;
            assert!(held <= limits::LANE_DELIVERIES_MAX && lane.bytes <= limits::LANE_BYTES_MAX, "{lane:?}");
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::WakeAt(at) => self.wake_at = Some(at),
            Command::Breaker { .. } => {}
            Command::Deliver { delivery, attempt } => self.deliver(&delivery, attempt),
            Command::Record { record, .. } => self.record(&record),
            Command::End { record, .. } => self.end(&record),
            Command::FeedBlocking { sink, ticket, seqs } => {
                let answer = self.feed_blocking(sink, ticket, seqs);
                self.answer(answer);
            }
            Command::FeedOldest { sink, ticket, after, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_oldest(sink, ticket, after, page);
                self.answer(answer);
            }
            Command::Feed { sink, ticket, after, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                self.feeds += 1;
                let answer = self.feed(sink, ticket, after, page);
                self.answer(answer);
            }
            Command::FeedTurns { sink, ticket, after, floor, places, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_turns((sink, ticket), after, floor, &places, page);
                self.answer(answer);
            }
            Command::FeedKey { sink, ticket, key, after, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_key(sink, ticket, &key, after, page);
                self.answer(answer);
            }
            Command::FeedDue { sink, ticket, until, behind, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_due((sink, ticket), until, behind, page);
                self.answer(answer);
            }
            Command::FeedDueTurns { sink, ticket, until, after, places, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_due_turns((sink, ticket), until, after, &places, page);
                self.answer(answer);
            }
        }
    }

    /// Answers come back in any order, as those of threads do.
    fn answer(&mut self, answer: Input) {
        self.answers.push_back(answer);
        let last = self.answers.len() - 1;
        if self.faults {
            let other = usize::try_from(self.dice.below(self.answers.len() as u64)).unwrap_or(last);
            self.answers.swap(last, other);
        }
    }

    fn deliver(&mut self, delivery: &Delivery, number: u32) {
        let (sink, seq) = (delivery.sink.clone(), delivery.seq);
        assert!(!self.suspended && !self.paused, "a suspended sink gets nothing");
        assert!(self.in_flight.insert((sink.clone(), seq)), "{sink} {seq} is under way already");
        self.unrecorded.insert((sink.clone(), seq));
        assert!(self.owned.contains(delivery.partition()), "{sink} {seq} is another process's");
        self.check_order(&sink, seq);
        if sink.name() == "a" {
            *self.tries.entry(self.flow_number(seq)).or_default() += 1;
        }
        if number == 1 {
            self.begun.push((sink.clone(), seq));
        }
        let stored = self.pending.get(&sink).and_then(|pending| pending.get(&seq)).copied();
        let (attempts, due) = stored.expect("only what is pending is delivered");
        assert_eq!(number, attempts + 1, "{sink} {seq}");
        assert!(
            (number <= ATTEMPTS_MAX || self.attempts_max == 0)
                && due.is_none_or(|due| due <= self.at(self.most) || self.is_of_another_clock(due)),
            "{sink} {seq} is too early"
        );
        let failure = Failure {
            kind: FailureKind::Refused,
            permanent: self.held_up.is_none() && !self.down && self.dice.once_in(4),
            status: None,
            retry_after: None,
            message: "no".into(),
        };
        let held_up = self.held_up.is_some() && key_of(seq) == self.held_up;
        let fails = self.down || held_up || (self.faults && self.dice.once_in(3));
        self.attempts += 1;
        let result = if fails { Err(failure) } else { Ok(Delivered { already_there: false, status: None }) };
        let attempt = Attempt { number, started_at: self.now().wall, duration_millis: 1, result };
        self.answer(Input::Finished { sink, seq, attempt });
    }

    /// No pause is so long.
    fn is_of_another_clock(&self, due: Timestamp) -> bool {
        let longest = SignedDuration::try_from(PAUSE_MAX).unwrap_or_default();
        due.duration_since(self.now().wall) > longest
    }

    fn record(&mut self, record: &Record) {
        let Record { seq, sink, attempt, next, .. } = record;
        let written = !(self.faults && self.dice.once_in(10));
        let known = self.pending.get_mut(sink).expect("the sink is there");
        // Of what is gone nothing is written, and that is no failure.
        if written && !self.erased.contains(seq) {
            let due = known.get(seq).map(|(_, due)| *due);
            assert_eq!(
                due.map(|due| due.map_or(Making::Fresh, Making::Due)),
                Some(record.making),
                "{record:?}"
            );
            match next {
                Next::Retry { due } => {
                    let number = attempt.as_ref().map(|attempt| attempt.number);
                    known.insert(*seq, (number.expect("only what was tried is tried again"), Some(*due)));
                }
                Next::Delivered { .. } | Next::Parked(_) | Next::Skipped => {
                    assert!(known.remove(seq).is_some(), "{sink} {seq} ends twice");
                    self.done.entry(sink.clone()).or_default().push(*seq);
                    let at = (sink.clone(), *seq);
                    if matches!(next, Next::Parked(_)) {
                        self.parked.push(at.clone());
                        if self.blocks && self.keyed && key_of(*seq).is_some() {
                            self.blocking.insert(at);
                        }
                    } else {
                        self.blocking.remove(&at);
                    }
                }
            }
        }
        self.answer(Input::Recorded { sink: sink.clone(), seq: *seq, written });
    }

    pub(crate) fn commit(&mut self, count: u64) {
        let first = self.committed + 1;
        self.commits.insert(first, self.now().wall);
        self.committed += count;
        self.remember_flows();
        let mut deliveries = Vec::new();
        for seq in first..=self.committed {
            for sink in sinks() {
                if sink.name() == "b" && seq % 3 == 0 {
                    continue;
                }
                deliveries.push(self.delivery(&sink, seq, 0, None));
                self.pending.entry(sink).or_default().insert(seq, (0, None));
            }
        }
        if self.faults && self.dice.once_in(10) {
            // It was lost, and that is told at some time.
            self.answer(Input::Missed { last: self.committed });
        } else {
            self.step(Input::Stored(Handover { first, last: self.committed, deliveries }));
        }
    }

    /// Answers one pending command, or lets time pass to the next wake-up. False when there is neither.
    pub(crate) fn advance(&mut self) -> bool {
        if let Some(answer) = self.answers.pop_front() {
            if let Input::Finished { sink, seq, .. } = &answer {
                self.in_flight.remove(&(sink.clone(), *seq));
            }
            if let Input::Recorded { sink, seq, written: true } = &answer {
                self.unrecorded.remove(&(sink.clone(), *seq));
            }
            self.elapsed += Duration::from_millis(1);
            self.step(answer);
            return true;
        }
        let Some(at) = self.wake_at.take() else { return false };
        self.elapsed = self.elapsed.max(at);
        self.step(Input::Tick);
        true
    }

    /// A new process over the same store: whatever was under way is forgotten.
    pub(crate) fn restart(&mut self) {
        self.dispatcher = Dispatcher::new(self.dice.below(u64::MAX));
        self.answers.clear();
        self.in_flight.clear();
        self.resumed.clear();
        self.unrecorded.clear();
        self.wake_at = None;
        self.most = self.set;
        self.configure();
        self.step(Input::Owned(self.owned));
    }

    pub(crate) fn suspend(&mut self, suspended: bool) {
        if self.suspended && !suspended {
            let (now, b_is_there) = (self.now().wall, self.b_is_there);
            let served = sinks().into_iter().filter(|sink| b_is_there || sink.name() == "a");
            self.resumed.extend(served.map(|sink| (sink, now)));
        }
        self.suspended = suspended;
        self.configure();
    }

    pub(crate) fn skip(&mut self) {
        self.skip = true;
        self.suspend(true);
    }

    pub(crate) fn disturb(&mut self) {
        match self.dice.below(120) {
            0 => self.restart(),
            1 => {
                let suspended = !self.suspended && self.in_flight.is_empty();
                self.skip = self.ages && self.dice.once_in(2);
                self.suspend(suspended);
            }
            2..=4 => {
                self.b_is_there = !self.b_is_there;
                self.resumed.retain(|sink, _| sink.name() == "a");
                self.configure();
            }
            5..=20 => {
                let count = 1 + self.dice.below(40);
                self.commit(count);
            }
            21 if self.committed < 4_000 => {
                let count = self.dice.below(1_500) + 1;
                self.commit(count);
            }
            22..=24 => self.rearm(),
            25 | 26 if self.blocks => self.discard(),
            31 | 32 if self.erases => self.erase(),
            29 | 30 if self.jumps => {
                let by = i64::try_from(self.dice.below(48 * 3_600)).unwrap_or(0) - 24 * 3_600;
                self.set_clock(by);
            }
            27 | 28 => {
                self.paused = !self.paused && self.in_flight.is_empty();
                self.configure();
            }
            _ => {}
        }
    }

    /// Faults stop; everything must end by commands and wake-ups alone.
    pub(crate) fn settle(&mut self) {
        self.faults = false;
        self.paused = false;
        self.suspend(false);
        self.b_is_there = true;
        self.configure();
        self.own(Partitions::ALL);
        while self.blocks && !self.parked.is_empty() {
            if self.dice.once_in(2) { self.rearm() } else { self.discard() }
        }
        let mut steps = 0u64;
        while self.advance() && self.pending.values().any(|pending| !pending.is_empty()) {
            steps += 1;
            assert!(steps < 40 * self.committed + 10_000, "it does not come to an end");
        }
        for (sink, pending) in &self.pending {
            assert!(
                pending.is_empty(),
                "{sink}: {} deliveries were forgotten: {pending:?} {:?}",
                pending.len(),
                self.dispatcher.snapshot()
            );
        }
    }
}
