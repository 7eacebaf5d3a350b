//! What becomes of a request: every way it can end, with the words that senders, people and counters get.
use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use boathook_event::{Mismatch, ObjectName, ReadError, Word};
use boathook_store::SubmitError;
use boathook_table::{Ignored, Profile};
use boathook_verify::{Answered, Hint, Rejection};
use http::StatusCode;

use super::code::Code;
use crate::{awaited::NotDelivered, gate::Wait, limits::RETRY_AFTER_SECONDS};

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A genuine delivery.
    Taken {
        /// Accepted, Duplicate or Ignored: that of its best event.
        word: Word,
        /// Why its first ignored event was.
        why_ignored: Option<Ignored>,
        /// Members of the answer that the provider's scheme asks for.
        answer: BTreeMap<Box<str>, Option<Box<str>>>,
    },
    /// A handshake, and its answer.
    Handshake(Answered),
    /// Anything else.
    Refused(Refusal),
}

/// Why a request was not taken, in the order in which it is found out.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No endpoint has this URL.
    UnknownUrl,
    /// Not a POST, and no handshake.
    Method {
        /// What is taken, as the header `Allow` says it.
        allow: String,
    },
    /// The caller's address is not among the allowed ones.
    Source,
    /// The caller's rate is used up.
    SourceRate(Wait),
    /// `mode: Paused`
    Paused,
    /// The body is larger than the endpoint takes.
    BodyTooLarge { bytes_max: usize },
    /// The body did not end in time.
    BodyLate,
    /// The body broke off.
    BodyBroken,
    /// All bodies together are more than is held.
    Crowded,
    /// It is not genuine; with what would explain it, where that was looked for.
    NotGenuine(Rejection, Option<Hint>),
    /// It cannot be checked now: the keys that its sender publishes, or the secret that it brings by itself, are not there.
    Unchecked(Rejection),
    /// It is a handshake, and the visit that it wants has failed.
    NotVisited(String),
    /// The endpoint's rate is used up.
    Rate(Wait),
    /// The rate of one of its tenants is used up.
    TenantRate(Wait),
    /// It cannot be read.
    Unreadable(ReadError),
    /// Its type is not wanted, and the endpoint refuses such.
    UnknownType,
    /// It does not fit its schema, and the endpoint refuses such.
    Mismatch(Mismatch),
    /// As much waits for this sink as may.
    SinkFull(ObjectName),
    /// It was not stored.
    NotStored(SubmitError),
    /// It is stored, and not everything that was waited for has happened.
    NotDelivered(NotDelivered),
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Outcome {
    /// The word under which the request is counted.
    pub(crate) fn word(&self) -> Word {
        match self {
            Self::Taken { word, .. } => *word,
            Self::Handshake(_) => Word::Handshake,
            Self::Refused(refusal) => refusal.word(),
        }
    }

    pub(crate) fn status(&self, profile: &Profile) -> StatusCode {
        let number = match self {
            Self::Taken { word: Word::Duplicate, .. } => profile.duplicate,
            Self::Taken { .. } => profile.success,
            Self::Handshake(answered) => answered.status,
            Self::Refused(refusal) => refusal.status(profile),
        };
        StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Refusal {
    fn word(&self) -> Word {
        match self {
            Self::UnknownUrl
            | Self::Method { .. }
            | Self::Source
            | Self::BodyTooLarge { .. }
            | Self::BodyLate
            | Self::NotGenuine(..)
            | Self::Unreadable(_)
            | Self::UnknownType
            | Self::Mismatch(_) => Word::Rejected,
            Self::SourceRate(_)
            | Self::Rate(_)
            | Self::TenantRate(_)
            | Self::Paused
            | Self::Crowded
            | Self::SinkFull(_)
            | Self::Unchecked(_) => Word::Busy,
            Self::NotVisited(_) | Self::NotDelivered(_) => Word::Unanswered,
            Self::NotStored(SubmitError::Busy | SubmitError::NoRoom(_)) => Word::Busy,
            Self::BodyBroken
            | Self::NotStored(
                SubmitError::Unavailable(_) | SubmitError::InDoubt(_) | SubmitError::Rejected(_),
            ) => Word::Unanswered,
        }
    }

    fn status(&self, profile: &Profile) -> u16 {
        match self {
            Self::UnknownUrl => 404,
            Self::Method { .. } => 405,
            Self::Source => 403,
            Self::SourceRate(_) | Self::Rate(_) | Self::TenantRate(_) => 429,
            Self::BodyTooLarge { .. } => 413,
            Self::BodyLate => 408,
            Self::BodyBroken | Self::Unreadable(_) | Self::UnknownType | Self::Mismatch(_) => 400,
            Self::Paused | Self::Crowded => 503,
            Self::NotGenuine(..) => profile.refused,
            Self::NotStored(_)
            | Self::SinkFull(_)
            | Self::Unchecked(_)
            | Self::NotVisited(_)
            | Self::NotDelivered(_) => profile.unavailable,
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::UnknownUrl => Code::NotFound,
            Self::Method { .. } => Code::MethodNotAllowed,
            Self::Source => Code::SourceNotAllowed,
            Self::SourceRate(_) | Self::Rate(_) | Self::TenantRate(_) => Code::RateLimited,
            Self::Paused => Code::Paused,
            Self::BodyTooLarge { .. } => Code::BodyTooLarge,
            Self::BodyLate => Code::BodyTimeout,
            Self::BodyBroken => Code::BodyIncomplete,
            Self::NotGenuine(rejection, _) => rejection.code.into(),
            Self::Unreadable(error) => error.into(),
            Self::UnknownType => Code::UnknownType,
            Self::Mismatch(mismatch) if mismatch.is_missing() => Code::MissingField,
            Self::Mismatch(_) => Code::InvalidField,
            Self::Crowded
            | Self::SinkFull(_)
            | Self::NotStored(_)
            | Self::Unchecked(_)
            | Self::NotVisited(_) => Code::Unavailable,
            Self::NotDelivered(_) => Code::NotDelivered,
        }
    }

    /// Whether the provider has signed it, as far as was looked: what it sends is lost then.
    pub(crate) fn is_signed(&self) -> bool {
        match self {
            Self::NotGenuine(rejection, hint) => {
                rejection.is_signed() || hint.as_ref().is_some_and(Hint::is_signed)
            }
            Self::Unreadable(_) | Self::UnknownType | Self::Mismatch(_) => true,
            _ => false,
        }
    }

    /// The code as the sender gets it: that of a member names it.
    pub(crate) fn public_code(&self) -> Cow<'static, str> {
        match self {
            Self::Mismatch(mismatch) => mismatch.code(),
            _ => self.code().as_str().into(),
        }
    }

    /// A sentence for the sender. It says nothing of secrets, other endpoints or our own state.
    pub(crate) fn message(&self) -> Cow<'static, str> {
        match self {
            Self::BodyTooLarge { bytes_max } => format!("the body is larger than {bytes_max} bytes").into(),
            Self::Unreadable(error) => error.to_string().into(),
            Self::Mismatch(mismatch) => mismatch.to_string().into(),
            _ => self.code().message().into(),
        }
    }

    /// A sentence for the people who run the endpoint, where it says more than [`Refusal::message`].
    pub(crate) fn diagnosis(&self) -> Option<String> {
        match self {
            Self::NotGenuine(rejection, None) => Some(rejection.diagnosis.to_string()),
            Self::NotGenuine(rejection, Some(hint)) => Some(format!("{}; {hint}", rejection.diagnosis)),
            Self::NotStored(error) => Some(error.to_string()),
            Self::NotDelivered(why) => Some(why.to_string()),
            Self::Unchecked(rejection) => Some(rejection.diagnosis.to_string()),
            Self::NotVisited(error) => {
                Some(format!("the URL that the provider wants visited before it sends anything: {error}"))
            }
            Self::SinkFull(sink) => Some(format!(
                "as much waits for the sink {sink} as its backlogBytesMax allows: mend the sink, or raise it"
            )),
            Self::Crowded => Some("too many bytes of bodies are under way".into()),
            Self::SourceRate(_) => Some("limits.perSourcePerMinute is used up by this address".into()),
            Self::Rate(_) => Some("limits.requestsPerMinute is used up".into()),
            Self::TenantRate(_) => Some("limits.perTenantPerMinute is used up by its tenant".into()),
            _ => None,
        }
    }

    /// Whole seconds that the sender should wait, at least 1.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let seconds = |wait: Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        match self {
            Self::SourceRate(Wait(wait)) | Self::Rate(Wait(wait)) | Self::TenantRate(Wait(wait)) => {
                Some(seconds(*wait).max(1))
            }
            Self::Paused
            | Self::Crowded
            | Self::SinkFull(_)
            | Self::NotStored(_)
            | Self::Unchecked(_)
            | Self::NotVisited(_)
            | Self::NotDelivered(_) => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}
