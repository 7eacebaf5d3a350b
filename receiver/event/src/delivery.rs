//! What becomes of one event at one sink.
use std::{borrow::Cow, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{Event, ObjectName};

/// The place of an event in its store: rises by one with each stored event; order is by it, never by time.
pub type Seq = u64;

/// When something is due, and its place: the order of what was tried, or is armed again.
pub type DuePlace = (Timestamp, Seq);

/// An event on its way to a sink.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event's place in the store.
    pub seq: Seq,
    /// The sink.
    pub sink: ObjectName,
    /// The event.
    pub event: Arc<Event>,
    /// Attempts made so far.
    pub attempts: u32,
    /// When the next attempt may be made; `None` = at once (it was never tried).
    pub due: Option<Timestamp>,
    /// It waits for those of its key that came before it.
    pub ordered: bool,
    /// Once it is parked, those of its key wait until it is delivered, skipped or gone; only where it is ordered.
    pub blocks: bool,
    /// 0 = the first time; n = the n-th time that the sink gets it again although it has taken it before.
    pub replay: u32,
}

/// A sink that an event is to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The sink.
    pub sink: ObjectName,
    /// After those of its key that came before it.
    pub ordered: bool,
    /// Once it is parked, those of its key wait until it is delivered, skipped or gone; only where it is ordered.
    pub blocks: bool,
}

impl Delivery {
    /// Its place among those that are due, before all of them if it was never tried.
    pub fn due_place(&self) -> DuePlace {
        (self.due.unwrap_or(Timestamp::MIN), self.seq)
    }

    /// The key whose order it keeps.
    pub fn lane_key(&self) -> Option<&str> {
        self.event.key.as_deref().filter(|_| self.ordered)
    }

    /// By which the sink knows every attempt of this delivery: `{uid}`, and `{uid}:r{n}` for the n-th replay, which must not
    /// be taken for what the sink has already.
    pub fn idempotency_key(&self) -> String {
        match self.replay {
            0 => self.event.uid.to_string(),
            replay => format!("{}:r{replay}", self.event.uid),
        }
    }
}

/// One try to deliver, as it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// 1-based.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_millis: u32,
    /// How it ended.
    pub result: Result<Delivered, Failure>,
}

/// A sink has taken the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The sink had it already, by our idempotency key.
    pub already_there: bool,
    /// The sink's own answer, where it has one (an HTTP status).
    pub status: Option<u16>,
}

/// A sink has not taken the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub kind: FailureKind,
    /// Whether trying again cannot help: the delivery is parked at once.
    pub permanent: bool,
    /// The sink's own answer, where it has one (an HTTP status).
    pub status: Option<u16>,
    /// The sink asked to be left alone for so long.
    pub retry_after: Option<Duration>,
    /// What happened, for people; at most [`crate::limits::FAILURE_MESSAGE_BYTES_MAX`] bytes, no secret.
    pub message: Cow<'static, str>,
}

impl Failure {
    /// Whether the sink says that it is gone for good (410): that is no fault of the delivery.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// What failed at a sink: the first half of "kind × permanence".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No connection: name resolution, refused, reset, TLS.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The sink answered that it does not take the event.
    Refused,
    /// The sink answered that it is overloaded (429, 503 with Retry-After).
    Throttled,
    /// The address is one that Boathook never calls.
    ForbiddenAddress,
    /// The event cannot be rendered for this sink.
    Unrenderable,
    /// The body is larger than the sink takes.
    BodyTooLarge,
}

impl FailureKind {
    /// As it is written in logs, metrics and stored attempts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::ForbiddenAddress => "forbidden_address",
            Self::Unrenderable => "unrenderable",
            Self::BodyTooLarge => "body_too_large",
        }
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Done: the sink has it.
    Delivered {
        /// It had it already.
        already_there: bool,
    },
    /// Another attempt, not before this time.
    Retry {
        /// Wall-clock time.
        due: Timestamp,
    },
    /// Put aside until a person replays or discards it.
    Parked(ParkReason),
    /// Left out: its sink is suspended, and skips what comes meanwhile.
    Skipped,
}

/// Why a delivery was parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkReason {
    /// The failure was permanent.
    Permanent,
    /// `retry.maxAttempts` were made.
    AttemptsExhausted,
    /// `retry.maxAge` has passed since the event was received.
    TooOld,
    /// The event does not fit its schema, and the endpoint puts such aside.
    SchemaMismatch,
    /// The endpoint only watches (`mode: Shadow`).
    Shadow,
}

impl ParkReason {
    /// Every reason.
    pub const ALL: [ParkReason; 5] = [
        ParkReason::Permanent,
        ParkReason::AttemptsExhausted,
        ParkReason::TooOld,
        ParkReason::SchemaMismatch,
        ParkReason::Shadow,
    ];

    /// As it is written in logs, metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::TooOld => "too_old",
            Self::SchemaMismatch => "schema_mismatch",
            Self::Shadow => "shadow",
        }
    }
}

/// An attempt and what follows it, or the end of a delivery without one: what the store is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event's place in the store.
    pub seq: Seq,
    /// The sink.
    pub sink: ObjectName,
    /// The endpoint, for the totals.
    pub endpoint: ObjectName,
    /// Of which making of the delivery it tells.
    pub making: Making,
    /// The attempt; `None` where it ends without one.
    pub attempt: Option<Attempt>,
    /// What follows.
    pub next: Next,
}

/// How a delivery was pending: where a store may be told of it twice, it can be pending anew by the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// However it is.
    Any,
    /// It was never tried.
    Fresh,
    /// It was due at this time, as the store has it: in microseconds.
    Due(Timestamp),
}

impl Making {
    /// Of this delivery.
    pub fn of(delivery: &Delivery) -> Self {
        delivery.due.map_or(Self::Fresh, Self::Due)
    }
}
