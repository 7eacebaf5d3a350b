//! What happened hour by hour: written within a transaction, read, forgotten.
use boathook_event::{ObjectName, Word};
use rusqlite::{Connection, Row, params};

use crate::{
    Error,
    cuts::yielding,
    local::{Shared, archive::number, names, writer::Sync},
    series::{Ended, Hour, HourType, Hourly, Series, Span, types_max},
};

impl Hourly<i64> {
    /// Adds all to the hour.
    pub(super) fn write(self, hour: Hour, sql: &Connection) -> Result<(), Error> {
        let Self { words, types, ended, latencies } = self;
        let hour = hour.number();
        for ((endpoint, word), number) in words {
            sql.prepare_cached(
                "insert into hour_words (hour, endpoint, word, number) values (?1, ?2, ?3, ?4)
                 on conflict do update set number = number + excluded.number",
            )?
            .execute(params![hour, endpoint, word.as_str(), number])?;
        }
        for ((endpoint, event_type), number) in types {
            sql.prepare_cached(
                "insert into hour_types (hour, endpoint, type, number)
                 select ?1, ?2, iif(
                     exists (select 1 from hour_types where hour = ?1 and endpoint = ?2 and type = ?3)
                     or (select count(*) from hour_types where hour = ?1 and endpoint = ?2) < ?5, ?3, ?6), ?4
                 where true on conflict do update set number = number + excluded.number",
            )?
            .execute(params![
                hour,
                endpoint,
                event_type,
                number,
                types_max(),
                HourType::OTHER
            ])?;
        }
        for ((endpoint, sink), ended) in ended {
            let [delivered, parked, skipped, failed_attempts] = ended.columns();
            sql.prepare_cached(
                "insert into hour_routes (hour, endpoint, sink, delivered, parked, skipped, failed_attempts)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict do update set delivered = delivered + excluded.delivered, parked = parked + excluded.parked,
                     skipped = skipped + excluded.skipped, failed_attempts = failed_attempts + excluded.failed_attempts",
            )?
            .execute([hour, endpoint, sink, delivered, parked, skipped, failed_attempts])?;
        }
        for ((sink, bucket), number) in latencies {
            sql.prepare_cached(
                "insert into hour_latencies (hour, sink, bucket, number) values (?1, ?2, ?3, ?4)
                 on conflict do update set number = number + excluded.number",
            )?
            .execute([hour, sink, bucket.into(), number])?;
        }
        Ok(())
    }
}

/// See [`crate::traits::Archive::series`].
pub(super) fn read(sql: &Connection, span: &Span) -> Result<Series, Error> {
    let Span { endpoint, sink, first, last, apart } = span;
    // No name has the number 0.
    let id = |name| names::stored(sql, name).map(|id| id.unwrap_or(0));
    let endpoint = endpoint.as_ref().map(id).transpose()?;
    let sink = sink.as_ref().map(id).transpose()?;
    let asked = Asked { sql, first: first.number(), last: last.number(), apart: *apart, endpoint, sink };
    let mut series = Series::default();
    asked.words(&mut series)?;
    asked.types(&mut series)?;
    asked.ended(&mut series)?;
    asked.latencies(&mut series)?;
    Ok(series)
}

/// A span in the numbers of the tables.
struct Asked<'a> {
    sql: &'a Connection,
    first: i64,
    last: i64,
    apart: bool,
    endpoint: Option<i64>,
    sink: Option<i64>,
}

/// The hours `?1` to `?2` one by one: every table begins with the hour. `h` is the hour that is told.
const HOURS: &str =
    "with recursive hours (hour) as (select ?1 union all select hour + 1 from hours where hour < ?2)
                     select iif(?3, t.hour, ?1) as h";

