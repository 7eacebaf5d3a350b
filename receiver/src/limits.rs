//! Bounds of the receiver's edge, each with its reason.
use std::{num::NonZeroU32, time::Duration};

use jiff::SignedDuration;

/// Bytes of one file of the folder: some thousand documents.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How often the folder is looked at; a change counts once it is the same in two looks, so that a file is not read
/// while it is written.
pub const FOLDER_LOOK: Duration = Duration::from_millis(250);

/// How soon a folder that was refused is read again, also if it looks the same: a disk may have been away.
pub const READ_AGAIN: Duration = Duration::from_secs(5);

/// Time in which changes of objects are taken together: an apply of a folder comes as many.
pub const CHANGES_TOGETHER: Duration = Duration::from_millis(50);
/// How often it is told what a start in a cluster waits for.
pub const WAITING_TOLD: Duration = Duration::from_secs(5);

/// Open connections: each costs a descriptor and some 10 KiB. Further callers wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Open connections of the private listener: probes, a scraper or two, people.
pub const PRIVATE_CONNECTIONS_MAX: usize = 64;
/// Descriptors that connections leave to the others: the store, sinks, files, the private listener.
pub const DESCRIPTORS_RESERVED: usize = 256;
/// Time that sent bytes may wait for the peer's acknowledgement, also while it says that it has no room.
pub const UNACKNOWLEDGED_TIME_MAX: Duration = Duration::from_secs(30);
/// Connections that the kernel keeps for us while we accept others.
pub const BACKLOG: u32 = 1_024;
/// Pause after a failed accept (no descriptor left): others must end first.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time from connecting to the end of the first request's head. A genuine sender needs a round trip.
pub const FIRST_HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Time between two requests of an HTTP/1 connection, the second one's head included: longer than the 60 s for which common
/// proxies keep idle connections, so that it is they who close them and no request meets a closing connection.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(75);
/// Bytes of a request's head; also the read buffer of a connection. Common servers take 8 to 32 KiB.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Requests under way at once on one HTTP/2 connection.
pub const STREAMS_MAX: u32 = 256;
/// How often an HTTP/2 connection is pinged, and how long the answer may take.
pub const HTTP2_PING: Duration = Duration::from_secs(20);
/// Time from the end of the head to the end of the body: 25 MiB at 1 MiB/s fit.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of bodies that were read and not yet verified and stored, over all requests; above it requests get 503.
pub const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// One endpoint's part of them, so that nobody who knows one URL can hold up the others.
pub const ENDPOINT_BODIES_BYTES_MAX: usize = BODIES_BYTES_MAX / 4;
/// Time that a request waits for the store; what is stored later is stored all the same, and deduplication absorbs the
/// sender's retry. Providers wait 10 s and longer.
pub const STORE_TIME_MAX: Duration = Duration::from_secs(10);

/// Deliveries that requests wait for at once (`acknowledge.mode: OnDelivered`), at some 200 bytes each; a request beyond it is
/// answered as not delivered, and stored all the same.
pub const AWAITED_MAX: usize = 16_384;

/// Bytes of a refused request's body that are read and thrown away, so that its sender hears the answer (a connection
/// closed with unread bytes is reset) and may go on with the next one.
pub const LEFTOVER_BYTES_MAX: usize = 1024 * 1024;
/// Time for that.
pub const LEFTOVER_TIME_MAX: Duration = Duration::from_secs(2);

/// Addresses whose rate an endpoint remembers, at some 100 bytes each; while there are more, the next are counted by
/// larger networks.
pub const SOURCES_MAX: usize = 100_000;
/// Tenants whose rate an endpoint remembers, at some 50 bytes each; while there are more, the next are counted in groups.
pub const TENANTS_MAX: usize = 100_000;
/// Groups of tenants that are counted as one each then.
pub const TENANT_GROUPS: u64 = 4_096;
/// Hops of X-Forwarded-For that are looked at, from the right.
pub const FORWARDED_HOPS_MAX: usize = 32;
/// Seconds that a sender is told to wait when it is nobody's rate: paused, crowded, or the store is away.
pub const RETRY_AFTER_SECONDS: u64 = 5;

