//! Recording attempts and what follows them, and the ends of deliveries without one.
use std::collections::{BTreeMap, HashSet};

use boathook_event::{Attempt, Failure, Making, Next, Record};
use tokio_postgres::{Row, types::Type};

use crate::{
    columns::{completed_at, outcome, place},
    limits::LAST_FAILURES_MAX,
    postgres::{
        fault::Fault,
        flight::{Flight, Parameter, value},
        names::Lookup,
        text,
    },
    tally::Tally,
};

/// Outcomes of one batch, with the numbers of their names.
pub(super) struct Outcomes<'b> {
    told: Vec<Told<'b>>,
}

struct Told<'b> {
    at: At,
    endpoint: i32,
    record: &'b Record,
}

/// A delivery: the event's place and the sink's number.
type At = (i64, i32);

/// Where in [`crate::postgres::flight::Answers`] the rows of [`Outcomes::ask`] are.
pub(super) struct Asked {
    pending: usize,
    failures: Option<usize>,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Moves<'b> {
    retried: BTreeMap<At, (u32, i64)>,
    completed: BTreeMap<At, Completed>,
    failures: Vec<((At, i32), &'b Attempt, &'b Failure)>,
    /// Up to which number failures are forgotten, but for the first.
    forgotten: BTreeMap<(At, i32), u32>,
    /// By delivery: the key that it holds from now on, or `None` for one that holds its key no more.
    blocking: BTreeMap<At, Option<Box<str>>>,
}

/// A delivery before this batch.
struct Pending {
    attempts: u32,
    due: Option<i64>,
    replay: i32,
    bytes: i64,
    /// As it is stored; where it holds it, once it is parked.
    key: Option<Box<str>>,
}

struct Completed {
    replay: i32,
    outcome: &'static str,
    attempts: u32,
    at: i64,
}

impl Pending {
    /// Whether that is meant. What was armed anew and not tried since is not, unless it says so.
    fn is(&self, making: Making) -> bool {
        match making {
            _ if self.attempts > 0 => true,
            Making::Any => true,
            Making::Fresh => self.due.is_none(),
            Making::Due(due) => self.due == Some(due.as_microsecond()),
        }
    }
}

impl<'b> Outcomes<'b> {
    /// Those of which the store can know.
    pub(super) fn new(records: impl Iterator<Item = &'b Record>, names: &Lookup<'_>) -> Self {
        let told = records.filter_map(|record| {
            let (sink, endpoint) = (names.id(&record.sink)?, names.id(&record.endpoint)?);
            Some(Told { at: (place(record.seq), sink), endpoint, record })
        });
        Self { told: told.collect() }
    }

