//! Bounds of what dispatch holds, each with its reason.
use std::time::Duration;

/// Deliveries that one lane holds in memory: enough to keep the largest concurrency busy over one read of the store.
pub const LANE_DELIVERIES_MAX: usize = 1_024;
/// Bytes of bodies that one lane holds: a dead sink must not cost the others their memory.
pub const LANE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deliveries of a lane that may wait for a retry in memory; more wait in the store, so that a poisoned half never
/// keeps fresh events out.
pub const LANE_WAITING_MAX: usize = LANE_DELIVERIES_MAX / 2;
/// Due retries that may go before one fresh event, so that neither starves the other.
pub const RETRIES_IN_A_ROW_MAX: u32 = 3;
/// Pause before a failed read or record is tried again, and after a read that showed nothing new.
pub const STORE_RETRY: Duration = Duration::from_secs(1);