/// Lines a second about refusals at one endpoint, and about failures at one sink; the rest is summed in one line.
pub const FLOOD_LINES_PER_SECOND: u32 = 10;
/// Bytes of an unknown path that a log line shows.
pub const LOGGED_PATH_BYTES_MAX: usize = 128;
/// Endpoints whose URLs are logged when a configuration is loaded; of more, only the number.
pub const LOGGED_ENDPOINTS_MAX: usize = 20;
/// Log lines that wait to be written; further ones are dropped and counted, so that a stuck reader of standard error
/// never stops a request.
pub const LOG_LINES_MAX: usize = 16_384;
/// How often counts go to the store, floods are summed and so on.
pub const UPKEEP: Duration = Duration::from_secs(1);
/// How often rates of addresses that were not seen lately are forgotten.
pub const FORGET_SOURCES: Duration = Duration::from_secs(10);
/// How often the store is asked how much waits for sinks that have a bound: so long is a full sink taken for one with room, or
/// the reverse.
pub const LOOK_AT_BACKLOG: Duration = Duration::from_secs(1);
/// How often stored events past their retention are deleted.
pub const RETAIN: Duration = Duration::from_secs(600);

/// Messages to the delivery loop that wait; senders wait, too. More than all lanes have under way at once by default.
pub const DELIVERY_MESSAGES_MAX: usize = 4_096;
/// Messages that one turn of the delivery loop takes before it acts: their records share one write.
pub const DELIVERY_TURN_MAX: usize = 256;
/// Repetitions, slices of replays and of erasures that wait to be told to dispatch; a repetition that does not fit is found by the
/// next look.
pub const CHANGED_MAX: usize = 256;
/// How long a receiver that shares a store is taken to live after it has said so: what it delivers is taken over by others after
/// that. Within half of it attempts begin, within three quarters they end.
pub const LEASE_TIME: Duration = Duration::from_secs(15);
/// How often it says so, and looks at its share: so soon those who come and go are noticed.
pub const RENEW: Duration = Duration::from_secs(1);
/// How soon a receiver that could not ask what it delivers asks again.
pub const CLAIM_AGAIN: Duration = Duration::from_secs(1);
/// How often a receiver looks for what others have stored, and armed again.
pub const OTHERS_LOOK: Duration = Duration::from_millis(100);
/// How soon it looks once more for what others have armed again.
pub const ARMED_LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often a request looks whether another receiver has delivered what it waits for: soon first, then less often.
pub const STANDING_LOOK_MIN: Duration = Duration::from_millis(250);
/// See [`STANDING_LOOK_MIN`].
pub const STANDING_LOOK_MAX: Duration = Duration::from_secs(1);
/// Requests that look at once: the loop that delivers reads the store, too.
pub const STANDING_LOOKS: usize = 4;
/// How often a start asks for a store that is away.
pub const STORE_AGAIN: Duration = Duration::from_secs(1);
/// How often dispatch looks for due deliveries that nobody told it of.
pub const LOOK_FOR_DUE: Duration = Duration::from_secs(60);

/// Time for open requests to end when the receiver stops: longer than a body may take.
pub const DRAIN_REQUESTS_MAX: Duration = Duration::from_secs(35);
/// Time for answers to be written when the receiver must end at once.
pub const ABANDON_TIME_MAX: Duration = Duration::from_secs(2);
/// Time for attempts under way to end when the receiver stops; one that is cut off is made again after the next start.
pub const DRAIN_DELIVERIES_MAX: Duration = Duration::from_secs(10);

