//! Which keys are remembered. Keys come into the newest generation, which is small enough that writing to it stays cheap,
//! and go with the oldest: whole generations, once all their keys are past their windows.
mod filter;
mod known;
mod packed;

use boathook_event::{Digest, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use self::filter::Filter;
pub(super) use self::known::{Dedupe, Known};
use crate::{
    Error,
    columns::place,
    limits::{FORGET_SLICE, GENERATION_KEYS, PACKED_KEYS_MIN, RUNS_MAX},
    local::{insert::insert_all, rows::timestamp, schema},
};

/// A key to be written, and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) hash: Digest,
    pub(super) body: Option<Digest>,
    pub(super) seq: Seq,
    /// In microseconds.
    pub(super) expires: i64,
}

/// A generation that keys are written to, and how many it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generation {
    pub(super) number: i64,
    keys: u32,
    /// How often keys came many at a time.
    runs: u32,
}

impl Generation {
    /// The newest one.
    pub(super) fn load(sql: &Connection) -> Result<Self, Error> {
        let newest = sql.query_row(
            "select coalesce(max(number), 0), coalesce((select keys from generations order by number desc limit 1), 0)
             from generations",
            [],
            |row| Ok(Self { number: row.get(0)?, keys: row.get(1)?, runs: 0 }),
        )?;
        Ok(Self { runs: packed::runs(sql, newest.number)?, ..newest })
    }

    /// The one that follows, which has nothing.
    pub(super) fn next(self) -> Self {
        Self { number: self.number + 1, keys: 0, runs: 0 }
    }

    /// Writes keys, and puts them in order where that makes it cheaper. Returns the generation that has them, and is the newest one
    /// once this is committed.
    pub(super) fn write(self, sql: &Connection, keys: &mut [Row], now: Timestamp) -> Result<Self, Error> {
        let mut newest = self;
        if newest.keys >= GENERATION_KEYS {
            newest = newest.next();
        }
        let Some(expires) = keys.iter().map(|key| key.expires).max() else { return Ok(newest) };
        if keys.len() >= PACKED_KEYS_MIN && newest.runs < RUNS_MAX {
            packed::write(sql, newest.number, newest.runs, keys)?;
            newest.runs += 1;
        } else {
            keys.sort_unstable();
            write_rows(sql, newest.number, keys)?;
        }
        let added = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        newest.keys = newest.keys.saturating_add(added);
        sql.prepare_cached(
            "insert into generations (number, keys, expires, since) values (?1, ?2, ?3, ?4)
             on conflict do update set keys = keys + excluded.keys, expires = max(expires, excluded.expires)",
        )?
        .execute(params![newest.number, added, expires, now.as_microsecond()])?;
        Ok(newest)
    }
}

/// A row for each key. One that is there already has expired, or is the event's own: two of its keys may be one.
fn write_rows(sql: &Connection, generation: i64, keys: &[Row]) -> Result<(), Error> {
    let into = "insert or replace into dedupe (generation, hash, body, seq, expires)";
    insert_all(sql, into, "(?, ?, ?, ?, ?)", keys, |row, Row { hash, body, seq, expires }| {
        let body = body.as_ref().map_or(&[][..], |body| &body[..]);
        row.bind([&generation, hash, &body, &place(*seq), expires])
    })
}

/// The generations beside the newest of which so many bytes of memory do not have room, oldest first.
pub(super) fn without_room(sql: &Connection, bytes_max: u64) -> Result<Vec<i64>, Error> {
    let room = i64::try_from(bytes_max / Filter::BYTES_OF_GENERATION).unwrap_or(i64::MAX).max(1);
    let mut select =
        sql.prepare_cached("select number from generations order by number desc limit -1 offset ?1")?;
    let mut numbers = select.query_map([room], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    numbers.reverse();
    Ok(numbers)
}

/// See [`crate::traits::Archive::keys_since`].
pub(super) fn known_since(sql: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    if schema::meta(sql, "keys_missing_until")? <= now.as_microsecond() {
        return Ok(None);
    }
    let select = "select coalesce(min(since), ?1) from generations";
    let since = sql.prepare_cached(select)?.query_row([now.as_microsecond()], |row| timestamp(row, 0))?;
    Ok(Some(since))
}

/// Why keys are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhyForgotten {
    /// Their windows are over.
    Past,
    /// There are too many.
    Room,
}

/// How much of a generation was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgotten {
    /// Nothing: it has newer keys by now.
    None,
    /// There is more.
    Some,
    /// All of it, and the generation itself.
    All,
}

/// Deletes a slice of the generation, if all its keys are past their windows still, or for want of room.
pub(super) fn forget(
    sql: &Connection,
    generation: i64,
    why: WhyForgotten,
    now: Timestamp,
) -> Result<Forgotten, Error> {
    let now = now.as_microsecond();
    let past = sql
        .prepare_cached("select expires <= ?2 from generations where number = ?1")?
        .query_row([generation, now], |row| row.get(0))
        .optional()?;
    match (past, why) {
        (Some(true), _) => {}
        (Some(false), WhyForgotten::Room) => {
            let until =
                "update meta set value = max(value, (select expires from generations where number = ?1))
                         where key = 'keys_missing_until'";
            sql.prepare_cached(until)?.execute([generation])?;
        }
        (Some(false), WhyForgotten::Past) | (None, _) => return Ok(Forgotten::None),
    }
    let deleted = sql
        .prepare_cached(
            "delete from dedupe where generation = ?1 and (hash, body) in
             (select hash, body from dedupe where generation = ?1 order by hash limit ?2)",
        )?
        .execute(params![generation, i64::try_from(FORGET_SLICE).unwrap_or(i64::MAX)])?;
    if deleted == FORGET_SLICE {
        return Ok(Forgotten::Some);
    }
    packed::forget(sql, generation)?;
    sql.prepare_cached("delete from generations where number = ?1")?.execute([generation])?;
    Ok(Forgotten::All)
}
