//! Rows as values: what an event and a failure look like in their tables.
use std::{borrow::Cow, sync::Arc, time::Duration};

use boathook_event::{Attempt, Event, EventParts, Failure, ObjectName, Partition, Seq, Uid};
use bytes::Bytes;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Error,
    columns::{decode_sinks, kind},
    head,
    postgres::{fault::Fault, text},
};

/// The columns that [`event`] reads, from `events e` joined with `names n` of its endpoint.
pub(super) const EVENT_COLUMNS: &str = "e.seq, e.uid, n.name, e.received, e.idx, e.id, e.type, e.key, e.tenant, e.entity, e.sinks, e.head, e.body";
/// The tables of [`EVENT_COLUMNS`].
pub(super) const EVENT_TABLES: &str = "events e join names n on n.id = e.endpoint";

/// A stored event with its place and its sinks' numbers.
pub(super) struct EventRow {
    pub(super) seq: Seq,
    pub(super) sinks: Vec<i32>,
    pub(super) event: Arc<Event>,
}

/// Reads [`EVENT_COLUMNS`].
pub(super) fn event(row: &Row) -> Result<EventRow, Fault> {
    let text = |column: usize| -> Result<Option<Box<str>>, Fault> {
        Ok(row.try_get::<_, Option<&str>>(column)?.map(text::decode))
    };
    let parts = EventParts {
        uid: Uid::from_bytes(*row.try_get::<_, Uuid>(1)?.as_bytes()),
        endpoint: ObjectName::from_stored(row.try_get(2)?),
        received_at: timestamp(row.try_get(3)?)?,
        index: row.try_get::<_, i32>(4)?.unsigned_abs(),
        id: text(5)?,
        event_type: text(6)?,
        key: text(7)?,
        tenant: text(8)?,
        entity: text(9)?,
        head: Arc::new(head::decode(row.try_get(11)?).ok_or_else(damaged)?),
        body: Bytes::copy_from_slice(row.try_get(12)?),
    };
    Ok(EventRow {
        seq: row.try_get::<_, i64>(0)?.unsigned_abs(),
        sinks: sinks(row.try_get(10)?),
        event: Arc::new(Event::restore(parts)),
    })
}

/// The numbers of an event's sinks, in their order.
pub(super) fn sinks(bytes: &[u8]) -> Vec<i32> {
    let sinks = decode_sinks(bytes).into_iter().map(|(sink, _)| i32::try_from(sink).unwrap_or(i32::MAX));
    sinks.collect()
}

/// Reads `number, started, millis, kind, permanent, status, retry_after_millis, message`, the first of them at `first`.
pub(super) fn failure(row: &Row, first: usize) -> Result<Attempt, Fault> {
    let pause = row.try_get::<_, Option<i64>>(first + 6)?;
    Ok(Attempt {
        number: row.try_get::<_, i32>(first)?.unsigned_abs(),
        started_at: timestamp(row.try_get(first + 1)?)?,
        duration_millis: u32::try_from(row.try_get::<_, i64>(first + 2)?).unwrap_or(u32::MAX),
        result: Err(Failure {
            kind: kind(row.try_get(first + 3)?).ok_or_else(damaged)?,
            permanent: row.try_get(first + 4)?,
            status: row.try_get::<_, Option<i32>>(first + 5)?.and_then(|status| u16::try_from(status).ok()),
            retry_after: pause.map(|millis| Duration::from_millis(millis.unsigned_abs())),
            message: Cow::Owned(text::decode(row.try_get(first + 7)?).into()),
        }),
    })
}

/// A partition as a column holds it.
pub(super) fn part(partition: Partition) -> i32 {
    i32::from(partition.number())
}

/// The partition of a column.
pub(super) fn partition(part: i32) -> Result<Partition, Fault> {
    u8::try_from(part).ok().and_then(Partition::numbered).ok_or_else(damaged)
}

/// A column of microseconds.
pub(super) fn timestamp(microseconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_microsecond(microseconds).map_err(|_| damaged())
}

/// A column does not hold what it should.
fn damaged() -> Fault {
    Error::Rejected("a row of the store is damaged".into()).into()
}
