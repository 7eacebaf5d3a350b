//! What is still to be delivered, read page by page.
use std::{fmt, sync::Arc, time::Duration};

use boathook_event::{Delivery, ObjectName, Seq, Uid};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, Transaction, params};

use crate::{
    Error,
    columns::{self, place},
    limits::FEED_ROWS_MAX,
    local::{
        Shared,
        rows::{self, EVENT_COLUMNS, EVENT_TABLES, EventRow},
        schema,
    },
    traits::{Claim, Epoch, Fed, Feed, Page, Standing},
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
}

impl Feed for LocalFeed {
    fn claim(&mut self, _: Duration) -> Result<Claim, Error> {
        self.shared.writer().claim().map(Claim::Sole)
    }

    fn renew(&mut self, epoch: Epoch, _: Duration) -> Result<bool, Error> {
        Ok(self.shared.writer().epoch() == epoch)
    }

    fn release(&mut self, _: Epoch) -> Result<(), Error> {
        Ok(())
    }

    fn last(&self) -> Result<Seq, Error> {
        Ok(schema::meta(&self.connection, "last_seq")?.unsigned_abs())
    }

    fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        let snapshot = self.connection.unchecked_transaction()?;
        let select =
            "select seq, attempts, due, key, replay from pending where sink = ?1 and seq > ?2 order by seq";
        let Some(id) = name(&snapshot, sink)? else {
            return Filling::new(&snapshot, sink, page, after).ended();
        };
        let never_tried = |tried: &Tried| tried.due.is_none();
        Filling::new(&snapshot, sink, page, after).fill(select, params![id, place(after)], never_tried)
    }

    fn due(&self, sink: &ObjectName, until: Timestamp, page: Page) -> Result<Fed, Error> {
        let snapshot = self.connection.unchecked_transaction()?;
        let select = "select seq, attempts, due, key, replay from pending indexed by pending_due
                      where sink = ?1 and due <= ?2 order by due, seq";
        let Some(id) = name(&snapshot, sink)? else { return Filling::new(&snapshot, sink, page, 0).ended() };
        Filling::new(&snapshot, sink, page, 0).fill(select, params![id, until.as_microsecond()], |_| true)
    }

    fn earliest_due(&self, sink: &ObjectName, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        let Some(id) = name(&self.connection, sink)? else { return Ok(None) };
        let select = "select due from pending where sink = ?1 and due > ?2 order by due limit 1";
        Ok(self
            .connection
            .prepare_cached(select)?
            .query_row([id, after.as_microsecond()], |row| rows::timestamp(row, 0))
            .optional()?)
    }

    fn standing(&self, seq: Seq) -> Result<Option<Standing>, Error> {
        let snapshot = self.connection.unchecked_transaction()?;
        let event = snapshot
            .prepare_cached("select uid, sinks from events where seq = ?1")?
            .query_row([place(seq)], |row| {
                Ok((Uid::from_bytes(row.get(0)?), columns::sink_numbers(row.get_ref(1)?.as_blob()?)))
            })
            .optional()?;
        let Some((uid, sinks)) = event else { return Ok(None) };
        let select = "select name, (select outcome from deliveries where seq = ?1 and sink = ?2) from names where id = ?2";
        let mut state = snapshot.prepare_cached(select)?;
        let mut of = |sink: i64| {
            state.query_row([place(seq), sink], |row| {
                let name = ObjectName::from_stored(row.get_ref(0)?.as_str()?);
                Ok((name, columns::state(row.get_ref(1)?.as_str_or_null()?)))
            })
        };
        let deliveries = sinks.into_iter().map(&mut of).collect::<Result<_, _>>()?;
        Ok(Some(Standing { uid, deliveries }))
    }

    fn by_key(&self, sink: &ObjectName, key: &str, after: Seq, page: Page) -> Result<Fed, Error> {
        let snapshot = self.connection.unchecked_transaction()?;
        let select = "select seq, attempts, due, key, replay from pending indexed by pending_by_key
                      where sink = ?1 and key = ?2 and seq > ?3 order by seq";
        let Some(id) = name(&snapshot, sink)? else {
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
struct Tried {
    seq: Seq,
    attempts: u32,
    due: Option<Timestamp>,
    /// Where it is ordered.
    key: Option<Box<str>>,
    replay: u32,
}

/// A page while it is filled, in one short read transaction: all of it is of one moment.
struct Filling<'f> {
    snapshot: &'f Transaction<'f>,
    sink: &'f ObjectName,
    page: Page,
    bytes: usize,
    fed: Fed,
}

impl<'f> Filling<'f> {
    fn new(snapshot: &'f Transaction<'f>, sink: &'f ObjectName, page: Page, after: Seq) -> Self {
        Self {
            snapshot,
            sink,
            page,
            bytes: 0,
            fed: Fed { deliveries: Vec::new(), tried: Vec::new(), up_to: after, more: true },
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

    /// There is nothing behind: everything that was stored at this moment was looked at.
    fn ended(mut self) -> Result<Fed, Error> {
        self.fed.up_to = self.fed.up_to.max(schema::meta(self.snapshot, "last_seq")?.unsigned_abs());
        self.fed.more = false;
        Ok(self.fed)
    }

    /// Adds the delivery. Returns false if the page has no room for it.
    fn take(&mut self, tried: &Tried) -> Result<bool, Error> {
        let Tried { seq, attempts, due, ref key, replay } = *tried;
        let select = format!("select {EVENT_COLUMNS} from {EVENT_TABLES} where e.seq = ?1");
        let EventRow { event, .. } =
            self.snapshot.prepare_cached(&select)?.query_row([place(seq)], rows::event)?;
        let bytes = self.bytes + event.body.len();
        if bytes > self.page.bytes_max && !self.fed.deliveries.is_empty() {
            return Ok(false);
        }
        self.bytes = bytes;
        let (sink, ordered) = (self.sink.clone(), key.is_some());
        self.fed.deliveries.push(Delivery { seq, sink, event, attempts, due, ordered, replay });
        Ok(true)
    }
}

fn tried(row: &Row<'_>) -> rusqlite::Result<Tried> {
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
    })
}

fn name(sql: &Connection, name: &ObjectName) -> Result<Option<i64>, Error> {
    let mut statement = sql.prepare_cached("select id from names where name = ?1")?;
    Ok(statement.query_row([name.as_str()], |row| row.get(0)).optional()?)
}
