//! What can go wrong with a store.

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk (or the server) failed: whether the batch is durable is not known.
    #[error("the store failed: {0}")]
    Io(String),
    /// No room, or the store is held by somebody else. Nothing was stored; it may work again later.
    #[error("the store is full: {0}")]
    Full(String),
    /// The server cannot be reached, or takes nothing now. Nothing was stored; it may work again later.
    #[error("the store is away: {0}")]
    Away(String),
    /// The answer to a commit was lost: the batch is stored whole or not at all, and the next one finds out. Deduplication
    /// absorbs the sender's retry, and outcomes may be told twice. The counters are the committer's own matter from then on.
    #[error("the store was lost in the middle of a commit: {0}")]
    InDoubt(String),
    /// The batch itself cannot be stored.
    #[error("the batch cannot be stored: {0}")]
    Rejected(String),
    /// The outcome's epoch was fenced off.
    #[error("another process has taken over")]
    Fenced,
    /// Another process has the data folder open, or it or the database cannot be one.
    #[error("{0}")]
    Open(String),
}

impl Error {
    /// Whether the store itself is in doubt: stop acknowledging, and exit.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

/// Why the appends of one request were not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// More is waiting to be stored than may wait ([`crate::limits::QUEUE_BYTES_MAX`]). Nothing was stored.
    #[error("too much is waiting to be stored")]
    Busy,
    /// The store has as much as it may have. Nothing was stored.
    #[error("{0}")]
    NoRoom(String),
    /// The store is away, full, or shutting down. Nothing was stored.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed, or did not answer. Whether anything was stored is not known; deduplication absorbs the sender's
    /// retry.
    #[error("{0}")]
    InDoubt(String),
    /// The store does not take these appends, alone in a batch either. Nothing was stored.
    #[error("{0}")]
    Rejected(String),
}
