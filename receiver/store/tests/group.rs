//! The group commit, step by step, without a store and without a clock.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::suite::build::{Draft, at, delivered, draft, name, uid};
use boathook_event::{Count, Word};
use boathook_store::{
    Command, Error, GroupCommit, Handover, Input, Request, SubmitError,
    limits::{
        APPEND_OVERHEAD_BYTES, BATCH_APPENDS_MAX, BATCH_BYTES_MAX, FULL_PAUSE, QUEUE_BYTES_MAX,
        RECORDS_KEPT_MAX, RIDERS_MAX, RIDERS_WAIT,
    },
    traits::{Append, Batch, Epoch, Verdict},
};
use proptest::prelude::*;

const EPOCH: Epoch = Epoch(1);

/// The machine, the time, and what it said.
#[derive(Default)]
struct Bench {
    machine: GroupCommit<u32>,
    now: Duration,
    seq: u64,
}

impl Bench {
    fn step(&mut self, input: Input<u32>) -> Vec<Command<u32>> {
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        out
    }

    fn appends(&mut self, ticket: u32, appends: Vec<Append>) -> Vec<Command<u32>> {
        self.step(Input::Submit(Request::Appends(ticket, appends)))
    }

    fn append(&mut self, ticket: u32, uid: u64) -> Vec<Command<u32>> {
        self.appends(ticket, vec![draft(uid).append()])
    }

    fn outcomes(&mut self, ticket: u32, records: usize) -> Vec<Command<u32>> {
        let records = (0..records as u64).map(|seq| (EPOCH, delivered(seq, "a", 1, at(0)))).collect();
        self.step(Input::Submit(Request::Outcomes(ticket, records)))
    }

    fn count(&mut self, by: u64) -> Vec<Command<u32>> {
        self.step(Input::Submit(Request::Counts(vec![Count { endpoint: name("in"), word: Word::Busy, by }])))
    }

    /// All appends of the batch are stored.
    fn stored(&mut self, batch: &Batch) -> Vec<Command<u32>> {
        let verdicts = batch.appends.iter().map(|_| {
            self.seq += 1;
            Verdict::Stored { seq: self.seq }
        });
        let verdicts = verdicts.collect();
        self.step(Input::Written(Ok(verdicts)))
    }

    fn failed(&mut self, error: Error) -> Vec<Command<u32>> {
        self.step(Input::Written(Err(error)))
    }
}

fn write(commands: &[Command<u32>]) -> Arc<Batch> {
    let mut writes = commands.iter().filter_map(|command| match command {
        Command::Write(batch) => Some(Arc::clone(batch)),
        _ => None,
    });
    let write = writes.next().unwrap_or_else(|| panic!("nothing is written: {commands:?}"));
    assert!(writes.next().is_none(), "two writes at once");
    write
}

fn answers(commands: &[Command<u32>]) -> Vec<(u32, Result<Vec<Verdict>, SubmitError>)> {
    let answers = commands.iter().filter_map(|command| match command {
        Command::Answer(ticket, result) => Some((*ticket, result.clone())),
        _ => None,
    });
    answers.collect()
}

fn tickets(commands: &[Command<u32>]) -> Vec<u32> {
    answers(commands).into_iter().map(|(ticket, _)| ticket).collect()
}

fn handover(commands: &[Command<u32>]) -> Option<&Handover> {
    commands.iter().find_map(|command| match command {
        Command::Handover(handover) => Some(handover),
        _ => None,
    })
}

fn uids(batch: &Batch) -> Vec<String> {
    batch.appends.iter().map(|append| append.event.uid.to_string()).collect()
}

fn expected_uids(numbers: &[u64]) -> Vec<String> {
    numbers.iter().map(|number| uid(*number).to_string()).collect()
}

#[test]
fn an_append_to_an_idle_store_is_written_at_once_and_answered_only_when_written() {
    let mut bench = Bench::default();
    let commands = bench.append(1, 10);
    let batch = write(&commands);
    assert_eq!((commands.len(), uids(&batch)), (1, expected_uids(&[10])));
    let commands = bench.stored(&batch);
    assert_eq!(answers(&commands), [(1, Ok(vec![Verdict::Stored { seq: 1 }]))]);
}

