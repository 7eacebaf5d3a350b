//! The model: a store and sinks that fail as told, and time that goes on by itself.
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use boathook_dispatch::{Command, Dispatcher, Handover, Input, Now, SinkSettings, limits};
use boathook_event::{
    Attempt, Delivered, Delivery, Event, EventParts, Failure, FailureKind, Head, Jitter, Next, ObjectName,
    Record, RetryPolicy, Seq, Uid,
};
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};

const CONCURRENCY: usize = 3;
const ATTEMPTS_MAX: u32 = 6;

/// A small generator, so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn once_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// What the store has pending: attempts made and the due time.
type Pending = BTreeMap<Seq, (u32, Option<Timestamp>)>;

pub(crate) struct World {
    dice: Dice,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) elapsed: Duration,
    wake_at: Option<Duration>,
    committed: Seq,
    pending: BTreeMap<ObjectName, Pending>,
    pub(crate) done: BTreeMap<ObjectName, Vec<Seq>>,
    /// What was put aside, and may be asked for again.
    parked: Vec<(ObjectName, Seq)>,
    pub(crate) rearmed: u64,
    in_flight: BTreeSet<(ObjectName, Seq)>,
    /// Answers on their way back to the dispatcher.
    answers: VecDeque<Input>,
    pub(crate) faults: bool,
    suspended: bool,
    b_is_there: bool,
    pub(crate) feeds: u64,
    pub(crate) key_feeds: u64,
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
    /// Events have keys, whose order both sinks keep.
    pub(crate) keyed: bool,
    /// Those that were parked and armed again: they join the order of their key where they come.
    replays: BTreeSet<(ObjectName, Seq)>,
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

/// What bodies are made of.
static ZEROS: [u8; 600_000] = [0; 600_000];

/// A page of as many of these as have room in it; the first always has.
fn page<T>(rows: impl Iterator<Item = T>, bytes_of: impl Fn(&T) -> usize, max: Page) -> (Vec<T>, bool) {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for row in rows {
        bytes += bytes_of(&row);
        if !taken.is_empty() && (taken.len() >= max.deliveries || bytes > max.bytes) {
            return (taken, true);
        }
        taken.push(row);
    }
    (taken, false)
}

/// What a read may bring.
#[derive(Clone, Copy)]
struct Page {
    deliveries: usize,
    bytes: usize,
}

