//! Why a sink cannot be made or an event cannot be handed to it, in words for people.
use boathook_event::{Failure, FailureKind, limits::FAILURE_MESSAGE_BYTES_MAX};

/// A member of a sink's spec that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct BuildError {
    /// The member, as a path from the spec such as `http.headers[1].value`.
    pub field: String,
    /// What is wrong and what to write; no secret.
    pub message: String,
}

impl BuildError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A failure without a status, worth another attempt.
pub(crate) fn passing(kind: FailureKind, message: String) -> Failure {
    Failure { kind, permanent: false, status: None, retry_after: None, message: clipped(message).into() }
}

/// A failure without a status, which no other attempt can mend.
pub(crate) fn permanent(kind: FailureKind, message: String) -> Failure {
    Failure { permanent: true, ..passing(kind, message) }
}

/// The message, cut at a character so that it fits into a stored attempt.
pub(crate) fn clipped(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(FAILURE_MESSAGE_BYTES_MAX));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let failure = passing(FailureKind::Refused, "ä".repeat(FAILURE_MESSAGE_BYTES_MAX));
        assert_eq!(failure.message, "ä".repeat(FAILURE_MESSAGE_BYTES_MAX / 2));
        let odd = passing(FailureKind::Refused, format!("x{}", "ä".repeat(FAILURE_MESSAGE_BYTES_MAX)));
        assert_eq!(odd.message.len(), FAILURE_MESSAGE_BYTES_MAX - 1);
    }
}