#[test]
fn what_queues_while_a_batch_is_written_is_the_next_batch() {
    let mut bench = Bench::default();
    let first = write(&bench.append(1, 10));
    assert!(bench.append(2, 20).is_empty());
    assert!(bench.appends(3, vec![draft(30).append(), draft(31).append()]).is_empty());
    let commands = bench.stored(&first);
    let second = write(&commands);
    assert_eq!((tickets(&commands), uids(&second)), (vec![1], expected_uids(&[20, 30, 31])));
    let commands = bench.step(Input::Written(Ok(vec![
        Verdict::Duplicate { of: 1, rearmed: false },
        Verdict::IdConflict { seq: 2 },
        Verdict::Stored { seq: 3 },
    ])));
    assert_eq!(
        answers(&commands),
        [
            (2, Ok(vec![Verdict::Duplicate { of: 1, rearmed: false }])),
            (3, Ok(vec![Verdict::IdConflict { seq: 2 }, Verdict::Stored { seq: 3 }])),
        ]
    );
}

#[test]
fn what_is_stored_is_handed_over_after_the_answers_with_the_event_itself() {
    let mut bench = Bench::default();
    let appends = vec![
        draft(1).sinks(&[]).append(),
        draft(2).append(),
        draft(3).sinks(&["a", "b", "a"]).append(),
        draft(4).sinks(&[]).append(),
    ];
    let event = Arc::clone(&appends[2].event);
    write(&bench.appends(1, appends));
    let verdicts = vec![
        Verdict::Stored { seq: 7 },
        Verdict::Duplicate { of: 3, rearmed: false },
        Verdict::Stored { seq: 8 },
        Verdict::Stored { seq: 9 },
    ];
    let commands = bench.step(Input::Written(Ok(verdicts)));
    assert!(matches!(commands[..], [Command::Answer(..), Command::Handover(_)]));
    let Handover { first, last, deliveries } = handover(&commands).unwrap();
    assert_eq!((*first, *last), (7, 9));
    let sinks = deliveries.iter().map(|delivery| (delivery.seq, delivery.sink.name())).collect::<Vec<_>>();
    assert_eq!(sinks, [(8, "a"), (8, "b")]);
    assert!(deliveries.iter().all(|delivery| Arc::ptr_eq(&delivery.event, &event)));
}

#[test]
fn a_commit_of_duplicates_alone_hands_nothing_over() {
    let mut bench = Bench::default();
    write(&bench.append(1, 10));
    let commands = bench.step(Input::Written(Ok(vec![Verdict::Duplicate { of: 1, rearmed: false }])));
    assert!(handover(&commands).is_none());
}

#[test]
fn a_batch_is_bounded_but_never_splits_a_request() {
    let mut bench = Bench::default();
    let first = write(&bench.append(1, 10));
    let many =
        |from: u64, count: usize| (from..).take(count).map(|uid| draft(uid).append()).collect::<Vec<_>>();
    bench.appends(2, many(100, BATCH_APPENDS_MAX - 1));
    bench.appends(3, many(10_000, 2));
    bench.appends(4, many(20_000, BATCH_APPENDS_MAX + 1));
    let batch = write(&bench.stored(&first));
    assert_eq!(batch.appends.len(), BATCH_APPENDS_MAX - 1);
    let batch = write(&bench.stored(&batch));
    assert_eq!(batch.appends.len(), 2);
    let batch = write(&bench.stored(&batch));
    assert_eq!(batch.appends.len(), BATCH_APPENDS_MAX + 1);
    let large = |uid| Draft { body: vec![0; BATCH_BYTES_MAX / 2], ..draft(uid) }.append();
    bench.appends(5, vec![large(1)]);
    bench.appends(6, vec![large(2)]);
    let batch = write(&bench.stored(&batch));
    assert_eq!(batch.appends.len(), 1);
}

