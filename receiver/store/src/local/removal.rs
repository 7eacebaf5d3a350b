//! What leaves the store: events past their retention, deduplication keys past their window, and what a person erases.
use boathook_event::{ObjectName, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::{
    Error,
    columns::{PARKED, place, sink_numbers},
    cuts::{Cuts, yielding},
    limits::{RETAIN_SLICE, VACUUM_PAGES},
    local::{
        Shared,
        at_once::{self, AtOnce},
        dedupe::{self, WhyForgotten},
        journal::Kept,
        rows::{self, KEPT_COLUMNS},
        schema, segments, series, spans,
        writer::{Sync, Work},
    },
    traits::{Erased, Hour, Retentions},
};

/// An event that may be past its retention.
struct Candidate {
    seq: Seq,
    received: i64,
    sinks: Vec<i64>,
    at_once: Vec<AtOnce>,
}

/// What [`Candidate::of`] reads, of `events e`.
const CANDIDATE_COLUMNS: &str = "e.seq, e.received, e.sinks, e.at_once";

impl Candidate {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            received: row.get(1)?,
            sinks: sink_numbers(row.get_ref(2)?.as_blob()?),
            at_once: at_once::column(row, 3)?,
        })
    }
}

/// Deletes events past their retention and keys past their window. Candidates are looked for on a reading connection;
/// the writer is held for one slice at a time, and as long left alone after each, so that others get it between.
pub(super) fn retain(
    read: &Connection,
    shared: &Shared,
    retentions: &Retentions,
    key_bytes_max: u64,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut deleted = 0;
    shared.writer().settle()?;
    for (endpoint, name) in endpoints(read)? {
        let cuts = Cuts::of(retentions.of(&name), now);
        deleted += retain_of(read, shared, endpoint, cuts)?;
        forget_rejected(read, shared, endpoint, cuts.rejected)?;
    }
    forget(read, shared, key_bytes_max, now)?;
    segments::give_up(read, shared)?;
    series::forget(read, shared, Hour::of(now).first_kept())?;
    Ok(deleted)
}

/// Deletes the events of one endpoint that are past their retention.
fn retain_of(read: &Connection, shared: &Shared, endpoint: i64, cuts: Cuts) -> Result<u64, Error> {
    let mut deleted = 0;
    let mut after = 0;
    loop {
        let slice = slice(read, endpoint, after)?;
        let Some(last) = slice.last() else { break };
        after = last.seq;
        let old = |candidate: &Candidate| cuts.may_reach(candidate.received);
        // Events are stored about in the order they are received: behind a slice without an old one there is none.
        if !slice.iter().any(old) {
            break;
        }
        let mut past = Vec::new();
        for candidate in slice.into_iter().filter(old) {
            if is_past(read, &candidate, cuts)? {
                past.push(candidate.seq);
            }
        }
        if past.is_empty() {
            continue;
        }
        deleted +=
            yielding(|| shared.writer().transaction(Sync::Later, |work| work.delete_past(&past, cuts)))?;
    }
    Ok(deleted)
}

impl Shared {
    /// See [`crate::traits::Archive::erase`].
    pub(super) fn erase(&self, events: &[Seq]) -> Result<Erased, Error> {
        let (erased, traces) = self.writer().transaction_without_traces(|work| work.erase_all(events))?;
        self.overwrite_leftovers()?;
        Ok(Erased { traces, ..erased })
    }
}

impl Work<'_> {
    /// Deletes those that still are past their retention. Each is looked at anew: since then it may have been armed again,
    /// also at a sink that it did not have, or erased.
    fn delete_past(&mut self, events: &[Seq], cuts: Cuts) -> Result<u64, Error> {
        let mut deleted = 0;
        for seq in events {
            let Some(candidate) = candidate(self.sql, *seq)? else { continue };
            if is_past(self.sql, &candidate, cuts)? {
                if let Some(kept) = self.delete(*seq)? {
                    self.segments.left(kept.segment);
                }
                deleted += 1;
            }
        }
        self.give_back_pages()?;
        Ok(deleted)
    }

    /// Deletes the events whatever their deliveries.
    fn erase_all(&mut self, events: &[Seq]) -> Result<Erased, Error> {
        let mut erased = Erased::default();
        for seq in events {
            let found = self
                .prepared("select endpoint, sinks from events where seq = ?1")?
                .query_row([place(*seq)], |row| Ok((row.get(0)?, sink_numbers(row.get_ref(1)?.as_blob()?))))
                .optional()?;
            if let Some((endpoint, sinks)) = found {
                self.erase(*seq, endpoint, &sinks, &mut erased)?;
            }
        }
        Ok(erased)
    }

    fn erase(&mut self, seq: Seq, endpoint: i64, sinks: &[i64], erased: &mut Erased) -> Result<(), Error> {
        let parked = format!("delete from deliveries where seq = ?2 and sink = ?1 and {PARKED}");
        for sink in sinks {
            let pending: Option<i64> = self
                .prepared("delete from pending where sink = ?1 and seq = ?2 returning bytes")?
                .query_row([*sink, place(seq)], |row| row.get(0))
                .optional()?;
            let parked = self.prepared(&parked)?.execute([*sink, place(seq)])? > 0;
            let totals = self.tally.route(endpoint, *sink);
            if let Some(bytes) = pending {
                totals.waits_no_more(bytes);
                totals.erased += 1;
                erased.pending += 1;
            }
            if parked {
                totals.parked -= 1;
                totals.erased += 1;
                erased.parked += 1;
            }
        }
        if let Some(kept) = self.delete(seq)? {
            self.leave(&kept)?;
        }
        erased.events += 1;
        Ok(())
    }

    /// Deletes the event's rows. Gives where its bytes are, where the journal keeps them.
    fn delete(&mut self, seq: Seq) -> Result<Option<Kept>, Error> {
        for delete in [
            "delete from deliveries where seq = ?1",
            "delete from failures where seq = ?1",
            "delete from blocking where seq = ?1",
        ] {
            self.prepared(delete)?.execute([place(seq)])?;
        }
        let delete = format!("delete from events where seq = ?1 returning endpoint, {KEPT_COLUMNS}");
        let (endpoint, kept) =
            self.prepared(&delete)?.query_row([place(seq)], |row| Ok((row.get(0)?, rows::kept(row, 1)?)))?;
        self.spans.deleted(seq, endpoint);
        self.tally.events -= 1;
        Ok(kept)
    }

    /// Free pages are used again; what is more than a quarter of the file is given back.
    fn give_back_pages(&self) -> Result<(), Error> {
        let number = |name| schema::pragma(self.sql, name);
        if number("freelist_count")? > number("page_count")? / 4 {
            self.sql.execute_batch(&format!("pragma incremental_vacuum({VACUUM_PAGES})"))?;
        }
        Ok(())
    }
}

