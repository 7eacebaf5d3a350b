//! The store that keeps nothing passes what of the suite needs no memory of what has ended, and lets go of everything else.
use std::sync::{Arc, Mutex};

use boathook_event::{Next, ParkReason, Uid};
use boathook_store::{
    limits::{MEMORY_BYTES_MAX, MEMORY_EVENTS_MAX, MEMORY_REJECTED_MAX, QUEUE_BYTES_MAX},
    memory::Memory,
    traits::{Archive, Batch, Committer, DeliveryState, Feed, Standing, Verdict},
};
use jiff::Timestamp;

use crate::suite::{
    Environment,
    build::{self, Draft, at, delivered, draft, key, name, parked, retry, without_attempt},
    model,
};

crate::passing_conformance!(Passing);

/// A store in this process.
struct Passing {
    time: Arc<Mutex<Timestamp>>,
    store: Memory,
}

impl Environment for Passing {
    const KEEPS: bool = false;

    fn new() -> Self {
        let time = Arc::new(Mutex::new(build::START));
        let clock = Arc::clone(&time);
        Self { store: Memory::with_clock(Arc::new(move || *clock.lock().unwrap())), time }
    }

    fn committer(&self) -> Box<dyn Committer + Send> {
        Box::new(self.store.committer())
    }

    fn feed(&self) -> Box<dyn Feed + Send> {
        Box::new(self.store.feed())
    }

    fn archive(&self) -> Box<dyn Archive + Send> {
        Box::new(self.store.archive())
    }

    fn set_time(&self, time: Timestamp) {
        *self.time.lock().unwrap() = time;
    }
}

impl Passing {
    fn record(&self, records: Vec<boathook_event::Record>) {
        let epoch = self.claim();
        let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
        self.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    }
}

#[test]
fn any_history_ends_as_in_the_model() {
    model::any_history_of_one_process_ends_as_in_the_model::<Passing>();
}

#[test]
fn an_event_goes_with_its_last_delivery_and_its_repetition_is_another_event() {
    let store = Passing::new();
    let event = |uid| draft(uid).dedupe(&[key(7)]).sinks(&["a", "b"]);
    assert_eq!(store.append(&[event(1)]), [Verdict::Stored { seq: 1 }]);
    store.record(vec![delivered(1, "a", 1, at(0)), retry(1, "b", 1, at(0), at(5))]);
    assert_eq!(store.append(&[event(2)]), [Verdict::Duplicate { of: 1, rearmed: false }]);
    assert!(store.archive().show(&build::uid(1)).unwrap().is_some());
    store.record(vec![parked(1, "b", 2, at(5))]);
    assert!(store.archive().show(&build::uid(1)).unwrap().is_none());
    assert_eq!(store.append(&[event(3)]), [Verdict::Stored { seq: 2 }]);
    let statistics = store.archive().statistics().unwrap();
    let told = statistics.sinks.iter().map(|of| [of.delivered, of.parked, of.pending, of.failed_attempts]);
    assert_eq!(told.collect::<Vec<_>>(), [[1, 0, 1, 0], [0, 1, 1, 2]]);
    assert_eq!((statistics.events, statistics.last_seq), (1, 2));
}

#[test]
fn what_no_sink_wants_and_what_is_put_aside_is_counted_and_gone_at_once() {
    let store = Passing::new();
    store.append(&[draft(1).sinks(&[]), draft(2).put_aside(ParkReason::SchemaMismatch), draft(3)]);
    store.record(vec![without_attempt(3, "a", Next::Skipped)]);
    assert!(store.archive().list(None, 0, 10).unwrap().is_empty());
    let statistics = store.archive().statistics().unwrap();
    assert_eq!((statistics.events, statistics.sinks[0].parked, statistics.sinks[0].skipped), (0, 1, 1));
}

#[test]
fn who_has_joined_an_event_that_has_just_ended_is_told_how() {
    let store = Passing::new();
    store.append(&[draft(1)]);
    store.record(vec![parked(1, "a", 1, at(0))]);
    let deliveries = vec![(name("a"), DeliveryState::Parked)];
    assert_eq!(store.feed().standing(1).unwrap(), Some(Standing { uid: build::uid(1), deliveries }));
}

