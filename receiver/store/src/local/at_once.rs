//! Deliveries that ended well the first time, before the database had heard of their event: nearly all. They have no row of
//! their own, but stand in their event's.
use boathook_event::Next;
use jiff::Timestamp;
use rusqlite::{Row, types::Type};

use crate::{
    columns::{self, ALREADY_THERE, DELIVERED, SKIPPED},
    local::rows::damaged,
    traits::DeliveryState,
    wire::In,
};

/// One of them. It was never parked, and is the sink's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtOnce {
    pub(super) sink: i64,
    /// As `deliveries.outcome` has it.
    pub(super) outcome: &'static str,
    pub(super) attempts: u32,
    /// In microseconds.
    pub(super) completed: i64,
}

/// The outcomes that are written as their place among these.
const OUTCOMES: [&str; 3] = [DELIVERED, ALREADY_THERE, SKIPPED];

impl AtOnce {
    /// Whether a delivery that ends so can be one of these.
    pub(super) fn may_end_with(next: &Next) -> bool {
        matches!(next, Next::Delivered { .. } | Next::Skipped)
    }

    pub(super) fn state(&self) -> DeliveryState {
        columns::state(Some(self.outcome))
    }

    pub(super) fn completed_at(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.completed).ok()
    }
}

/// Adds one to what is to be written.
pub(super) fn put(out: &mut Vec<u8>, AtOnce { sink, outcome, attempts, completed }: &AtOnce) {
    let outcome = (0..).zip(OUTCOMES).find_map(|(number, known)| (known == *outcome).then_some(number));
    out.extend_from_slice(&u32::try_from(*sink).unwrap_or(u32::MAX).to_le_bytes());
    out.push(outcome.unwrap_or(0));
    out.extend_from_slice(&attempts.to_le_bytes());
    out.extend_from_slice(&completed.to_le_bytes());
}

/// All of them as they are written.
pub(super) fn encode(all: &[AtOnce]) -> Vec<u8> {
    let mut out = Vec::new();
    all.iter().for_each(|one| put(&mut out, one));
    out
}

/// Reads a column that [`encode`] wrote.
pub(super) fn column(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<AtOnce>> {
    let mut rest = In(row.get_ref(column)?.as_blob()?);
    let mut all = Vec::new();
    while !rest.0.is_empty() {
        all.push(one(&mut rest).ok_or_else(|| damaged(column, Type::Blob))?);
    }
    Ok(all)
}

fn one(rest: &mut In<'_>) -> Option<AtOnce> {
    let (sink, outcome) = (i64::from(rest.u32()?), *OUTCOMES.get(usize::from(rest.byte()?))?);
    Some(AtOnce { sink, outcome, attempts: rest.u32()?, completed: rest.i64()? })
}
