//! Reading the database as it is at one moment, and with it the bytes that the journal keeps.
use std::{ops::Deref, sync::RwLockReadGuard};

use boathook_event::{ObjectName, Seq};
use rusqlite::{Connection, Params, Transaction};

use crate::{
    Error,
    local::{
        Shared,
        journal::Segments,
        rows::{self, EventRow},
        schema,
    },
};

/// A read transaction. Everything that was committed before it began is in it, and no bytes that its rows name go away.
pub(super) struct Snapshot<'r> {
    sql: Transaction<'r>,
    segments: &'r Segments,
    _used: RwLockReadGuard<'r, ()>,
}

impl Shared {
    /// Begins one on this connection, which has none.
    pub(super) fn snapshot<'r>(&'r self, connection: &'r Connection) -> Result<Snapshot<'r>, Error> {
        self.writer().settle()?;
        let used = self.segments.using();
        Ok(Snapshot { sql: connection.unchecked_transaction()?, segments: &self.segments, _used: used })
    }

    /// The same for what is due at this sink. These deliveries have ended, and are pending in it.
    pub(super) fn snapshot_of_due<'r>(
        &'r self,
        connection: &'r Connection,
        sink: &ObjectName,
    ) -> Result<(Snapshot<'r>, Vec<Seq>), Error> {
        let mut writer = self.writer();
        let ended = writer.only_ended(sink)?;
        let used = self.segments.using();
        let sql = connection.unchecked_transaction()?;
        // It begins with the first read, and has to before the writer goes on.
        schema::meta(&sql, "epoch")?;
        Ok((Snapshot { sql, segments: &self.segments, _used: used }, ended))
    }
}

impl Snapshot<'_> {
    /// The events that this statement selects ([`rows::EVENT_COLUMNS`]).
    pub(super) fn events(&self, select: &str, params: impl Params) -> Result<Vec<EventRow>, Error> {
        let mut statement = self.sql.prepare_cached(select)?;
        let events = statement.query_and_then(params, |row| rows::event(row, self.segments))?;
        events.collect()
    }

    /// The one that it selects, if there is one.
    pub(super) fn event(&self, select: &str, params: impl Params) -> Result<Option<EventRow>, Error> {
        Ok(self.events(select, params)?.pop())
    }
}

impl Deref for Snapshot<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.sql
    }
}
