//! What both drivers write into their columns alike.
use boathook_event::{Attempt, FailureKind, Next, ParkReason};

use crate::traits::DeliveryState;

/// `deliveries.outcome` of a delivery that the sink has taken.
pub(crate) const DELIVERED: &str = "delivered";
/// `deliveries.outcome` of a delivery that the sink had already.
pub(crate) const ALREADY_THERE: &str = "already_there";
/// `deliveries.outcome` of a delivery that was left out.
pub(crate) const SKIPPED: &str = "skipped";
/// The condition on `deliveries` for those put aside.
pub(crate) const PARKED: &str = "outcome not in ('delivered', 'already_there', 'skipped')";

/// How `deliveries.outcome` says that a delivery has ended so; `None` = it has not.
pub(crate) fn outcome(next: &Next) -> Option<&'static str> {
    match next {
        Next::Delivered { already_there: true } => Some(ALREADY_THERE),
        Next::Delivered { already_there: false } => Some(DELIVERED),
        Next::Parked(reason) => Some(reason.as_str()),
        Next::Skipped => Some(SKIPPED),
        Next::Retry { .. } => None,
    }
}

/// Where a delivery with this outcome stands; without one it is pending.
pub(crate) fn state(outcome: Option<&str>) -> DeliveryState {
    match outcome {
        None => DeliveryState::Pending,
        Some(DELIVERED | ALREADY_THERE) => DeliveryState::Delivered,
        Some(SKIPPED) => DeliveryState::Skipped,
        Some(_) => DeliveryState::Parked,
    }
}

/// A sequence number or an epoch as a database's integer; no store reaches its end.
pub(crate) fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// When an attempt ended, in microseconds.
pub(crate) fn completed_at(attempt: &Attempt) -> i64 {
    attempt.started_at.as_microsecond().saturating_add(i64::from(attempt.duration_millis) * 1_000)
}

/// In [`encode_sinks`]: ordered by key.
const ORDERED: u32 = 1 << 31;

/// Four bytes for each number, lowest first; its highest bit says whether the order by key is kept.
pub(crate) fn encode_sinks(sinks: &[(i64, bool)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(sinks.len() * size_of::<u32>());
    sinks.iter().for_each(|(sink, ordered)| put_sink(&mut out, *sink, *ordered));
    out
}

/// Adds one to what [`encode_sinks`] gives.
pub(crate) fn put_sink(out: &mut Vec<u8>, sink: i64, ordered: bool) {
    let number = u32::try_from(sink).unwrap_or(u32::MAX) & !ORDERED;
    out.extend_from_slice(&(if ordered { number | ORDERED } else { number }).to_le_bytes());
}

/// The numbers that [`encode_sinks`] wrote.
pub(crate) fn sink_numbers(bytes: &[u8]) -> Vec<i64> {
    decode_sinks(bytes).into_iter().map(|(sink, _)| sink).collect()
}

/// Reads what [`encode_sinks`] wrote.
pub(crate) fn decode_sinks(bytes: &[u8]) -> Vec<(i64, bool)> {
    let numbers = bytes.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number));
    numbers.map(|number| (i64::from(number & !ORDERED), number & ORDERED != 0)).collect()
}

/// The kind of failure that is written so.
pub(crate) fn kind(text: &str) -> Option<FailureKind> {
    KINDS.into_iter().find(|known| known.as_str() == text)
}

const KINDS: [FailureKind; 7] = [
    FailureKind::Unreachable,
    FailureKind::Timeout,
    FailureKind::Refused,
    FailureKind::Throttled,
    FailureKind::ForbiddenAddress,
    FailureKind::Unrenderable,
    FailureKind::BodyTooLarge,
];

/// The reason that is written so.
pub(crate) fn park_reason(text: &str) -> Option<ParkReason> {
    ParkReason::ALL.into_iter().find(|known| known.as_str() == text)
}
