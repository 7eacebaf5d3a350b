//! Deciding what becomes of each append of a batch, before anything is written.
use std::collections::HashSet;

use boathook_event::{Seq, limits::SINKS_PER_EVENT_MAX};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::{
    Error,
    columns::{PARKED, place},
    local::{
        dedupe::{Dedupe, Known},
        journal::{Decided, Kept, Stored},
        tail::Tails,
    },
    traits::{Append, Verdict},
};

/// What is decided, or what must be done first.
pub(super) enum Decision {
    /// For each append, in order.
    Made(Vec<Decided>),
    /// The database must take what only the journal has: how the deliveries of a repeated event stand is in there.
    Unsettled,
}

/// Decides one batch. Places are given from behind `last` on; keys that are new are remembered.
pub(super) struct Deciding<'w> {
    pub(super) sql: &'w Connection,
    pub(super) dedupe: &'w mut Dedupe,
    pub(super) tails: &'w Tails,
    pub(super) at: Timestamp,
    /// The last place given.
    pub(super) last: Seq,
}

impl Deciding<'_> {
    /// # Errors
    /// [`Error::Rejected`] if an append cannot be stored at all. What was remembered is to be taken back then, and also when
    /// the decision is not carried out.
    pub(super) fn decide(mut self, appends: &[Append]) -> Result<Decision, Error> {
        let before = self.last;
        let mut decided = Vec::with_capacity(appends.len());
        // Events of this batch that were put aside, and those that start anew with it.
        let (mut parked, mut rearmed) = (HashSet::new(), HashSet::new());
        for append in appends {
            if append.destinations.len() > SINKS_PER_EVENT_MAX {
                return Err(Error::Rejected(format!(
                    "it has {} sinks, more than {SINKS_PER_EVENT_MAX}",
                    append.destinations.len()
                )));
            }
            let known = self.dedupe.known(self.sql, &append.dedupe, self.at)?;
            let Known::Repeats(of) = known else {
                self.last += 1;
                let seq = self.last;
                self.dedupe.remember(&append.dedupe, seq, expires(append, self.at));
                if append.parked.is_some() && !append.destinations.is_empty() {
                    parked.insert(seq);
                }
                let (append, conflict) = (append.clone(), known == Known::Conflicts);
                decided.push(Decided::Stored(Stored { seq, conflict, append, kept: Kept::default() }));
                continue;
            };
            let endpoint = append.event.endpoint.clone();
            let rearm = append.parked.is_none()
                && !rearmed.contains(&of)
                && match of {
                    _ if of > before => parked.contains(&of),
                    _ if self.tails.touched(of) => return Ok(Decision::Unsettled),
                    _ => is_parked(self.sql, of)?,
                };
            if rearm {
                rearmed.insert(of);
            }
            decided.push(Decided::Duplicate { endpoint, of, rearm });
        }
        Ok(Decision::Made(decided))
    }
}

/// When its keys are forgotten, in microseconds.
pub(super) fn expires(append: &Append, at: Timestamp) -> i64 {
    let window = SignedDuration::try_from(append.dedupe_window).unwrap_or(SignedDuration::MAX);
    at.as_microsecond().saturating_add(i64::try_from(window.as_micros()).unwrap_or(i64::MAX))
}

pub(super) fn verdict(decided: &Decided) -> Verdict {
    match decided {
        Decided::Stored(Stored { seq, conflict: true, .. }) => Verdict::IdConflict { seq: *seq },
        Decided::Stored(Stored { seq, .. }) => Verdict::Stored { seq: *seq },
        Decided::Duplicate { of, rearm, .. } => Verdict::Duplicate { of: *of, rearmed: *rearm },
    }
}

/// Whether one of the event's deliveries is put aside. It is looked at once more when the database takes this: a transaction beside it
/// may have armed it, or deleted the event.
fn is_parked(sql: &Connection, seq: Seq) -> Result<bool, Error> {
    let parked = format!("select 1 from deliveries where seq = ?1 and {PARKED}");
    Ok(sql.prepare_cached(&parked)?.exists([place(seq)])?)
}
