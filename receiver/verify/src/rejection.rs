//! Why a request is refused: a public code, and a diagnosis for the people who run the endpoint.
use crate::Duration;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {diagnosis}", code.as_str())]
pub struct Rejection {
    /// The public code.
    pub code: Code,
    /// What a person needs to know.
    pub diagnosis: Diagnosis,
}

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
    /// It cannot be checked now, which is not the sender's fault.
    Unavailable,
}

/// What a person needs to know; never told to the sender, never secret or payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Diagnosis {
    /// No signature.
    #[error("the {place} is missing: is a secret configured at the provider?")]
    SignatureMissing {
        /// The first place that is looked at, such as `header x-signature`.
        place: Box<str>,
    },
    /// Amazon SNS has sent what was published as it is.
    #[error(
        "the message came by raw message delivery, of which nothing is signed: switch that off in the subscription"
    )]
    RawDelivery,
    /// What is there does not have the form of the scheme.
    #[error("the {place} has no signature of the form that this provider sends")]
    SignatureMalformed {
        /// The place that was read.
        place: Box<str>,
    },
    /// Something that decides came more than once, and the values could be read in more than one way.
    #[error("the {place} came more than once: does a proxy add it?")]
    Repeated {
        /// Which.
        place: Box<str>,
    },
    /// A part of the signed text is missing.
    #[error("the {place}, which the signature covers, is missing")]
    SignedPartMissing {
        /// Which.
        place: Box<str>,
    },
    /// What must be read before the signature can be checked cannot be.
    #[error("the request cannot be read as {wanted}, in which the signature is")]
    BodyUnreadable {
        /// What it should be.
        wanted: &'static str,
    },
    /// The body is not the one whose digest is signed.
    #[error(
        "the body's SHA-256 is not that in the query parameter {parameter}: was the body changed on its way?"
    )]
    BodyDigestDiffers {
        /// The parameter.
        parameter: Box<str>,
    },
    /// A header does not have the value that the scheme demands.
    #[error("the header {header} must be `{wanted}`")]
    RequirementBroken {
        /// Its name.
        header: Box<str>,
        /// The value that it must have.
        wanted: Box<str>,
    },
    /// A claim of a token is not as it must be.
    #[error(
        "the token's claim {claim} is missing or another one than must be: was the token made for this endpoint?"
    )]
    ClaimDiffers {
        /// Its name.
        claim: Box<str>,
    },
    /// A token is not valid now.
    #[error("the token's claim {claim} is {}", distance(*skew_millis))]
    TokenOutOfTime {
        /// `exp`, `nbf` or `iat`.
        claim: &'static str,
        /// The claim minus our clock, in milliseconds.
        skew_millis: i64,
    },
    /// No secret of those that are there matches, and another one is to come.
    #[error("no secret that is there makes this signature, and one is still to come: see spec.secretCapture")]
    SecretAwaited,
    /// The sender's published keys were never fetched: a failure of ours.
    #[error("the keys that the sender publishes are not there yet: see the log on fetching them")]
    KeysNotThere,
    /// A URL in the request is not the sender's: nothing is fetched from there.
    #[error("the {place} is no URL of {owner}, and is not visited")]
    UrlOfOther {
        /// Which.
        place: Box<str>,
        /// Whose it should be.
        owner: &'static str,
    },
    /// The certificate that the request names is not valid now.
    #[error("the sender's certificate {}", if *expired { "has expired" } else { "is not valid yet: is this machine's clock right?" })]
    CertificateOutOfValidity {
        /// Past its end; else before its beginning.
        expired: bool,
    },
    /// The certificate is not the sender's.
    #[error("the certificate at the URL that the request names is another one than the sender's")]
    CertificateOfOther,
    /// The message is of a topic that the endpoint does not expect.
    #[error("the message is of a topic whose ARN is in no Secret of this endpoint")]
    TopicNotExpected,
    /// The token names a key that the issuer's set does not have: it may have come since.
    #[error("the token names a key that is not in the issuer's key set")]
    KeyUnknown,
    /// We cannot sign as this provider does: its signature is not in a header, or its key is not ours.
    #[error("requests of this scheme cannot be signed here: only its sender can")]
    NotSignedByUs,
    /// The verify token of a handshake is another one.
    #[error("the verify token is not that of verification.verifyToken")]
    VerifyTokenDiffers,
    /// No secret matches.
    #[error("no configured secret makes this signature: is it the secret of this endpoint?")]
    NoSecretMatches,
    /// The key of the sender's certificate did not make it.
    #[error(
        "the key of the sender's certificate has not made this signature: was the message changed on its way?"
    )]
    SignatureDiffers,
    /// What is signed has the form of a challenge, which is signed for whoever asks.
    #[error(
        "what is signed has the form of the provider's challenge, which is signed for everybody: it proves nothing"
    )]
    ChallengeAsDelivery,
    /// A secret matches that is not valid at this time.
    #[error("the signature was made with a secret that {}", if *expired { "expired (notAfter)" } else { "is not valid yet (notBefore)" })]
    SecretOutOfValidity {
        /// Past `notAfter`; else before `notBefore`.
        expired: bool,
    },
    /// No timestamp.
    #[error("the timestamp is missing")]
    TimestampMissing,
    /// An unreadable timestamp, or more than one.
    #[error("the timestamp is not of the form that this provider sends")]
    TimestampUnreadable,
    /// A timestamp outside the tolerance.
    #[error("the timestamp is {}; allowed: {tolerance}", distance(*skew_millis))]
    TimestampOutsideTolerance {
        /// The timestamp minus our clock, in milliseconds.
        skew_millis: i64,
        /// The tolerance in force.
        tolerance: Duration,
    },
}

