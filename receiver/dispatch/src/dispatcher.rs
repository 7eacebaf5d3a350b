//! The lanes of all sinks, and the walk from what happened to what to do.
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use boathook_event::{Attempt, Delivery, Making, ObjectName, Partition, Partitions, Record, Seq};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Command, Handover, Input, LaneSnapshot, Now, SinkSettings,
    clock::Clock,
    lane::{Lane, Passed, Shown},
};

/// All lanes.
#[derive(Debug)]
pub struct Dispatcher {
    lanes: BTreeMap<ObjectName, Lane>,
    /// Lanes of sinks that are gone, until their last attempt is recorded.
    retired: BTreeMap<ObjectName, Lane>,
    committed: Seq,
    owned: Partitions,
    /// Lanes made so far: their tickets differ.
    incarnations: u32,
    wake_at: Option<Duration>,
    random: SplitMix,
    clock: Clock,
    /// By how much that is ahead of the wall clock, in whole seconds.
    ahead: SignedDuration,
}

impl Dispatcher {
    /// Without a sink yet. `seed` decides the jitter.
    pub fn new(seed: u64) -> Self {
        Self {
            lanes: BTreeMap::new(),
            retired: BTreeMap::new(),
            committed: 0,
            owned: Partitions::ALL,
            incarnations: 0,
            wake_at: None,
            random: SplitMix(seed),
            clock: Clock::default(),
            ahead: SignedDuration::ZERO,
        }
    }