impl Asked<'_> {
    fn words(&self, series: &mut Series) -> Result<(), Error> {
        let mut statement = self.sql.prepare_cached(&format!(
            "{HOURS}, n.name, t.word, sum(t.number) from hours join hour_words t on t.hour = hours.hour
             join names n on n.id = t.endpoint where ?4 is null or t.endpoint = ?4 group by t.endpoint, h, t.word"
        ))?;
        let mut rows = statement.query(params![self.first, self.last, self.apart, self.endpoint])?;
        while let Some(row) = rows.next()? {
            let word = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            let Some(word) = Word::ALL.into_iter().find(|known| known.as_str() == word) else { continue };
            let of = series.words.entry((name(row, 1)?, hour(row)?)).or_default();
            of.insert(word, number(row, 3)?);
        }
        Ok(())
    }

    fn types(&self, series: &mut Series) -> Result<(), Error> {
        let mut statement = self.sql.prepare_cached(&format!(
            "{HOURS}, n.name, t.type, sum(t.number) from hours join hour_types t on t.hour = hours.hour
             join names n on n.id = t.endpoint where ?4 is null or t.endpoint = ?4 group by t.endpoint, t.type"
        ))?;
        let mut rows = statement.query(params![self.first, self.last, false, self.endpoint])?;
        while let Some(row) = rows.next()? {
            let event_type = HourType::decode(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?);
            series.types.entry(name(row, 1)?).or_default().insert(event_type, number(row, 3)?);
        }
        Ok(())
    }

    fn ended(&self, series: &mut Series) -> Result<(), Error> {
        let mut statement = self.sql.prepare_cached(&format!(
            "{HOURS}, e.name, s.name, sum(t.delivered), sum(t.parked), sum(t.skipped), sum(t.failed_attempts)
             from hours join hour_routes t on t.hour = hours.hour
             join names e on e.id = t.endpoint join names s on s.id = t.sink
             where (?4 is null or t.endpoint = ?4) and (?5 is null or t.sink = ?5)
             group by t.endpoint, t.sink, h"
        ))?;
        let mut rows =
            statement.query(params![self.first, self.last, self.apart, self.endpoint, self.sink])?;
        while let Some(row) = rows.next()? {
            let ended = Ended {
                delivered: number(row, 3)?,
                parked: number(row, 4)?,
                skipped: number(row, 5)?,
                failed_attempts: number(row, 6)?,
            };
            series.ended.insert((name(row, 1)?, name(row, 2)?, hour(row)?), ended);
        }
        Ok(())
    }

    fn latencies(&self, series: &mut Series) -> Result<(), Error> {
        let mut statement = self.sql.prepare_cached(&format!(
            "{HOURS}, n.name, t.bucket, sum(t.number) from hours join hour_latencies t on t.hour = hours.hour
             join names n on n.id = t.sink where ?4 is null or t.sink = ?4 group by t.sink, h, t.bucket"
        ))?;
        let mut rows = statement.query(params![self.first, self.last, self.apart, self.sink])?;
        while let Some(row) = rows.next()? {
            let of = series.latencies.entry((name(row, 1)?, hour(row)?)).or_default();
            of.add(row.get(2)?, number(row, 3)?);
        }
        Ok(())
    }
}

/// Forgets the hours before this one, one at a time.
pub(super) fn forget(read: &Connection, shared: &Shared, first_kept: Hour) -> Result<(), Error> {
    let oldest = "select min(hour) from (select min(hour) as hour from hour_words union all select min(hour) from hour_types
                  union all select min(hour) from hour_routes union all select min(hour) from hour_latencies)";
    let mut oldest = read.prepare_cached(oldest)?;
    loop {
        let hour: Option<i64> = oldest.query_row([], |row| row.get(0))?;
        let Some(hour) = hour.filter(|hour| *hour < first_kept.number()) else { return Ok(()) };
        yielding(|| {
            shared.writer().transaction(Sync::Later, |work| {
                for delete in [
                    "delete from hour_words where hour = ?1",
                    "delete from hour_types where hour = ?1",
                    "delete from hour_routes where hour = ?1",
                    "delete from hour_latencies where hour = ?1",
                ] {
                    work.prepared(delete)?.execute([hour])?;
                }
                Ok(())
            })
        })?;
    }
}

fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<ObjectName> {
    Ok(ObjectName::from_stored(row.get_ref(column)?.as_str()?))
}

/// The first column of [`HOURS`].
fn hour(row: &Row<'_>) -> rusqlite::Result<Hour> {
    row.get(0).map(Hour::from_number)
}
