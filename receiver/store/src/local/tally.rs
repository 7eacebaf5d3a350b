//! Adding what one transaction has counted to the stored totals.
use rusqlite::{Connection, params};

use crate::{
    Error,
    tally::{RouteDelta, Tally},
};

impl Tally<i64> {
    /// Adds all to the stored totals, and to those of its hours.
    pub(super) fn write(self, sql: &Connection) -> Result<(), Error> {
        let Self { words, hours, hour: _, routes, events } = self;
        for ((endpoint, word), number) in words {
            sql.prepare_cached(
                "insert into words (endpoint, word, number) values (?1, ?2, ?3)
                 on conflict do update set number = number + excluded.number",
            )?
            .execute(params![endpoint, word.as_str(), number])?;
        }
        for ((endpoint, sink), delta) in routes {
            let RouteDelta { delivered, parked, skipped, pending, pending_bytes, failed_attempts, erased } =
                delta;
            sql.prepare_cached(
                "insert into routes
                 (endpoint, sink, delivered, parked, pending, failed_attempts, erased, skipped, pending_bytes)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 on conflict do update set delivered = delivered + excluded.delivered, parked = parked + excluded.parked,
                     pending = pending + excluded.pending, failed_attempts = failed_attempts + excluded.failed_attempts,
                     erased = erased + excluded.erased, skipped = skipped + excluded.skipped,
                     pending_bytes = pending_bytes + excluded.pending_bytes",
            )?
            .execute([
                endpoint,
                sink,
                delivered,
                parked,
                pending,
                failed_attempts,
                erased,
                skipped,
                pending_bytes,
            ])?;
        }
        if events != 0 {
            sql.prepare_cached("update meta set value = value + ?1 where key = 'events'")?
                .execute([events])?;
        }
        hours.into_iter().try_for_each(|(hour, hourly)| hourly.write(hour, sql))
    }
}
