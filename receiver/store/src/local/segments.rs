//! Which segments of the journal are still needed: how many events each has, and how many of them are still there.
use std::collections::BTreeMap;

use boathook_event::Seq;
use rusqlite::{Connection, Transaction, params};

use crate::{
    Error,
    columns::place,
    limits::{RETAIN_SLICE, SEGMENT_KEPT_SHARE},
    local::{
        Shared,
        journal::{Kept, Position, Segments},
        rows::{self, KEPT_COLUMNS},
        schema,
        writer::{Sync, Work},
    },
};

/// What a transaction changes, by segment.
#[derive(Debug, Default)]
pub(super) struct SegmentChanges(BTreeMap<u64, Change>);

#[derive(Debug, Default)]
struct Change {
    events: i64,
    live: i64,
    first: Seq,
    last: Seq,
}

impl SegmentChanges {
    /// An event was stored there.
    pub(super) fn stored(&mut self, segment: u64, seq: Seq) {
        let change = self.0.entry(segment).or_default();
        if change.events == 0 {
            change.first = seq;
        }
        change.last = seq;
        change.events += 1;
        change.live += 1;
    }

    /// An event that was stored there needs it no more.
    pub(super) fn left(&mut self, segment: u64) {
        self.0.entry(segment).or_default().live -= 1;
    }

    pub(super) fn write(self, sql: &Transaction<'_>) -> Result<(), Error> {
        for (segment, Change { events, live, first, last }) in self.0 {
            if events == 0 {
                sql.prepare_cached("update segments set live = live + ?2 where number = ?1")?
                    .execute(params![place(segment), live])?;
                continue;
            }
            sql.prepare_cached(
                "insert into segments (number, events, live, first, last) values (?1, ?2, ?3, ?4, ?5)
                 on conflict do update set events = events + excluded.events, live = live + excluded.live,
                     last = excluded.last",
            )?
            .execute(params![place(segment), events, live, place(first), place(last)])?;
        }
        Ok(())
    }
}

/// A segment that few events still need.
struct Sparse {
    number: i64,
    first: i64,
    last: i64,
}

/// Gives up the segments that no event needs, and those that few do: these events' bytes move into the database.
pub(super) fn give_up(read: &Connection, shared: &Shared) -> Result<(), Error> {
    for segment in sparse(read)? {
        while move_out(shared, &segment)? {}
    }
    let unneeded = "select 1 from segments where live = 0 and number < (select value from meta where key = 'journal_segment')";
    if !read.prepare_cached(unneeded)?.exists([])? {
        return Ok(());
    }
    // Synced: the position behind them must not come back after a crash without them.
    let needed = shared.writer().transaction(Sync::Now, |work| {
        let position = schema::meta(work.sql, "journal_segment")?;
        work.prepared("delete from segments where live = 0 and number < ?1")?.execute([position])?;
        let mut needed = work.prepared("select number from segments")?;
        let needed = needed.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
        Ok((position, needed))
    });
    let (position, needed) = needed?;
    let mut gone = shared.segments.before(position.unsigned_abs())?;
    gone.retain(|number| !needed.contains(&place(*number)));
    shared.segments.remove(&gone)
}

fn sparse(read: &Connection) -> Result<Vec<Sparse>, Error> {
    let mut statement = read.prepare_cached(
        "select number, first, last from segments
         where live > 0 and live * ?1 <= events and number < (select value from meta where key = 'journal_segment')",
    )?;
    let segments = statement.query_map([SEGMENT_KEPT_SHARE], |row| {
        Ok(Sparse { number: row.get(0)?, first: row.get(1)?, last: row.get(2)? })
    })?;
    Ok(segments.collect::<Result<_, _>>()?)
}

/// Moves a slice of the segment's events. Returns whether there were any.
fn move_out(shared: &Shared, segment: &Sparse) -> Result<bool, Error> {
    let moved = shared.writer().transaction(Sync::Now, |work| {
        let select = format!(
            "select seq, {KEPT_COLUMNS} from events where seq between ?1 and ?2 and segment = ?3 limit ?4"
        );
        let limit = i64::try_from(RETAIN_SLICE).unwrap_or(i64::MAX);
        let mut statement = work.prepared(&select)?;
        let rows = statement.query_map([segment.first, segment.last, segment.number, limit], |row| {
            Ok((row.get::<_, i64>(0)?, rows::kept(row, 1)?.unwrap_or_default()))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        drop(statement);
        rows.iter().try_for_each(|(seq, kept)| work.take_in(&shared.segments, *seq, kept))?;
        Ok(rows.len())
    })?;
    // What is erased later must not be left here.
    shared.overwrite_leftovers()?;
    Ok(moved > 0)
}

impl Shared {
    /// Overwrites the bytes of the journal that no row names any more. That none does is on the disk already.
    pub(super) fn overwrite_leftovers(&self) -> Result<(), Error> {
        let mut writer = self.writer();
        let leftovers = writer.transaction(Sync::Later, |work| {
            let mut leftovers = work.prepared("select segment, place, bytes from leftovers")?;
            let leftovers = leftovers.query_map([], |row| {
                let at = Position {
                    segment: row.get::<_, i64>(0)?.unsigned_abs(),
                    offset: row.get::<_, i64>(1)?.unsigned_abs(),
                };
                Ok((at, row.get(2)?))
            })?;
            Ok(leftovers.collect::<Result<Vec<(Position, u32)>, _>>()?)
        })?;
        if leftovers.is_empty() {
            return Ok(());
        }
        self.segments.overwrite(&leftovers)?;
        writer.transaction(Sync::Later, |work| {
            work.prepared("delete from leftovers")?.execute([])?;
            Ok(())
        })
    }
}

impl Work<'_> {
    /// The event's bytes are named no more, and are to be overwritten.
    pub(super) fn leave(&mut self, kept: &Kept) -> Result<(), Error> {
        self.segments.left(kept.segment);
        self.prepared("insert into leftovers (segment, place, bytes) values (?1, ?2, ?3)")?
            .execute(params![place(kept.segment), place(kept.offset), kept.bytes()])?;
        Ok(())
    }

    fn take_in(&mut self, segments: &Segments, seq: i64, kept: &Kept) -> Result<(), Error> {
        let (head, body) = segments.read(kept)?;
        self.prepared(
            "update events set head = ?2, body = ?3, segment = null, place = null, meta_bytes = null, head_bytes = null,
                 body_bytes = null where seq = ?1",
        )?
        .execute(params![seq, &head[..], &body[..]])?;
        self.leave(kept)
    }
}
