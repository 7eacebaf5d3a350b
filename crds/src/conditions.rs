//! Why an object is not accepted, and what a person should know although it is: the documented vocabulary.

/// Why an object cannot be served as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `provider` names no preset. The author corrects the spelling, or writes a `scheme`.
    UnknownProvider,
    /// The scheme's members do not fit together, or `provider` and `scheme` are not exactly one. The author corrects
    /// the member that the message names.
    InvalidScheme,
    /// A template does not compile. The author corrects it.
    InvalidTemplate,
    /// A Secret, or the key in it, is not there. Whoever owns the secrets creates it.
    SecretMissing,
    /// A Secret's value cannot be used: it is empty or not of the form that the provider gives. Whoever owns the secrets
    /// replaces it.
    SecretInvalid,
    /// `delivery.sinks` names a sink that is not there. The author creates it, or corrects the name.
    SinkMissing,
    /// Another endpoint has the same host and path. The author gives one of them another path.
    PathConflict,
    /// A value is out of its bounds or cannot be read. The author corrects it.
    InvalidValue,
}

impl Reason {
    /// As conditions write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownProvider => "UnknownProvider",
            Self::InvalidScheme => "InvalidScheme",
            Self::InvalidTemplate => "InvalidTemplate",
            Self::SecretMissing => "SecretMissing",
            Self::SecretInvalid => "SecretInvalid",
            Self::SinkMissing => "SinkMissing",
            Self::PathConflict => "PathConflict",
            Self::InvalidValue => "InvalidValue",
        }
    }
}

/// What a person should know of an object that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The proof does not cover the body: only TLS protects it.
    BodyNotProtected,
    /// The timestamp is not signed: freshness proves little.
    TimestampNotSigned,
    /// It names no sink.
    NoSink,
    /// Neither id nor time nor a unique body tells a repetition: a recorded delivery can be sent again.
    NoReplayGuard,
}

impl Notice {
    /// What it means and what to do, in one sentence.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BodyNotProtected => "the provider's proof does not cover the body: accept it over TLS only",
            Self::TimestampNotSigned => {
                "the provider does not sign its timestamp: deduplication is what stops replays"
            }
            Self::NoSink => "it names no sink: what arrives is stored and goes nowhere",
            Self::NoReplayGuard => {
                "nothing in a delivery tells a repetition: set events.id to something that is unique to an event"
            }
        }
    }
}
