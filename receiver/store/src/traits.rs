//! The contract of a store, in three parts: [`Committer`] makes things durable, [`Feed`] gives back what is still
//! to be delivered, [`Archive`] answers questions about what was.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use boathook_event::{
    Attempt, Count, DedupeKey, Delivery, Destination, DuePlace, EndpointTotals, Event, Flow, ObjectName,
    ParkReason, Partition, Partitions, Record, Rejected, Retention, Seq, SinkTotals, Uid,
};
use jiff::Timestamp;

use crate::Error;
pub use crate::{
    question::{Found, Order, Question, Replay, Replayed, Summary},
    series::{Ended, Hour, HourType, Series, Span},
};

/// One event to be stored, with everything that must be durable together with it.
#[derive(Debug, Clone)]
pub struct Append {
    /// The event.
    pub event: Arc<Event>,
    /// The keys by which a repetition is known; none = it cannot be one.
    pub dedupe: Vec<DedupeKey>,
    /// How long the keys are remembered, from the commit on.
    pub dedupe_window: Duration,
    /// Its deliveries are put aside at once, for this; else they are pending.
    pub parked: Option<ParkReason>,
    /// The sinks that want it; at most [`boathook_event::limits::SINKS_PER_EVENT_MAX`]. Only an event with a key is ordered.
    pub destinations: Vec<Destination>,
}

impl Append {
    /// The sinks that want it, each once.
    pub fn distinct_destinations(&self) -> impl Iterator<Item = &Destination> {
        let earlier = |index: usize| self.destinations.get(..index).unwrap_or_default();
        let first = move |(index, destination): &(usize, &Destination)| {
            !earlier(*index).iter().any(|known| known.sink == destination.sink)
        };
        self.destinations.iter().enumerate().filter(first).map(|(_, destination)| destination)
    }
}

/// What is committed in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Events, in the order of their sequence.
    pub appends: Vec<Append>,
    /// Attempts and what follows them. They ride along: losing the last ones in a crash means one redelivery.
    pub outcomes: Vec<(Epoch, Record)>,
    /// Totals to be added to. They ride along, too; a stored event's own word is counted by the store itself.
    pub counters: Vec<Count>,
    /// Refused requests to be remembered, oldest first. They ride along, too; of each endpoint the last
    /// [`crate::limits::REJECTED_KEPT_MAX`] are kept.
    pub rejected: Vec<Rejected>,
}

/// What became of one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored, and durable.
    Stored {
        /// Its place.
        seq: Seq,
    },
    /// Seen before: nothing was stored.
    Duplicate {
        /// The place of the first one.
        of: Seq,
        /// It had parked deliveries, which are pending again: a person pressed "Redeliver". Nothing hands them over. Never
        /// where the repetition itself would be put aside ([`Append::parked`]).
        rearmed: bool,
    },
    /// Stored as new, and durable, although the id was seen: the body differs and the id is not signed.
    IdConflict {
        /// Its place.
        seq: Seq,
    },
}

/// A right's fencing number: an outcome with one that is not in force any more is refused. Each right has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Who delivers what is in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// This process alone, as long as it runs: nobody else can open the store.
    Sole(Epoch),
    /// This process and others, each some partitions.
    Shared(Shares),
}

/// How the partitions of a shared store are dealt out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shares {
    /// How many processes live, with this one.
    pub living: u32,
    /// This one's place among them, from 0, by an order on which all agree.
    pub place: u32,
    /// What this one holds, with the right to record outcomes: as long as its lease lasts.
    pub held: BTreeMap<Partition, Epoch>,
    /// What nobody holds who lives.
    pub free: Partitions,
}

/// What a process that delivers must hear of what others do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// The place of the last event that is committed, whichever process stored it. Nothing appears before it later.
    pub last: Seq,
    /// Rises when deliveries are armed again, by any process; a store that one process has alone need not count them.
    pub armed: u64,
    /// Events that were erased lately, by any process, in their order; a store that one process has alone need not tell them.
    pub erased: Vec<Seq>,
    /// With this number those come that are erased later.
    pub erased_up_to: u64,
}

/// Makes batches durable.
pub trait Committer {
    /// Stores the batch in one transaction, decides duplicates in it, and returns when its appends are durable: one
    /// verdict for each append, in order. Counts `accepted`, `duplicate` and `id_conflict` of the appends itself.
    ///
    /// # Errors
    /// Nothing of the batch is stored then. [`Error::is_io`] tells whether the store itself is in doubt.
    fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error>;

