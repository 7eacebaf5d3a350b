//! Since when deliveries wait, endpoint by endpoint, at a cost that the backlog does not change.
use std::collections::HashSet;

use boathook_event::ObjectName;
use jiff::Timestamp;
use rusqlite::{Connection, Row};

use crate::{
    Error,
    limits::OLDEST_LOOKED_AT,
    local::rows,
    oldest::{Backlog, Waiting, oldest},
};

/// See [`crate::traits::Archive::oldest_pending`].
pub(super) fn pending(sql: &Connection) -> Result<Vec<(ObjectName, Timestamp)>, Error> {
    let backlogs = backlogs(sql)?;
    let mut waiting = Vec::new();
    for sink in backlogs.iter().map(|backlog| backlog.sink).collect::<HashSet<_>>() {
        waiting.append(&mut waiting_for(sql, sink)?);
    }
    let mut name = sql.prepare_cached("select name from names where id = ?1")?;
    let mut named = |(endpoint, since): (i64, Timestamp)| {
        let name =
            name.query_row([endpoint], |row| Ok(ObjectName::from_stored(row.get_ref(0)?.as_str()?)))?;
        Ok((name, since))
    };
    oldest(&backlogs, &waiting).into_iter().map(&mut named).collect()
}

fn backlogs(sql: &Connection) -> Result<Vec<Backlog<i64>>, Error> {
    let mut statement = sql.prepare_cached("select sink, endpoint from routes where pending > 0")?;
    let backlog = |row: &Row<'_>| Ok(Backlog { sink: row.get(0)?, endpoint: row.get(1)? });
    Ok(statement.query_map([], backlog)?.collect::<Result<_, _>>()?)
}

/// The sink's oldest deliveries, by sequence.
fn waiting_for(sql: &Connection, sink: i64) -> Result<Vec<Waiting<i64>>, Error> {
    let select = "select e.endpoint, e.received from pending p join events e on e.seq = p.seq
                  where p.sink = ?1 order by p.seq limit ?2";
    let mut statement = sql.prepare_cached(select)?;
    let limit = i64::try_from(OLDEST_LOOKED_AT).unwrap_or(i64::MAX);
    let waiting =
        |row: &Row<'_>| Ok(Waiting { sink, endpoint: row.get(0)?, since: rows::timestamp(row, 1)? });
    Ok(statement.query_map([sink, limit], waiting)?.collect::<Result<_, _>>()?)
}
