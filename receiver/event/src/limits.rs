//! Bounds of an event's life, each with its reason.

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
/// The longest pause between two attempts.
pub const RETRY_DELAY_MAX: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);
/// Bytes of a refusal's diagnosis that are kept: a sentence or two, and many must fit into an endpoint's budget.
pub const DIAGNOSIS_BYTES_MAX: usize = 512;