    /// Asks which of the deliveries are pending, and which of the failures are known.
    pub(super) fn ask<'f>(&'f self, flight: &mut Flight<'f>) -> Option<Asked> {
        if self.told.is_empty() {
            return None;
        }
        let of = |told: &[&Told<'b>]| {
            let seqs = told.iter().map(|told| told.at.0).collect::<Vec<_>>();
            let sinks = told.iter().map(|told| told.at.1).collect::<Vec<_>>();
            vec![value(seqs, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)]
        };
        let pending = flight.ask(
            "select distinct p.seq, p.sink, p.attempts, p.replay, p.bytes, case when p.blocks then p.key end, p.due
             from unnest($1, $2) as told (seq, sink)
             join pending p on p.sink = told.sink and p.seq = told.seq",
            of(&self.told.iter().collect::<Vec<_>>()),
        );
        let failed = self.told.iter().filter_map(|told| {
            let attempt = told.record.attempt.as_ref().filter(|attempt| attempt.result.is_err())?;
            Some((told, number(attempt.number)))
        });
        let (failed, numbers): (Vec<_>, Vec<_>) = failed.unzip();
        let failures = (!failed.is_empty()).then(|| {
            let mut parameters = of(&failed);
            parameters.push(value(numbers, Type::INT4_ARRAY));
            flight.ask(
                "select f.seq, f.sink, f.replay, f.number from unnest($1, $2, $3) as told (seq, sink, number)
                 join failures f on f.seq = told.seq and f.sink = told.sink and f.number = told.number",
                parameters,
            )
        });
        Some(Asked { pending, failures })
    }

    /// Moves pending deliveries on, in the order in which it was told. What is told a second time, or of a delivery that is
    /// gone, or is pending anew by now, changes nothing. What ends without an attempt ends `now`.
    pub(super) fn moves(
        &self,
        asked: &Asked,
        mut rows: impl FnMut(usize) -> Vec<Row>,
        now: i64,
        tally: &mut Tally<i32>,
    ) -> Result<Moves<'b>, Fault> {
        let mut pending = BTreeMap::new();
        for row in rows(asked.pending) {
            let at: At = (row.try_get(0)?, row.try_get(1)?);
            let attempts = row.try_get::<_, i32>(2)?.unsigned_abs();
            let (replay, bytes, key) = (row.try_get(3)?, row.try_get(4)?, row.try_get::<_, Option<&str>>(5)?);
            let due = row.try_get(6)?;
            pending.insert(at, Pending { attempts, due, replay, bytes, key: key.map(Into::into) });
        }
        let mut known = HashSet::new();
        for row in asked.failures.map(rows).unwrap_or_default() {
            let at: At = (row.try_get(0)?, row.try_get(1)?);
            known.insert((at, row.try_get(2)?, row.try_get::<_, i32>(3)?.unsigned_abs()));
        }
        let mut moves = Moves::default();
        for Told { at, endpoint, record } in &self.told {
            let Record { attempt, next, .. } = record;
            let totals = tally.route(*endpoint, at.1);
            let moved = match next {
                Next::Retry { due } => {
                    let made = attempt.as_ref().map_or(0, |attempt| attempt.number);
                    let standing = pending.get_mut(at).filter(|standing| standing.is(record.making));
                    standing.filter(|standing| standing.attempts < made).map(|standing| {
                        (standing.attempts, standing.due) = (made, Some(due.as_microsecond()));
                        moves.retried.insert(*at, (made, due.as_microsecond()));
                        standing.replay
                    })
                }
                _ => take(&mut pending, at, record.making).and_then(|standing| {
                    totals.waits_no_more(standing.bytes);
                    totals.ended(next).into_iter().for_each(|total| *total += 1);
                    moves.complete(*at, next, attempt.as_ref(), standing, now)
                }),
            };
            if let (Some(attempt), Some(replay)) = (attempt, moved)
                && let Err(failure) = &attempt.result
                && known.insert((*at, replay, attempt.number))
            {
                tally.failed(*endpoint, at.1);
                moves.failed((*at, replay), attempt, failure);
            }
            if moved.is_some() {
                tally.moved(*endpoint, at.1, attempt.as_ref(), next);
            }
        }
        Ok(moves)
    }
}

/// The delivery, if it is that one.
fn take(pending: &mut BTreeMap<At, Pending>, at: &At, making: Making) -> Option<Pending> {
    if pending.get(at).is_some_and(|standing| standing.is(making)) { pending.remove(at) } else { None }
}

impl<'b> Moves<'b> {
    fn complete(
        &mut self,
        at: At,
        next: &Next,
        attempt: Option<&Attempt>,
        standing: Pending,
        now: i64,
    ) -> Option<i32> {
        let Pending { attempts, due: _, replay, bytes: _, key } = standing;
        let outcome = outcome(next)?;
        self.retried.remove(&at);
        if let Some(key) = key {
            self.blocking.insert(at, Some(key).filter(|_| matches!(next, Next::Parked(_))));
        }
        let attempts = attempt.map_or(attempts, |attempt| attempt.number);
        let ended = attempt.map_or(now, completed_at);
        self.completed.insert(at, Completed { replay, outcome, attempts, at: ended });
        Some(replay)
    }

    /// Of all failures of a delivery the first and the last nine are kept.
    fn failed(&mut self, at: (At, i32), attempt: &'b Attempt, failure: &'b Failure) {
        self.failures.push((at, attempt, failure));
        if attempt.number > LAST_FAILURES_MAX {
            self.forgotten.insert(at, attempt.number - LAST_FAILURES_MAX);
        }
    }

