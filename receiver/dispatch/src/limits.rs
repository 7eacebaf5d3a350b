//! Bounds of what dispatch holds, each with its reason.
use std::time::Duration;

/// Deliveries that one lane holds in memory: enough to keep the largest concurrency busy over one read of the store.
pub const LANE_DELIVERIES_MAX: usize = 1_024;
/// Bytes of bodies that one lane holds: a dead sink must not cost the others their memory.
pub const LANE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deliveries of a lane that may wait for a retry in memory; more wait in the store, so that a poisoned half never
/// keeps fresh events out.
pub const LANE_WAITING_MAX: usize = LANE_DELIVERIES_MAX / 2;
/// Deliveries of a lane above which nothing is taken as it is committed: the rest is for flows that have nothing in memory yet.
pub const LANE_FRESH_MAX: usize = LANE_DELIVERIES_MAX / 8 * 7;
/// Bytes of their bodies, for the same reason.
pub const LANE_BYTES_FRESH_MAX: usize = LANE_BYTES_MAX / 8 * 7;
/// Deliveries of one flow in memory with which it is not read ahead: they last over a read of the store.
pub const FLOW_ENOUGH: usize = 8;
/// Flows that are read ahead of the others, about; those of which nothing is in memory are forgotten above it, and read again. One
/// costs some fifty bytes.
pub const PLACES_MAX: usize = 16_384;
/// How long the places up to which flows were read stay at most, while there is always more: what has come before them is read then.
pub const PLACES_FORGET_PAUSE: Duration = Duration::from_secs(60);
/// Pause after all flows were looked at in turn: so late may what comes to a new flow be noticed, while another has a backlog.
pub const TURN_PAUSE: Duration = Duration::from_millis(10);
/// Tenants of a sink whose rates are known by themselves; one costs some forty bytes. A rate that is not used is forgotten.
pub const TENANTS_MAX: usize = 100_000;
/// How often those are looked for that are not used, while there are so many: that goes through all of them.
pub const TENANTS_FORGET_PAUSE: Duration = Duration::from_secs(1);
/// Beyond that many tenants share a rate, by a part of their number: too little for them, and never too much for the sink.
pub const TENANT_GROUPS: u64 = 1_024;
/// Deliveries of one key that wait in memory behind the one that goes: so many go one after the other without a read.
pub const KEY_QUEUE_MAX: usize = 16;
/// Deliveries that wait so in one lane, of all keys: those of a few hot keys must leave room for what can go.
pub const QUEUED_MAX: usize = LANE_DELIVERIES_MAX / 4;
/// Bytes of their bodies, for the same reason.
pub const QUEUED_BYTES_MAX: usize = LANE_BYTES_MAX / 4;
/// Bytes of a read of one key: a few of them at once must not fill a lane.
pub const KEY_READ_BYTES_MAX: usize = LANE_BYTES_MAX / 32;
/// Keys of one lane that are held up or under way, about: above it nothing fresh is begun, until keys are free again. A key
/// costs some hundred bytes.
pub const KEYS_TAKEN_MAX: usize = 100_000;
/// Reads of single keys that one lane has under way.
pub const KEY_READS_MAX: usize = 4;
/// Due retries that may go before one fresh event, so that neither starves the other.
pub const RETRIES_IN_A_ROW_MAX: u32 = 3;
/// Passing failures in a row after which a sink is left alone: fewer may be chance, and as many make a status Failed.
pub const BREAKER_FAILURES: u32 = 10;
/// How long it is left alone first.
pub const BREAKER_PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long at most, however long it is down: so soon it is noticed to be back.
pub const BREAKER_PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often a sink's oldest deliveries are looked at, whether they are too old: so late is one put aside at most, while the
/// sink is down or its key waits.
pub const SWEEP_MAX: Duration = Duration::from_secs(60);
/// How often at least, where `retry.maxAge` is short: a sixteenth of it, and not more often than this.
pub const SWEEP_MIN: Duration = Duration::from_secs(1);
/// Deliveries of such a look at the store.
pub const SWEEP_PAGE: usize = 64;
/// Parked deliveries that hold their keys of which one read asks whether they still do.
pub const BLOCKING_PAGE: usize = 256;
/// Pause before a failed read or record is tried again, and after a read that showed nothing new.
pub const STORE_RETRY: Duration = Duration::from_secs(1);
