//! Bounds of the sinks, each with its reason.
use std::time::Duration;

/// Bytes of an answer's body that are read and thrown away so that the connection can be used again. Reading more
/// costs more than a new connection.
pub const DRAIN_BYTES_MAX: usize = 64 * 1024;
/// Time given to an answer's body once its status is known: the outcome stands, and a body that drips must not
/// hold the lane.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);
/// Characters of an answer's text that a failure quotes: enough for the sentence that matters, short enough for
/// status and a table row.
pub const EXCERPT_CHARS_MAX: usize = 200;
/// Headers that a sink adds of its own.
pub const HEADERS_MAX: usize = 32;
/// Bytes of one header's value: the usual bound of servers for a whole line (Apache, nginx: 8 KiB).
pub const HEADER_VALUE_BYTES_MAX: usize = 8 * 1024;
/// The longest time one attempt may be given: a lane waits for its head, and shutting down for its attempts.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(300);
/// Time to open a connection, all addresses of the name together. A host that has not answered a SYN after
/// three retransmissions (1, 2, 4 s) is away.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle connections kept per host: the default `concurrency` of a sink.
pub const POOL_IDLE_PER_HOST_MAX: usize = 16;
/// How long an idle connection is kept: shorter than the 60 s after which common servers and load balancers close
/// theirs, so that a request seldom meets a connection that is closing.
pub const POOL_IDLE_TIME_MAX: Duration = Duration::from_secs(30);
/// How often a busy HTTP/2 connection is pinged, and how long the answer may take. All requests to a host share one
/// such connection; without the ping a dead one would fail each of them by timeout.
pub const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(15);
/// See [`HTTP2_PING_INTERVAL`].
pub const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a body that the log sink writes: lines beyond this are cut by log collectors, and the sink is for
/// trying things out.
pub const LOG_BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a small document may take: somebody may wait for it.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// Members of a body that is a flat object: as many as a row has columns.
pub const FIELDS_MAX: usize = 64;
/// Bytes of such a member's name.
pub const FIELD_NAME_BYTES_MAX: usize = 256;
/// Bytes of a body that an `http` sink sends, at most: what an endpoint may take, and as much again for what is put around it.
pub const BODY_BYTES_MAX: usize = 50 * 1024 * 1024;