    /// Called when everybody who waited for a commit was answered: the moment for work that nobody need wait for. Tells why no
    /// more events may come for now, if so; outcomes and counts go on.
    fn rest(&mut self) -> Option<String> {
        None
    }
}

/// How much one page of a feed may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Deliveries.
    pub deliveries_max: usize,
    /// Bytes of their bodies; the first delivery is always given.
    pub bytes_max: usize,
}

/// One page of what is still to be delivered.
#[derive(Debug, Clone)]
pub struct Fed {
    /// The deliveries, in the order asked for.
    pub deliveries: Vec<Delivery>,
    /// Ordered deliveries that were tried and are not given ([`Feed::next`]), with their keys: those behind them wait. What is
    /// armed again and not tried since (no attempts, but a due time) holds up nothing.
    pub tried: Vec<(Seq, Box<str>)>,
    /// Parked deliveries that hold their keys ([`Feed::next`]), with their keys: those behind them wait. Also where they are
    /// armed again, until they have ended otherwise than parked.
    pub blocking: Vec<(Seq, Box<str>)>,
    /// Everything up to this place was looked at (for [`Feed::next`], [`Feed::by_key`] and [`Feed::oldest`]).
    pub up_to: Seq,
    /// Whether there is more behind it.
    pub more: bool,
}

/// Where a read in turns begins ([`Feed::turns`]).
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// With the first flow behind this one; `None` = with the first of all.
    pub after: Option<Flow>,
    /// Only what is behind this place.
    pub floor: Seq,
    /// Of these flows only what is behind another place; none is behind [`Seq::MAX`].
    pub places: Arc<BTreeMap<Flow, Seq>>,
}

impl Turns {
    /// Behind which place this flow is to be read; `None` = it is passed over.
    pub fn behind(&self, flow: Flow) -> Option<Seq> {
        let place = self.places.get(&flow).copied().unwrap_or(0);
        Some(place.max(self.floor)).filter(|place| *place < Seq::MAX)
    }

    /// How many deliveries each of these flows is given, up to the last one that was looked at: one, unless they are all there are.
    pub fn quota(&self, flows: usize, reached: Option<Flow>, page: Page) -> usize {
        let all = self.after.is_none() && reached.is_none();
        if all { (page.deliveries_max / flows.max(1)).max(1) } else { 1 }
    }
}

/// Where a read in turns of what is due begins ([`Feed::due_turns`]).
#[derive(Debug, Clone)]
pub struct DueTurns {
    /// Due by then.
    pub until: Timestamp,
    /// With the first flow behind this one; `None` = with the first of all.
    pub after: Option<Flow>,
    /// Of these flows only what is behind another place; none is behind [`Timestamp::MAX`].
    pub places: Arc<BTreeMap<Flow, DuePlace>>,
}

impl DueTurns {
    /// Behind which place this flow is to be read; `None` = it is passed over.
    pub fn behind(&self, flow: Flow) -> Option<DuePlace> {
        let place = self.places.get(&flow).copied().unwrap_or((Timestamp::MIN, 0));
        Some(place).filter(|(due, _)| *due <= self.until)
    }
}

/// What such a read gives.
#[derive(Debug, Clone, Default)]
pub struct TurnedDue {
    /// Tried deliveries that are due, flow by flow, and by due time and place in each.
    pub deliveries: Vec<Delivery>,
    /// Up to where flows were looked at, in the order of the flows.
    pub places: Vec<(Flow, DuePlace)>,
    /// The last flow that was looked at; `None` = there is none behind it.
    pub reached: Option<Flow>,
}

/// What a read in turns gives.
#[derive(Debug, Clone)]
pub struct Turned {
    /// Never-tried deliveries, flow by flow, and by sequence in each; of an ordered one also the last pending delivery of its key
    /// that is before it, and behind the floor.
    pub deliveries: Vec<(Delivery, Option<Seq>)>,
    /// Parked deliveries that hold keys of these, before them and behind the floor: the first few of each key.
    pub blocking: Vec<(Seq, Box<str>)>,
    /// Up to where each of the flows was looked at that have something behind their places.
    pub places: Vec<(Flow, Seq)>,
    /// The last flow that was looked at; `None` = there is none behind it.
    pub reached: Option<Flow>,
    /// Whether one of the flows has more than was looked at.
    pub more: bool,
    /// The last place that was committed at this moment.
    pub last: Seq,
}

