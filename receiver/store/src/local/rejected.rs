//! What is remembered of refused requests.
use std::collections::BTreeSet;

use boathook_event::{ObjectName, Rejected};
use rusqlite::{Connection, Row, params, types::Type};

use crate::{
    Error,
    columns::place,
    limits::{LIST_MAX, REJECTED_KEPT_MAX},
    local::{rows, writer::Work},
};

impl Work<'_> {
    /// Remembers them, and forgets the oldest of their endpoints above the budget.
    pub(super) fn reject(&mut self, rejected: &[Rejected]) -> Result<(), Error> {
        let mut endpoints = BTreeSet::new();
        for rejected in rejected {
            let Rejected { endpoint, received_at, code, status, source, diagnosis } =
                &rejected.clone().bounded();
            let endpoint = self.names.id(self.sql, endpoint)?;
            endpoints.insert(endpoint);
            self.prepared(
                "insert into rejected (endpoint, received, code, status, source, diagnosis) values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                endpoint,
                received_at.as_microsecond(),
                code,
                status,
                source.to_string(),
                diagnosis
            ])?;
        }
        let kept = i64::try_from(REJECTED_KEPT_MAX).unwrap_or(i64::MAX);
        for endpoint in endpoints {
            self.prepared(
                "delete from rejected where endpoint = ?1 and number <=
                 (select number from rejected where endpoint = ?1 order by number desc limit 1 offset ?2)",
            )?
            .execute([endpoint, kept])?;
        }
        Ok(())
    }
}

/// See [`crate::traits::Archive::rejections`].
pub(super) fn list(
    sql: &Connection,
    endpoint: Option<&ObjectName>,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, Rejected)>, Error> {
    let of = match endpoint {
        Some(_) => "endpoint = (select id from names where name = ?3)",
        None => "?3 is null",
    };
    let select = format!(
        "select number, name, received, code, status, source, diagnosis from rejected join names on id = endpoint
         where number < ?1 and {of} order by number desc limit ?2"
    );
    let limit = i64::try_from(limit.min(LIST_MAX)).unwrap_or(i64::MAX);
    let mut statement = sql.prepare_cached(&select)?;
    let rows = statement.query_map(
        params![after.map_or(i64::MAX, place), limit, endpoint.map(ObjectName::as_str)],
        |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), read(row)?)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Rejected> {
    let source = row.get_ref(5)?.as_str()?;
    Ok(Rejected {
        endpoint: ObjectName::from_stored(row.get_ref(1)?.as_str()?),
        received_at: rows::timestamp(row, 2)?,
        code: row.get_ref(3)?.as_str()?.into(),
        status: row.get(4)?,
        source: source.parse().map_err(|_| rows::damaged(5, Type::Text))?,
        diagnosis: row.get_ref(6)?.as_str()?.into(),
    })
}
