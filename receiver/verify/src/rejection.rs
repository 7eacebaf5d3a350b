//! Why a request is refused: a public code, and a diagnosis for the people who run the endpoint.
use crate::Duration;

/// The public code of a rejection: one word for machines, told to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The signature (or token) header is missing or empty.
    MissingSignature,
    /// It is there, but no configured secret makes it.
    InvalidSignature,
    /// The timestamp is missing where one is needed.
    MissingTimestamp,
    /// The timestamp cannot be read.
    InvalidTimestamp,
    /// The timestamp is too far from our clock.
    StaleTimestamp,
}

impl Code {
    /// As it is written in answers, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing_signature",
            Self::InvalidSignature => "invalid_signature",
            Self::MissingTimestamp => "missing_timestamp",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::StaleTimestamp => "stale_timestamp",
        }
    }
}

/// What a person needs to know; never told to the sender, never secret or payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Diagnosis {
    /// No signature header.
    #[error("the header {header} is missing: is a secret configured at the provider?")]
    SignatureMissing {
        /// The first header that is looked for.
        header: Box<str>,
    },
    /// The header does not have the form of the scheme.
    #[error("the header {header} has no signature of the form that this provider sends")]
    SignatureMalformed {
        /// The header that was read.
        header: Box<str>,
    },
    /// A part of the signed text is missing.
    #[error("the header {header}, which the signature covers, is missing")]
    SignedHeaderMissing {
        /// Its name.
        header: Box<str>,
    },
    /// No secret matches.
    #[error("no configured secret makes this signature: is it the secret of this endpoint?")]
    NoSecretMatches,
    /// A secret matches that is not valid at this time.
    #[error("the signature was made with a secret that {}", if *.expired { "expired (notAfter)" } else { "is not valid yet (notBefore)" })]
    SecretOutOfValidity {
        /// Past `notAfter`; else before `notBefore`.
        expired: bool,
    },
    /// No timestamp.
    #[error("the timestamp is missing")]
    TimestampMissing,
    /// An unreadable timestamp.
    #[error("the timestamp is not of the form that this provider sends")]
    TimestampUnreadable,
    /// A timestamp outside the tolerance.
    #[error("the timestamp is {} {} our clock; allowed: {tolerance}", seconds(*.skew_millis), if *.skew_millis < 0 { "behind" } else { "ahead of" })]
    TimestampOutsideTolerance {
        /// The timestamp minus our clock, in milliseconds.
        skew_millis: i64,
        /// The tolerance in force.
        tolerance: Duration,
    },
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {diagnosis}", code.as_str())]
pub struct Rejection {
    /// The public code.
    pub code: Code,
    /// What a person needs to know.
    pub diagnosis: Diagnosis,
}

/// A skew for people.
fn seconds(millis: i64) -> String {
    format!("{} s", millis.unsigned_abs() / 1000)
}
