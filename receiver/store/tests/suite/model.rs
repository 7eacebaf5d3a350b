//! A store in a few lines of memory, and random histories that must end alike in it and in the real one.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use boathook_event::{Destination, Next, ParkReason, Record, Seq, Uid, Word};
use boathook_store::traits::{Append, ArchivedDelivery, Batch, DeliveryState, Page, Replay, Verdict};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Environment, Lasting, build::*};

#[derive(Default)]
struct Model {
    /// [`Environment::KEEPS`]
    keeps: bool,
    /// By sink: deliveries of events that were let go, by how they ended.
    let_go: HashMap<(String, DeliveryState), u64>,
    last_seq: Seq,
    keys: Vec<Remembered>,
    /// Of each sink the last one.
    deliveries: BTreeMap<(Seq, String), Standing>,
    /// By sink: deliveries that were delivered before the last one.
    delivered_before: BTreeMap<String, u64>,
    uids: BTreeMap<Seq, Uid>,
    /// The length of each body.
    bodies: BTreeMap<Seq, u64>,
    words: BTreeMap<&'static str, u64>,
    failed: BTreeMap<String, u64>,
    /// Attempts that are kept as failed.
    failures: BTreeSet<(Seq, String, u32, u32)>,
}

/// Hash and body of a key, the event it came with, and when it is forgotten.
type Remembered = ([u8; 16], Option<[u8; 16]>, Seq, Timestamp);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    state: DeliveryState,
    attempts: u32,
    due: Option<Timestamp>,
    replay: u32,
}

impl Standing {
    /// Pending anew.
    fn again(now: Timestamp, replay: u32) -> Self {
        Self { state: DeliveryState::Pending, attempts: 0, due: Some(now), replay }
    }
}

impl Model {
    fn append(&mut self, append: &Append, now: Timestamp) -> Verdict {
        self.keys.retain(|(.., expires)| !self.keeps || *expires > now);
        let mut conflict = false;
        for key in &append.dedupe {
            let known = self.keys.iter().filter(|(hash, ..)| *hash == key.hash);
            let same = |body: Option<[u8; 16]>| key.body.is_none() || body == key.body;
            if let Some((_, _, of, _)) =
                known.clone().filter(|(_, body, ..)| same(*body)).min_by_key(|known| known.2)
            {
                let (of, mut rearmed) = (*of, false);
                for ((_, sink), standing) in self.deliveries.iter_mut().filter(|((seq, _), _)| *seq == of) {
                    if standing.state == DeliveryState::Parked {
                        let replay = standing.replay;
                        self.failures.retain(|(seq, name, of_replay, _)| {
                            (seq, name, of_replay) != (&of, sink, &replay)
                        });
                        *standing = Standing::again(now, replay);
                        rearmed = true;
                    }
                }
                *self.words.entry("duplicate").or_default() += 1;
                return Verdict::Duplicate { of, rearmed };
            }
            conflict |= known.count() > 0;
        }
        self.last_seq += 1;
        let seq = self.last_seq;
        let expires = now + SignedDuration::try_from(append.dedupe_window).unwrap();
        self.keys.extend(append.dedupe.iter().map(|key| (key.hash, key.body, seq, expires)));
        for Destination { sink, .. } in &append.destinations {
            let standing = Standing { due: None, ..Standing::again(now, 0) };
            self.deliveries.insert((seq, sink.to_string()), standing);
        }
        self.uids.insert(seq, append.event.uid);
        self.bodies.insert(seq, append.event.body.len() as u64);
        *self.words.entry("accepted").or_default() += 1;
        self.let_go(seq);
        if conflict { Verdict::IdConflict { seq } } else { Verdict::Stored { seq } }
    }

    fn record(&mut self, record: &Record) {
        let Some(standing) = self.deliveries.get_mut(&(record.seq, record.sink.to_string())) else { return };
        let number = record.attempt.as_ref().map_or(standing.attempts, |attempt| attempt.number);
        let stale = matches!(record.next, Next::Retry { .. }) && standing.attempts >= number;
        if standing.state != DeliveryState::Pending || stale {
            return;
        }
        let (state, due) = match record.next {
            Next::Delivered { .. } => (DeliveryState::Delivered, None),
            Next::Parked(_) => (DeliveryState::Parked, None),
            Next::Skipped => (DeliveryState::Skipped, None),
            Next::Retry { due } => (DeliveryState::Pending, Some(due)),
        };
        let replay = standing.replay;
        *standing = Standing { state, attempts: number, due, replay };
        if record.attempt.as_ref().is_some_and(|attempt| attempt.result.is_err())
            && self.failures.insert((record.seq, record.sink.to_string(), replay, number))
        {
            *self.failed.entry(record.sink.to_string()).or_default() += 1;
        }
        self.let_go(record.seq);
    }

