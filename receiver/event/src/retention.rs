//! How long stored events are kept.
use core::time::Duration;

/// How long an endpoint's events are kept. What is still to be delivered is kept whatever its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events whose deliveries are all done (or that no sink wanted), from then on.
    pub delivered: Duration,
    /// Events with a parked delivery, from its parking on.
    pub parked: Duration,
    /// What is remembered of refused requests, from then on.
    pub rejected: Duration,
}
