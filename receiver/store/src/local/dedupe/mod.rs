//! Which keys are remembered. Keys come into the newest generation, which is small enough that writing to it stays cheap,
//! and go with the oldest: whole generations, once all their keys are past their windows.
mod filter;
mod packed;

use std::collections::HashMap;

use boathook_event::{DedupeKey, Digest, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use self::filter::Filter;
use crate::{
    Error,
    columns::place,
    limits::{FORGET_SLICE, GENERATION_KEYS, PACKED_KEYS_MIN, RUNS_MAX},
    local::{insert::insert_all, rows::timestamp, schema},
};

/// What the keys of an append say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing: it is new.
    No,
    /// It is a repetition of the event at this place.
    Repeats(Seq),
    /// The id was seen with another body.
    Conflicts,
}

/// A key with the event that brought it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// Nothing where the body does not matter.
    body: Option<Digest>,
    seq: Seq,
    /// In microseconds.
    expires: i64,
}

/// A key to be written, and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) hash: Digest,
    pub(super) body: Option<Digest>,
    pub(super) seq: Seq,
    /// In microseconds.
    pub(super) expires: i64,
}

/// Every key: in the database, and of the commits that are not in it yet.
#[derive(Debug)]
pub(super) struct Dedupe {
    filter: Filter,
    /// The generation that keys are written to, and how many it has.
    newest: Generation,
    recent: HashMap<Digest, Vec<Entry>>,
}

/// A generation that was written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generation {
    number: i64,
    keys: u32,
    /// How often keys came many at a time.
    runs: u32,
}

impl Dedupe {
    /// Reads which generation knows what: some hundred nanoseconds for each key.
    pub(super) fn load(sql: &Connection) -> Result<Self, Error> {
        let mut newest = sql.query_row(
            "select coalesce(max(number), 0), coalesce((select keys from generations order by number desc limit 1), 0)
             from generations",
            [],
            |row| Ok(Generation { number: row.get(0)?, keys: row.get(1)?, runs: 0 }),
        )?;
        newest.runs = packed::runs(sql, newest.number)?;
        let mut filter = Filter::default();
        let mut keys = sql.prepare("select generation, hash from dedupe")?;
        let mut rows = keys.query([])?;
        while let Some(row) = rows.next()? {
            filter.insert(row.get(0)?, &row.get(1)?);
        }
        packed::all(sql, |generation, hash| filter.insert(generation, hash))?;
        Ok(Self { filter, newest, recent: HashMap::new() })
    }

    /// Any key that is known makes a repetition. A key is kept once per body that came with it, so of several events with
    /// one unsigned id each is known again.
    pub(super) fn known(&self, sql: &Connection, keys: &[DedupeKey], now: Timestamp) -> Result<Known, Error> {
        let mut known = Known::No;
        for DedupeKey { hash, body } in keys {
            let mut entries = self.entries(sql, hash)?;
            entries.retain(|entry| entry.expires > now.as_microsecond());
            let same = |entry: &&Entry| body.is_none() || entry.body == *body;
            if let Some(first) = entries.iter().filter(same).map(|entry| entry.seq).min() {
                return Ok(Known::Repeats(first));
            }
            if !entries.is_empty() {
                known = Known::Conflicts;
            }
        }
        Ok(known)
    }

    /// What is remembered of the key; of each body what came last.
    fn entries(&self, sql: &Connection, hash: &Digest) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut candidates = self.filter.candidates(hash).peekable();
        if candidates.peek().is_some() {
            let mut statement = sql.prepare_cached(
                "select body, seq, expires from dedupe where generation = ?1 and hash = ?2",
            )?;
            for generation in candidates {
                let mut rows = statement.query(params![generation, hash])?;
                while let Some(row) = rows.next()? {
                    let body = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?.try_into().ok();
                    let seq = row.get::<_, i64>(1)?.unsigned_abs();
                    newer(&mut entries, Entry { body, seq, expires: row.get(2)? });
                }
                packed::find(sql, generation, hash, |entry| newer(&mut entries, entry))?;
            }
        }
        self.recent.get(hash).into_iter().flatten().for_each(|entry| newer(&mut entries, *entry));
        Ok(entries)
    }

    /// Remembers the keys of an event that is not in the database yet.
    pub(super) fn remember(&mut self, keys: &[DedupeKey], seq: Seq, expires: i64) {
        for DedupeKey { hash, body } in keys {
            let entries = self.recent.entry(*hash).or_default();
            newer(entries, Entry { body: *body, seq, expires });
        }
    }

    /// Takes that back, of events from this place on.
    pub(super) fn take_back(&mut self, keys: &[DedupeKey], from: Seq) {
        for DedupeKey { hash, .. } in keys {
            if let Some(entries) = self.recent.get_mut(hash) {
                entries.retain(|entry| entry.seq < from);
            }
        }
    }

    /// Writes keys, and puts them in order where that makes it cheaper. What is given is to be handed to [`Dedupe::written`]
    /// once it is committed.
    pub(super) fn write(
        &self,
        sql: &Connection,
        keys: &mut [Row],
        now: Timestamp,
    ) -> Result<Generation, Error> {
        let mut newest = self.newest;
        if newest.keys >= GENERATION_KEYS {
            newest = Generation { number: newest.number + 1, keys: 0, runs: 0 };
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

    /// The keys are in the database now.
    pub(super) fn written(&mut self, generation: Generation, keys: &[Row]) {
        self.newest = generation;
        keys.iter().for_each(|key| self.filter.insert(generation.number, &key.hash));
        self.recent.clear();
    }

    /// The generation is gone from the database.
    pub(super) fn forgotten(&mut self, generation: i64) {
        self.filter.forget(generation);
        if generation == self.newest.number {
            self.newest = Generation { number: generation + 1, keys: 0, runs: 0 };
        }
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

/// Adds the entry, in place of an older one with the same body.
fn newer(entries: &mut Vec<Entry>, entry: Entry) {
    match entries.iter_mut().find(|known| known.body == entry.body) {
        Some(known) if known.seq > entry.seq => {}
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
}
