//! The database's tables, and how its connections are set up.
use std::{
    cell::Cell,
    fs::File,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use crate::{
    Error,
    limits::{LOCK_PATIENCE, READ_CACHE_KIB, WRITE_CACHE_KIB},
    local::facts,
};

/// The schema that this program reads and writes.
const VERSION: i64 = 10;

/// Times are Unix microseconds. `names` holds endpoints and sinks. `pending.due` is null until the first attempt has
/// failed. A completed delivery has one row, whose `outcome` is `delivered`, `already_there`, `skipped` or the reason it was
/// parked.
/// A delivery that is delivered again has a row more, with the next `replay`; at most the last one of a sink is parked, or
/// pending. `routes` are totals. `events.sinks` are the names of all its sinks, four bytes each, lowest byte first; the
/// highest bit says whether the sink gets them in the order of their keys. Only such a delivery has a `pending.key`.
/// They are those of schema 3; [`STEPS`] come on top.
const TABLES: &str = "
    create table meta (key text primary key, value integer not null) without rowid;
    create table names (id integer primary key, name text not null unique);
    create table events (
        seq integer primary key, uid blob not null unique, endpoint integer not null, received integer not null,
        idx integer not null, id text, type text, key text, tenant text, entity text,
        sinks blob not null, head blob not null, body blob not null
    );
    create index events_by_endpoint on events (endpoint);
    create table dedupe (
        hash blob not null, body blob not null, seq integer not null, expires integer not null,
        primary key (hash, body)
    ) without rowid;
    create table pending (
        sink integer not null, seq integer not null, attempts integer not null, due integer, key text,
        replay integer not null default 0, primary key (sink, seq)
    ) without rowid;
    create index pending_due on pending (sink, due) where due is not null;
    create index pending_by_key on pending (sink, key, seq) where key is not null;
    create table words (
        endpoint integer not null, word text not null, number integer not null, primary key (endpoint, word)
    ) without rowid;
    create table routes (
        endpoint integer not null, sink integer not null, delivered integer not null, parked integer not null,
        pending integer not null, failed_attempts integer not null, erased integer not null default 0,
        primary key (endpoint, sink)
    ) without rowid;
    insert into meta (key, value) values ('schema', 3), ('last_seq', 0), ('events', 0), ('epoch', 0);
";

/// Those of [`TABLES`] that schema 2 did not have, or had otherwise.
const REPLAY_TABLES: &str = "
    create table deliveries (
        seq integer not null, sink integer not null, replay integer not null, outcome text not null,
        attempts integer not null, completed integer not null, primary key (seq, sink, replay)
    ) without rowid;
    create index deliveries_parked on deliveries (seq) where outcome not in ('delivered', 'already_there');
    create table failures (
        seq integer not null, sink integer not null, replay integer not null, number integer not null,
        started integer not null, millis integer not null, kind text not null, permanent integer not null,
        status integer, retry_after_millis integer, message text not null,
        primary key (seq, sink, replay, number)
    ) without rowid;
    create table rejected (
        number integer primary key, endpoint integer not null, received integer not null, code text not null,
        status integer not null, source text not null, diagnosis text not null
    );
    create index rejected_by_endpoint on rejected (endpoint);
";

/// Makes room for [`REPLAY_TABLES`] in schema 2.
const BEFORE_REPLAY: &str = "
    alter table deliveries rename to old_deliveries;
    alter table failures rename to old_failures;
";

/// Moves what schema 2 has into [`REPLAY_TABLES`].
const FROM_2: &str = "
    insert into deliveries select seq, sink, 0, outcome, attempts, completed from old_deliveries;
    insert into failures
        select seq, sink, 0, number, started, millis, kind, permanent, status, retry_after_millis, message from old_failures;
    drop table old_deliveries;
    drop table old_failures;
    alter table pending add column replay integer not null default 0;
    alter table routes add column erased integer not null default 0;
    update meta set value = 3 where key = 'schema';
";

/// Adds what schema 3 does not have. `pending.bytes` are those of the body; where `pending.blocks`, a delivery that is parked
/// holds its key: it is in `blocking` then, until it is delivered, skipped or gone, also while it is armed again.
const FROM_3: &str = "
    create table blocking (
        seq integer not null, sink integer not null, key text not null, primary key (seq, sink)
    ) without rowid;
    create index blocking_by_sink on blocking (sink, seq);
    alter table pending add column bytes integer not null default 0;
    alter table pending add column blocks integer not null default 0;
    update pending set bytes = coalesce((select length(body) from events where events.seq = pending.seq), 0);
    alter table routes add column skipped integer not null default 0;
    alter table routes add column pending_bytes integer not null default 0;
    update routes set pending_bytes = coalesce((
        select sum(p.bytes) from pending p join events e on e.seq = p.seq
        where p.sink = routes.sink and e.endpoint = routes.endpoint
    ), 0) where pending > 0;
    drop index deliveries_parked;
    create index deliveries_parked on deliveries (seq) where outcome not in ('delivered', 'already_there', 'skipped');
    update meta set value = 4 where key = 'schema';
";

/// Adds what schema 4 does not have: the journal, which keeps the bytes of the events that have a `segment`, and generations of keys.
/// `leftovers` are bytes of the journal that are still to be overwritten.
const FROM_4: &str = "
    alter table events add column segment integer;
    alter table events add column place integer;
    alter table events add column meta_bytes integer;
    alter table events add column head_bytes integer;
    alter table events add column body_bytes integer;
    create table segments (
        number integer primary key, events integer not null, live integer not null, first integer not null, last integer not null
    );
    create table leftovers (segment integer not null, place integer not null, bytes integer not null);
    create table generations (number integer primary key, keys integer not null, expires integer not null);
    alter table dedupe rename to old_dedupe;
    create table dedupe (
        generation integer not null, hash blob not null, body blob not null, seq integer not null, expires integer not null,
        primary key (generation, hash, body)
    ) without rowid;
    insert into dedupe
        select (row_number() over (order by expires) - 1) / 16384, hash, body, seq, expires from old_dedupe;
    insert into generations select generation, count(*), max(expires) from dedupe group by generation;
    drop table old_dedupe;
    insert into meta (key, value) values ('journal_segment', 0), ('journal_offset', 0);
    update meta set value = 5 where key = 'schema';
";

/// Adds what schema 5 does not have: what happened hour by hour. Hours are counted from the Unix epoch.
const FROM_5: &str = "
    create table hour_words (
        hour integer not null, endpoint integer not null, word text not null, number integer not null,
        primary key (hour, endpoint, word)
    ) without rowid;
    create table hour_types (
        hour integer not null, endpoint integer not null, type text not null, number integer not null,
        primary key (hour, endpoint, type)
    ) without rowid;
    create table hour_routes (
        hour integer not null, endpoint integer not null, sink integer not null, delivered integer not null,
        parked integer not null, skipped integer not null, failed_attempts integer not null,
        primary key (hour, endpoint, sink)
    ) without rowid;
    create table hour_latencies (
        hour integer not null, sink integer not null, bucket integer not null, number integer not null,
        primary key (hour, sink, bucket)
    ) without rowid;
    update meta set value = 6 where key = 'schema';
";

/// Adds what schema 6 does not have: few rows in place of many. Events are found by spans of 256 places
/// ([`super::spans`]), with no index for each; the first delivery to a sink that ended well at once stands in `events.at_once`
/// ([`super::at_once`]) and has no row; what nothing is looked for by is one column ([`super::facts`]);
/// keys that come many at a time are in `packed_keys` ([`super::dedupe`]).
const FROM_6: &str = "
    alter table events rename to old_events;
    create table events (
        seq integer primary key, endpoint integer not null, received integer not null,
        facts blob not null, sinks blob not null, at_once blob not null, head blob not null, body blob not null,
        segment integer, place integer, meta_bytes integer, head_bytes integer, body_bytes integer
    );
    insert into events
        select seq, endpoint, received, facts(uid, idx, id, type, key, tenant, entity), sinks, x'', head, body,
            segment, place, meta_bytes, head_bytes, body_bytes from old_events;
    drop table old_events;
    create table spans (
        span integer primary key, events integer not null, lowest blob not null, highest blob not null
    );
    insert into spans
        select seq / 256, count(*), min(substr(facts, 1, 16)), max(substr(facts, 1, 16)) from events group by 1;
    create table endpoint_spans (
        endpoint integer not null, span integer not null, events integer not null, primary key (endpoint, span)
    ) without rowid;
    insert into endpoint_spans select endpoint, seq / 256, count(*) from events group by 1, 2;
    create table packed_keys (id integer primary key, keys blob not null);
    update meta set value = 7 where key = 'schema';
";

/// Adds what schema 7 does not have: whose turn it is. `pending.flow` counts as long as a delivery was never tried; those of before
/// are one flow.
const FROM_7: &str = "
    alter table pending add column flow integer not null default 0;
    create index pending_by_flow on pending (sink, flow, seq) where due is null;
    create index blocking_by_key on blocking (sink, key, seq);
    update meta set value = 8 where key = 'schema';
";

/// Adds what schema 8 does not have: that keys may be forgotten for want of room. `generations.since` is when the first key came;
/// `keys_missing_until` is when the last window is over of keys that were forgotten so.
const FROM_8: &str = "
    alter table generations add column since integer not null default 0;
    update generations set since = coalesce((
        select min(e.received) from dedupe d join events e on e.seq = d.seq where d.generation = generations.number
    ), 0);
    insert into meta (key, value) values ('keys_missing_until', 0);
    update meta set value = 9 where key = 'schema';
";

/// Adds what schema 9 does not have: turns of what is due. `pending.flow` counts always; those that were armed again before are one
/// flow.
const FROM_9: &str = "
    create index pending_due_by_flow on pending (sink, flow, due) where due is not null;
    update meta set value = 10 where key = 'schema';
";

/// What brings a schema from 3 on up to the next one.
const STEPS: [(i64, &str); 7] =
    [(3, FROM_3), (4, FROM_4), (5, FROM_5), (6, FROM_6), (7, FROM_7), (8, FROM_8), (9, FROM_9)];

thread_local! {
    /// SQLite tells it to a plain function, in the thread that commits.
    static LOG_PAGES: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Pages in the write-ahead log after the last commit of this thread, unless it was asked before or has written nothing.
pub(super) fn log_pages() -> Option<i32> {
    LOG_PAGES.take()
}

/// Opens the writing connection; makes the tables where there are none.
pub(super) fn open_writer(file: &Path) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(file, flags() | OpenFlags::SQLITE_OPEN_CREATE)?;
    // Page size and vacuum mode are fixed by the first write, which is the change to the write-ahead log.
    connection.execute_batch(
        "pragma page_size = 8192; pragma auto_vacuum = incremental; pragma journal_mode = wal",
    )?;
    set_up(&connection, WRITE_CACHE_KIB)?;
    connection.execute_batch("pragma synchronous = full; pragma wal_autocheckpoint = 0")?;
    connection.wal_hook(Some(|_, pages| {
        LOG_PAGES.set(Some(pages));
        Ok(())
    }));
    connection.set_prepared_statement_cache_capacity(96);
    let (first, from) = match version(&connection)? {
        None => (format!("{TABLES} {REPLAY_TABLES}"), 3),
        Some(2) => (format!("{BEFORE_REPLAY} {REPLAY_TABLES} {FROM_2}"), 3),
        Some(version @ 3..=VERSION) => (String::new(), version),
        Some(version) => {
            let writer = if version < VERSION { "an older" } else { "a newer" };
            return Err(Error::Open(format!(
                "{} has schema {version}, and this program knows {VERSION}: it was written by {writer} one; start that \
                 version, or name another folder with --data",
                file.display(),
            )));
        }
    };
    if from < VERSION {
        facts::as_function(&connection)?;
        let steps = STEPS.iter().filter(|(of, _)| *of >= from).map(|(_, step)| *step).collect::<String>();
        connection.execute_batch(&format!("begin immediate; {first} {steps} commit"))?;
    }
    // After a failed sync the operating system may hold pages that the disk has not. This writes all of the log's
    // content anew and syncs it, before anything is acknowledged or handed out.
    empty_wal(&connection)?;
    Ok(connection)
}

/// Opens a connection that reads, or that checkpoints.
pub(super) fn open_reader(file: &Path) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(file, flags())?;
    set_up(&connection, READ_CACHE_KIB)?;
    connection.execute_batch("pragma wal_autocheckpoint = 0")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Copies the write-ahead log into the database, syncs, and cuts the log to nothing. Returns whether all of it was: a
/// reader or another checkpoint may be in the way.
pub(super) fn empty_wal(connection: &Connection) -> Result<bool, Error> {
    Ok(connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i64>(0))? == 0)
}

