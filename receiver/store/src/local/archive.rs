//! Answering questions about what was stored.
use std::{fmt, sync::Arc};

use boathook_event::{Attempt, EndpointTotals, ObjectName, Rejected, Seq, SinkTotals, Uid, Word};
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::{
    Error,
    columns::{self, place},
    limits::{DEDUPE_BYTES_MAX, LIST_MAX},
    local::{
        Shared,
        at_once::AtOnce,
        dedupe, names, oldest, question, rejected, removal,
        rows::{self, EVENT_COLUMNS, EVENT_TABLES, EventRow, FAILURE_COLUMNS},
        schema, series,
        snapshot::Snapshot,
        spans,
        writer::Sync,
    },
    traits::{
        Archive, Archived, ArchivedDelivery, DeliveryState, Erased, Found, Question, Replay, Replayed,
        Retentions, Series, Span, Statistics,
    },
};

/// The archive of a [`super::Local`] store.
pub struct LocalArchive {
    connection: Connection,
    shared: Arc<Shared>,
    key_bytes_max: u64,
}

impl LocalArchive {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, Error> {
        let connection = schema::open_reader(&shared.file)?;
        Ok(Self { connection, shared: Arc::clone(shared), key_bytes_max: DEDUPE_BYTES_MAX })
    }

    /// The same, whose [`Archive::retain`] leaves keys so many bytes of memory: the oldest ones are forgotten before their windows
    /// are over where they take more.
    pub fn remembering(self, key_bytes_max: u64) -> Self {
        Self { key_bytes_max, ..self }
    }

    fn snapshot(&self) -> Result<Snapshot<'_>, Error> {
        self.shared.snapshot(&self.connection)
    }
}

impl Archive for LocalArchive {
    fn list(&self, endpoint: Option<&ObjectName>, after: Seq, limit: usize) -> Result<Vec<Archived>, Error> {
        let snapshot = self.snapshot()?;
        let limit = i64::try_from(limit.min(LIST_MAX)).unwrap_or(i64::MAX);
        let events = match endpoint {
            Some(endpoint) => {
                let Some(id) = names::stored(&snapshot, endpoint)? else { return Ok(Vec::new()) };
                let select = format!(
                    "select {EVENT_COLUMNS} from {} join names n on n.id = e.endpoint
                     where s.endpoint = ?3 and s.span >= ?4 and e.seq > ?1 order by s.span, e.seq limit ?2",
                    spans::of_endpoint()
                );
                snapshot.events(&select, [place(after), limit, id, spans::span(after)])?
            }
            None => {
                let select = format!(
                    "select {EVENT_COLUMNS} from {EVENT_TABLES} where e.seq > ?1 order by e.seq limit ?2"
                );
                snapshot.events(&select, [place(after), limit])?
            }
        };
        events.into_iter().map(|event| archived(&snapshot, event)).collect()
    }

    fn show(&self, uid: &Uid) -> Result<Option<Archived>, Error> {
        let snapshot = self.snapshot()?;
        let Some(seq) = spans::find(&snapshot, uid)? else { return Ok(None) };
        let select = format!("select {EVENT_COLUMNS} from {EVENT_TABLES} where e.seq = ?1");
        let event = snapshot.event(&select, [place(seq)])?;
        event.map(|event| archived(&snapshot, event)).transpose()
    }

    fn place(&self, uid: &Uid) -> Result<Option<Seq>, Error> {
        spans::find(&*self.snapshot()?, uid)
    }

    fn find(&self, question: &Question, after: Option<Seq>, limit: usize) -> Result<Found, Error> {
        let snapshot = self.snapshot()?;
        question::find(&snapshot, question, after, limit)
    }

    fn rejections(
        &self,
        endpoint: Option<&ObjectName>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Rejected)>, Error> {
        rejected::list(&*self.snapshot()?, endpoint, after, limit)
    }

    fn statistics(&self) -> Result<Statistics, Error> {
        let snapshot = self.snapshot()?;
        Ok(Statistics {
            endpoints: endpoint_totals(&snapshot)?,
            sinks: sink_totals(&snapshot)?,
            events: schema::meta(&snapshot, "events")?.unsigned_abs(),
            last_seq: schema::meta(&snapshot, "last_seq")?.unsigned_abs(),
        })
    }

    fn series(&self, span: &Span) -> Result<Series, Error> {
        let snapshot = self.snapshot()?;
        series::read(&snapshot, span)
    }

    fn oldest_pending(&self) -> Result<Vec<(ObjectName, Timestamp)>, Error> {
        let snapshot = self.snapshot()?;
        oldest::pending(&snapshot)
    }

    fn retain(&mut self, retentions: &Retentions, now: Timestamp) -> Result<u64, Error> {
        removal::retain(&self.connection, &self.shared, retentions, self.key_bytes_max, now)
    }

    fn keys_since(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        dedupe::known_since(&*self.snapshot()?, now)
    }

    fn replay(&mut self, events: &[Seq], replay: &Replay) -> Result<Replayed, Error> {
        let replayed =
            self.shared.writer().transaction_on(events, Sync::Later, |work| work.replay(events, replay))?;
        // Others need not wait for this sync.
        schema::sync_wal(&self.shared.file)?;
        Ok(replayed)
    }

    fn erase(&mut self, events: &[Seq]) -> Result<Erased, Error> {
        self.shared.erase(events)
    }
}

impl fmt::Debug for LocalArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalArchive").field(&self.shared.file).finish()
    }
}

