//! Bounds of an event's life, each with its reason.
use core::time::Duration;

/// Items of one batch: providers send up to 1,000 (Meta); beyond it the request is refused whole.
pub const BATCH_ITEMS_MAX: usize = 5_000;
/// Bytes of a provider's id that are kept; longer ones are replaced by their SHA-256 in hex.
pub const ID_BYTES_MAX: usize = 256;
/// Bytes of a type; a longer one counts as missing (no provider has such types).
pub const TYPE_BYTES_MAX: usize = 256;
/// Bytes of an ordering key kept as it is; a longer one is replaced by its SHA-256 in hex.
pub const KEY_BYTES_MAX: usize = 128;
/// Patterns of one `types` list.
pub const TYPE_PATTERNS_MAX: usize = 256;
/// Bytes of a failure's message: it is stored per attempt and shown in status.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 512;
/// Sinks that one event may go to: each is a row in the same commit.
pub const SINKS_PER_EVENT_MAX: usize = 16;
/// Partitions of all deliveries, which receivers that share a store deal out: so many receivers at most have something to
/// deliver. A store holds what it has by them: the number never changes.
pub const PARTITIONS: u8 = 64;
/// The longest pause between two attempts.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Bytes of a refusal's diagnosis that are kept: a sentence or two, and many must fit into an endpoint's budget.
pub const DIAGNOSIS_BYTES_MAX: usize = 512;
/// Failed attempts in a row after which an endpoint or a sink has failed.
pub const FAILURES_ARE_FAILED: u64 = 10;
/// How long a delivery may wait before its endpoint is behind.
pub const BEHIND_AFTER: Duration = Duration::from_secs(60);
/// An endpoint is silent when nothing has come for so many times the usual gap between events,
pub const SILENT_GAPS: u32 = 3;
/// and for so long at least: whoever sends something every minute may sleep at night.
pub const SILENCE_MIN: Duration = Duration::from_secs(24 * 3_600);
/// Events that come closer together are one visit of the provider: only longer gaps say how often it comes.
pub const GAP_MIN: Duration = Duration::from_secs(60);
/// How long before its end a secret's end is told: a team has to meet a provider's console.
pub const SECRET_EXPIRY_TOLD: Duration = Duration::from_secs(7 * 86_400);
/// How long a secret is not used, while another is, before that is told: providers that rotate sign with both for a day.
pub const SECRET_UNUSED_AFTER: Duration = Duration::from_secs(48 * 3_600);
/// Recommendations for one object: a person reads them.
pub const RECOMMENDATIONS_MAX: usize = 8;
/// Slots of the hour of requests that is looked at,
pub const HOUR_SLOTS: usize = 13;
/// and how long each is: twelve full ones and the one that is being filled.
pub const HOUR_SLOT_SECONDS: i64 = 300;
/// Requests of an hour that are enough to speak of a share.
pub const REFUSED_REQUESTS_MIN: u64 = 100;
/// More than one in so many refused is too many.
pub const REFUSED_ONE_IN: u64 = 100;
/// Requests that the provider has signed and that were refused: fewer may be recorded ones that somebody sends again.
pub const SIGNED_REFUSED_MIN: u64 = 3;
/// Rules of one filter.
pub const RULES_MAX: usize = 32;
/// Bytes of a regular expression's text, and of what it is compiled to: a `\w{1000}` of a few characters would else take
/// megabytes.
pub const REGEX_BYTES_MAX: usize = 1024;
/// See [`REGEX_BYTES_MAX`].
pub const REGEX_COMPILED_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a CEL expression: what a person still reads.
pub const CEL_BYTES_MAX: usize = 4 * 1024;
/// Characters of a CEL expression that may be an operator or open a bracket, those in its texts included. The parser of CEL
/// recurses with each, and this many fit into half of the 2 MiB of a thread.
pub const CEL_OPERATORS_MAX: usize = 512;
/// How deeply a CEL expression nests, by brackets and conditionals: for the same reason.
pub const CEL_DEPTH_MAX: u16 = 16;
/// Bytes of a body that a CEL expression looks at: each is turned into values first.
pub const CEL_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Steps of the loops (`all`, `exists`, …) of a CEL expression, at most: the nodes of its loops times the values in the body.
/// A step takes about 0.1 µs.
pub const CEL_STEPS_MAX: usize = 2_000_000;
/// Bytes that a CEL expression may touch: each time it names `body` or `event` counts as the size of that, for within a loop
/// the expression may look through all of it (`item in body.items`).
pub const CEL_TOUCHED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a JSON Schema: the object that carries it has about 1 MiB for all.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Faults that are told of one body.
pub const FAULTS_MAX: usize = 10;
/// Bytes of a fault's field: it is the sender's text in parts.
pub const FAULT_FIELD_BYTES_MAX: usize = 128;
/// The largest body of which all faults are looked for; of a larger one it is the first, for a list may have a fault in each
/// of its items.
pub const SCHEMA_FAULTS_BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of what is told of a filter that could not be evaluated, and of a mistake in one.
pub const FILTER_MESSAGE_BYTES_MAX: usize = 256;
/// Buckets into which each doubling of a delivery's time is divided: the middle of one is at most 3.2 % off.
pub const LATENCY_STEPS: u32 = 16;
/// Buckets for times up to the largest that is written down (49 days): what a sink can have of them in an hour.
pub const LATENCY_BUCKETS: u16 = 464;