#[test]
fn above_its_bytes_the_queue_refuses_appends_until_some_are_answered() {
    let mut bench = Bench::default();
    let sized = |uid, bytes: usize| {
        vec![Draft { body: vec![0; bytes - APPEND_OVERHEAD_BYTES], ..draft(uid) }.append()]
    };
    let first = write(&bench.appends(1, sized(1, QUEUE_BYTES_MAX / 2)));
    assert!(bench.appends(2, sized(2, QUEUE_BYTES_MAX / 2)).is_empty());
    assert_eq!(answers(&bench.append(3, 3)), [(3, Err(SubmitError::Busy))]);
    // Outcomes are never refused.
    assert!(bench.outcomes(4, 1).is_empty());
    assert_eq!(tickets(&bench.stored(&first)), [1]);
    assert!(bench.append(5, 5).is_empty());
}

#[test]
fn a_request_larger_than_the_queue_is_taken_when_the_queue_is_empty() {
    let mut bench = Bench::default();
    let huge = Draft { body: vec![0; QUEUE_BYTES_MAX + 1], ..draft(1) };
    write(&bench.appends(1, vec![huge.append()]));
}

#[test]
fn outcomes_and_counts_ride_along_with_appends() {
    let mut bench = Bench::default();
    assert!(matches!(bench.outcomes(1, 2)[..], [Command::WakeAt(at)] if at == RIDERS_WAIT));
    bench.now += RIDERS_WAIT / 2;
    assert!(bench.count(2).is_empty());
    assert!(bench.count(3).is_empty());
    let batch = write(&bench.append(2, 10));
    assert_eq!((batch.appends.len(), batch.outcomes.len(), batch.counters.len()), (1, 2, 1));
    assert_eq!(batch.counters[0].by, 5);
    assert_eq!(tickets(&bench.stored(&batch)), [2, 1]);
}

#[test]
fn outcomes_go_alone_when_they_are_old() {
    let mut bench = Bench { now: Duration::from_secs(5), ..Bench::default() };
    assert!(matches!(bench.outcomes(1, 1)[..], [Command::WakeAt(at)] if at == bench.now + RIDERS_WAIT));
    // A wake-up too early is asked for again.
    assert!(matches!(bench.step(Input::Tick)[..], [Command::WakeAt(_)]));
    bench.now += RIDERS_WAIT;
    let batch = write(&bench.step(Input::Tick));
    assert_eq!((batch.appends.len(), batch.outcomes.len()), (0, 1));
    let commands = bench.stored(&batch);
    assert_eq!(answers(&commands), [(1, Ok(vec![]))]);
    assert_eq!(commands.len(), 1, "nothing is left to wake for");
}

#[test]
fn counts_go_alone_when_they_are_old() {
    let mut bench = Bench::default();
    assert!(matches!(bench.count(1)[..], [Command::WakeAt(_)]));
    bench.now += RIDERS_WAIT;
    assert_eq!(write(&bench.step(Input::Tick)).counters.len(), 1);
}

#[test]
fn many_outcomes_go_alone_at_once() {
    let mut bench = Bench::default();
    bench.outcomes(1, RIDERS_MAX);
    assert_eq!(write(&bench.outcomes(2, 1)).outcomes.len(), RIDERS_MAX + 1);
}

#[test]
fn of_a_refused_batch_each_member_is_tried_by_itself_once_before_anything_newer() {
    let mut bench = Bench::default();
    let first = write(&bench.append(1, 10));
    bench.append(2, 20);
    bench.append(3, 30);
    bench.outcomes(4, 2);
    bench.count(1);
    let both = write(&bench.stored(&first));
    assert_eq!((both.appends.len(), both.outcomes.len(), both.counters.len()), (2, 2, 1));
    bench.append(5, 50);
    let batch = write(&bench.failed(Error::Rejected("spoilt".into())));
    assert_eq!(uids(&batch), expected_uids(&[20]));
    let commands = bench.failed(Error::Rejected("it is this one".into()));
    let [(2, Err(SubmitError::Rejected(reason)))] = &answers(&commands)[..] else { panic!("{commands:?}") };
    assert!(reason.contains("it is this one"));
    let batch = write(&commands);
    assert_eq!(uids(&batch), expected_uids(&[30]));
    let commands = bench.stored(&batch);
    assert_eq!(tickets(&commands), [3]);
    assert_eq!(handover(&commands).map(|handover| handover.first), Some(2));
    let batch = write(&commands);
    assert_eq!((batch.appends.len(), batch.outcomes.len()), (0, 2));
    let commands = bench.stored(&batch);
    assert_eq!(tickets(&commands), [4]);
    let batch = write(&commands);
    assert_eq!((batch.outcomes.len(), batch.counters.len()), (0, 1));
    assert_eq!(uids(&write(&bench.stored(&batch))), expected_uids(&[50]));
}