fn archived(sql: &Connection, row: EventRow) -> Result<Archived, Error> {
    let EventRow { seq, sinks, at_once, event } = row;
    Ok(Archived { seq, event, deliveries: deliveries(sql, seq, &sinks, &at_once)? })
}

/// The event's deliveries to these sinks, those that are complete before the one that is pending.
pub(super) fn deliveries(
    sql: &Connection,
    seq: Seq,
    sinks: &[i64],
    at_once: &[AtOnce],
) -> Result<Vec<ArchivedDelivery>, Error> {
    let select = "
        select name, outcome, attempts, null, completed, replay
        from deliveries join names on id = sink where seq = ?1 and sink = ?2
        union all
        select name, null, attempts, due, null, replay
        from pending join names on id = sink where sink = ?2 and seq = ?1
        order by 6";
    let mut statement = sql.prepare_cached(select)?;
    let mut deliveries = Vec::with_capacity(sinks.len());
    for sink in sinks {
        if let Some(ended) = at_once.iter().find(|ended| ended.sink == *sink) {
            deliveries.push(ended_at_once(sql, ended)?);
        }
        let found = statement.query_map([place(seq), *sink], delivery)?;
        for delivery in found {
            let mut delivery = delivery?;
            delivery.failures = failures(sql, seq, *sink, delivery.replay)?;
            deliveries.push(delivery);
        }
    }
    Ok(deliveries)
}

fn ended_at_once(sql: &Connection, ended: &AtOnce) -> Result<ArchivedDelivery, Error> {
    let mut name = sql.prepare_cached("select name from names where id = ?1")?;
    Ok(ArchivedDelivery {
        sink: name.query_row([ended.sink], |row| Ok(ObjectName::from_stored(row.get_ref(0)?.as_str()?)))?,
        replay: 0,
        state: ended.state(),
        parked_for: None,
        attempts: ended.attempts,
        due: None,
        completed_at: ended.completed_at(),
        failures: Vec::new(),
    })
}

/// Where a delivery stands: it is pending, or it is complete.
fn delivery(row: &Row<'_>) -> rusqlite::Result<ArchivedDelivery> {
    let time = |column| row.get::<_, Option<i64>>(column)?.map(|_| rows::timestamp(row, column)).transpose();
    let outcome = row.get_ref(1)?.as_str_or_null()?;
    let state = columns::state(outcome);
    Ok(ArchivedDelivery {
        sink: ObjectName::from_stored(row.get_ref(0)?.as_str()?),
        replay: row.get(5)?,
        state,
        parked_for: outcome.filter(|_| state == DeliveryState::Parked).map(Into::into),
        attempts: row.get(2)?,
        due: time(3)?,
        completed_at: time(4)?,
        failures: Vec::new(),
    })
}

fn failures(sql: &Connection, seq: Seq, sink: i64, replay: u32) -> Result<Vec<Attempt>, Error> {
    let select = format!(
        "select {FAILURE_COLUMNS} from failures where seq = ?1 and sink = ?2 and replay = ?3 order by number"
    );
    let mut statement = sql.prepare_cached(&select)?;
    Ok(statement.query_map(params![place(seq), sink, replay], rows::failure)?.collect::<Result<_, _>>()?)
}

fn endpoint_totals(sql: &Connection) -> Result<Vec<EndpointTotals>, Error> {
    let mut statement =
        sql.prepare_cached("select name, word, number from words join names on id = endpoint order by name")?;
    let mut rows = statement.query([])?;
    let mut totals: Vec<EndpointTotals> = Vec::new();
    let mut deliveries = sql.prepare_cached(
        "select sum(delivered), sum(parked), sum(pending), sum(erased), sum(skipped) from routes
         where endpoint = (select id from names where name = ?1)",
    )?;
    let mut of = |name: &str| {
        deliveries.query_row([name], |row| {
            Ok([number(row, 0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?, number(row, 4)?])
        })
    };
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if totals.last().is_none_or(|last| last.endpoint.as_str() != name) {
            let [delivered, parked, pending, erased, skipped] = of(name)?;
            totals.push(EndpointTotals {
                endpoint: ObjectName::from_stored(name),
                words: [0; Word::ALL.len()],
                delivered,
                parked,
                skipped,
                pending,
                erased,
            });
        }
        let word = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let number = row.get::<_, i64>(2)?.unsigned_abs();
        let words = totals.last_mut().into_iter().flat_map(|last| Word::ALL.iter().zip(&mut last.words));
        words.filter(|(known, _)| known.as_str() == word).for_each(|(_, total)| *total = number);
    }
    Ok(totals)
}

fn sink_totals(sql: &Connection) -> Result<Vec<SinkTotals>, Error> {
    let mut statement = sql.prepare_cached(
        "select name, sum(delivered), sum(parked), sum(pending), sum(failed_attempts), sum(erased), sum(skipped),
             sum(pending_bytes)
         from routes join names on id = sink group by sink order by name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(SinkTotals {
            sink: ObjectName::from_stored(row.get_ref(0)?.as_str()?),
            delivered: number(row, 1)?,
            parked: number(row, 2)?,
            skipped: number(row, 6)?,
            pending: number(row, 3)?,
            pending_bytes: number(row, 7)?,
            failed_attempts: number(row, 4)?,
            erased: number(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A total; none of nothing is 0.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, Option<i64>>(column)?.unwrap_or(0).max(0).unsigned_abs())
}
