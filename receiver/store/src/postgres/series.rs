//! What happened hour by hour: written within a transaction, read, forgotten.
use std::collections::BTreeMap;

use boathook_event::{ObjectName, Word};
use tokio_postgres::{Row, types::Type};

use crate::{
    postgres::{
        connection::{BEGIN_LATER, BEGIN_READ, Session},
        fault::Fault,
        flight::{Flight, Parameter, value},
        text,
        writer::{commit, locked},
    },
    series::{Ended, Hour, HourType, Hourly, Series, Span, types_max},
};

impl Hourly<i32> {
    /// Adds all to the hour.
    pub(super) fn write<'f>(&'f self, hour: Hour, flight: &mut Flight<'f>) {
        let Self { words, types, ended, latencies } = self;
        if !words.is_empty() {
            flight.ask(
                "insert into hour_words as w (hour, endpoint, word, number) select $1, * from unnest($2, $3, $4)
                 on conflict (hour, endpoint, word) do update set number = w.number + excluded.number",
                vec![
                    value(hour.number(), Type::INT8),
                    value(words.keys().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>(), Type::INT4_ARRAY),
                    value(words.keys().map(|(_, word)| word.as_str()).collect::<Vec<_>>(), Type::TEXT_ARRAY),
                    value(words.values().copied().collect::<Vec<_>>(), Type::INT8_ARRAY),
                ],
            );
        }
        write_types(types, hour, flight);
        if !ended.is_empty() {
            let columns = ended.values().map(|ended| ended.columns()).collect::<Vec<_>>();
            let column = |of: fn(&[i64; 4]) -> i64| {
                value(columns.iter().map(of).collect::<Vec<_>>(), Type::INT8_ARRAY)
            };
            flight.ask(
                "insert into hour_routes as r (hour, endpoint, sink, delivered, parked, skipped, failed_attempts)
                 select $1, * from unnest($2, $3, $4, $5, $6, $7)
                 on conflict (hour, endpoint, sink) do update set delivered = r.delivered + excluded.delivered,
                     parked = r.parked + excluded.parked, skipped = r.skipped + excluded.skipped,
                     failed_attempts = r.failed_attempts + excluded.failed_attempts",
                vec![
                    value(hour.number(), Type::INT8),
                    value(ended.keys().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>(), Type::INT4_ARRAY),
                    value(ended.keys().map(|(_, sink)| *sink).collect::<Vec<_>>(), Type::INT4_ARRAY),
                    column(|[delivered, ..]| *delivered),
                    column(|[_, parked, ..]| *parked),
                    column(|[.., skipped, _]| *skipped),
                    column(|[.., failed]| *failed),
                ],
            );
        }
        if !latencies.is_empty() {
            flight.ask(
                "insert into hour_latencies as l (hour, sink, bucket, number) select $1, * from unnest($2, $3, $4)
                 on conflict (hour, sink, bucket) do update set number = l.number + excluded.number",
                vec![
                    value(hour.number(), Type::INT8),
                    value(latencies.keys().map(|(sink, _)| *sink).collect::<Vec<_>>(), Type::INT4_ARRAY),
                    value(
                        latencies.keys().map(|(_, bucket)| i32::from(*bucket)).collect::<Vec<_>>(),
                        Type::INT4_ARRAY,
                    ),
                    value(latencies.values().copied().collect::<Vec<_>>(), Type::INT8_ARRAY),
                ],
            );
        }
    }
}

/// One that is new finds room where those that are there leave it, with all of its statement before it.
fn write_types<'f>(types: &'f BTreeMap<(i32, Box<str>), i64>, hour: Hour, flight: &mut Flight<'f>) {
    if types.is_empty() {
        return;
    }
    flight.ask(
        "insert into hour_types as t (hour, endpoint, type, number)
         select $1, n.endpoint, case
             when exists (select from hour_types k where k.hour = $1 and k.endpoint = n.endpoint and k.type = n.type)
                 or (select count(*) from hour_types k where k.hour = $1 and k.endpoint = n.endpoint) + n.place <= $5
             then n.type else $6 end, sum(n.number)::int8
         from (select *, row_number() over (partition by endpoint order by type) as place
               from unnest($2, $3, $4) as new (endpoint, type, number)) n
         group by 1, 2, 3
         on conflict (hour, endpoint, type) do update set number = t.number + excluded.number",
        vec![
            value(hour.number(), Type::INT8),
            value(types.keys().map(|(endpoint, _)| *endpoint).collect::<Vec<_>>(), Type::INT4_ARRAY),
            value(types.keys().map(|(_, name)| text::encode(name)).collect::<Vec<_>>(), Type::TEXT_ARRAY),
            value(types.values().copied().collect::<Vec<_>>(), Type::INT8_ARRAY),
            value(types_max(), Type::INT8),
            value(HourType::OTHER, Type::TEXT),
        ],
    );
}