    /// Takes what happened and appends what to do. Costs O(lanes), whatever the backlog.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Command>) {
        let now = self.time(now);
        let concerned = self.take(now, input);
        match concerned {
            Concerned::One(sink) => self.lanes.get_mut(&sink).into_iter().for_each(|lane| lane.act(now, out)),
            Concerned::Some(sinks) => {
                let acts = |sink: &ObjectName| {
                    if let Some(lane) = self.lanes.get_mut(sink) {
                        lane.act(now, out)
                    }
                };
                sinks.iter().for_each(acts);
            }
            Concerned::Record(partition, record) => {
                let sink = record.sink.clone();
                out.push(Command::Record { partition, record });
                self.lanes.get_mut(&sink).into_iter().for_each(|lane| lane.act(now, out));
            }
            Concerned::All => self.lanes.values_mut().for_each(|lane| lane.act(now, out)),
        }
        self.retired.retain(|_, lane| {
            lane.act(now, out);
            lane.is_busy()
        });
        self.wake(now, out);
    }

    /// How the lanes stand, by sink.
    pub fn snapshot(&self) -> Vec<LaneSnapshot> {
        self.lanes.values().map(Lane::snapshot).collect()
    }

    fn take(&mut self, now: Now, input: Input) -> Concerned {
        match input {
            Input::Configured(sinks) => {
                self.configure(sinks, now);
                Concerned::All
            }
            Input::Owned(partitions) => {
                self.owned = partitions;
                self.lanes.values_mut().for_each(|lane| lane.own(partitions, now));
                Concerned::All
            }
            Input::Stored(handover) => self.stored(handover, now),
            Input::Fed { sink, ticket, deliveries, tried, blocking, up_to, more } => {
                let passed = Passed { deliveries, tried, blocking, up_to, more };
                self.with(sink, |lane| lane.fed(ticket, passed, now))
            }
            Input::FedTurns { sink, ticket, deliveries, blocking, places, reached, more, last } => {
                let shown = Shown { deliveries, blocking, places, reached, more, last };
                self.with(sink, |lane| lane.fed_turns(ticket, shown, now))
            }
            Input::FedBlocking { sink, ticket, seqs } => {
                self.with(sink, |lane| lane.fed_blocking(ticket, &seqs))
            }
            Input::FedKey { sink, ticket, deliveries, more } => {
                self.with(sink, |lane| lane.fed_key(ticket, deliveries, more, now))
            }
            Input::FedDue { sink, ticket, deliveries, more, next_due } => {
                self.with(sink, |lane| lane.fed_due(ticket, deliveries, more, next_due, now))
            }
            Input::FedDueTurns { sink, ticket, deliveries, places, reached } => {
                self.with(sink, |lane| lane.fed_due_turns(ticket, deliveries, places, reached, now))
            }
            Input::FedOldest { sink, ticket, deliveries, up_to, more } => {
                self.with(sink, |lane| lane.fed_oldest(ticket, deliveries, up_to, more, now))
            }
            Input::FeedFailed { sink, ticket } => self.with(sink, |lane| lane.feed_failed(ticket, now)),
            Input::Finished { sink, seq, attempt } => self.finished(sink, seq, &attempt, now),
            Input::Recorded { sink, seq, written } => {
                if let Some(lane) = self.retired.get_mut(&sink) {
                    lane.recorded(seq, written, now);
                }
                self.with(sink, |lane| lane.recorded(seq, written, now))
            }
            Input::Missed { last } => {
                self.committed = self.committed.max(last);
                self.lanes.values_mut().for_each(|lane| lane.missed(last));
                Concerned::All
            }
            Input::Rearmed { seqs } => {
                // What a lane that is gone has not recorded yet may be pending anew, too.
                let lanes = self.lanes.values_mut().chain(self.retired.values_mut());
                lanes.for_each(|lane| lane.rearmed(&seqs, now));
                Concerned::All
            }
            Input::Gone { seqs } => {
                let lanes = self.lanes.values_mut().chain(self.retired.values_mut());
                lanes.for_each(|lane| lane.gone(&seqs));
                Concerned::All
            }
            Input::Look => {
                let lanes = self.lanes.values_mut().chain(self.retired.values_mut());
                lanes.for_each(|lane| lane.look(now));
                Concerned::All
            }
            Input::Tick => {
                self.wake_at = None;
                Concerned::All
            }
        }
    }

    /// The time by the clock of due times. Ages are told by the wall clock, which may be behind.
    fn time(&mut self, now: Now) -> Now {
        let (now, ahead) = self.clock.read(now);
        let ahead = SignedDuration::from_secs(ahead.as_secs());
        if self.ahead != ahead {
            self.ahead = ahead;
            let lanes = self.lanes.values_mut().chain(self.retired.values_mut());
            lanes.for_each(|lane| lane.wall_clock_is_behind(ahead));
        }
        now
    }

    fn with(&mut self, sink: ObjectName, change: impl FnOnce(&mut Lane)) -> Concerned {
        if let Some(lane) = self.lanes.get_mut(&sink) {
            change(lane);
        }
        Concerned::One(sink)
    }

    fn configure(&mut self, sinks: Vec<SinkSettings>, now: Now) {
        let mut before = std::mem::take(&mut self.lanes);
        for settings in sinks {
            let sink = settings.sink.clone();
            self.incarnations = self.incarnations.wrapping_add(1);
            let fresh = |settings| Lane::new(settings, (self.committed, self.owned), self.incarnations, now);
            let mut lane = match (before.remove(&sink), self.retired.remove(&sink)) {
                (Some(mut lane), _) => {
                    lane.set(settings, now);
                    lane
                }
                // It comes back while an attempt is under way: the lane that knows of it goes on.
                (None, Some(lane)) => lane.revived(fresh(settings)),
                (None, None) => fresh(settings),
            };
            lane.wall_clock_is_behind(self.ahead);
            self.lanes.insert(sink, lane);
        }
        for (sink, mut lane) in before {
            lane.retire();
            self.retired.insert(sink, lane);
        }
    }

    fn stored(&mut self, Handover { first, last, deliveries }: Handover, now: Now) -> Concerned {
        self.committed = self.committed.max(last);
        self.lanes.values_mut().for_each(|lane| lane.committed(first, last));
        let mut concerned = BTreeSet::new();
        for delivery in deliveries {
            if let Some(lane) = self.lanes.get_mut(&delivery.sink) {
                concerned.insert(delivery.sink.clone());
                lane.fresh(delivery, now);
            }
        }
        for (sink, lane) in &mut self.lanes {
            lane.handed_over();
            if lane.is_spilled() {
                concerned.insert(sink.clone());
            }
        }
        Concerned::Some(concerned)
    }

    fn finished(&mut self, sink: ObjectName, seq: Seq, attempt: &Attempt, now: Now) -> Concerned {
        let random = self.random.next();
        let record = |settings: &SinkSettings, delivery: &Delivery, since: Timestamp| Record {
            seq,
            sink: delivery.sink.clone(),
            endpoint: delivery.event.endpoint.clone(),
            making: Making::of(delivery),
            next: settings.retry.next(attempt, since, now.wall, random),
            attempt: Some(attempt.clone()),
        };
        let lane = self.lanes.get_mut(&sink).or_else(|| self.retired.get_mut(&sink));
        let record = lane.and_then(|lane| lane.finished(seq, attempt, now, record));
        record.map_or(Concerned::One(sink), |(partition, record)| Concerned::Record(partition, record))
    }

    fn wake(&mut self, now: Now, out: &mut Vec<Command>) {
        let lanes = self.lanes.values().chain(self.retired.values());
        let Some(earliest) = lanes.filter_map(Lane::wake_at).min() else { return };
        if self.wake_at.is_none_or(|at| earliest < at || at <= now.monotonic) {
            self.wake_at = Some(earliest);
            out.push(Command::WakeAt(earliest));
        }
    }
}

/// Whom an input concerns.
enum Concerned {
    One(ObjectName),
    Some(BTreeSet<ObjectName>),
    Record(Partition, Record),
    All,
}

/// The SplitMix64 generator: enough for jitter, and the same for the same seed.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    /// Uniform in 0..1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let high = u32::try_from(mixed >> 32).expect("32 bits are left");
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}