/// How the deliveries of one event stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The event.
    pub uid: Uid,
    /// Where each stands, by sink.
    pub deliveries: Vec<(ObjectName, DeliveryState)>,
}

/// Deals partitions out, and gives back deliveries that are still pending. Every call costs O(page), whatever the backlog, and
/// sees all that any commit has returned from before.
pub trait Feed {
    /// Says that this process lives and delivers, for so long from now, and tells how things stand. To be called again before the
    /// lease has run out: afterwards others may take what it holds. From then on the deliveries that this feed gives are those of
    /// the partitions it holds; one that has never joined gives all.
    fn join(&mut self, lease: Duration) -> Result<Joined, Error>;

    /// Takes those of these partitions that nobody holds who lives; earlier epochs of them are fenced off from then on. None
    /// while this process itself is not known to live, and none where it has the store alone ([`Joined::Sole`]).
    fn claim(&mut self, _wanted: Partitions) -> Result<BTreeMap<Partition, Epoch>, Error> {
        Ok(BTreeMap::new())
    }

    /// Gives partitions back before their time, so that another process need not wait. What was attempted of them must be
    /// recorded.
    fn release(&mut self, _given: Partitions) -> Result<(), Error> {
        Ok(())
    }

    /// Gives everything back, and lives no longer.
    fn leave(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// What is new, and what was erased behind this number ([`News::erased_up_to`]; 0 = all that is told of).
    fn news(&self, erased_after: u64) -> Result<News, Error>;

    /// Never-tried deliveries of one sink behind `after`, by sequence.
    fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error>;

    /// Never-tried deliveries of one sink in turns: of some flows a few each, so that none waits behind what another has piled up.
    /// A page has room for as many of each; the first delivery is always given.
    fn turns(&self, sink: &ObjectName, turns: &Turns, page: Page) -> Result<Turned, Error>;

    /// Tried deliveries of one sink that are due by `until`, by due time and place, behind this one.
    fn due(&self, sink: &ObjectName, until: Timestamp, behind: DuePlace, page: Page) -> Result<Fed, Error>;

    /// The same in turns: of some flows up to [`DUE_TURN`](crate::limits::DUE_TURN) each, flow by flow, and by due time in each.
    fn due_turns(&self, sink: &ObjectName, turns: &DueTurns, page: Page) -> Result<TurnedDue, Error>;

    /// The earliest due time, later than `after`, of the sink's tried deliveries.
    fn earliest_due(&self, sink: &ObjectName, after: Timestamp) -> Result<Option<Timestamp>, Error>;

    /// Pending deliveries of one sink behind `after`, tried or not, by sequence.
    fn oldest(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error>;

    /// Those of these deliveries of one sink that hold their keys ([`Fed::blocking`]).
    fn blocking(&self, sink: &ObjectName, seqs: &[Seq]) -> Result<Vec<Seq>, Error>;

    /// How many bytes of bodies wait for each sink: exact as of the last commit, whichever process made it.
    fn backlog(&self) -> Result<Vec<(ObjectName, u64)>, Error>;

    /// How the deliveries of the event at this place stand; `None` where it is not there (any more).
    fn standing(&self, seq: Seq) -> Result<Option<Standing>, Error>;

    /// Pending ordered deliveries of one sink and key behind `after`, tried or not, by sequence.
    fn by_key(&self, sink: &ObjectName, key: &str, after: Seq, page: Page) -> Result<Fed, Error>;
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Still to be delivered.
    Pending,
    /// The sink has it.
    Delivered,
    /// Put aside.
    Parked,
    /// Left out while the sink was suspended.
    Skipped,
}

/// An event as the archive shows it.
#[derive(Debug, Clone)]
pub struct Archived {
    /// Its place.
    pub seq: Seq,
    /// The event.
    pub event: Arc<Event>,
    /// One entry per sink, in the order of the event's sinks, and one more for each replay, in their order.
    pub deliveries: Vec<ArchivedDelivery>,
}

/// A delivery as the archive shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedDelivery {
    /// The sink.
    pub sink: ObjectName,
    /// See [`Delivery::replay`].
    pub replay: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it was parked, as [`boathook_event::ParkReason::as_str`] says it.
    pub parked_for: Option<Box<str>>,
    /// Attempts made.
    pub attempts: u32,
    /// When the next one may be made.
    pub due: Option<Timestamp>,
    /// When it was delivered, parked or skipped.
    pub completed_at: Option<Timestamp>,
    /// The attempts that failed: the first and the last nine.
    pub failures: Vec<Attempt>,
}

/// How long the events of each endpoint are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retentions {
    /// Of endpoints that say nothing, and of those that are gone.
    pub default: Retention,
    /// Of endpoints that say something else.
    pub endpoints: HashMap<ObjectName, Retention>,
}

