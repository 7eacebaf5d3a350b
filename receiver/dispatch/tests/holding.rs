//! Who holds a key, in a store that one can look into: what is erased lets go of it, and what is parked holds it, whatever is read
//! meanwhile.
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use boathook_dispatch::{
    BreakerState, Command, Dispatcher, Handover, Input, Now, SinkSettings, limits::KEY_QUEUE_MAX,
};
use boathook_event::{
    Attempt, Delivered, Delivery, Event, EventParts, Failure, FailureKind, Head, Jitter, Next, ObjectName,
    RetryPolicy, Seq, Uid,
};
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};

const START: Timestamp = Timestamp::constant(1_800_000_000, 0);
const MAX_AGE: Duration = Duration::from_secs(1_000);

fn sink() -> ObjectName {
    ObjectName::new("test", "out")
}

/// A dispatcher over a store. Attempts end when they are told to.
struct Bench {
    dispatcher: Dispatcher,
    now: Duration,
    wake_at: Option<Duration>,
    pending: BTreeMap<Seq, Delivery>,
    /// Under way, in the order in which they began.
    under_way: VecDeque<(Seq, u32)>,
    /// What is not answered yet: reads of keys, and records.
    waiting: VecDeque<Command>,
    /// What was told of the breaker.
    told: Vec<BreakerState>,
}

impl Bench {
    fn new(concurrency: usize, pending: Vec<Delivery>) -> Self {
        let mut bench = Self {
            dispatcher: Dispatcher::new(1),
            now: Duration::from_secs(1),
            wake_at: None,
            pending: pending.into_iter().map(|delivery| (delivery.seq, delivery)).collect(),
            under_way: VecDeque::new(),
            waiting: VecDeque::new(),
            told: Vec::new(),
        };
        let retry = RetryPolicy {
            max_attempts: 0,
            initial_delay: Duration::from_secs(10),
            multiplier: 1.0,
            max_delay: Duration::from_secs(10),
            max_age: MAX_AGE,
            jitter: Jitter::None,
            permanent_statuses: Vec::new(),
        };
        bench.step(Input::Configured(vec![SinkSettings {
            sink: sink(),
            retry,
            concurrency,
            attempts_per_minute: None,
            attempts_per_tenant_per_minute: None,
            suspend: false,
            paused: false,
            skip: false,
        }]));
        bench
    }

    fn wall(&self) -> Timestamp {
        START + SignedDuration::try_from(self.now).unwrap_or_default()
    }

    fn step(&mut self, input: Input) {
        let mut commands = Vec::new();
        let now = Now { monotonic: self.now, wall: self.wall() };
        self.dispatcher.step(now, input, &mut commands);
        for command in commands {
            match command {
                Command::Deliver { delivery, attempt } => self.under_way.push_back((delivery.seq, attempt)),
                Command::WakeAt(at) => self.wake_at = Some(at),
                Command::Breaker { state, .. } => self.told.push(state),
                Command::FeedKey { .. } | Command::Record { .. } | Command::End { .. } => {
                    self.waiting.push_back(command);
                }
                command => self.answer(command),
            }
        }
    }