/// Forgets the generations all of whose keys are past their windows, and the oldest ones for which there is no room.
fn forget(read: &Connection, shared: &Shared, key_bytes_max: u64, now: Timestamp) -> Result<(), Error> {
    let past = "select number from generations where expires <= ?1";
    let past = read
        .prepare_cached(past)?
        .query_map([now.as_microsecond()], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    for generation in past {
        while yielding(|| shared.writer().forget(generation, WhyForgotten::Past, now))? {}
    }
    for generation in dedupe::without_room(read, key_bytes_max)? {
        while yielding(|| shared.writer().forget(generation, WhyForgotten::Room, now))? {}
    }
    Ok(())
}

/// Forgets refused requests: each endpoint has few.
fn forget_rejected(read: &Connection, shared: &Shared, endpoint: i64, cut: i64) -> Result<(), Error> {
    let past = "from rejected where endpoint = ?1 and received <= ?2";
    if !read.prepare_cached(&format!("select 1 {past}"))?.exists([endpoint, cut])? {
        return Ok(());
    }
    yielding(|| {
        shared.writer().transaction(Sync::Later, |work| {
            work.prepared(&format!("delete {past}"))?.execute([endpoint, cut])?;
            Ok(())
        })
    })
}

/// Every endpoint to which something has ever come, by its number; sinks among them have no events.
fn endpoints(read: &Connection) -> Result<Vec<(i64, ObjectName)>, Error> {
    let mut statement = read.prepare_cached("select id, name from names")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, ObjectName::from_stored(row.get_ref(1)?.as_str()?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn slice(read: &Connection, endpoint: i64, after: Seq) -> Result<Vec<Candidate>, Error> {
    let select = format!(
        "select {CANDIDATE_COLUMNS} from {}
         where s.endpoint = ?1 and s.span >= ?4 and e.seq > ?2 order by s.span, e.seq limit ?3",
        spans::of_endpoint()
    );
    let mut statement = read.prepare_cached(&select)?;
    let limit = i64::try_from(RETAIN_SLICE).unwrap_or(i64::MAX);
    let rows = statement.query_map([endpoint, place(after), limit, spans::span(after)], Candidate::of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The event at this place as it is now, if it is still there.
fn candidate(sql: &Connection, seq: Seq) -> Result<Option<Candidate>, Error> {
    let select = format!("select {CANDIDATE_COLUMNS} from events e where e.seq = ?1");
    Ok(sql.prepare_cached(&select)?.query_row([place(seq)], Candidate::of).optional()?)
}

/// Whether nothing of it is pending, and all that became of it is older than its retention.
fn is_past(sql: &Connection, candidate: &Candidate, cuts: Cuts) -> Result<bool, Error> {
    let Candidate { seq, received, sinks, at_once } = candidate;
    if sinks.is_empty() {
        return Ok(*received <= cuts.delivered);
    }
    if at_once.iter().any(|ended| ended.completed > cuts.delivered) {
        return Ok(false);
    }
    let mut pending = sql.prepare_cached("select 1 from pending where sink = ?1 and seq = ?2")?;
    for sink in sinks {
        if pending.exists([*sink, place(*seq)])? {
            return Ok(false);
        }
    }
    let kept = format!("select 1 from deliveries where seq = ?1 and completed > iif({PARKED}, ?2, ?3)");
    Ok(!sql.prepare_cached(&kept)?.exists([place(*seq), cuts.parked, cuts.delivered])?)
}
