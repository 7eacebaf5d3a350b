//! What is said of an event and nothing is looked for by, in one column: each column more costs as much as all of it.
use boathook_event::{Event, Uid};
use rusqlite::{Connection, Row, functions::FunctionFlags, types::Type};

use crate::{
    Error,
    local::rows::damaged,
    wire::{In, put_maybe},
};

/// What `events.facts` holds; the uid comes first, so that it can be compared there.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) uid: Uid,
    pub(super) index: u32,
    pub(super) id: Option<Box<str>>,
    pub(super) event_type: Option<Box<str>>,
    pub(super) key: Option<Box<str>>,
    pub(super) tenant: Option<Box<str>>,
    pub(super) entity: Option<Box<str>>,
}

/// Adds those of the event to `out`.
pub(super) fn put(out: &mut Vec<u8>, event: &Event) {
    let texts = [&event.id, &event.event_type, &event.key, &event.tenant, &event.entity];
    encode(out, event.uid.as_bytes(), event.index, texts.map(Option::as_deref));
}

fn encode(out: &mut Vec<u8>, uid: &[u8; 16], index: u32, texts: [Option<&str>; 5]) {
    out.extend_from_slice(uid);
    out.extend_from_slice(&index.to_le_bytes());
    texts.into_iter().for_each(|text| put_maybe(out, text));
}

/// Reads a column that [`put`] wrote.
pub(super) fn column(row: &Row<'_>, column: usize) -> rusqlite::Result<Facts> {
    decode(In(row.get_ref(column)?.as_blob()?)).ok_or_else(|| damaged(column, Type::Blob))
}

fn decode(mut rest: In<'_>) -> Option<Facts> {
    Some(Facts {
        uid: Uid::from_bytes(rest.array()?),
        index: rest.u32()?,
        id: rest.maybe()?,
        event_type: rest.maybe()?,
        key: rest.maybe()?,
        tenant: rest.maybe()?,
        entity: rest.maybe()?,
    })
}

/// Lets statements say `facts(uid, index, id, type, key, tenant, entity)`: a schema that has columns for them is brought up so.
pub(super) fn as_function(sql: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    sql.create_scalar_function("facts", 7, flags, |columns| {
        let texts: [Option<Box<str>>; 5] =
            [columns.get(2)?, columns.get(3)?, columns.get(4)?, columns.get(5)?, columns.get(6)?];
        let mut facts = Vec::new();
        encode(&mut facts, &columns.get(0)?, columns.get(1)?, texts.each_ref().map(Option::as_deref));
        Ok(facts)
    })?;
    Ok(())
}
