//! Totals of one transaction, folded so that each total is written once.
use std::collections::BTreeMap;

use boathook_event::Word;
use rusqlite::{Connection, params};

use crate::Error;

/// What one transaction adds to the totals.
#[derive(Debug, Default)]
pub(super) struct Tally {
    words: BTreeMap<(i64, Word), u64>,
    routes: BTreeMap<(i64, i64), RouteDelta>,
    /// Events stored less events deleted.
    pub(super) events: i64,
}

/// What is added to the totals of one endpoint's deliveries to one sink.
#[derive(Debug, Default)]
pub(super) struct RouteDelta {
    pub(super) delivered: i64,
    pub(super) parked: i64,
    pub(super) pending: i64,
    pub(super) failed_attempts: i64,
    pub(super) erased: i64,
}

impl Tally {
    /// Counts so many of a word at an endpoint.
    pub(super) fn word(&mut self, endpoint: i64, word: Word, by: u64) {
        *self.words.entry((endpoint, word)).or_default() += by;
    }

    /// The part of one endpoint and one sink.
    pub(super) fn route(&mut self, endpoint: i64, sink: i64) -> &mut RouteDelta {
        self.routes.entry((endpoint, sink)).or_default()
    }

    /// Adds all to the stored totals.
    pub(super) fn write(self, sql: &Connection) -> Result<(), Error> {
        let Self { words, routes, events } = self;
        for ((endpoint, word), number) in words {
            sql.prepare_cached(
                "insert into words (endpoint, word, number) values (?1, ?2, ?3)
                 on conflict do update set number = number + excluded.number",
            )?
            .execute(params![
                endpoint,
                word.as_str(),
                i64::try_from(number).unwrap_or(i64::MAX)
            ])?;
        }
        for ((endpoint, sink), delta) in routes {
            let RouteDelta { delivered, parked, pending, failed_attempts, erased } = delta;
            sql.prepare_cached(
                "insert into routes (endpoint, sink, delivered, parked, pending, failed_attempts, erased)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict do update set delivered = delivered + excluded.delivered, parked = parked + excluded.parked,
                     pending = pending + excluded.pending, failed_attempts = failed_attempts + excluded.failed_attempts,
                     erased = erased + excluded.erased",
            )?
            .execute([endpoint, sink, delivered, parked, pending, failed_attempts, erased])?;
        }
        if events != 0 {
            sql.prepare_cached("update meta set value = value + ?1 where key = 'events'")?
                .execute([events])?;
        }
        Ok(())
    }
}