impl Retentions {
    /// That of one endpoint.
    pub fn of(&self, endpoint: &ObjectName) -> Retention {
        self.endpoints.get(endpoint).copied().unwrap_or(self.default)
    }
}

/// What everything added up to, and what is there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Per endpoint.
    pub endpoints: Vec<EndpointTotals>,
    /// Per sink.
    pub sinks: Vec<SinkTotals>,
    /// Stored events.
    pub events: u64,
    /// The last event's place.
    pub last_seq: Seq,
}

/// What was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Events.
    pub events: u64,
    /// Deliveries of theirs that were on their way.
    pub pending: u64,
    /// Deliveries of theirs that were put aside.
    pub parked: u64,
    /// Somebody else reads the store, so that bytes may still be found in its files: to be called again, with none.
    pub traces: bool,
}

/// Answers questions about what was stored, on connections of its own.
pub trait Archive {
    /// Events behind `after` by sequence, of one endpoint or of all; at most `limit`.
    fn list(&self, endpoint: Option<&ObjectName>, after: Seq, limit: usize) -> Result<Vec<Archived>, Error>;

    /// One event.
    fn show(&self, uid: &Uid) -> Result<Option<Archived>, Error>;

    /// Its place alone: none of its bytes is read.
    fn place(&self, uid: &Uid) -> Result<Option<Seq>, Error>;

    /// Events that answer the question, in the order asked for, behind `after` where it is given; at most `limit`. Costs
    /// O(page): what is looked at is bounded, so a page may be short, or empty, though there is more.
    fn find(&self, question: &Question, after: Option<Seq>, limit: usize) -> Result<Found, Error>;

    /// Requests of one endpoint or of all that were refused, newest first, behind `after` where it is given; at most `limit`.
    fn rejections(
        &self,
        endpoint: Option<&ObjectName>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Rejected)>, Error>;

    /// Totals. They survive retention.
    fn statistics(&self) -> Result<Statistics, Error>;

    /// What happened hour by hour, of the last [`crate::limits::HOURS_KEPT`] hours. It survives retention.
    fn series(&self, span: &Span) -> Result<Series, Error>;

    /// Since when the oldest pending delivery waits, of each endpoint that has one: when its event was received. Looks at so
    /// many of each sink's oldest deliveries ([`crate::limits::OLDEST_LOOKED_AT`]); an endpoint that has none among them is told
    /// with the last of these, behind which its own wait.
    fn oldest_pending(&self) -> Result<Vec<(ObjectName, Timestamp)>, Error>;

    /// Deletes, in slices, what is past its time, refused requests too, and forgets dedupe keys past their window
    /// and the hours that are too old. Returns the number of events deleted;
    /// pending deliveries keep their event.
    fn retain(&mut self, retentions: &Retentions, now: Timestamp) -> Result<u64, Error>;

    /// Since when deduplication keys are known, where older ones were forgotten before their windows were over, for want of room;
    /// none while all are known that should be. By default a store has room for all.
    fn keys_since(&self, _now: Timestamp) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    /// Makes deliveries of these events pending once more, due at once, and durably: a parked one starts anew under its own
    /// number, and so does a skipped one; a delivered one under the next ([`Delivery::replay`]). What is pending stays as it is. At most
    /// [`crate::limits::REPLAY_SLICE`] events. Nothing hands them over.
    fn replay(&mut self, events: &[Seq], replay: &Replay) -> Result<Replayed, Error>;

    /// Overwrites and deletes the bytes and header values of the events at these places at once, whatever their deliveries; their
    /// dedupe keys stay. What was pending or parked counts as erased. At most [`crate::limits::ERASE_SLICE`] events; for none, only
    /// what is left of erased bytes is overwritten.
    fn erase(&mut self, events: &[Seq]) -> Result<Erased, Error>;
}
