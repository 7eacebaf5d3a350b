//! Bounds of the store, each with its reason.
use std::time::Duration;

/// Bytes of appends that wait or are being written; above it submissions are refused: two seconds of a slow disk.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;
/// What an append is taken to weigh beside its body: head, keys and bookkeeping.
pub const APPEND_OVERHEAD_BYTES: usize = 1 << 10;
/// Bytes of one batch; a larger one only delays its first members. One request alone may exceed it.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// Appends of one batch; the gain per append ends at a few hundred. One request alone may exceed it.
pub const BATCH_APPENDS_MAX: usize = 2_048;
/// Outcomes of one batch: they must not hold up the appends they ride along with.
pub const BATCH_RECORDS_MAX: usize = 2_048;
/// How long outcomes and counts wait for appends to ride along with.
pub const RIDERS_WAIT: Duration = Duration::from_millis(20);
/// Outcomes that are worth a commit of their own at once.
pub const RIDERS_MAX: usize = 512;
/// Outcomes kept while the store is full: their sinks have them, each one lost is one redelivery.
pub const RECORDS_KEPT_MAX: usize = 10_000;
/// Pause before outcomes are tried again after the store was full.
pub const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Handovers that wait for dispatch; a missed one costs a read.
pub const HANDOVERS_MAX: usize = 64;

/// Bytes of a segment of the journal; a larger frame has one for itself. What few events still need is moved out of it.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes by which a segment has blocks ahead of what is written: a sync that must also find blocks takes twice as long.
pub const JOURNAL_AHEAD_BYTES: usize = 1 << 20;
/// Bytes kept for encoding the next frame; a larger one gives the rest back.
pub const JOURNAL_BUFFER_BYTES: usize = 1 << 20;
/// How often it is looked how much of the disk the local store has: at full speed some 100 MiB come in between.
pub const QUOTA_LOOK: Duration = Duration::from_secs(1);
/// Segments held open for reading.
pub const SEGMENTS_OPEN_MAX: usize = 64;
/// A segment of which one event in so many is still there gives them to the database, and goes.
pub const SEGMENT_KEPT_SHARE: i64 = 4;
/// Events, outcomes and counts that the journal has and the database does not, before the database takes them: so many in one
/// transaction cost little each, and a start takes them in some fifty milliseconds.
pub const TAIL_ITEMS_MAX: usize = 8_192;
/// Bytes of them, which are in memory until then.
pub const TAIL_BYTES_MAX: usize = 16 << 20;
/// So few of them are left out of a read or a write that they do not concern: for the database they cost hardly less than many, and
/// to look through them costs a microsecond.
pub const TAIL_ITEMS_LEFT: usize = 128;
/// Time for which long work of the local store keeps a processor to itself. The system leaves it one for a millisecond and more, in
/// which a request could be answered.
pub const PROCESSOR_TIME_MAX: Duration = Duration::from_micros(100);
/// Rows that one statement inserts: more gain nothing.
pub const ROWS_AT_ONCE: usize = 16;
/// Deduplication keys of one generation: its pages stay in the cache while it is written.
pub const GENERATION_KEYS: u32 = 16_384;
/// Events whose places are one span: an event of an endpoint that has few is looked for among so many. Part of what is stored.
pub const SPAN_EVENTS: i64 = 256;
/// Bytes of memory for the keys of the local store, where nobody says otherwise: 30 million keys, which take 40 bytes each on disk.
pub const DEDUPE_BYTES_MAX: u64 = 64 << 20;
/// Keys that a transaction must bring for them to be packed, many to a row: few would make many small rows to look in.
pub const PACKED_KEYS_MIN: usize = 1_024;
/// Rows that the keys of one transaction are packed into: of 4,000 keys, some 2 KiB each.
pub const KEY_ROWS: u8 = 64;
/// Transactions of one generation that pack their keys: more than fit into one, so that it is never met.
pub const RUNS_MAX: u32 = 64;
/// Rows of the filter over 64 generations, eight bytes each: sixteen bits for each key.
pub const FILTER_ROWS: usize = 1 << 18;
/// Rows that a key is looked for in: of new keys one in thirty costs a read, with 64 full generations.
pub const FILTER_PROBES: u64 = 6;

