//! Rows as values: what an event, a delivery and a failure look like in their tables.
use std::{borrow::Cow, sync::Arc, time::Duration};

use boathook_event::{Attempt, Event, EventParts, Failure, ObjectName, Seq};
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Row, types::Type};

use crate::{
    Error,
    columns::{kind, sink_numbers},
    head,
    local::{
        at_once::{self, AtOnce},
        facts::{self, Facts},
        journal::{Kept, Segments},
    },
};

/// The columns that [`event`] reads, from `events e` joined with `names n` of its endpoint.
pub(super) const EVENT_COLUMNS: &str =
    "e.seq, n.name, e.received, e.facts, e.sinks, e.at_once, e.head, e.body, e.segment, e.place, e.meta_bytes, e.head_bytes,
     e.body_bytes";
/// The tables of [`EVENT_COLUMNS`].
pub(super) const EVENT_TABLES: &str = "events e join names n on n.id = e.endpoint";
/// The columns that [`kept`] reads.
pub(super) const KEPT_COLUMNS: &str = "segment, place, meta_bytes, head_bytes, body_bytes";
/// The columns that [`failure`] reads.
pub(super) const FAILURE_COLUMNS: &str =
    "number, started, millis, kind, permanent, status, retry_after_millis, message";

/// A stored event with its place, its sinks' numbers, and what ended well at once.
pub(super) struct EventRow {
    pub(super) seq: Seq,
    pub(super) sinks: Vec<i64>,
    pub(super) at_once: Vec<AtOnce>,
    pub(super) event: Arc<Event>,
}

/// Reads [`EVENT_COLUMNS`], and head and body from the journal where it keeps them.
pub(super) fn event(row: &Row<'_>, segments: &Segments) -> Result<EventRow, Error> {
    let blob = |column: usize| -> Result<&[u8], Error> {
        Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
    };
    let (head, body) = match kept(row, 8)? {
        Some(kept) => segments.read(&kept)?,
        None => (Bytes::copy_from_slice(blob(6)?), Bytes::copy_from_slice(blob(7)?)),
    };
    let Facts { uid, index, id, event_type, key, tenant, entity } = facts::column(row, 3)?;
    let parts = EventParts {
        uid,
        endpoint: ObjectName::from_stored(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?),
        received_at: timestamp(row, 2)?,
        index,
        id,
        event_type,
        key,
        tenant,
        entity,
        head: Arc::new(head::decode(&head).ok_or_else(|| damaged(6, Type::Blob))?),
        body,
    };
    Ok(EventRow {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        sinks: sink_numbers(blob(4)?),
        at_once: at_once::column(row, 5)?,
        event: Arc::new(Event::restore(parts)),
    })
}

/// Reads [`KEPT_COLUMNS`] from this column on; `None` where the row itself has the bytes.
pub(super) fn kept(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Kept>> {
    let Some(segment) = row.get::<_, Option<i64>>(first)? else { return Ok(None) };
    Ok(Some(Kept {
        segment: segment.unsigned_abs(),
        offset: row.get::<_, i64>(first + 1)?.unsigned_abs(),
        meta_bytes: row.get(first + 2)?,
        head_bytes: row.get(first + 3)?,
        body_bytes: row.get(first + 4)?,
    }))
}

/// Reads [`FAILURE_COLUMNS`].
pub(super) fn failure(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let kind = kind(row.get_ref(3)?.as_str()?).ok_or_else(|| damaged(3, Type::Text))?;
    Ok(Attempt {
        number: row.get(0)?,
        started_at: timestamp(row, 1)?,
        duration_millis: row.get(2)?,
        result: Err(Failure {
            kind,
            permanent: row.get(4)?,
            status: row.get(5)?,
            retry_after: row
                .get::<_, Option<i64>>(6)?
                .map(|millis| Duration::from_millis(millis.unsigned_abs())),
            message: Cow::Owned(row.get(7)?),
        }),
    })
}

/// A column of microseconds.
pub(super) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|_| damaged(column, Type::Integer))
}

/// A column that does not hold what it should.
pub(super) fn damaged(column: usize, kind: Type) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, "the row is damaged".into())
}
