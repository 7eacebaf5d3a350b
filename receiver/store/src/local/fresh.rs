//! Rows on their way into the tables: table by table, each with one statement, and what waits for a delivery that has ended
//! meanwhile not at all.
use std::collections::BTreeMap;

use boathook_event::Seq;
use rusqlite::{Connection, params};

use crate::{
    Error,
    columns::place,
    local::{
        insert::insert_all,
        journal::{Kept, Stored},
    },
};

/// Rows of the journal's frames that were not written yet.
#[derive(Debug, Default)]
pub(super) struct Fresh<'f> {
    pub(super) events: Vec<FreshEvent<'f>>,
    /// Deliveries that nobody has tried, by sink and place.
    pub(super) pending: BTreeMap<(i64, Seq), Waiting<'f>>,
    /// Deliveries that have ended.
    pub(super) ended: Vec<Ended>,
}

/// A row of `events`.
#[derive(Debug)]
pub(super) struct FreshEvent<'f> {
    pub(super) stored: &'f Stored,
    pub(super) endpoint: i64,
    /// As [`crate::columns::encode_sinks`] gives them.
    pub(super) sinks: Vec<u8>,
}

/// The rest of a row of `pending`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting<'f> {
    /// Where it is ordered.
    pub(super) key: Option<&'f str>,
    pub(super) bytes: i64,
    pub(super) blocks: bool,
}

/// A row of `deliveries`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) seq: Seq,
    pub(super) sink: i64,
    pub(super) replay: u32,
    pub(super) outcome: &'static str,
    pub(super) attempts: u32,
    /// In microseconds.
    pub(super) completed: i64,
}

impl Fresh<'_> {
    /// Writes all of them. One that cannot be written ends the transaction: so SQLite need not be able to take back a statement's
    /// other rows.
    pub(super) fn write(&mut self, sql: &Connection) -> Result<(), Error> {
        self.write_events(sql)?;
        let pending = std::mem::take(&mut self.pending).into_iter().collect::<Vec<_>>();
        insert_all(sql, INTO_PENDING, "(?, ?, 0, ?, ?, ?)", &pending, |row, ((sink, seq), waiting)| {
            let Waiting { key, bytes, blocks } = waiting;
            row.bind([sink, &place(*seq), key, bytes, blocks])
        })?;
        // By place, as the table is.
        self.ended.sort_unstable_by_key(|ended| (ended.seq, ended.sink));
        let into = "insert or rollback into deliveries (seq, sink, replay, outcome, attempts, completed)";
        insert_all(sql, into, "(?, ?, ?, ?, ?, ?)", &self.ended, |row, ended| {
            let Ended { seq, sink, replay, outcome, attempts, completed } = ended;
            row.bind([&place(*seq), sink, replay, outcome, attempts, completed])
        })?;
        self.ended.clear();
        Ok(())
    }

    /// Writes this delivery, if it is one of them.
    pub(super) fn write_pending(&mut self, sql: &Connection, sink: i64, seq: Seq) -> Result<(), Error> {
        if let Some(Waiting { key, bytes, blocks }) = self.pending.remove(&(sink, seq)) {
            sql.prepare_cached(&format!("{INTO_PENDING} values (?1, ?2, 0, ?3, ?4, ?5)"))?
                .execute(params![sink, place(seq), key, bytes, blocks])?;
        }
        Ok(())
    }

    fn write_events(&mut self, sql: &Connection) -> Result<(), Error> {
        let into = "insert or rollback into events (seq, uid, endpoint, received, idx, id, type, key, tenant, entity, sinks, head, body,
                                        segment, place, meta_bytes, head_bytes, body_bytes)";
        let values = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, x'', x'', ?, ?, ?, ?, ?)";
        insert_all(sql, into, values, &self.events, |row, FreshEvent { stored, endpoint, sinks }| {
            let Stored { seq, append, kept, .. } = stored;
            let (event, Kept { segment, offset, meta_bytes, head_bytes, body_bytes }) = (&append.event, kept);
            row.bind([&place(*seq), event.uid.as_bytes(), endpoint, &event.received_at.as_microsecond()])?;
            row.bind([&event.index, &event.id, &event.event_type, &event.key, &event.tenant, &event.entity])?;
            row.bind([sinks, &place(*segment), &place(*offset), meta_bytes, head_bytes, body_bytes])
        })?;
        self.events.clear();
        Ok(())
    }
}

const INTO_PENDING: &str = "insert or rollback into pending (sink, seq, attempts, key, bytes, blocks)";
