//! Names of endpoints and sinks as the numbers that rows carry.
use std::collections::HashMap;

use boathook_event::ObjectName;
use rusqlite::{Connection, OptionalExtension as _};

use crate::Error;

/// Every name of the database and its number, in memory: there are as many as objects were ever configured.
#[derive(Debug)]
pub(super) struct Names {
    ids: HashMap<ObjectName, i64>,
    /// Added by the transaction that runs, hence forgotten if it fails.
    fresh: Vec<ObjectName>,
}

/// The number of a name, for who reads; `None` if it was never given one.
pub(super) fn stored(sql: &Connection, name: &ObjectName) -> Result<Option<i64>, Error> {
    let mut statement = sql.prepare_cached("select id from names where name = ?1")?;
    Ok(statement.query_row([name.as_str()], |row| row.get(0)).optional()?)
}

impl Names {
    pub(super) fn load(sql: &Connection) -> Result<Self, Error> {
        let mut statement = sql.prepare("select name, id from names")?;
        let rows = statement
            .query_map([], |row| Ok((ObjectName::from_stored(row.get_ref(0)?.as_str()?), row.get(1)?)))?;
        Ok(Self { ids: rows.collect::<Result<_, _>>()?, fresh: Vec::new() })
    }

    /// The name's number, given now if it has none.
    pub(super) fn id(&mut self, sql: &Connection, name: &ObjectName) -> Result<i64, Error> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        sql.execute("insert into names (name) values (?1)", [name.as_str()])?;
        let id = sql.last_insert_rowid();
        self.ids.insert(name.clone(), id);
        self.fresh.push(name.clone());
        Ok(id)
    }

    /// The name's number, if it was ever given one.
    pub(super) fn known(&self, name: &ObjectName) -> Option<i64> {
        self.ids.get(name).copied()
    }

    /// To be called when the transaction has ended.
    pub(super) fn settle(&mut self, committed: bool) {
        for name in self.fresh.drain(..) {
            if !committed {
                self.ids.remove(&name);
            }
        }
    }
}
