//! What is still to be delivered, read page by page.
use std::{fmt, sync::Arc, time::Duration};

use boathook_event::{Delivery, DuePlace, ObjectName, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use crate::{
    Error,
    columns::{self, place},
    limits::FEED_ROWS_MAX,
    local::{
        Shared,
        at_once::{self, AtOnce},
        facts, names,
        rows::{self, EVENT_COLUMNS, EVENT_TABLES, EventRow},
        schema,
        snapshot::Snapshot,
        turns,
    },
    traits::{DueTurns, Fed, Feed, Joined, News, Page, Standing, Turned, TurnedDue, Turns},
};

/// The feed of a [`super::Local`] store.
pub struct LocalFeed {
    connection: Connection,
    shared: Arc<Shared>,
}

impl LocalFeed {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, Error> {
        Ok(Self { connection: schema::open_reader(&shared.file)?, shared: Arc::clone(shared) })
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, Error> {
        self.shared.snapshot(&self.connection)
    }
}

impl Feed for LocalFeed {
    fn join(&mut self, _: Duration) -> Result<Joined, Error> {
        self.shared.writer().claim().map(Joined::Sole)
    }

    fn news(&self, _: u64) -> Result<News, Error> {
        Ok(News { last: self.shared.commits.last_seq(), ..News::default() })
    }

    fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let snapshot = self.snapshot()?;
        let Some(id) = names::stored(&snapshot, sink)? else {
            return Filling::new(&snapshot, sink, page, after).ended();
        };
        let never_tried = |tried: &Tried| tried.due.is_none();
        let (blocking, up_to) = blocking(&snapshot, id, after)?;
        let select = "select seq, attempts, due, key, replay, blocks from pending
                      where sink = ?1 and seq > ?2 and seq <= ?3 order by seq";
        let at = params![id, place(after), place(up_to.unwrap_or(Seq::MAX))];
        let mut fed = Filling::new(&snapshot, sink, page, after).fill(select, at, never_tried)?;
        if let (Some(up_to), false) = (up_to, fed.more) {
            (fed.up_to, fed.more) = (up_to, true);
        }
        fed.blocking = blocking.into_iter().filter(|(seq, _)| *seq <= fed.up_to).collect();
        Ok(fed)
    }

    fn turns(&self, sink: &ObjectName, turns: &Turns, page: Page) -> Result<Turned, Error> {
        turns::read(&self.snapshot()?, sink, turns, page)
    }

    fn due(
        &self,
        sink: &ObjectName,
        until: Timestamp,
        (after, seq): DuePlace,
        page: Page,
    ) -> Result<Fed, Error> {
        let (snapshot, ended) = self.shared.snapshot_of_due(&self.connection, sink)?;
        let select = "select seq, attempts, due, key, replay, blocks from pending indexed by pending_due
                      where sink = ?1 and due <= ?2 and (due, seq) > (?3, ?4) order by due, seq";
        let Some(id) = names::stored(&snapshot, sink)? else {
            return Filling::new(&snapshot, sink, page, 0).ended();
        };
        let at = params![id, until.as_microsecond(), after.as_microsecond(), place(seq)];
        let filling = Filling { ended: &ended, ..Filling::new(&snapshot, sink, page, 0) };
        filling.fill(select, at, |_| true)
    }

    fn due_turns(&self, sink: &ObjectName, turns: &DueTurns, page: Page) -> Result<TurnedDue, Error> {
        turns::read_due(&self.snapshot()?, sink, turns, page)
    }

    fn earliest_due(&self, sink: &ObjectName, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        let (snapshot, ended) = self.shared.snapshot_of_due(&self.connection, sink)?;
        let Some(id) = names::stored(&snapshot, sink)? else { return Ok(None) };
        let select =
            "select seq, due from pending indexed by pending_due where sink = ?1 and due > ?2 order by due";
        let mut statement = snapshot.prepare_cached(select)?;
        let mut rows = statement.query(params![id, after.as_microsecond()])?;
        while let Some(row) = rows.next()? {
            if ended.binary_search(&row.get::<_, i64>(0)?.unsigned_abs()).is_err() {
                return Ok(Some(rows::timestamp(row, 1)?));
            }
        }
        Ok(None)
    }

    fn oldest(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let snapshot = self.snapshot()?;
        let Some(id) = names::stored(&snapshot, sink)? else {
            return Filling::new(&snapshot, sink, page, after).ended();
        };
        let select = "select seq, attempts, due, key, replay, blocks from pending
                      where sink = ?1 and seq > ?2 order by seq";
        Filling::new(&snapshot, sink, page, after).fill(select, params![id, place(after)], |_| true)
    }

    fn blocking(&self, sink: &ObjectName, seqs: &[Seq]) -> Result<Vec<Seq>, Error> {
        let snapshot = self.snapshot()?;
        let Some(id) = names::stored(&snapshot, sink)? else { return Ok(Vec::new()) };
        let mut holds = snapshot.prepare_cached("select 1 from blocking where sink = ?1 and seq = ?2")?;
        let mut blocking = Vec::new();
        for seq in seqs {
            if holds.exists([id, place(*seq)])? {
                blocking.push(*seq);
            }
        }
        Ok(blocking)
    }

    fn backlog(&self) -> Result<Vec<(ObjectName, u64)>, Error> {
        let snapshot = self.snapshot()?;
        let mut statement = snapshot.prepare_cached(
            "select name, sum(pending_bytes) from routes join names on id = sink group by sink",
        )?;
        let rows = statement.query_map([], |row| {
            let bytes = row.get::<_, i64>(1)?.max(0).unsigned_abs();
            Ok((ObjectName::from_stored(row.get_ref(0)?.as_str()?), bytes))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn standing(&self, seq: Seq) -> Result<Option<Standing>, Error> {
        let snapshot = self.snapshot()?;
        let event = snapshot
            .prepare_cached("select facts, sinks, at_once from events where seq = ?1")?
            .query_row([place(seq)], |row| {
                let sinks = columns::sink_numbers(row.get_ref(1)?.as_blob()?);
                Ok((facts::column(row, 0)?.uid, sinks, at_once::column(row, 2)?))
            })
            .optional()?;
        let Some((uid, sinks, at_once)) = event else { return Ok(None) };
        let select = "select name, (select outcome from deliveries where seq = ?1 and sink = ?2) from names where id = ?2";
        let mut state = snapshot.prepare_cached(select)?;
        let mut of = |sink: i64| {
            state.query_row([place(seq), sink], |row| {
                let name = ObjectName::from_stored(row.get_ref(0)?.as_str()?);
                let ended = at_once.iter().find(|ended| ended.sink == sink);
                let state = ended.map_or(columns::state(row.get_ref(1)?.as_str_or_null()?), AtOnce::state);
                Ok((name, state))
            })
        };
        let deliveries = sinks.into_iter().map(&mut of).collect::<Result<_, _>>()?;
        Ok(Some(Standing { uid, deliveries }))
    }

    fn by_key(&self, sink: &ObjectName, key: &str, after: Seq, page: Page) -> Result<Fed, Error> {
        let snapshot = self.snapshot()?;
        let select = "select seq, attempts, due, key, replay, blocks from pending indexed by pending_by_key
                      where sink = ?1 and key = ?2 and seq > ?3 order by seq";
        let Some(id) = names::stored(&snapshot, sink)? else {
            return Filling::new(&snapshot, sink, page, after).ended();
        };
        Filling::new(&snapshot, sink, page, after).fill(select, params![id, key, place(after)], |_| true)
    }
}

impl fmt::Debug for LocalFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalFeed").field(&self.shared.file).finish()
    }
}

/// A row of `pending`.
pub(super) struct Tried {
    pub(super) seq: Seq,
    attempts: u32,
    pub(super) due: Option<Timestamp>,
    /// Where it is ordered.
    pub(super) key: Option<Box<str>>,
    replay: u32,
    blocks: bool,
}

/// A page while it is filled, in one short read transaction: all of it is of one moment.
pub(super) struct Filling<'f> {
    snapshot: &'f Snapshot<'f>,
    sink: &'f ObjectName,
    page: Page,
    /// Places of deliveries that are not pending any more, though their rows say so, in order.
    ended: &'f [Seq],
    bytes: usize,
    fed: Fed,
}

impl<'f> Filling<'f> {
    pub(super) fn new(snapshot: &'f Snapshot<'f>, sink: &'f ObjectName, page: Page, after: Seq) -> Self {
        Self {
            snapshot,
            sink,
            page,
            ended: &[],
            bytes: 0,
            fed: Fed {
                deliveries: Vec::new(),
                tried: Vec::new(),
                blocking: Vec::new(),
                up_to: after,
                more: true,
            },
        }
    }

    /// Takes rows until the page is full, or as many were looked at as one page may cost.
    fn fill(
        mut self,
        select: &str,
        params: impl Params,
        wanted: impl Fn(&Tried) -> bool,
    ) -> Result<Fed, Error> {
        let mut statement = self.snapshot.prepare_cached(select)?;
        let mut rows = statement.query(params)?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let tried = tried(row)?;
            if self.ended.binary_search(&tried.seq).is_ok() {
                continue;
            }
            let full = looked_at == FEED_ROWS_MAX || self.fed.deliveries.len() >= self.page.deliveries_max;
            let (seq, wanted, holds) = (tried.seq, wanted(&tried), tried.attempts > 0);
            if full || (wanted && !self.take(&tried)?) {
                return Ok(self.fed);
            }
            if !wanted && holds {
                self.fed.tried.extend(tried.key.map(|key| (seq, key)));
            }
            looked_at += 1;
            self.fed.up_to = seq;
        }
        self.ended()
    }

    /// Adds the delivery if the page has room for it. Returns whether it has.
    pub(super) fn take_next(&mut self, tried: &Tried) -> Result<bool, Error> {
        let full = self.fed.deliveries.len() >= self.page.deliveries_max.max(1);
        Ok(!full && self.take(tried)?)
    }

    /// What is read.
    pub(super) fn snapshot(&self) -> &'f Snapshot<'f> {
        self.snapshot
    }

    /// What was taken.
    pub(super) fn deliveries(self) -> Vec<Delivery> {
        self.fed.deliveries
    }

    /// There is nothing behind: everything that was stored at this moment was looked at.
    fn ended(mut self) -> Result<Fed, Error> {
        self.fed.up_to = self.fed.up_to.max(schema::meta(self.snapshot, "last_seq")?.unsigned_abs());
        self.fed.more = false;
        Ok(self.fed)
    }

    /// Adds the delivery. Returns false if the page has no room for it.
    fn take(&mut self, tried: &Tried) -> Result<bool, Error> {
        let Tried { seq, attempts, due, ref key, replay, blocks } = *tried;
        let select = format!("select {EVENT_COLUMNS} from {EVENT_TABLES} where e.seq = ?1");
        let EventRow { event, .. } =
            self.snapshot.event(&select, [place(seq)])?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let bytes = self.bytes + event.body.len();
        if bytes > self.page.bytes_max && !self.fed.deliveries.is_empty() {
            return Ok(false);
        }
        self.bytes = bytes;
        let (sink, ordered) = (self.sink.clone(), key.is_some());
        self.fed.deliveries.push(Delivery { seq, sink, event, attempts, due, ordered, blocks, replay });
        Ok(true)
    }
}

