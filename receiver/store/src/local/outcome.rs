//! Recording one attempt and what follows it, or the end of a delivery without one.
use boathook_event::{Attempt, Failure, Next, Record, Seq};
use rusqlite::{OptionalExtension as _, params};

use crate::{
    Error,
    columns::{completed_at, outcome, place},
    limits::LAST_FAILURES_MAX,
    local::{at_once::AtOnce, fresh::Stands, writer::Work},
};

impl Work<'_> {
    /// Moves a pending delivery on. What is told a second time, or of a delivery that is gone, changes nothing.
    pub(super) fn outcome(&mut self, record: &Record) -> Result<(), Error> {
        // Here nobody is in doubt and tells it again after others: the making is the one that is pending.
        let Record { seq, sink, endpoint, making: _, attempt, next } = record;
        let (Some(sink), Some(endpoint)) = (self.names.known(sink), self.names.known(endpoint)) else {
            return Ok(());
        };
        let attempt = attempt.as_ref();
        if self.ends_fresh((*seq, sink, endpoint), next, attempt) {
            return Ok(());
        }
        self.fresh.write_pending(self.sql, sink, *seq)?;
        let moved = match next {
            Next::Retry { due } => {
                let made = attempt.map_or(0, |attempt| attempt.number);
                self.prepared(
                    "update pending set attempts = ?3, due = ?4
                     where sink = ?1 and seq = ?2 and attempts < ?3 returning replay",
                )?
                .query_row(params![sink, place(*seq), made, due.as_microsecond()], |row| row.get(0))
                .optional()?
            }
            _ => self.complete((*seq, sink, endpoint), next, attempt)?,
        };
        if let (Some(attempt), Some(replay)) = (attempt, moved)
            && let Err(failure) = &attempt.result
            && self.failed((*seq, sink, replay), attempt, failure)?
        {
            self.tally.failed(endpoint, sink);
        }
        if moved.is_some() {
            self.tally.moved(endpoint, sink, attempt, next);
        }
        Ok(())
    }

    /// Ends a delivery that has no row yet, and needs none of its own: nothing has failed, and no key is held.
    /// Returns whether it is one.
    fn ends_fresh(
        &mut self,
        (seq, sink, endpoint): (Seq, i64, i64),
        next: &Next,
        attempt: Option<&Attempt>,
    ) -> bool {
        let well = AtOnce::may_end_with(next) && attempt.is_none_or(|attempt| attempt.result.is_ok());
        let Some(outcome) = outcome(next).filter(|_| well) else { return false };
        let Some((delivery, bytes)) = self.fresh.waiting(seq, sink) else { return false };
        if delivery.blocks {
            return false;
        }
        delivery.stands = Stands::Ended(AtOnce {
            sink,
            outcome,
            attempts: attempt.map_or(0, |attempt| attempt.number),
            completed: attempt.map_or_else(|| self.now.as_microsecond(), completed_at),
        });
        let totals = self.tally.route(endpoint, sink);
        totals.waits_no_more(bytes);
        totals.ended(next).into_iter().for_each(|total| *total += 1);
        self.tally.moved(endpoint, sink, attempt, next);
        true
    }

    /// Ends a pending delivery, with this attempt or without one. Returns the number of its replay, if there was one.
    fn complete(
        &mut self,
        (seq, sink, endpoint): (Seq, i64, i64),
        next: &Next,
        attempt: Option<&Attempt>,
    ) -> Result<Option<u32>, Error> {
        let ended = self
            .prepared(
                "delete from pending where sink = ?1 and seq = ?2
                 returning replay, attempts, bytes, iif(blocks, key, null)",
            )?
            .query_row([sink, place(seq)], |row| {
                Ok((row.get(0)?, row.get::<_, u32>(1)?, row.get(2)?, row.get::<_, Option<Box<str>>>(3)?))
            })
            .optional()?;
        let Some((replay, made, bytes, blocks)) = ended else { return Ok(None) };
        self.prepared(
            "insert into deliveries (seq, sink, replay, outcome, attempts, completed) values (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            place(seq),
            sink,
            replay,
            outcome(next),
            attempt.map_or(made, |attempt| attempt.number),
            attempt.map_or_else(|| self.now.as_microsecond(), completed_at),
        ])?;
        if let Some(key) = blocks {
            let at = params![place(seq), sink, key];
            match next {
                Next::Parked(_) => self
                    .prepared("insert or ignore into blocking (seq, sink, key) values (?1, ?2, ?3)")?
                    .execute(at)?,
                _ => self
                    .prepared("delete from blocking where seq = ?1 and sink = ?2 and key = ?3")?
                    .execute(at)?,
            };
        }
        let totals = self.tally.route(endpoint, sink);
        totals.waits_no_more(bytes);
        totals.ended(next).into_iter().for_each(|total| *total += 1);
        Ok(Some(replay))
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
        // What is told a second time is here already.
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