    /// Answers what waits.
    fn answer_all(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            self.answer(command);
        }
    }

    fn answer(&mut self, command: Command) {
        let last = self.pending.last_key_value().map_or(0, |(seq, _)| *seq);
        match command {
            Command::Feed { sink, ticket, .. } => {
                let (tried, fresh): (Vec<_>, Vec<_>) =
                    self.pending.values().cloned().partition(|delivery| delivery.due.is_some());
                let tried = tried.iter().filter_map(|one| Some((one.seq, one.event.key.clone()?))).collect();
                self.step(Input::Fed {
                    sink,
                    ticket,
                    deliveries: fresh,
                    tried,
                    blocking: Vec::new(),
                    up_to: last,
                    more: false,
                });
            }
            Command::FeedKey { sink, ticket, after, deliveries_max, .. } => {
                let mut behind = self.pending.range(after + 1..).map(|(_, delivery)| delivery.clone());
                let deliveries = behind.by_ref().take(deliveries_max).collect();
                let more = behind.next().is_some();
                self.step(Input::FedKey { sink, ticket, deliveries, more });
            }
            Command::FeedDue { sink, ticket, until, .. } => {
                let tried = self.pending.values().filter(|delivery| delivery.due.is_some());
                let (due, later): (Vec<_>, Vec<_>) =
                    tried.cloned().partition(|delivery| delivery.due.is_some_and(|due| due <= until));
                let next_due = later.iter().filter_map(|delivery| delivery.due).min();
                self.step(Input::FedDue { sink, ticket, deliveries: due, more: false, next_due });
            }
            Command::Record { record, .. } | Command::End { record, .. } => {
                match record.next {
                    Next::Retry { due } => {
                        self.pending.entry(record.seq).and_modify(|delivery| delivery.due = Some(due));
                    }
                    _ => drop(self.pending.remove(&record.seq)),
                }
                self.step(Input::Recorded { sink: record.sink, seq: record.seq, written: true });
            }
            // Nothing that is not in memory is too old.
            Command::FeedOldest { sink, ticket, .. } => {
                self.step(Input::FedOldest {
                    sink,
                    ticket,
                    deliveries: Vec::new(),
                    up_to: last,
                    more: false,
                });
            }
            _ => {}
        }
    }

    fn stored(&mut self, deliveries: Vec<Delivery>) {
        self.pending.extend(deliveries.iter().map(|delivery| (delivery.seq, delivery.clone())));
        let [first, last] = [deliveries.first(), deliveries.last()].map(|one| one.map_or(0, |one| one.seq));
        self.step(Input::Stored(Handover { first, last, deliveries }));
    }

    /// Armed again.
    fn armed(&mut self, mut delivery: Delivery) {
        let seq = delivery.seq;
        delivery.due = Some(self.wall());
        self.pending.insert(seq, delivery);
        self.step(Input::Rearmed { seqs: vec![seq] });
    }

    fn erase(&mut self, seqs: &[Seq]) {
        self.pending.retain(|seq, _| !seqs.contains(seq));
        self.step(Input::Gone { seqs: seqs.iter().copied().collect() });
    }

    /// The attempt that began first ends; nothing is answered yet.
    fn ends(&mut self, taken: bool) -> (Seq, u32) {
        let (seq, number) = self.under_way.pop_front().expect("something is under way");
        let failure = Failure {
            kind: FailureKind::Refused,
            permanent: false,
            status: None,
            retry_after: None,
            message: "no".into(),
        };
        let result = if taken { Ok(Delivered { already_there: false, status: None }) } else { Err(failure) };
        let attempt = Attempt { number, started_at: self.wall(), duration_millis: 1, result };
        self.step(Input::Finished { sink: sink(), seq, attempt });
        (seq, number)
    }

    /// Lets time pass.
    fn passes(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.wake_at.take_if(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
        self.now = until;
        self.step(Input::Tick);
    }

    /// Everything is taken and answered from now on: what is attempted until nothing is pending, or nothing happens.
    fn all(&mut self) -> Vec<Seq> {
        let mut taken = Vec::new();
        loop {
            self.answer_all();
            if !self.under_way.is_empty() {
                taken.push(self.ends(true).0);
            } else if self.pending.is_empty() || taken.len() > 100 || self.now > MAX_AGE {
                return taken;
            } else {
                self.passes(5);
            }
        }
    }
}

/// Of the key `k`, received so long after the start.
fn delivery(seq: Seq, received: i64) -> Delivery {
    let head = Head { method: Method::POST, path: "/".into(), query: None, headers: HeaderMap::new() };
    let event = Event::restore(EventParts {
        uid: Uid::from_bytes([7; 16]),
        endpoint: ObjectName::new("test", "in"),
        received_at: START + SignedDuration::from_secs(received),
        id: None,
        event_type: None,
        key: Some("k".into()),
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::new(head),
        body: bytes::Bytes::from_static(b"{}"),
    });
    Delivery {
        seq,
        sink: sink(),
        event: Arc::new(event),
        attempts: 0,
        due: None,
        ordered: true,
        blocks: true,
        replay: 0,
    }
}