#[test]
fn a_refused_batch_of_one_member_is_not_tried_again() {
    let mut bench = Bench::default();
    write(&bench.append(1, 10));
    let commands = bench.failed(Error::Rejected("no".into()));
    assert!(matches!(commands[..], [Command::Answer(1, Err(SubmitError::Rejected(_)))]));
}

#[test]
fn a_failed_disk_answers_everybody_and_ends_everything() {
    let mut bench = Bench::default();
    write(&bench.append(1, 10));
    bench.append(2, 20);
    bench.outcomes(3, 1);
    let commands = bench.failed(Error::Io("fsync".into()));
    assert_eq!(tickets(&commands), [1, 2, 3]);
    // Of what was not yet begun it is known that it is not there.
    assert!(matches!(answers(&commands)[0], (1, Err(SubmitError::InDoubt(_)))));
    assert!(
        answers(&commands)[1..].iter().all(|(_, result)| matches!(result, Err(SubmitError::Unavailable(_))))
    );
    assert!(matches!(commands.last(), Some(Command::Halt(reason)) if reason.contains("fsync")));
    assert!(matches!(bench.append(4, 40)[..], [Command::Answer(4, Err(SubmitError::Unavailable(_)))]));
    assert!(bench.step(Input::Close).is_empty());
}

#[test]
fn verdicts_that_do_not_fit_their_batch_halt() {
    let mut bench = Bench::default();
    write(&bench.append(1, 10));
    let commands = bench.step(Input::Written(Ok(vec![])));
    assert!(matches!(commands.last(), Some(Command::Halt(_))));
}

#[test]
fn a_full_store_refuses_appends_goes_on_and_keeps_outcomes_for_later() {
    let mut bench = Bench::default();
    let first = write(&bench.append(1, 10));
    bench.append(2, 20);
    bench.outcomes(3, 2);
    bench.count(7);
    write(&bench.stored(&first));
    let commands = bench.failed(Error::Full("no space".into()));
    let [(2, Err(SubmitError::Unavailable(_)))] = answers(&commands)[..] else { panic!("{commands:?}") };
    assert!(matches!(commands[1..], [Command::WakeAt(at)] if at == bench.now + FULL_PAUSE));
    // Outcomes must not make an append fail that fits by itself.
    let batch = write(&bench.append(4, 40));
    assert_eq!((batch.appends.len(), batch.outcomes.len()), (1, 0));
    bench.stored(&batch);
    bench.outcomes(5, 1);
    bench.now += FULL_PAUSE;
    let batch = write(&bench.step(Input::Tick));
    assert_eq!((batch.outcomes.len(), batch.counters[0].by), (3, 7));
    assert_eq!(answers(&bench.stored(&batch)), [(3, Ok(vec![])), (5, Ok(vec![]))]);
}

#[test]
fn a_full_store_keeps_so_many_outcomes_only() {
    let mut bench = Bench::default();
    bench.outcomes(1, 1);
    assert_eq!(write(&bench.append(2, 10)).outcomes.len(), 1);
    bench.outcomes(3, RECORDS_KEPT_MAX);
    let commands = bench.failed(Error::Full("no space".into()));
    assert_eq!(tickets(&commands), [2, 1]);
    assert!(answers(&commands).iter().all(|(_, result)| matches!(result, Err(SubmitError::Unavailable(_)))));
}