    /// Lets the event go, with its keys, if nothing of it is pending and the store does not keep such.
    fn let_go(&mut self, seq: Seq) {
        let of_event =
            self.deliveries.extract_if((seq, String::new())..(seq + 1, String::new()), |_, _| true);
        let of_event: Vec<_> = of_event.collect();
        if self.keeps || of_event.iter().any(|(_, standing)| standing.state == DeliveryState::Pending) {
            self.deliveries.extend(of_event);
            return;
        }
        for ((_, sink), standing) in of_event {
            *self.let_go.entry((sink, standing.state)).or_default() += 1;
        }
        self.keys.retain(|(_, _, of, _)| *of != seq);
        self.uids.remove(&seq);
    }

    /// Delivers these again: delivered and skipped ones as well, or parked ones alone. Says how many were not pending.
    fn replay(&mut self, events: &[Seq], parked_only: bool, now: Timestamp) -> u64 {
        let mut armed = 0;
        for ((seq, sink), standing) in &mut self.deliveries {
            let replay = standing.replay;
            match standing.state {
                _ if !events.contains(seq) => continue,
                DeliveryState::Delivered if !parked_only => {
                    *self.delivered_before.entry(sink.clone()).or_default() += 1;
                    *standing = Standing::again(now, replay + 1);
                }
                DeliveryState::Skipped if parked_only => continue,
                DeliveryState::Parked | DeliveryState::Skipped => {
                    self.failures
                        .retain(|(of, name, of_replay, _)| (of, name, *of_replay) != (seq, sink, replay));
                    *standing = Standing::again(now, replay);
                }
                DeliveryState::Pending | DeliveryState::Delivered => continue,
            }
            armed += 1;
        }
        armed
    }