/// See [`crate::traits::Archive::series`].
pub(super) async fn read(session: &Session, span: &Span) -> Result<Series, Fault> {
    let Span { endpoint, sink, first, last, apart } = span;
    let hours = |named: &[Option<&ObjectName>]| -> Vec<Parameter<'_>> {
        let hours = [value(first.number(), Type::INT8), value(last.number(), Type::INT8)];
        let named = named.iter().map(|name| value(name.map(|name| name.as_str().to_owned()), Type::TEXT));
        hours.into_iter().chain([value(*apart, Type::BOOL)]).chain(named).collect()
    };
    let (endpoint, sink) = (endpoint.as_ref(), sink.as_ref());
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let words = flight.ask(
        "select case when $3 then t.hour else $1 end as h, n.name, t.word, sum(t.number)::int8
         from generate_series($1, $2) hour join hour_words t using (hour) join names n on n.id = t.endpoint
         where $4 is null or n.name = $4 group by 1, 2, 3",
        hours(&[endpoint]),
    );
    let types = flight.ask(
        "select n.name, t.type, sum(t.number)::int8
         from generate_series($1, $2) hour join hour_types t using (hour) join names n on n.id = t.endpoint
         where ($4 is null or n.name = $4) and $3 is not null group by 1, 2",
        hours(&[endpoint]),
    );
    let ended = flight.ask(
        "select case when $3 then t.hour else $1 end as h, e.name, s.name, sum(t.delivered)::int8, sum(t.parked)::int8,
             sum(t.skipped)::int8, sum(t.failed_attempts)::int8
         from generate_series($1, $2) hour join hour_routes t using (hour)
         join names e on e.id = t.endpoint join names s on s.id = t.sink
         where ($4 is null or e.name = $4) and ($5 is null or s.name = $5) group by 1, 2, 3",
        hours(&[endpoint, sink]),
    );
    let latencies = flight.ask(
        "select case when $3 then t.hour else $1 end as h, n.name, t.bucket, sum(t.number)::int8
         from generate_series($1, $2) hour join hour_latencies t using (hour) join names n on n.id = t.sink
         where $4 is null or n.name = $4 group by 1, 2, 3",
        hours(&[sink]),
    );
    flight.run("commit");
    let mut answers = flight.land().await?;
    let mut series = Series::default();
    for row in answers.take(words) {
        let word: &str = row.try_get(2)?;
        let Some(word) = Word::ALL.into_iter().find(|known| known.as_str() == word) else { continue };
        series.words.entry((name(&row, 1)?, hour(&row)?)).or_default().insert(word, number(&row, 3)?);
    }
    for row in answers.take(types) {
        let event_type = HourType::decode(&text::decode(row.try_get(1)?));
        series.types.entry(name(&row, 0)?).or_default().insert(event_type, number(&row, 2)?);
    }
    for row in answers.take(ended) {
        let ended = Ended {
            delivered: number(&row, 3)?,
            parked: number(&row, 4)?,
            skipped: number(&row, 5)?,
            failed_attempts: number(&row, 6)?,
        };
        series.ended.insert((name(&row, 1)?, name(&row, 2)?, hour(&row)?), ended);
    }
    for row in answers.take(latencies) {
        let bucket = u16::try_from(row.try_get::<_, i32>(2)?).unwrap_or(u16::MAX);
        series.latencies.entry((name(&row, 1)?, hour(&row)?)).or_default().add(bucket, number(&row, 3)?);
    }
    Ok(series)
}

/// Forgets the oldest hour, if it is before this one. Returns whether it was.
pub(super) async fn forget(session: &Session, first_kept: Hour) -> Result<bool, Fault> {
    let mut flight = Flight::new(&session.client);
    let oldest = flight.ask(
        "select least((select min(hour) from hour_words), (select min(hour) from hour_types),
             (select min(hour) from hour_routes), (select min(hour) from hour_latencies))",
        Vec::new(),
    );
    let oldest = match flight.land().await?.take(oldest).first() {
        Some(row) => row.try_get::<_, Option<i64>>(0)?,
        None => None,
    };
    let Some(hour) = oldest.filter(|hour| *hour < first_kept.number()) else { return Ok(false) };
    locked(session, BEGIN_LATER, |_| ()).await?;
    let mut flight = Flight::new(&session.client);
    for delete in [
        "delete from hour_words where hour = $1",
        "delete from hour_types where hour = $1",
        "delete from hour_routes where hour = $1",
        "delete from hour_latencies where hour = $1",
    ] {
        flight.ask(delete, vec![value(hour, Type::INT8)]);
    }
    commit(session, flight).await?;
    Ok(true)
}

fn name(row: &Row, column: usize) -> Result<ObjectName, Fault> {
    Ok(ObjectName::from_stored(row.try_get(column)?))
}

/// The first column.
fn hour(row: &Row) -> Result<Hour, Fault> {
    Ok(Hour::from_number(row.try_get(0)?))
}

fn number(row: &Row, column: usize) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(column)?.max(0).unsigned_abs())
}