#[test]
fn closing_refuses_new_requests_writes_the_old_ones_and_tells_when_it_is_done() {
    let mut bench = Bench::default();
    let first = write(&bench.append(1, 10));
    bench.append(2, 20);
    bench.outcomes(3, 1);
    assert!(bench.step(Input::Close).is_empty());
    assert!(matches!(bench.append(4, 40)[..], [Command::Answer(4, Err(SubmitError::Unavailable(_)))]));
    let batch = write(&bench.stored(&first));
    assert_eq!((batch.appends.len(), batch.outcomes.len()), (1, 1));
    let commands = bench.stored(&batch);
    assert_eq!(tickets(&commands), [2, 3]);
    assert!(matches!(commands.last(), Some(Command::Closed)));
    assert!(bench.step(Input::Close).is_empty(), "it is told once");
}

#[test]
fn closing_does_not_wait_for_company_nor_for_room() {
    let mut bench = Bench::default();
    bench.outcomes(1, 1);
    write(&bench.step(Input::Close));
    let commands = bench.failed(Error::Full("no space".into()));
    assert!(matches!(commands[..], [Command::Answer(1, Err(_)), Command::Closed]));
    assert!(matches!(Bench::default().step(Input::Close)[..], [Command::Closed]));
}

#[derive(Debug, Clone)]
enum Event {
    Append(usize),
    Outcomes(usize),
    Count,
    Written(u8),
    Pass,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Event::Append),
        2 => (1..4_usize).prop_map(Event::Outcomes),
        1 => Just(Event::Count),
        4 => (0..8_u8).prop_map(Event::Written),
        1 => Just(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is refused, full or slow: every ticket is answered once, and one
    /// batch is written at a time.
    #[test]
    fn every_ticket_is_answered_once(events in prop::collection::vec(event(), 1..60)) {
        let mut bench = Bench::default();
        let (mut writing, mut given, mut answered) = (None::<Arc<Batch>>, 0_u32, BTreeSet::new());
        let ending = std::iter::repeat_n(Event::Written(0), 400);
        for event in events.into_iter().chain(ending) {
            let commands = match event {
                Event::Append(events) => {
                    given += 1;
                    bench.appends(given, (0..events as u64).map(|n| draft(n).append()).collect())
                }
                Event::Outcomes(records) => {
                    given += 1;
                    bench.outcomes(given, records)
                }
                Event::Count => bench.count(1),
                Event::Pass => {
                    bench.now += FULL_PAUSE;
                    bench.step(Input::Tick)
                }
                Event::Written(kind) => match (writing.take(), kind) {
                    (None, _) => {
                        bench.now += FULL_PAUSE;
                        bench.step(Input::Tick)
                    }
                    (Some(_), 6) => bench.failed(Error::Rejected("no".into())),
                    (Some(_), 7) => bench.failed(Error::Full("no".into())),
                    (Some(batch), _) => bench.stored(&batch),
                },
            };
            for command in commands {
                match command {
                    Command::Write(batch) => assert!(writing.replace(batch).is_none(), "two writes at once"),
                    Command::Answer(ticket, _) => assert!(answered.insert(ticket), "{ticket} is answered twice"),
                    _ => {}
                }
            }
        }
        assert_eq!(answered, (1..=given).collect());
    }
}

#[test]
fn while_events_are_refused_they_are_answered_at_once_and_outcomes_go_on() {
    let mut bench = Bench::default();
    bench.step(Input::Refuse(Some("no room".into())));
    let [Command::Answer(1, Err(SubmitError::NoRoom(reason)))] = &bench.append(1, 10)[..] else {
        panic!("it was taken")
    };
    assert_eq!(reason, "no room");
    bench.outcomes(2, 1);
    bench.now += RIDERS_WAIT;
    assert!(matches!(bench.step(Input::Tick)[..], [Command::Write(_)]));
    bench.step(Input::Written(Ok(Vec::new())));
    bench.step(Input::Refuse(None));
    assert!(matches!(bench.append(3, 10)[..], [Command::Write(_)]));
}