    /// Writes all of it.
    pub(super) fn write<'f>(&'f self, flight: &mut Flight<'f>) {
        let Self { retried, completed, failures, forgotten, blocking } = self;
        if !blocking.is_empty() {
            let mut parameters = places(blocking.keys());
            let keys = blocking.values().map(|key| key.as_deref()).collect::<Vec<_>>();
            flight.ask(
                "delete from blocking b using unnest($1, $2) as told (seq, sink)
                 where b.sink = told.sink and b.seq = told.seq",
                places(blocking.keys()),
            );
            parameters.push(value(keys, Type::TEXT_ARRAY));
            flight.ask(
                "insert into blocking (seq, sink, key)
                 select seq, sink, key from unnest($1, $2, $3) as told (seq, sink, key) where key is not null",
                parameters,
            );
        }
        if !retried.is_empty() {
            let mut parameters = places(retried.keys());
            let numbers = retried.values().map(|(attempts, _)| number(*attempts)).collect::<Vec<_>>();
            let dues = retried.values().map(|(_, due)| *due).collect::<Vec<_>>();
            parameters.extend([value(numbers, Type::INT4_ARRAY), value(dues, Type::INT8_ARRAY)]);
            flight.ask(
                "update pending p set attempts = told.attempts, due = told.due
                 from unnest($1, $2, $3, $4) as told (seq, sink, attempts, due)
                 where p.sink = told.sink and p.seq = told.seq",
                parameters,
            );
        }
        if !completed.is_empty() {
            flight.ask(
                "delete from pending p using unnest($1, $2) as told (seq, sink)
                 where p.sink = told.sink and p.seq = told.seq",
                places(completed.keys()),
            );
            let mut parameters = places(completed.keys());
            let replays = completed.values().map(|of| of.replay).collect::<Vec<_>>();
            let outcomes = completed.values().map(|of| of.outcome).collect::<Vec<_>>();
            let numbers = completed.values().map(|of| number(of.attempts)).collect::<Vec<_>>();
            let times = completed.values().map(|of| of.at).collect::<Vec<_>>();
            parameters.extend([
                value(replays, Type::INT4_ARRAY),
                value(outcomes, Type::TEXT_ARRAY),
                value(numbers, Type::INT4_ARRAY),
                value(times, Type::INT8_ARRAY),
            ]);
            flight.ask(
                "insert into deliveries (seq, sink, replay, outcome, attempts, completed)
                 select * from unnest($1, $2, $3, $4, $5, $6)",
                parameters,
            );
        }
        if !failures.is_empty() {
            self.write_failures(flight);
        }
        if !forgotten.is_empty() {
            let mut parameters = places(forgotten.keys().map(|(at, _)| at));
            let replays = forgotten.keys().map(|(_, replay)| *replay).collect::<Vec<_>>();
            let numbers = forgotten.values().map(|last| number(*last)).collect::<Vec<_>>();
            parameters.extend([value(replays, Type::INT4_ARRAY), value(numbers, Type::INT4_ARRAY)]);
            flight.ask(
                "delete from failures f using unnest($1, $2, $3, $4) as told (seq, sink, replay, last)
                 where f.seq = told.seq and f.sink = told.sink and f.replay = told.replay
                     and f.number > 1 and f.number <= told.last",
                parameters,
            );
        }
    }

    fn write_failures<'f>(&'f self, flight: &mut Flight<'f>) {
        let failures = || self.failures.iter();
        let retry_after = |failure: &Failure| {
            failure.retry_after.map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
        };
        let mut parameters = places(self.failures.iter().map(|((at, _), ..)| at));
        parameters.extend([
            value(failures().map(|((_, replay), ..)| *replay).collect::<Vec<_>>(), Type::INT4_ARRAY),
            value(
                failures().map(|(_, attempt, _)| number(attempt.number)).collect::<Vec<_>>(),
                Type::INT4_ARRAY,
            ),
            value(
                failures().map(|(_, attempt, _)| attempt.started_at.as_microsecond()).collect::<Vec<_>>(),
                Type::INT8_ARRAY,
            ),
            value(
                failures().map(|(_, attempt, _)| i64::from(attempt.duration_millis)).collect::<Vec<_>>(),
                Type::INT8_ARRAY,
            ),
            value(
                failures().map(|(.., failure)| failure.kind.as_str()).collect::<Vec<_>>(),
                Type::TEXT_ARRAY,
            ),
            value(failures().map(|(.., failure)| failure.permanent).collect::<Vec<_>>(), Type::BOOL_ARRAY),
            value(
                failures().map(|(.., failure)| failure.status.map(i32::from)).collect::<Vec<_>>(),
                Type::INT4_ARRAY,
            ),
            value(failures().map(|(.., failure)| retry_after(failure)).collect::<Vec<_>>(), Type::INT8_ARRAY),
            value(
                failures().map(|(.., failure)| text::encode(&failure.message)).collect::<Vec<_>>(),
                Type::TEXT_ARRAY,
            ),
        ]);
        flight.ask(
            "insert into failures (seq, sink, replay, number, started, millis, kind, permanent, status, retry_after_millis, message)
             select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            parameters,
        );
    }
}

/// The places and the sinks, as the first two parameters.
fn places<'a, 'p>(of: impl Iterator<Item = &'a At> + Clone) -> Vec<Parameter<'p>> {
    let seqs = of.clone().map(|(seq, _)| *seq).collect::<Vec<_>>();
    let sinks = of.map(|(_, sink)| *sink).collect::<Vec<_>>();
    vec![value(seqs, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)]
}

/// A number of an attempt as a column holds it.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