    fn seqs(&self, sink: &str, wanted: impl Fn(&Standing) -> bool) -> Vec<Seq> {
        let of_sink = self.deliveries.iter().filter(|((_, name), _)| name == sink);
        of_sink.filter(|(_, standing)| wanted(standing)).map(|((seq, _), _)| *seq).collect()
    }
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Act {
    /// Events with these (key, body, sinks), in one batch with outcomes.
    Commit(Vec<(u8, Option<u8>, u8)>, Vec<(Seq, bool, u8)>),
    /// These are delivered again, parked ones alone or delivered ones, too.
    Replay(Vec<Seq>, bool),
    /// So many seconds pass.
    Pass(u32),
    Reopen,
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    let append = (0..6_u8, proptest::option::of(0..3_u8), 0..4_u8);
    let outcome = (1..20_u64, any::<bool>(), 0..6_u8);
    prop_oneof![
        8 => (prop::collection::vec(append, 0..6), prop::collection::vec(outcome, 0..6))
            .prop_map(|(appends, outcomes)| Act::Commit(appends, outcomes)),
        3 => (prop::collection::btree_set(1..20_u64, 0..6), any::<bool>())
            .prop_map(|(events, parked_only)| Act::Replay(events.into_iter().collect(), parked_only)),
        2 => (1..2_000_u32).prop_map(Act::Pass),
        1 => Just(Act::Reopen),
        1 => Just(Act::Kill),
    ]
}

pub(crate) fn any_history_ends_as_in_the_model<E: Lasting>() {
    proptest!(config(), |(history in prop::collection::vec(act(), 1..25))| {
        replay::<E>(history, |environment, killed| if killed { environment.kill() } else { environment.reopen() });
    });
}

/// The same of a store that ends with its process.
pub(crate) fn any_history_of_one_process_ends_as_in_the_model<E: Environment>() {
    let stays = |act: &Act| !matches!(act, Act::Reopen | Act::Kill);
    let act = act().prop_filter("it stays one process", stays);
    proptest!(config(), |(history in prop::collection::vec(act, 1..25))| {
        replay::<E>(history, |_, _| {});
    });
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
}

fn replay<E: Environment>(history: Vec<Act>, ends: impl Fn(&mut E, bool)) {
    let (mut environment, mut model) = (E::new(), Model { keeps: E::KEEPS, ..Model::default() });
    let (mut now, mut uids) = (START, 1_u64..);
    let epoch = environment.claim();
    for act in history {
        match act {
            Act::Commit(appends, outcomes) => {
                let mut draft_of = |(id, body, sinks): (u8, Option<u8>, u8)| {
                    let dedupe = [body.map_or(key(id), |body| key_with_body(id, body))];
                    let sinks = [(1, "a"), (2, "b")].into_iter().filter(|(bit, _)| sinks & bit != 0);
                    let sinks = sinks.map(|(_, sink)| sink).collect::<Vec<_>>();
                    let tenant = [None, Some("t"), Some("u")][usize::from(id % 3)];
                    draft(uids.next().unwrap()).of("in", tenant).dedupe(&dedupe).sinks(&sinks).append()
                };
                let appends = appends.into_iter().map(&mut draft_of).collect::<Vec<_>>();
                let outcomes = outcomes.into_iter().map(|(seq, first, kind)| {
                    let sink = if first { "a" } else { "b" };
                    match kind {
                        0 => delivered(seq, sink, 2, now),
                        1 => parked(seq, sink, 2, now),
                        2 => without_attempt(seq, sink, Next::Parked(ParkReason::TooOld)),
                        3 => without_attempt(seq, sink, Next::Skipped),
                        number => {
                            retry(seq, sink, u32::from(number) - 2, now, now + SignedDuration::from_secs(60))
                        }
                    }
                });
                let outcomes = outcomes.collect::<Vec<_>>();
                let expected = appends.iter().map(|append| model.append(append, now)).collect::<Vec<_>>();
                outcomes.iter().for_each(|record| model.record(record));
                let outcomes = outcomes.into_iter().map(|record| (epoch, record)).collect();
                let batch = Batch { appends, outcomes, ..Batch::default() };
                assert_eq!(environment.committer().commit(&batch).unwrap(), expected);
            }
            Act::Replay(events, parked_only) => {
                let state = parked_only.then_some(DeliveryState::Parked);
                let replay = Replay { state, ..Replay::default() };
                let replayed = environment.archive().replay(&events, &replay).unwrap();
                assert_eq!(replayed.deliveries, model.replay(&events, parked_only, now));
            }
            Act::Pass(seconds) => {
                now += SignedDuration::from_secs(seconds.into());
                environment.set_time(now);
            }
            Act::Reopen => ends(&mut environment, false),
            Act::Kill => ends(&mut environment, true),
        }
    }
    assert_alike(&environment, &model);
}

fn assert_alike(environment: &impl Environment, model: &Model) {
    let (feed, archive) = (environment.feed(), environment.archive());
    let statistics = archive.statistics().unwrap();
    assert_eq!((statistics.last_seq, statistics.events), (model.last_seq, model.uids.len() as u64));
    for word in [Word::Accepted, Word::Duplicate] {
        let total = statistics.endpoints.iter().map(|endpoint| endpoint.of(word)).sum::<u64>();
        assert_eq!(total, model.words.get(word.as_str()).copied().unwrap_or_default());
    }
    let by_endpoint = statistics
        .endpoints
        .iter()
        .map(|totals| [totals.delivered, totals.parked, totals.skipped, totals.pending]);
    let by_sink = statistics
        .sinks
        .iter()
        .map(|totals| [totals.delivered, totals.parked, totals.skipped, totals.pending]);
    let sum = |all: &mut dyn Iterator<Item = [u64; 4]>| {
        all.fold([0; 4], |sum, one| std::array::from_fn(|at| sum[at] + one[at]))
    };
    assert_eq!(sum(&mut by_endpoint.into_iter()), sum(&mut by_sink.into_iter()));
    for totals in &statistics.sinks {
        let sink = totals.sink.to_string();
        let count = |state| {
            let let_go = model.let_go.get(&(sink.clone(), state)).copied().unwrap_or_default();
            model.seqs(&sink, |standing| standing.state == state).len() as u64 + let_go
        };
        assert_eq!(
            [totals.delivered, totals.parked, totals.skipped, totals.pending, totals.failed_attempts],
            [
                count(DeliveryState::Delivered)
                    + model.delivered_before.get(&sink).copied().unwrap_or_default(),
                count(DeliveryState::Parked),
                count(DeliveryState::Skipped),
                count(DeliveryState::Pending),
                model.failed.get(&sink).copied().unwrap_or_default()
            ],
        );
        let of_sink = model.seqs(&sink, |standing| standing.state == DeliveryState::Pending);
        let bytes = of_sink.iter().map(|seq| model.bodies[seq]).sum::<u64>();
        assert_eq!(totals.pending_bytes, bytes);
        assert!(feed.backlog().unwrap().contains(&(totals.sink.clone(), bytes)));
        let pending = |tried: bool| {
            model.seqs(&sink, |standing| {
                standing.state == DeliveryState::Pending && standing.due.is_some() == tried
            })
        };
        let seqs =
            |deliveries: &[boathook_event::Delivery]| deliveries.iter().map(|d| d.seq).collect::<Vec<_>>();
        assert_eq!(seqs(&feed.next(&totals.sink, 0, ALL).unwrap().deliveries), pending(false));
        let mut turned = super::turns::all(&*feed, &totals.sink, Page { deliveries_max: 3, ..ALL });
        turned.sort_unstable();
        assert_eq!(turned, pending(false));
        assert_eq!(seqs(&feed.oldest(&totals.sink, 0, ALL).unwrap().deliveries), of_sink);
        let mut due = seqs(&feed.due(&totals.sink, Timestamp::MAX, FIRST, ALL).unwrap().deliveries);
        due.sort_unstable();
        assert_eq!(due, pending(true));
    }
    for (seq, uid) in &model.uids {
        for shown in archive.show(uid).unwrap().unwrap().deliveries {
            let expected = model.deliveries[&(*seq, shown.sink.to_string())];
            if shown.replay < expected.replay {
                assert_eq!(shown.state, DeliveryState::Delivered);
                continue;
            }
            let ArchivedDelivery { state, attempts, due, replay, .. } = shown;
            assert_eq!(Standing { state, attempts, due, replay }, expected);
        }
    }
}
