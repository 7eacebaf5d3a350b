//! What happened hour by hour: asked for, told, and counted within a transaction.
use std::collections::BTreeMap;

use boathook_event::{Attempt, Latencies, Next, ObjectName, Word};
use jiff::Timestamp;

use crate::{
    columns::place,
    limits::{HOUR_TYPES_MAX, HOURS_KEPT},
};

/// Which hours are told, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Of this endpoint alone.
    pub endpoint: Option<ObjectName>,
    /// Of this sink alone.
    pub sink: Option<ObjectName>,
    /// The first hour.
    pub first: Hour,
    /// The last one.
    pub last: Hour,
    /// Each hour by itself, else all of them together as if they were the first.
    pub apart: bool,
}

/// An hour, counted from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    const MICROSECONDS: i64 = 3_600_000_000;

    /// That of a time.
    pub fn of(time: Timestamp) -> Self {
        Self::of_microseconds(time.as_microsecond())
    }

    /// That of a time in Unix microseconds.
    pub(crate) fn of_microseconds(time: i64) -> Self {
        Self(time.div_euclid(Self::MICROSECONDS))
    }

    /// As a column holds it.
    pub(crate) fn number(self) -> i64 {
        self.0
    }

    /// From a column.
    pub(crate) fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The first hour that is kept when this is the present one: those before are forgotten.
    pub fn first_kept(self) -> Self {
        Self(self.0.saturating_sub(HOURS_KEPT - 1))
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        Timestamp::from_second(self.0.saturating_mul(3_600)).unwrap_or(Timestamp::MAX)
    }
}

/// What happened in a [`Span`]. Numbers of an hour outlive their events; one who erases an event does not change them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// What became of events at their endpoints.
    pub words: BTreeMap<(ObjectName, Hour), BTreeMap<Word, u64>>,
    /// Events stored, by type, over the whole span.
    pub types: BTreeMap<ObjectName, BTreeMap<HourType, u64>>,
    /// What became of deliveries, by endpoint and sink.
    pub ended: BTreeMap<(ObjectName, ObjectName, Hour), Ended>,
    /// How long the attempts took with which sinks took events.
    pub latencies: BTreeMap<(ObjectName, Hour), Latencies>,
}

/// Under what an event's type is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HourType {
    /// It has this type.
    Named(Box<str>),
    /// It has none.
    Missing,
    /// In its hour its endpoint had [`HOUR_TYPES_MAX`] others already.
    Other,
}

impl HourType {
    /// As a column holds [`HourType::Missing`].
    pub(crate) const MISSING: &str = "-";
    /// As a column holds [`HourType::Other`].
    pub(crate) const OTHER: &str = "+";

    /// As a column holds it.
    pub(crate) fn encode(event_type: Option<&str>) -> Box<str> {
        event_type.map_or_else(|| Self::MISSING.into(), |name| format!("={name}").into())
    }

    /// From a column.
    pub(crate) fn decode(text: &str) -> Self {
        match text.strip_prefix('=') {
            Some(name) => Self::Named(name.into()),
            None if text == Self::MISSING => Self::Missing,
            None => Self::Other,
        }
    }
}

/// What became of deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sinks have taken so many.
    pub delivered: u64,
    /// So many were put aside; what is armed again meanwhile counts all the same.
    pub parked: u64,
    /// So many were left out; the same.
    pub skipped: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
}

impl Ended {
    /// Adds those of another hour.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { delivered, parked, skipped, failed_attempts } = other;
        self.delivered += delivered;
        self.parked += parked;
        self.skipped += skipped;
        self.failed_attempts += failed_attempts;
    }

    /// As columns hold it, in this order.
    pub(crate) fn columns(self) -> [i64; 4] {
        let Self { delivered, parked, skipped, failed_attempts } = self;
        [delivered, parked, skipped, failed_attempts].map(place)
    }
}

/// What one transaction adds to an hour; `N` is how a driver numbers endpoints and sinks.
#[derive(Debug)]
pub(crate) struct Hourly<N> {
    /// By endpoint.
    pub(crate) words: BTreeMap<(N, Word), i64>,
    /// Events stored, by endpoint and type ([`HourType::encode`]).
    pub(crate) types: BTreeMap<(N, Box<str>), i64>,
    /// By endpoint and sink.
    pub(crate) ended: BTreeMap<(N, N), Ended>,
    /// Deliveries by sink and [`Latencies::bucket`].
    pub(crate) latencies: BTreeMap<(N, u16), i64>,
}

impl<N> Default for Hourly<N> {
    fn default() -> Self {
        Self {
            words: BTreeMap::new(),
            types: BTreeMap::new(),
            ended: BTreeMap::new(),
            latencies: BTreeMap::new(),
        }
    }
}

impl<N: Ord + Copy> Hourly<N> {
    /// An event was stored.
    pub(crate) fn stored(&mut self, endpoint: N, event_type: Option<&str>) {
        *self.types.entry((endpoint, HourType::encode(event_type))).or_default() += 1;
    }

    /// The same, where this is all that is kept of the hour: types beyond [`HOUR_TYPES_MAX`] are counted together.
    pub(crate) fn stored_among_all(&mut self, endpoint: N, event_type: Option<&str>) {
        let key = (endpoint, HourType::encode(event_type));
        let of_endpoint = (endpoint, Box::default())..;
        let others = self.types.range(of_endpoint).take_while(|((of, _), _)| *of == endpoint);
        let types = others.filter(|((_, name), _)| **name != *HourType::OTHER).count();
        let room = types < HOUR_TYPES_MAX || self.types.contains_key(&key);
        let key = if room { key } else { (endpoint, HourType::OTHER.into()) };
        *self.types.entry(key).or_default() += 1;
    }

    /// A delivery was put aside before anybody has tried it.
    pub(crate) fn put_aside(&mut self, endpoint: N, sink: N) {
        self.ended(endpoint, sink).parked += 1;
    }

    /// The part of one endpoint and one sink.
    pub(crate) fn ended(&mut self, endpoint: N, sink: N) -> &mut Ended {
        self.ended.entry((endpoint, sink)).or_default()
    }

    /// A delivery has moved on, by this attempt if by one.
    pub(crate) fn moved(&mut self, endpoint: N, sink: N, attempt: Option<&Attempt>, next: &Next) {
        match next {
            Next::Delivered { .. } => {
                self.ended(endpoint, sink).delivered += 1;
                if let Some(Attempt { duration_millis, .. }) = attempt {
                    *self.latencies.entry((sink, Latencies::bucket(*duration_millis))).or_default() += 1;
                }
            }
            Next::Parked(_) => self.ended(endpoint, sink).parked += 1,
            Next::Skipped => self.ended(endpoint, sink).skipped += 1,
            Next::Retry { .. } => {}
        }
    }
}

/// The bound of types, as statements take it.
pub(crate) fn types_max() -> i64 {
    i64::try_from(HOUR_TYPES_MAX).unwrap_or(i64::MAX)
}