pub(super) fn tried(row: &Row<'_>) -> rusqlite::Result<Tried> {
    let due = match row.get_ref(2)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(rows::timestamp(row, 2)?),
    };
    let key = row.get_ref(3)?.as_str_or_null()?.map(Into::into);
    Ok(Tried {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        attempts: row.get(1)?,
        due,
        key,
        replay: row.get(4)?,
        blocks: row.get(5)?,
    })
}

/// A parked delivery and the key that it holds.
type Holding = (Seq, Box<str>);

/// The sink's first parked deliveries behind a place that hold their keys, and up to where that is all of them; `None` = to
/// the end.
fn blocking(sql: &Connection, sink: i64, after: Seq) -> Result<(Vec<Holding>, Option<Seq>), Error> {
    let mut statement = sql
        .prepare_cached("select seq, key from blocking where sink = ?1 and seq > ?2 order by seq limit ?3")?;
    let limit = i64::try_from(FEED_ROWS_MAX).unwrap_or(i64::MAX);
    let rows = statement.query_map([sink, place(after), limit], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
    })?;
    let blocking = rows.collect::<Result<Vec<Holding>, _>>()?;
    let up_to = blocking.last().map(|(seq, _)| *seq).filter(|_| blocking.len() >= FEED_ROWS_MAX);
    Ok((blocking, up_to))
}
