//! Bounds of what objects may ask for, each with its reason. The schema states some of them, too; a folder has no schema.
use std::time::Duration;

/// Bytes of a body where nothing is said: no provider's ordinary event is larger.
pub const BODY_BYTES_DEFAULT: u32 = 1024 * 1024;
/// Time for an answer with `acknowledge.mode: OnDelivered` where nothing is said: most providers wait ten seconds and longer.
pub const ACKNOWLEDGE_DEADLINE_DEFAULT: Duration = Duration::from_secs(5);
/// The longest time for an answer: hardly a provider waits longer, and a receiver that stops waits for open requests.
pub const ACKNOWLEDGE_DEADLINE_MAX: Duration = Duration::from_secs(30);
/// How long an event is remembered where neither endpoint nor preset says: longer than most providers retry.
pub const DEDUPE_WINDOW_DEFAULT: Duration = Duration::from_secs(72 * 3_600);
/// The longest memory: dedupe keys cost disk for as long.
pub const DEDUPE_WINDOW_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Attributes of one endpoint: what a person writes down.
pub const ATTRIBUTES_MAX: usize = 32;
/// Bytes of an attribute's name.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;
/// Bytes of an attribute: it stands in ids, keys and headers.
pub const ATTRIBUTE_BYTES_MAX: usize = 1_024;
/// Deliveries under way at once to a sink where nothing is said.
pub const CONCURRENCY_DEFAULT: usize = 16;
/// One attempt at an HTTP sink where nothing is said.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// The longest attempt: it holds a place among the sink's deliveries under way.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(300);
/// The longest pause between attempts.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The oldest event that is still delivered: stored bodies are kept as long.
pub const RETRY_AGE_MAX: Duration = Duration::from_secs(30 * 86_400);
/// The largest bound of what waits for a sink: a PiB, more than a disk has.
pub const BACKLOG_BYTES_MAX: i64 = 1 << 50;
/// The largest clock tolerance: more would be no freshness.
pub const TOLERANCE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The largest body that an endpoint may take: GitHub's largest payload.
pub const BODY_BYTES_MAX: u32 = 25 * 1024 * 1024;
/// The largest rate: more than one machine takes.
pub const RATE_PER_MINUTE_MAX: u32 = 10_000_000;
/// Patterns of one `types` list.
pub const TYPE_PATTERNS_MAX: usize = boathook_event::limits::TYPE_PATTERNS_MAX;
/// Schemas of one endpoint: one for each type of a large catalogue.
pub const SCHEMAS_MAX: usize = 64;
/// Bytes of a host name (RFC 1035).
pub const HOST_BYTES_MAX: usize = 253;
/// Bytes of an object's name (RFC 1123, as Kubernetes takes it).
pub const NAME_BYTES_MAX: usize = 253;
/// How long delivered events are kept where nothing is said: a week of history to look at.
pub const RETENTION_DELIVERED_DEFAULT: Duration = Duration::from_secs(7 * 86_400);
/// How long events with a parked delivery are kept where nothing is said: a person has to find time for them.
pub const RETENTION_PARKED_DEFAULT: Duration = Duration::from_secs(30 * 86_400);
/// How long it is remembered why requests were refused where nothing is said: a day to look at.
pub const RETENTION_REJECTED_DEFAULT: Duration = Duration::from_secs(86_400);
/// The longest that events are kept: a store is no archive.
pub const RETENTION_MAX: Duration = Duration::from_secs(365 * 86_400);
/// Bytes of the body that an HTTP sink sends where nothing is said: what most servers take.
pub const SENT_BYTES_DEFAULT: u32 = 1024 * 1024;
/// The largest of them: what an endpoint may take, and as much again for what is put around it.
pub const SENT_BYTES_MAX: u32 = 50 * 1024 * 1024;
/// Members of a body that is a flat object.
pub const FIELDS_MAX: usize = 64;