/// Bytes of SQLite's write-ahead log at which it is emptied before the next transaction: recovery at start stays under a second.
pub const WAL_BYTES_MAX: u64 = 256 << 20;
/// Pages that the log takes between two checkpoints in the background: 16 MiB.
pub const CHECKPOINT_PAGES: i32 = 2_048;
/// Passes of one background checkpoint; each leaves what was written during the one before.
pub const CHECKPOINT_PASSES_MAX: u32 = 4;
/// Pages of the log that are few enough to be moved between two transactions: about a millisecond.
pub const CHECKPOINT_REST_PAGES: i64 = 128;
/// KiB of page cache of the writing connection: holds the inner pages of the deduplication index at a million keys.
pub const WRITE_CACHE_KIB: i64 = 8 << 10;
/// KiB of page cache of a reading connection: its reads are in order, the operating system caches the rest.
pub const READ_CACHE_KIB: i64 = 512;
/// How long a connection waits for another one that blocks it, such as an operator's `sqlite3`.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Partitions of the deduplication keys in PostgreSQL: each is small enough to be cleaned up in seconds.
pub const DEDUPE_PARTITIONS: u32 = 8;
/// Deduplication keys that PostgreSQL forgets in one transaction: commits wait for it, about ten milliseconds.
pub const FORGET_ROWS: i64 = 1_000;
/// Time for a connection to a server to be made, for each of its addresses.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// Pause after a connection that could not be made: who asks again at once is answered ten times a second.
pub const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Time for one transaction: shorter than senders wait for their answer.
pub const WORK_TIME_MAX: Duration = Duration::from_secs(9);
/// How often a transaction is done again because the server asks for it.
pub const REPEATS_MAX: u32 = 3;
/// Time that sent bytes may wait for the server's acknowledgement.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(9);
/// How long a connection to a server is silent before it is tried, how often, and how many times.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// See [`KEEPALIVE_IDLE`].
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// See [`KEEPALIVE_IDLE`].
pub const KEEPALIVE_RETRIES: u32 = 3;

/// Bytes of events on their way in a store that keeps nothing, heads and bookkeeping included. Above it no events are taken;
/// what waits to be stored by then ([`QUEUE_BYTES_MAX`]) comes on top. A receiver that is given 512 MiB has room for it.
pub const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Events on their way there: their entries in maps take some 100 MiB then.
pub const MEMORY_EVENTS_MAX: usize = 100_000;
/// Ended events of which such a store still knows how they ended: who has joined one asks within milliseconds.
pub const MEMORY_ENDED_MAX: usize = 8_192;
/// Refused requests that such a store remembers, of all endpoints: with their bounded diagnoses 7 MiB.
pub const MEMORY_REJECTED_MAX: usize = 10_000;

/// Events deleted in one transaction: others wait for it, about ten milliseconds.
pub const RETAIN_SLICE: usize = 256;
/// Deduplication keys deleted in one transaction: others wait for it, about ten milliseconds.
pub const FORGET_SLICE: usize = 10_000;
/// Pages given back to the file system with one slice; a slice frees about half as many.
pub const VACUUM_PAGES: u32 = 128;
/// Pending rows that one page of a feed looks at.
pub const FEED_ROWS_MAX: usize = 1_024;
/// Flows of a sink that one read in turns looks at; each costs a look into an index, some microseconds.
pub const TURN_FLOWS_MAX: usize = 128;
/// Rows that it looks at for each delivery it may give of a flow: the others are another process's.
pub const TURN_ROWS_FOR_ONE: usize = 4;
/// Due deliveries of each flow that a read in turns gives.
pub const DUE_TURN: usize = 16;
/// Parked deliveries that hold one key of which such a read tells: one is enough to hold it up.
pub const TURN_BLOCKING_MAX: i64 = 4;
/// Due deliveries of each partition that one page reads in PostgreSQL at least: with few of them a page is still worth reading.
pub const DUE_OF_EACH_MIN: usize = 8;
/// Of each sink with a backlog, the deliveries among which the oldest of each endpoint is looked for.
pub const OLDEST_LOOKED_AT: usize = 256;
/// Events of one list.
pub const LIST_MAX: usize = 1_000;
/// Failed attempts kept beside the first: the last ones tell what is wrong now.
pub const LAST_FAILURES_MAX: u32 = 9;
/// Rows that one page of a list looks at, wanted or not: some ten milliseconds.
pub const LIST_ROWS_MAX: usize = 10_000;
/// Rows of an index that a list reads at a time.
pub const LIST_SLICE: usize = 256;
/// And at least in the local store, where a short list reads no more than it gives: most of them may not be wanted.
pub const LIST_SLICE_MIN: usize = 32;
/// How far a clock may have been set back for a list that is bounded by time to find all the same what came meanwhile.
pub const CLOCK_BACK_MAX: Duration = Duration::from_secs(3_600);
/// Events whose deliveries are armed again in one transaction: others wait for it.
pub const REPLAY_SLICE: usize = 256;
/// Events erased in one transaction: others wait for it.
pub const ERASE_SLICE: usize = 64;
/// Erased events that a look at what others have done is told of; the next look is told of more.
pub const NEWS_ERASED_MAX: i64 = 1_024;
/// Refused requests remembered of one endpoint: with their bounded diagnoses 256 KiB.
pub const REJECTED_KEPT_MAX: usize = 400;
/// Refused requests that wait to be written, of all endpoints; further ones are counted, not remembered.
pub const REJECTED_WAITING_MAX: usize = 1_024;
/// Hours of which it is kept what happened: a week and a day, so that an hour can be compared with those of a week before.
pub const HOURS_KEPT: i64 = 8 * 24;
/// Types of one endpoint that are counted apart in one hour; events of further ones are counted together. No preset's catalogue
/// is much larger.
pub const HOUR_TYPES_MAX: usize = 64;
