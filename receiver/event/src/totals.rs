//! Counting: each request and each delivery ends as exactly one word.
use crate::ObjectName;

/// What became of an event at its endpoint. `status.events` uses the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// Stored and acknowledged.
    Accepted,
    /// Seen before.
    Duplicate,
    /// Genuine, but not wanted: by its type, or by the filter.
    Ignored,
    /// Answered as a handshake.
    Handshake,
    /// Refused: not genuine, or not acceptable.
    Rejected,
    /// Not taken for lack of room or by a rate limit.
    Busy,
    /// Not answered: the sender went away, or we failed.
    Unanswered,
    /// Stored as new although the id was seen, since the body differs and the id is not signed.
    IdConflict,
}

impl Word {
    /// Every word, in the order of the totals.
    pub const ALL: [Word; 8] = [
        Word::Accepted,
        Word::Duplicate,
        Word::Ignored,
        Word::Handshake,
        Word::Rejected,
        Word::Busy,
        Word::Unanswered,
        Word::IdConflict,
    ];

    /// As it is written in logs, metrics and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Handshake => "handshake",
            Self::Rejected => "rejected",
            Self::Busy => "busy",
            Self::Unanswered => "unanswered",
            Self::IdConflict => "id_conflict",
        }
    }
}

/// So many of one word at one endpoint, to be added to its totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The endpoint.
    pub endpoint: ObjectName,
    /// The word.
    pub word: Word,
    /// How many.
    pub by: u64,
}

/// What became of everything that reached one endpoint, since the store was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTotals {
    /// The endpoint.
    pub endpoint: ObjectName,
    /// A number for each of [`Word::ALL`].
    pub words: [u64; Word::ALL.len()],
    /// Deliveries of its events that sinks have taken; an event counts once for each sink and each replay.
    pub delivered: u64,
    /// Deliveries put aside.
    pub parked: u64,
    /// Deliveries left out while their sink was suspended.
    pub skipped: u64,
    /// Deliveries on their way.
    pub pending: u64,
    /// Deliveries that were on their way when a person erased their event.
    pub erased: u64,
}

impl EndpointTotals {
    /// Those of an endpoint that nothing has reached yet.
    pub fn none_yet(endpoint: ObjectName) -> Self {
        Self {
            endpoint,
            words: [0; Word::ALL.len()],
            delivered: 0,
            parked: 0,
            skipped: 0,
            pending: 0,
            erased: 0,
        }
    }

    /// The number of one word.
    pub fn of(&self, word: Word) -> u64 {
        Word::ALL.iter().zip(self.words).find(|(w, _)| **w == word).map_or(0, |(_, number)| number)
    }
}

/// What became of everything that was meant for one sink, since the store was made:
/// matched = delivered + skipped + parked + pending + erased. What is delivered again after it was delivered is meant for it once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkTotals {
    /// The sink.
    pub sink: ObjectName,
    /// Deliveries that the sink has taken.
    pub delivered: u64,
    /// Deliveries put aside.
    pub parked: u64,
    /// Deliveries left out while it was suspended.
    pub skipped: u64,
    /// Deliveries on their way.
    pub pending: u64,
    /// Bytes of the bodies of those on their way.
    pub pending_bytes: u64,
    /// Deliveries that were on their way when a person erased their event.
    pub erased: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
}

impl SinkTotals {
    /// Those of a sink for which nothing was meant yet.
    pub fn none_yet(sink: ObjectName) -> Self {
        Self {
            sink,
            delivered: 0,
            parked: 0,
            skipped: 0,
            pending: 0,
            pending_bytes: 0,
            erased: 0,
            failed_attempts: 0,
        }
    }
}
