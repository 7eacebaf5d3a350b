//! How a command ends: with an answer, or because of a mistake in what it was given.

/// The answer of a command that could do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Yes: exit status 0. No: 1.
    pub good: bool,
    /// The result.
    pub output: String,
    /// What the caller should know beside it.
    pub notes: Vec<String>,
}

/// What the caller has to mend: what is wrong, where, and what to do next. Exit status 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

impl Ended {
    /// Yes, with this result.
    pub(crate) fn good(output: String) -> Self {
        Self { good: true, output, notes: Vec::new() }
    }
}

impl Mistake {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