/// Makes durable what was committed without a sync: what the log does not have any more, a checkpoint has synced.
pub(super) fn sync_wal(file: &Path) -> Result<(), Error> {
    let wal = wal(file);
    let synced = File::open(&wal).and_then(|wal| wal.sync_data());
    synced.map_err(|error| Error::Io(format!("cannot sync {}: {error}", wal.display())))
}

/// The write-ahead log of this database.
pub(super) fn wal(file: &Path) -> PathBuf {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// One number of the `meta` table.
pub(super) fn meta(connection: &Connection, key: &str) -> Result<i64, Error> {
    Ok(connection
        .prepare_cached("select value from meta where key = ?1")?
        .query_row([key], |row| row.get(0))?)
}

/// One number that SQLite tells of the database.
pub(super) fn pragma(connection: &Connection, name: &str) -> Result<i64, Error> {
    Ok(connection.query_row(&format!("pragma {name}"), [], |row| row.get(0))?)
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn set_up(connection: &Connection, cache_kib: i64) -> Result<(), Error> {
    connection.busy_timeout(LOCK_PATIENCE)?;
    connection.execute_batch(&format!(
        "pragma cache_size = -{cache_kib}; pragma temp_store = memory; pragma mmap_size = 0; pragma trusted_schema = off"
    ))?;
    Ok(())
}

fn version(connection: &Connection) -> Result<Option<i64>, Error> {
    let made: Option<i64> = connection
        .query_row("select 1 from sqlite_schema where type = 'table' and name = 'meta'", [], |row| row.get(0))
        .optional()?;
    made.map(|_| meta(connection, "schema")).transpose()
}