/// How often it is looked for what is to be said in statuses.
pub const REPORT_LOOK: Duration = Duration::from_secs(1);
/// Entries that change health, a second and at once: what an API server bears of a fleet of receivers.
pub const REPORTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not 0");
/// See [`REPORTS_PER_SECOND`].
pub const REPORTS_AT_ONCE: NonZeroU32 = NonZeroU32::new(200).expect("it is not 0");
/// Entries that change counters only, a second: up to 60 busy endpoints have fresh ones each minute.
pub const REPORT_COUNTERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).expect("it is not 0");
/// How old an entry is before its counters are written again.
pub const REPORT_COUNTERS_AFTER: Duration = Duration::from_secs(60);
/// How often the store is asked what it has counted, and how long deliveries wait.
pub const REPORT_ASK: Duration = Duration::from_secs(5);
/// How soon an issuer's keys are fetched again, whatever tokens name: whoever makes up key ids must not make us call.
pub const KEYS_APART: Duration = Duration::from_secs(60);
/// How long keys are kept where the issuer does not say.
pub const KEYS_AGE_DEFAULT: Duration = Duration::from_secs(3_600);
/// How long keys are kept at most, whatever the issuer says: a key that it withdraws must not live on.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How soon they are fetched again after a failure while there are none at all.
pub const KEYS_RETRY_MIN: Duration = Duration::from_secs(1);
/// How long a delivery waits for a key that it names: providers give up after five seconds and more.
pub const KEYS_WAIT_MAX: Duration = Duration::from_secs(3);
/// Deliveries that may wait so.
pub const KEYS_WAITERS_MAX: usize = 256;
/// Certificates of which copies are kept: those of some dozen endpoints.
pub const CERTIFICATE_COPIES_MAX: usize = 256;
/// How old the copy of published keys may be with which a start begins: what was withdrawn meanwhile must not live on.
pub const KEYS_KEPT_MAX: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Bytes of the body of a call to the data API: filters and test bodies.
pub const CALL_BYTES_MAX: usize = 1024 * 1024;
/// Time for that body.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a token of the data API at least: a shorter one could be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;
/// Bytes of a token at most: it must fit into a header.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Entries of a page of the data API where the call does not say.
pub const PAGE_DEFAULT: usize = 50;
/// The hours of which it is told what happened, where nobody says which: a day tells nights from days.
pub const STATISTICS_DEFAULT: SignedDuration = SignedDuration::from_hours(24);
/// Replays by filter that run at once, and erasures: they share the store's writer with deliveries.
pub const JOBS_RUNNING_MAX: usize = 4;
/// Replays that are remembered, and erasures; of more the oldest that have ended are forgotten.
pub const JOBS_KEPT_MAX: usize = 100;
/// Slices a second of a replay that has a rate: more would sync more often, fewer would make deliveries of what comes in wait for
/// each, and for those of each.
pub const REPLAY_SLICES_A_SECOND: u32 = 400;
/// Slices that are looked for at once: each look has the store settle, and keeps a processor busy for as long as it is large.
pub const REPLAY_SLICES_OF_PAGE: usize = 4;
/// How late a slice may be and be made up for: a few times what a timer is late on a busy machine.
pub const REPLAY_LATE_MAX: Duration = Duration::from_millis(10);
/// How much nicer than the threads that receive all others are. On a processor that is wanted by both, those that receive have some
/// ten times the share, and do not wait until a delivery or a replay lets go of it.
pub const WORK_NICENESS: i32 = 10;
/// Bytes of bodies above which an erasure looks at fewer events at a time.
pub const ERASE_BYTES: usize = 4 << 20;
/// How often an erasure asks whether the bytes that it has erased are in no file any more,
pub const ERASE_AGAIN_MAX: u32 = 20;
/// and the pause between: reads of the store are short.
pub const ERASE_AGAIN: Duration = Duration::from_millis(500);
/// How long a dry run is waited for: most are counted by then.
pub const DRY_RUN_WAIT: Duration = Duration::from_secs(10);
/// Refused requests of one endpoint that wait to be told to the store; further ones are counted, not remembered.
pub const REFUSED_UNTOLD_MAX: usize = 32;
