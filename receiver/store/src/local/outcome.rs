//! Recording one attempt and what follows it.
use boathook_event::{Attempt, Failure, Next, Record, Seq};
use rusqlite::{OptionalExtension as _, params};

use crate::{
    Error,
    columns::{ALREADY_THERE, DELIVERED, completed_at, place},
    limits::LAST_FAILURES_MAX,
    local::writer::Work,
};

impl Work<'_> {
    /// Moves a pending delivery on. What is told a second time, or of a delivery that is gone, changes nothing.
    pub(super) fn outcome(&mut self, record: &Record) -> Result<(), Error> {
        let Record { seq, sink, endpoint, attempt, next } = record;
        let (Some(sink), Some(endpoint)) = (self.names.known(sink), self.names.known(endpoint)) else {
            return Ok(());
        };
        let moved = match next {
            Next::Delivered { already_there } => {
                let outcome = if *already_there { ALREADY_THERE } else { DELIVERED };
                let moved = self.complete(*seq, sink, outcome, attempt)?;
                let totals = self.tally.route(endpoint, sink);
                totals.delivered += i64::from(moved.is_some());
                totals.pending -= i64::from(moved.is_some());
                moved
            }
            Next::Parked(reason) => {
                let moved = self.complete(*seq, sink, reason.as_str(), attempt)?;
                let totals = self.tally.route(endpoint, sink);
                totals.parked += i64::from(moved.is_some());
                totals.pending -= i64::from(moved.is_some());
                moved
            }
            Next::Retry { due } => self
                .prepared(
                    "update pending set attempts = ?3, due = ?4
                     where sink = ?1 and seq = ?2 and attempts < ?3 returning replay",
                )?
                .query_row(params![sink, place(*seq), attempt.number, due.as_microsecond()], |row| row.get(0))
                .optional()?,
        };
        if let (Err(failure), Some(replay)) = (&attempt.result, moved) {
            let kept = self.failed((*seq, sink, replay), attempt, failure)?;
            self.tally.route(endpoint, sink).failed_attempts += i64::from(kept);
        }
        Ok(())
    }

    /// Ends a pending delivery. Returns the number of its replay, if there was one.
    fn complete(&self, seq: Seq, sink: i64, outcome: &str, attempt: &Attempt) -> Result<Option<u32>, Error> {
        let replay: Option<u32> = self
            .prepared("delete from pending where sink = ?1 and seq = ?2 returning replay")?
            .query_row([sink, place(seq)], |row| row.get(0))
            .optional()?;
        if let Some(replay) = replay {
            self.prepared(
                "insert into deliveries (seq, sink, replay, outcome, attempts, completed) values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![place(seq), sink, replay, outcome, attempt.number, completed_at(attempt)])?;
        }
        Ok(replay)
    }

    /// Keeps the failure, and of all of this delivery the first and the last nine. Returns whether it was not known yet.
    fn failed(
        &self,
        (seq, sink, replay): (Seq, i64, u32),
        attempt: &Attempt,
        failure: &Failure,
    ) -> Result<bool, Error> {
        let Attempt { number, started_at, duration_millis, result: _ } = attempt;
        let Failure { kind, permanent, status, retry_after, message } = failure;
        let retry_after_millis =
            retry_after.map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        // A delivery that is parked for its age is told with the attempt that was its last: it is here already.
        let kept = self
            .prepared(
                "insert or ignore into failures
                 (seq, sink, number, started, millis, kind, permanent, status, retry_after_millis, message, replay)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                place(seq),
                sink,
                number,
                started_at.as_microsecond(),
                duration_millis,
                kind.as_str(),
                permanent,
                status,
                retry_after_millis,
                message,
                replay,
            ])?;
        if *number > LAST_FAILURES_MAX {
            self.prepared(
                "delete from failures where seq = ?1 and sink = ?2 and replay = ?3 and number > 1 and number <= ?4",
            )?
            .execute(params![place(seq), sink, replay, number - LAST_FAILURES_MAX])?;
        }
        Ok(kept > 0)
    }
}
