//! What the dispatcher is told, and what it tells.
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use boathook_event::{
    Attempt, Delivery, DuePlace, Event, Flow, ObjectName, Partition, Partitions, Record, RetryPolicy, Seq,
};
use jiff::Timestamp;

use crate::BreakerState;

/// The time: monotonic for waiting, wall clock for what is stored. The wall clock may be set, forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the process began.
    pub monotonic: Duration,
    /// Wall clock.
    pub wall: Timestamp,
}

/// How a sink is served.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkSettings {
    /// The sink.
    pub sink: ObjectName,
    /// When a failed delivery is tried again.
    pub retry: RetryPolicy,
    /// Deliveries under way at once; at least 1.
    pub concurrency: usize,
    /// Attempts a minute; `None` = no limit.
    pub attempts_per_minute: Option<NonZeroU32>,
    /// Of each tenant; what has none is not limited. `None` = no limit.
    pub attempts_per_tenant_per_minute: Option<NonZeroU32>,
    /// Deliveries wait, and do not age.
    pub suspend: bool,
    /// Nothing begins for now, and nothing ends without an attempt: this process may not.
    pub paused: bool,
    /// Deliveries are left out instead: with `suspend` alone.
    pub skip: bool,
}

/// Freshly committed events.
#[derive(Debug, Clone)]
pub struct Handover {
    /// Place of the first event of the commit, whether or not a sink wants it.
    pub first: Seq,
    /// Place of the last.
    pub last: Seq,
    /// The deliveries, by sequence.
    pub deliveries: Vec<Delivery>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// These are the sinks now.
    Configured(Vec<SinkSettings>),
    /// The deliveries of these partitions are this process's, and no others: all, until it is told. What is under way of one
    /// that is taken away ends, and is recorded.
    Owned(Partitions),
    /// Events were committed; messages may be missing, never out of order.
    Stored(Handover),
    /// Everything up to this place is committed, and some of it was not handed over.
    Missed {
        /// The place.
        last: Seq,
    },
    /// The answer to [`Command::Feed`].
    Fed {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Never-tried deliveries, by sequence.
        deliveries: Vec<Delivery>,
        /// Tried ones that were passed on the way and that their key waits for.
        tried: Vec<(Seq, Box<str>)>,
        /// Parked ones on the way that hold their keys.
        blocking: Vec<(Seq, Box<str>)>,
        /// Everything up to this place was looked at.
        up_to: Seq,
        /// There is more behind it.
        more: bool,
    },
    /// The answer to [`Command::FeedTurns`].
    FedTurns {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Never-tried deliveries, by sequence within each flow, and of ordered ones the last pending delivery of their key before
        /// them and behind the floor.
        deliveries: Vec<(Delivery, Option<Seq>)>,
        /// Parked ones that hold the keys of these.
        blocking: Vec<(Seq, Box<str>)>,
        /// Up to where flows were looked at.
        places: Vec<(Flow, Seq)>,
        /// The last flow that was looked at; `None` = there is none behind it.
        reached: Option<Flow>,
        /// One of these flows has more.
        more: bool,
        /// The last place that was committed at this moment.
        last: Seq,
    },
    /// The answer to [`Command::FeedDue`].
    FedDue {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Tried deliveries that are due, by due time and place.
        deliveries: Vec<Delivery>,
        /// There is more that is due behind them.
        more: bool,
        /// When the next one is due, if there is no more.
        next_due: Option<Timestamp>,
    },
    /// The answer to [`Command::FeedDueTurns`].
    FedDueTurns {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Tried deliveries that are due, flow by flow, and by due time and place in each.
        deliveries: Vec<Delivery>,
        /// Up to where flows were looked at.
        places: Vec<(Flow, DuePlace)>,
        /// The last flow that was looked at; `None` = there is none behind it.
        reached: Option<Flow>,
    },
    /// The answer to [`Command::FeedKey`].
    FedKey {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Pending deliveries of the key, tried or not, by sequence.
        deliveries: Vec<Delivery>,
        /// There is more behind them.
        more: bool,
    },
    /// The answer to [`Command::FeedOldest`].
    FedOldest {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Pending deliveries, tried or not, by sequence.
        deliveries: Vec<Delivery>,
        /// Everything up to this place was looked at.
        up_to: Seq,
        /// There is more behind it.
        more: bool,
    },
    /// The answer to [`Command::FeedBlocking`].
    FedBlocking {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
        /// Those of the command's that still hold their keys.
        seqs: Vec<Seq>,
    },
    /// A read failed.
    FeedFailed {
        /// The lane.
        sink: ObjectName,
        /// That of the command.
        ticket: u64,
    },
    /// An attempt ended.
    Finished {
        /// The lane.
        sink: ObjectName,
        /// The delivery.
        seq: Seq,
        /// The attempt.
        attempt: Attempt,
    },
    /// The store answered a [`Command::Record`].
    Recorded {
        /// The lane.
        sink: ObjectName,
        /// The delivery.
        seq: Seq,
        /// Whether it was written.
        written: bool,
    },
    /// Deliveries at these places are pending anew, and due: nobody handed them over.
    Rearmed {
        /// Their places.
        seqs: Vec<Seq>,
    },
    /// Events at these places are erased, and pending nowhere any more.
    Gone {
        /// Their places.
        seqs: BTreeSet<Seq>,
    },
    /// It is time to look whether the store has due deliveries that nobody handed over, and whether parked ones that hold their
    /// keys are gone.
    Look,
    /// The time named by [`Command::WakeAt`] has come.
    Tick,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Hand the delivery to its sink, as this 1-based attempt; answer with [`Input::Finished`].
    Deliver {
        /// The delivery.
        delivery: Delivery,
        /// The attempt's number.
        attempt: u32,
    },
    /// Write the attempt and what follows; answer with [`Input::Recorded`].
    Record {
        /// That of the delivery.
        partition: Partition,
        /// What is to be written.
        record: Record,
    },
    /// Write that the delivery ends without another attempt; answer with [`Input::Recorded`].
    End {
        /// That of the delivery.
        partition: Partition,
        /// What to write.
        record: Record,
        /// Its event, for people.
        event: Arc<Event>,
    },
    /// Read never-tried deliveries behind a place; answer with [`Input::Fed`].
    Feed {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer: an answer to an earlier question is not taken.
        ticket: u64,
        /// The place.
        after: Seq,
        /// How many deliveries at most.
        deliveries_max: usize,
        /// How many bytes of bodies at most.
        bytes_max: usize,
    },
    /// Read never-tried deliveries in turns, a few of each flow; answer with [`Input::FedTurns`].
    FeedTurns {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer.
        ticket: u64,
        /// With the first flow behind this one; `None` = with the first of all.
        after: Option<Flow>,
        /// Only what is behind this place.
        floor: Seq,
        /// Of these flows only what is behind another place.
        places: Arc<BTreeMap<Flow, Seq>>,
        /// How many deliveries at most.
        deliveries_max: usize,
        /// How many bytes of bodies at most.
        bytes_max: usize,
    },
    /// Read tried deliveries that are due; answer with [`Input::FedDue`].
    FeedDue {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer: an answer to an earlier question is not taken.
        ticket: u64,
        /// Due by then.
        until: Timestamp,
        /// Only what is behind this due time and place.
        behind: DuePlace,
        /// How many deliveries at most.
        deliveries_max: usize,
        /// How many bytes of bodies at most.
        bytes_max: usize,
    },
    /// Read tried deliveries that are due in turns, some of each flow; answer with [`Input::FedDueTurns`].
    FeedDueTurns {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer.
        ticket: u64,
        /// Due by then.
        until: Timestamp,
        /// With the first flow behind this one; `None` = with the first of all.
        after: Option<Flow>,
        /// Of these flows only what is behind another place; none is behind [`Timestamp::MAX`].
        places: Arc<BTreeMap<Flow, DuePlace>>,
        /// How many deliveries at most.
        deliveries_max: usize,
        /// How many bytes of bodies at most.
        bytes_max: usize,
    },
    /// Read pending deliveries of one key behind a place; answer with [`Input::FedKey`].
    FeedKey {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer.
        ticket: u64,
        /// The key.
        key: Arc<str>,
        /// The place.
        after: Seq,
        /// How many deliveries at most.
        deliveries_max: usize,
        /// How many bytes of bodies at most.
        bytes_max: usize,
    },
    /// Read pending deliveries behind a place, tried or not; answer with [`Input::FedOldest`].
    FeedOldest {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer.
        ticket: u64,
        /// The place.
        after: Seq,
        /// How many deliveries at most.
        deliveries_max: usize,
        /// How many bytes of bodies at most.
        bytes_max: usize,
    },
    /// Read which of these parked deliveries still hold their keys; answer with [`Input::FedBlocking`].
    FeedBlocking {
        /// The lane.
        sink: ObjectName,
        /// To be given back with the answer.
        ticket: u64,
        /// The deliveries.
        seqs: Vec<Seq>,
    },
    /// The sink is treated so from now on, as is told of each new one, too: for people.
    Breaker {
        /// The sink.
        sink: ObjectName,
        /// How.
        state: BreakerState,
    },
    /// Call with [`Input::Tick`] at this monotonic time, or earlier. The last one counts.
    WakeAt(Duration),
}

/// How a lane stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSnapshot {
    /// The sink.
    pub sink: ObjectName,
    /// Deliveries that could go.
    pub ready: usize,
    /// Deliveries that wait for a retry in memory.
    pub waiting: usize,
    /// Deliveries under way.
    pub in_flight: usize,
    /// Ordering keys that are under way or held up by a retry.
    pub keys: usize,
    /// Deliveries that were parked and hold their keys.
    pub blocking: usize,
    /// Whether the sink is left alone.
    pub breaker: BreakerState,
    /// There is more in the store.
    pub spilled: bool,
    /// Bytes of bodies in memory.
    pub bytes: usize,
}