#[test]
fn a_key_never_waits_behind_what_is_parked() {
    let store = Passing::new();
    store.append(&[draft(1).key("k").blocking().sinks(&["a", "b"]), draft(2).key("k").blocking()]);
    store.record(vec![parked(1, "a", 1, at(0))]);
    let fed = store.feed().next(&name("a"), 0, build::ALL).unwrap();
    assert_eq!((fed.deliveries.len(), fed.blocking), (1, Vec::new()));
    assert!(!fed.deliveries[0].blocks && store.feed().blocking(&name("a"), &[1]).unwrap().is_empty());
}

#[test]
fn an_erased_event_is_gone_with_its_keys() {
    let store = Passing::new();
    let event = |uid| draft(uid).key("k").dedupe(&[key(7)]).sinks(&["a", "b", "c"]);
    store.append(&[event(1)]);
    store.record(vec![delivered(1, "a", 1, at(0)), parked(1, "b", 1, at(0))]);
    assert_eq!(store.archive().erase(&[1]).unwrap().events, 1);
    assert_eq!(store.archive().erase(&[1]).unwrap().events, 0);
    assert!(store.feed().by_key(&name("c"), "k", 0, build::ALL).unwrap().deliveries.is_empty());
    let sinks = store.archive().statistics().unwrap().sinks;
    let told = sinks.iter().map(|of| [of.delivered, of.parked, of.pending, of.pending_bytes, of.erased]);
    assert_eq!(told.collect::<Vec<_>>(), [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]);
    assert_eq!(store.append(&[event(2)]), [Verdict::Stored { seq: 2 }]);
}

#[test]
fn above_its_bound_no_events_are_taken_until_some_have_ended() {
    let store = Passing::new();
    let mut committer = store.committer();
    assert_eq!(committer.rest(), None);
    let large = |uid| Draft { body: vec![b'x'; 16 << 20], ..draft(uid) };
    let events = MEMORY_BYTES_MAX as u64 / (16 << 20);
    for uid in 1..=events {
        assert_eq!(committer.rest(), None, "{uid}");
        store.append(&[large(uid)]);
    }
    assert!(committer.rest().is_some_and(|why| why.contains("256 MiB")));
    store.record(vec![delivered(1, "a", 1, at(0))]);
    assert_eq!(committer.rest(), None);
    // What waits to be stored by then fits into the same figure twice.
    const { assert!(QUEUE_BYTES_MAX <= MEMORY_BYTES_MAX) };
}

#[test]
fn above_its_number_no_events_are_taken_until_some_have_ended() {
    let store = Passing::new();
    let mut committer = store.committer();
    let all = MEMORY_EVENTS_MAX as u64;
    for slice in (1..all).collect::<Vec<_>>().chunks(2_000) {
        store.append(&slice.iter().map(|uid| draft(*uid)).collect::<Vec<_>>());
    }
    assert_eq!(committer.rest(), None);
    store.append(&[draft(all)]);
    assert!(committer.rest().is_some());
    store.record(vec![delivered(7, "a", 1, at(0))]);
    assert_eq!(committer.rest(), None);
}

#[test]
fn refused_requests_of_all_endpoints_are_bounded() {
    let store = Passing::new();
    let refused = |number: usize| boathook_event::Rejected {
        endpoint: name(&format!("in-{}", number % 100)),
        received_at: at(0),
        code: "invalid_signature".into(),
        status: 401,
        source: "192.0.2.7".parse().unwrap(),
        diagnosis: "".into(),
    };
    let rejected = (0..MEMORY_REJECTED_MAX + 5).map(refused).collect();
    store.committer().commit(&Batch { rejected, ..Batch::default() }).unwrap();
    let kept = |endpoint: &str| store.archive().rejections(Some(&name(endpoint)), None, 1_000).unwrap().len();
    assert_eq!((kept("in-4"), kept("in-5")), (100, 100));
    assert_eq!((0..100).map(|endpoint| kept(&format!("in-{endpoint}"))).sum::<usize>(), MEMORY_REJECTED_MAX);
}

#[test]
fn a_uid_is_found_as_long_as_its_event_is_on_its_way() {
    let store = Passing::new();
    store.append(&[draft(1), draft(2)]);
    store.record(vec![delivered(1, "a", 1, at(0))]);
    let there = |uid: Uid| store.archive().show(&uid).unwrap().is_some();
    assert_eq!((there(build::uid(1)), there(build::uid(2))), (false, true));
}