/// One attempt was made; the next is not yet due.
fn tried(seq: Seq) -> Delivery {
    Delivery { attempts: 1, due: Some(START + SignedDuration::from_secs(9)), ..delivery(seq, 0) }
}

#[test]
fn what_is_erased_while_only_the_store_has_it_gives_its_key_to_the_next() {
    let mut bench = Bench::new(2, vec![tried(5), tried(6), delivery(7, 0)]);
    bench.stored(vec![delivery(8, 0)]);
    bench.passes(1);
    assert!(bench.under_way.is_empty(), "{:?}", bench.under_way);
    bench.erase(&[5]);
    assert!(bench.under_way.is_empty(), "{:?}", bench.under_way);
    bench.erase(&[6, 7]);
    assert_eq!(bench.all(), [8]);
}

#[test]
fn what_is_erased_while_it_waits_for_its_next_try_is_not_tried_again() {
    let mut bench = Bench::new(2, Vec::new());
    bench.stored(vec![delivery(1, 0), delivery(2, 0)]);
    assert_eq!(bench.ends(false), (1, 1));
    bench.answer_all();
    bench.erase(&[1]);
    assert_eq!(bench.all(), [2]);
    bench.passes(60);
    assert!(bench.under_way.is_empty());
}

#[test]
fn what_is_erased_while_it_is_under_way_is_not_tried_again_and_holds_its_key_until_it_has_ended() {
    let mut bench = Bench::new(2, Vec::new());
    bench.stored(vec![delivery(1, 0), delivery(2, 0)]);
    bench.erase(&[1]);
    assert_eq!(Vec::from(bench.under_way.clone()), [(1, 1)]);
    bench.ends(false);
    assert!(bench.under_way.is_empty());
    assert_eq!(bench.all(), [2]);
}

#[test]
fn a_read_that_was_under_way_when_its_key_was_held_leaves_out_nothing() {
    let last = 10 + KEY_QUEUE_MAX as u64;
    let mut bench = Bench::new(2, Vec::new());
    // One more than wait in memory; the second is to be too old before the others are.
    bench.stored((9..=last).map(|seq| delivery(seq, if seq == 10 { -900 } else { 0 })).collect());
    bench.armed(delivery(5, 0));
    bench.passes(200);
    let too_old = |command: &Command| matches!(command, Command::End { record, .. } if record.seq == 10);
    assert!(bench.waiting.iter().any(too_old), "{:?}", bench.waiting);
    let ended = bench.waiting.pop_front().unwrap();
    assert_eq!(bench.ends(true), (9, 1));
    // The armed one is left to the store: a read of the key is under way when the second is parked.
    let recorded = bench.waiting.pop_front().unwrap();
    bench.answer(recorded);
    assert!(matches!(bench.waiting[0], Command::FeedKey { after: 4, .. }), "{:?}", bench.waiting);
    bench.answer(ended);
    bench.answer_all();
    assert_eq!(bench.ends(true), (5, 1));
    bench.answer_all();
    assert!(bench.under_way.is_empty(), "{:?}", bench.under_way);
    bench.armed(delivery(10, 0));
    assert_eq!(bench.all(), (10..=last).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_was_left_alone_is_not_told_to_be_when_nothing_waits_for_it_any_more() {
    let mut bench = Bench::new(1, Vec::new());
    assert_eq!(bench.told, [BreakerState::Closed]);
    bench.stored(vec![delivery(1, 0)]);
    bench.ends(false);
    bench.answer_all();
    while bench.told.len() == 1 {
        bench.passes(10);
        bench.ends(false);
        bench.answer_all();
    }
    assert!(matches!(bench.told[..], [_, BreakerState::Open { .. }]), "{:?}", bench.told);
    bench.erase(&[1]);
    bench.passes(100);
    assert_eq!(bench.told[2..], [BreakerState::HalfOpen]);
}
