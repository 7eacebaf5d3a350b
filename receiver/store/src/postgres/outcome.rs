//! Recording attempts and what follows them.
use std::collections::{BTreeMap, HashSet};

use boathook_event::{Attempt, Failure, Next, Record};
use tokio_postgres::{Row, types::Type};

use crate::{
    columns::{ALREADY_THERE, DELIVERED, completed_at, place},
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
}

/// A delivery before this batch.
struct Pending {
    attempts: u32,
    replay: i32,
}

struct Completed {
    replay: i32,
    outcome: &'static str,
    attempts: u32,
    at: i64,
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
            "select distinct p.seq, p.sink, p.attempts, p.replay from unnest($1, $2) as told (seq, sink)
             join pending p on p.sink = told.sink and p.seq = told.seq",
            of(&self.told.iter().collect::<Vec<_>>()),
        );
        let failed = self.told.iter().filter(|told| told.record.attempt.result.is_err()).collect::<Vec<_>>();
        let failures = (!failed.is_empty()).then(|| {
            let numbers = failed.iter().map(|told| number(told.record.attempt.number)).collect::<Vec<_>>();
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
    /// gone, changes nothing.
    pub(super) fn moves(
        &self,
        asked: &Asked,
        mut rows: impl FnMut(usize) -> Vec<Row>,
        tally: &mut Tally<i32>,
    ) -> Result<Moves<'b>, Fault> {
        let mut pending = BTreeMap::new();
        for row in rows(asked.pending) {
            let at: At = (row.try_get(0)?, row.try_get(1)?);
            let attempts = row.try_get::<_, i32>(2)?.unsigned_abs();
            pending.insert(at, Pending { attempts, replay: row.try_get(3)? });
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
                Next::Delivered { already_there } => {
                    let outcome = if *already_there { ALREADY_THERE } else { DELIVERED };
                    let moved = moves.complete(*at, outcome, attempt, &mut pending);
                    totals.delivered += i64::from(moved.is_some());
                    totals.pending -= i64::from(moved.is_some());
                    moved
                }
                Next::Parked(reason) => {
                    let moved = moves.complete(*at, reason.as_str(), attempt, &mut pending);
                    totals.parked += i64::from(moved.is_some());
                    totals.pending -= i64::from(moved.is_some());
                    moved
                }
                Next::Retry { due } => match pending.get_mut(at) {
                    Some(standing) if standing.attempts < attempt.number => {
                        standing.attempts = attempt.number;
                        moves.retried.insert(*at, (attempt.number, due.as_microsecond()));
                        Some(standing.replay)
                    }
                    _ => None,
                },
            };
            if let (Err(failure), Some(replay)) = (&attempt.result, moved)
                && known.insert((*at, replay, attempt.number))
            {
                totals.failed_attempts += 1;
                moves.failed((*at, replay), attempt, failure);
            }
        }
        Ok(moves)
    }
}

impl<'b> Moves<'b> {
    fn complete(
        &mut self,
        at: At,
        outcome: &'static str,
        attempt: &Attempt,
        pending: &mut BTreeMap<At, Pending>,
    ) -> Option<i32> {
        let Pending { replay, .. } = pending.remove(&at)?;
        self.retried.remove(&at);
        let (attempts, ended) = (attempt.number, completed_at(attempt));
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
        let Self { retried, completed, failures, forgotten } = self;
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
