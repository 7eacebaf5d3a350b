//! Why an object is not accepted, and what a person should know although it is: the documented vocabulary.

/// The condition types of both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConditionType {
    /// The spec is sound and all it names exists.
    Accepted,
    /// The receivers have loaded this generation and the route is in place.
    Programmed,
    /// Genuine events arrive.
    Receiving,
    /// All sinks take them; of a sink: it takes them.
    Delivering,
    /// `Accepted` and `Programmed` (for `kubectl wait`); of a sink: its spec is sound.
    Ready,
    /// A person must change the spec.
    Stalled,
}

impl ConditionType {
    /// Those of an endpoint.
    pub const ENDPOINT: [Self; 6] =
        [Self::Accepted, Self::Programmed, Self::Receiving, Self::Delivering, Self::Ready, Self::Stalled];
    /// Those of a sink.
    pub const SINK: [Self; 3] = [Self::Ready, Self::Delivering, Self::Stalled];

    /// As conditions write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Programmed => "Programmed",
            Self::Receiving => "Receiving",
            Self::Delivering => "Delivering",
            Self::Ready => "Ready",
            Self::Stalled => "Stalled",
        }
    }
}

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
    /// A filter does not compile. The author corrects it.
    InvalidFilter,
    /// A JSON Schema cannot be used. The author corrects it.
    InvalidSchema,
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
    /// The class does not give the host to this namespace. The author leaves it out, or asks whoever runs the operator.
    HostNotAllowed,
    /// On a shared host every path starts with the namespace. The author corrects the path.
    PathNotAllowed,
    /// The class has a route without TLS. Whoever runs the operator gives it a certificate, or sets `allowInsecure`.
    InsecureRoute,
    /// The endpoint decides by the caller's address, and the class does not know the proxies in front. Whoever runs the
    /// operator sets `trustedProxies`.
    ProxiesUnknown,
    /// The class's Secret in this namespace has no room for the endpoint's keys: those of the newest endpoints are left
    /// out. The author uses shorter keys, or fewer, or another class.
    KeysFull,
    /// The class keeps no events, and the endpoint asks for what only a store can give. The author leaves that out, or uses
    /// a class that keeps events.
    NothingKept,
}

impl Reason {
    /// As conditions write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownProvider => "UnknownProvider",
            Self::InvalidScheme => "InvalidScheme",
            Self::InvalidTemplate => "InvalidTemplate",
            Self::InvalidFilter => "InvalidFilter",
            Self::InvalidSchema => "InvalidSchema",
            Self::SecretMissing => "SecretMissing",
            Self::SecretInvalid => "SecretInvalid",
            Self::SinkMissing => "SinkMissing",
            Self::PathConflict => "PathConflict",
            Self::InvalidValue => "InvalidValue",
            Self::HostNotAllowed => "HostNotAllowed",
            Self::PathNotAllowed => "PathNotAllowed",
            Self::InsecureRoute => "InsecureRoute",
            Self::ProxiesUnknown => "ProxiesUnknown",
            Self::KeysFull => "KeysFull",
            Self::NothingKept => "NothingKept",
        }
    }
}

impl Reason {
    /// Whether only another spec helps; else what is missing may come.
    pub const fn needs_another_spec(self) -> bool {
        match self {
            Self::UnknownProvider
            | Self::InvalidScheme
            | Self::InvalidTemplate
            | Self::InvalidFilter
            | Self::InvalidSchema
            | Self::PathConflict
            | Self::InvalidValue
            | Self::HostNotAllowed
            | Self::PathNotAllowed
            | Self::NothingKept => true,
            Self::SecretMissing
            | Self::SecretInvalid
            | Self::SinkMissing
            | Self::InsecureRoute
            | Self::ProxiesUnknown
            | Self::KeysFull => false,
        }
    }
}

/// What a person should know of an object that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The proof does not cover the body: only TLS protects it.
    BodyNotProtected,
    /// Nothing is proved: whoever knows the URL is believed.
    NothingProved,
    /// The timestamp is not signed: freshness proves little.
    TimestampNotSigned,
    /// It names no sink.
    NoSink,
    /// Neither id nor time nor a unique body tells a repetition: a recorded delivery can be sent again.
    NoReplayGuard,
    /// No signed time tells a repetition, and the class keeps nothing by which it could be told.
    RepetitionsForgotten,
    /// The provider's secret is still to come, in a handshake.
    SecretAwaited,
    /// `mode: Shadow`: nothing goes out.
    Shadow,
    /// Its selector means more sinks than an event may go to.
    SinksLeftOut,
}

impl Notice {
    /// What it means and what to do, in one sentence.
    pub const fn message(self) -> &'static str {
        match self {
            Self::BodyNotProtected => "the provider's proof does not cover the body: accept it over TLS only",
            Self::NothingProved => {
                "nothing proves who sends: whoever knows the URL is believed, so allow only the provider's addresses"
            }
            Self::TimestampNotSigned => {
                "the provider does not sign its timestamp: deduplication is what stops replays"
            }
            Self::NoSink => "it names no sink and selects none: what arrives is stored and goes nowhere",
            Self::Shadow => {
                "it only watches (mode: Shadow): deliveries are put aside and none goes out; set mode: Active when what is put aside is what you expect"
            }
            Self::SinksLeftOut => {
                "its sinkSelector means more sinks than an event may go to: the last by name get nothing, so use fewer labelled sinks"
            }
            Self::SecretAwaited => {
                "the provider's secret is still to come (secretCapture): have the provider send it; until then only what another secret has made is taken"
            }
            Self::RepetitionsForgotten => {
                "whoever has recorded a delivery can have it delivered again, for nothing is kept by which it could be known: \
                 let the sink deduplicate by {uid}, which stays the same"
            }
            Self::NoReplayGuard => {
                "nothing in a delivery tells a repetition: set events.id to something that is unique to an event"
            }
        }
    }
}