fn event(key: Option<&str>, bytes: usize) -> Event {
    let head = Head { method: Method::POST, path: "/".into(), query: None, headers: HeaderMap::new() };
    Event::restore(EventParts {
        uid: Uid::new(0, &[0; 10]),
        endpoint: ObjectName::new("default", "e"),
        received_at: Timestamp::UNIX_EPOCH,
        id: None,
        event_type: None,
        key: key.map(Into::into),
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::new(head),
        body: Bytes::from_static(&ZEROS).slice(..bytes),
    })
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
            parked: Vec::new(),
            rearmed: 0,
            in_flight: BTreeSet::new(),
            answers: VecDeque::new(),
            faults: true,
            suspended: false,
            b_is_there: true,
            feeds: 0,
            key_feeds: 0,
            keyed: false,
            held_up: None,
            attempts_max: ATTEMPTS_MAX,
            down: false,
            attempts: 0,
            large: false,
            attempts_per_minute: 0,
            replays: BTreeSet::new(),
        };
        world.configure();
        world
    }

    fn now(&self) -> Now {
        let wall = Timestamp::UNIX_EPOCH + SignedDuration::try_from(self.elapsed).unwrap_or_default();
        Now { monotonic: self.elapsed, wall }
    }

    pub(crate) fn configure(&mut self) {
        let settings = |sink| SinkSettings {
            sink,
            retry: RetryPolicy {
                max_attempts: self.attempts_max,
                initial_delay: Duration::from_millis(500),
                multiplier: 2.0,
                max_delay: Duration::from_secs(5),
                max_age: Duration::from_secs(86_400),
                jitter: Jitter::Full,
                permanent_statuses: Vec::new(),
            },
            concurrency: CONCURRENCY,
            attempts_per_minute: NonZeroU32::new(self.attempts_per_minute),
            suspend: self.suspended,
        };
        let served = sinks().into_iter().filter(|sink| self.b_is_there || sink.name() == "a");
        let settings = served.map(settings).collect();
        self.step(Input::Configured(settings));
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        let now = self.now();
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
            Command::Record(record) => self.record(&record),
            Command::Feed { sink, ticket, after, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                self.feeds += 1;
                let answer = self.feed(sink, ticket, after, page);
                self.answer(answer);
            }
            Command::FeedKey { sink, ticket, key, after, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_key(sink, ticket, &key, after, page);
                self.answer(answer);
            }
            Command::FeedDue { sink, ticket, until, deliveries_max, bytes_max } => {
                let page = Page { deliveries: deliveries_max, bytes: bytes_max };
                let answer = self.feed_due(sink, ticket, until, page);
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
        assert!(!self.suspended, "a suspended sink gets nothing");
        assert!(self.in_flight.insert((sink.clone(), seq)), "{sink} {seq} is under way already");
        self.check_order(&sink, seq);
        let stored = self.pending.get(&sink).and_then(|pending| pending.get(&seq)).copied();
        let (attempts, due) = stored.expect("only what is pending is delivered");
        assert_eq!(number, attempts + 1, "{sink} {seq}");
        assert!(
            (number <= ATTEMPTS_MAX || self.attempts_max == 0)
                && due.is_none_or(|due| due <= self.now().wall),
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

    /// Nothing else of its key is under way, and nothing that came before it is still to be delivered.
    fn check_order(&self, sink: &ObjectName, seq: Seq) {
        let Some(key) = key_of(seq).filter(|_| self.keyed) else { return };
        let others = self.in_flight.iter().filter(|(of, other)| of == sink && *other != seq);
        let mut under_way = others.map(|(_, other)| *other).filter(|other| key_of(*other) == Some(key));
        assert_eq!(under_way.next(), None, "{sink} {seq}: another one of {key} is under way");
        if self.replays.contains(&(sink.clone(), seq)) {
            return;
        }
        let before = self.pending[sink].range(..seq).map(|(seq, _)| *seq);
        let mut before = before
            .filter(|other| key_of(*other) == Some(key) && !self.replays.contains(&(sink.clone(), *other)));
        assert_eq!(before.next(), None, "{sink} {seq} overtakes one of its key {key}");
    }

    fn record(&mut self, record: &Record) {
        let Record { seq, sink, attempt, next, .. } = record;
        let written = !(self.faults && self.dice.once_in(10));
        let known = self.pending.get_mut(sink).expect("the sink is there");
        if written {
            match next {
                Next::Retry { due } => {
                    let attempt = attempt.as_ref().expect("it was tried");
                    known.insert(*seq, (attempt.number, Some(*due)));
                }
                Next::Delivered { .. } | Next::Parked(_) | Next::Skipped => {
                    assert!(known.remove(seq).is_some(), "{sink} {seq} ends twice");
                    self.done.entry(sink.clone()).or_default().push(*seq);
                    if matches!(next, Next::Parked(_)) {
                        self.parked.push((sink.clone(), *seq));
                    }
                }
            }
        }
        self.answer(Input::Recorded { sink: sink.clone(), seq: *seq, written });
    }

    fn delivery(&self, sink: &ObjectName, seq: Seq, attempts: u32, due: Option<Timestamp>) -> Delivery {
        let key = key_of(seq).filter(|_| self.keyed);
        let event = Arc::new(event(key, self.bytes_of(seq)));
        Delivery {
            seq,
            sink: sink.clone(),
            event,
            attempts,
            due,
            ordered: key.is_some(),
            blocks: false,
            replay: 0,
        }
    }

    fn bytes_of(&self, seq: Seq) -> usize {
        if self.large && seq.is_multiple_of(29) { ZEROS.len() } else { 1_000 }
    }

    fn feed(&mut self, sink: ObjectName, ticket: u64, after: Seq, max: Page) -> Input {
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let never_tried = self.pending[&sink].range(after + 1..).filter(|(_, (_, due))| due.is_none());
        let never_tried = never_tried.map(|(seq, _)| *seq);
        let (seqs, more) = page(never_tried, |seq| self.bytes_of(*seq), max);
        let up_to = if more { seqs.last().copied().unwrap_or(after) } else { self.committed };
        let deliveries = seqs.into_iter().map(|seq| self.delivery(&sink, seq, 0, None)).collect();
        let tried = self.pending[&sink].range(after + 1..=up_to.max(after + 1));
        let tried = tried
            .filter(|(seq, (attempts, due))| **seq <= up_to && due.is_some() && *attempts > 0 && self.keyed);
        let tried = tried.filter_map(|(seq, _)| Some((*seq, key_of(*seq)?.into()))).collect();
        Input::Fed { sink, ticket, deliveries, tried, up_to, more }
    }

    fn feed_key(&mut self, sink: ObjectName, ticket: u64, key: &str, after: Seq, max: Page) -> Input {
        self.key_feeds += 1;
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let of_key = self.pending[&sink].range(after + 1..).filter(|(seq, _)| key_of(**seq) == Some(key));
        let of_key = of_key.map(|(seq, (attempts, due))| (*seq, *attempts, *due));
        let (rows, more) = page(of_key, |(seq, ..)| self.bytes_of(*seq), max);
        let delivery = |(seq, attempts, due)| self.delivery(&sink, seq, attempts, due);
        let deliveries = rows.into_iter().map(delivery).collect();
        Input::FedKey { sink, ticket, deliveries, more }
    }

    fn feed_due(&mut self, sink: ObjectName, ticket: u64, until: Timestamp, max: Page) -> Input {
        if self.faults && self.dice.once_in(8) {
            return Input::FeedFailed { sink, ticket };
        }
        let pending = self.pending[&sink].iter();
        let mut tried: Vec<(Timestamp, Seq, u32)> =
            pending.filter_map(|(seq, (attempts, due))| due.map(|due| (due, *seq, *attempts))).collect();
        tried.sort_unstable();
        let due = tried.iter().take_while(|(due, _, _)| *due <= until);
        let (given, _) = page(due, |(_, seq, _)| self.bytes_of(*seq), max);
        let given = given.len();
        let next_due = tried.get(given).map(|(due, _, _)| *due);
        tried.truncate(given);
        let deliveries = tried
            .into_iter()
            .map(|(due, seq, attempts)| self.delivery(&sink, seq, attempts, Some(due)))
            .collect();
        Input::FedDue { sink, ticket, deliveries, next_due }
    }

    pub(crate) fn commit(&mut self, count: u64) {
        let first = self.committed + 1;
        self.committed += count;
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
        self.wake_at = None;
        self.configure();
    }

    /// A parked delivery becomes pending again, and the dispatcher is told.
    fn rearm(&mut self) {
        let Some((sink, seq)) = self.parked.pop() else { return };
        self.rearmed += 1;
        self.replays.insert((sink.clone(), seq));
        self.done.entry(sink.clone()).or_default().retain(|done| *done != seq);
        let now = self.now().wall;
        self.pending.entry(sink).or_default().insert(seq, (0, Some(now)));
        self.step(Input::Look { rearmed: Some(seq) });
    }

    pub(crate) fn disturb(&mut self) {
        match self.dice.below(120) {
            0 => self.restart(),
            1 => {
                self.suspended = !self.suspended && self.in_flight.is_empty();
                self.configure();
            }
            2..=4 => {
                self.b_is_there = !self.b_is_there;
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
            _ => {}
        }
    }

    /// Faults stop; everything must end by commands and wake-ups alone.
    pub(crate) fn settle(&mut self) {
        self.faults = false;
        self.suspended = false;
        self.b_is_there = true;
        self.configure();
        let mut steps = 0u64;
        while self.advance() && self.pending.values().any(|pending| !pending.is_empty()) {
            steps += 1;
            assert!(steps < 40 * self.committed + 10_000, "it does not come to an end");
        }
        for (sink, pending) in &self.pending {
            assert!(
                pending.is_empty(),
                "{sink}: {} deliveries were forgotten: {:?}",
                pending.len(),
                self.dispatcher.snapshot()
            );
        }
    }
}
