//! The life of an event, without a clock and without I/O: how it is made from a genuine request ([`Reading`]), whom
//! it concerns ([`TypePatterns`], [`Schema`], [`Filter`]), and what becomes of each of its deliveries ([`RetryPolicy`], [`Next`]).
mod delivery;
mod document;
mod event;
mod filter;
mod flow;
mod health;
mod hour;
mod identity;
mod latency;
pub mod limits;
mod lookup;
mod name;
mod partition;
mod reading;
mod rejected;
mod retention;
mod retry;
mod schema;
mod sources;
mod subject;
mod totals;
mod types;

pub use delivery::{
    Attempt, Delivered, Delivery, Destination, DuePlace, Failure, FailureKind, Making, Next, ParkReason,
    Record, Seq,
};
pub use event::{Event, EventParts, Head};
pub use filter::{Filter, FilterError, FilterFailure, FilterSpec, Operator, RuleSpec};
pub use flow::Flow;
pub use health::{Checkup, Finding, Health, SecretUse, Vitals, check_up, sink_fails};
pub use hour::{Hour, Requests};
pub use identity::{DedupeKey, Digest, Uid};
pub use latency::Latencies;
pub use lookup::Lookup;
pub use name::ObjectName;
pub use partition::{Partition, Partitions};
pub use reading::{Attributes, Facts, Read, ReadError, ReadEvent, Reading, ReadingSpec, UidFrom};
pub use rejected::Rejected;
pub use retention::Retention;
pub use retry::{Jitter, RetryPolicy};
pub use schema::{Fault, Mismatch, Schema};
pub use subject::Subject;
pub use totals::{Count, EndpointTotals, SinkTotals, Word};
pub use types::TypePatterns;
