//! Keys that came many at a time: those of one transaction as a few rows, since a row for each would cost more than all else that
//! is written of an event. The keys of a row begin alike, so that one is looked for in one row of each such transaction.
use boathook_event::Digest;
use rusqlite::{Connection, params};

use super::{Row, known::Entry};
use crate::{
    Error,
    limits::{KEY_ROWS, RUNS_MAX},
    local::rows::damaged,
    wire::In,
};

/// Writes the keys as this run of the generation: a number below [`RUNS_MAX`] that it has not used yet.
pub(super) fn write(sql: &Connection, generation: i64, run: u32, keys: &[Row]) -> Result<(), Error> {
    let mut rows = vec![Vec::new(); usize::from(KEY_ROWS)];
    for Row { hash, body, seq, expires } in keys {
        let Some(row) = rows.get_mut(usize::from(row_of(hash))) else { continue };
        row.extend_from_slice(hash);
        row.extend_from_slice(&seq.to_le_bytes());
        row.extend_from_slice(&expires.to_le_bytes());
        row.push(u8::from(body.is_some()));
        row.extend_from_slice(body.as_ref().map_or(&[], |body| &body[..]));
    }
    let mut insert = sql.prepare_cached("insert into packed_keys (id, keys) values (?1, ?2)")?;
    for (row, keys) in (0_u8..).zip(rows).filter(|(_, keys)| !keys.is_empty()) {
        insert.execute(params![first_id(generation, row) + i64::from(run), keys])?;
    }
    Ok(())
}

/// Gives to `found` what the generation's runs say of the key.
pub(super) fn find(
    sql: &Connection,
    generation: i64,
    hash: &Digest,
    mut found: impl FnMut(Entry),
) -> Result<(), Error> {
    let mut select = sql.prepare_cached("select keys from packed_keys where id between ?1 and ?2")?;
    let first = first_id(generation, row_of(hash));
    let mut rows = select.query([first, first + i64::from(RUNS_MAX - 1)])?;
    while let Some(row) = rows.next()? {
        for key in unpack(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)? {
            if key.hash == *hash {
                found(Entry { body: key.body, seq: key.seq, expires: key.expires });
            }
        }
    }
    Ok(())
}

/// Gives every key with its generation.
pub(super) fn all(sql: &Connection, mut each: impl FnMut(i64, &Digest)) -> Result<(), Error> {
    let mut select = sql.prepare("select id, keys from packed_keys")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let generation = row.get::<_, i64>(0)?.div_euclid(IDS);
        let keys = unpack(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
        keys.iter().for_each(|key| each(generation, &key.hash));
    }
    Ok(())
}

/// How many runs the generation has, at most: the next one's number.
pub(super) fn runs(sql: &Connection, generation: i64) -> Result<u32, Error> {
    let last = format!("select max(id % {RUNS_MAX}) from packed_keys where id between ?1 and ?2");
    let first = first_id(generation, 0);
    let last: Option<u32> = sql.query_row(&last, [first, first + IDS - 1], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last + 1))
}

/// Forgets what the generation has here.
pub(super) fn forget(sql: &Connection, generation: i64) -> Result<(), Error> {
    let first = first_id(generation, 0);
    sql.prepare_cached("delete from packed_keys where id between ?1 and ?2")?
        .execute([first, first + IDS - 1])?;
    Ok(())
}

/// How many numbers of rows a generation has.
const IDS: i64 = KEY_ROWS as i64 * RUNS_MAX as i64;

/// The number of that row of the generation's first run; its other runs follow.
fn first_id(generation: i64, row: u8) -> i64 {
    generation * IDS + i64::from(row) * i64::from(RUNS_MAX)
}

/// The row of a key. Its bytes are a digest's: they are as good as random.
fn row_of(hash: &Digest) -> u8 {
    hash[0] % KEY_ROWS
}

fn unpack(mut keys: &[u8]) -> Result<Vec<Row>, Error> {
    let mut unpacked = Vec::new();
    while !keys.is_empty() {
        let mut rest = In(keys);
        let damage = || Error::from(damaged(0, rusqlite::types::Type::Blob));
        unpacked.push(key(&mut rest).ok_or_else(damage)?);
        keys = rest.0;
    }
    Ok(unpacked)
}

fn key(rest: &mut In<'_>) -> Option<Row> {
    let (hash, seq, expires) = (rest.array()?, rest.u64()?, rest.i64()?);
    let body = if rest.yes()? { Some(rest.array()?) } else { None };
    Some(Row { hash, body, seq, expires })
}