impl Rejection {
    /// Whether a known secret, or a known key, has made it all the same: it is too old or too new, or its secret is.
    pub fn is_signed(&self) -> bool {
        matches!(
            self.diagnosis,
            Diagnosis::SecretOutOfValidity { .. }
                | Diagnosis::TimestampOutsideTolerance { .. }
                | Diagnosis::TokenOutOfTime { .. }
        )
    }

    /// Whether only a key was missing, which its sender may have published by now.
    pub fn lacks_key(&self) -> bool {
        matches!(self.diagnosis, Diagnosis::KeysNotThere | Diagnosis::KeyUnknown)
    }
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
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<Diagnosis> for Rejection {
    fn from(diagnosis: Diagnosis) -> Self {
        let code = match diagnosis {
            Diagnosis::SignatureMissing { .. } | Diagnosis::RawDelivery => Code::MissingSignature,
            Diagnosis::SignatureMalformed { .. }
            | Diagnosis::Repeated { .. }
            | Diagnosis::SignedPartMissing { .. }
            | Diagnosis::BodyUnreadable { .. }
            | Diagnosis::BodyDigestDiffers { .. }
            | Diagnosis::RequirementBroken { .. }
            | Diagnosis::ClaimDiffers { .. }
            | Diagnosis::KeyUnknown
            | Diagnosis::UrlOfOther { .. }
            | Diagnosis::CertificateOutOfValidity { .. }
            | Diagnosis::CertificateOfOther
            | Diagnosis::TopicNotExpected
            | Diagnosis::SignatureDiffers
            | Diagnosis::NotSignedByUs
            | Diagnosis::VerifyTokenDiffers
            | Diagnosis::NoSecretMatches
            | Diagnosis::ChallengeAsDelivery
            | Diagnosis::SecretOutOfValidity { .. } => Code::InvalidSignature,
            Diagnosis::KeysNotThere | Diagnosis::SecretAwaited => Code::Unavailable,
            Diagnosis::TimestampMissing => Code::MissingTimestamp,
            Diagnosis::TimestampUnreadable => Code::InvalidTimestamp,
            Diagnosis::TimestampOutsideTolerance { .. } | Diagnosis::TokenOutOfTime { .. } => {
                Code::StaleTimestamp
            }
        };
        Self { code, diagnosis }
    }
}

/// A skew for people, rounded away from zero so that it never reads as within the tolerance.
fn distance(skew_millis: i64) -> String {
    let side = if skew_millis < 0 { "behind" } else { "ahead of" };
    format!("{} s {side} our clock", skew_millis.unsigned_abs().div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_timestamp_is_told_with_its_direction_and_the_tolerance() {
        for (skew_millis, told) in [
            (-300_001, "stale_timestamp: the timestamp is 301 s behind our clock; allowed: 5m"),
            (3_600_000, "stale_timestamp: the timestamp is 3600 s ahead of our clock; allowed: 5m"),
        ] {
            let tolerance = Duration::from_secs(300);
            let rejection = Rejection::from(Diagnosis::TimestampOutsideTolerance { skew_millis, tolerance });
            assert_eq!(rejection.to_string(), told);
        }
    }
}
