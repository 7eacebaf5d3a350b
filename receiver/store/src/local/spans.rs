//! Where events are to be found by their uid or endpoint: not one by one, which would cost each event two entries of an index,
//! but by spans of [`SPAN_EVENTS`] places that are looked through.
use std::collections::BTreeMap;

use boathook_event::{Seq, Uid};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::{Error, columns::place, limits::SPAN_EVENTS};

/// The events of one endpoint: `s.endpoint` names it, `s.span` must lie behind [`span`] of a place, and what is ordered by
/// `s.span` and `e.seq` is ordered by place.
pub(super) fn of_endpoint() -> String {
    format!("endpoint_spans s cross join events e on e.endpoint = s.endpoint and {}", within())
}

/// The events `e` of a span `s`.
fn within() -> String {
    let last = SPAN_EVENTS - 1;
    format!("e.seq between s.span * {SPAN_EVENTS} and s.span * {SPAN_EVENTS} + {last}")
}

/// The span of a place.
pub(super) fn span(seq: Seq) -> i64 {
    place(seq) / SPAN_EVENTS
}

/// The place of the event with this uid.
pub(super) fn find(sql: &Connection, uid: &Uid) -> Result<Option<Seq>, Error> {
    let select = format!(
        "select e.seq from spans s cross join events e on {}
         where s.lowest <= ?1 and s.highest >= ?1 and substr(e.facts, 1, 16) = ?1",
        within()
    );
    let found =
        sql.prepare_cached(&select)?.query_row([uid.as_bytes()], |row| row.get::<_, i64>(0)).optional()?;
    Ok(found.map(i64::unsigned_abs))
}

/// What a transaction changes.
#[derive(Debug, Default)]
pub(super) struct SpanChanges {
    spans: BTreeMap<i64, Change>,
    /// Events of an endpoint in a span: those that came less those that went.
    of_endpoints: BTreeMap<(i64, i64), i64>,
}

#[derive(Debug, Default)]
struct Change {
    events: i64,
    /// The lowest and the highest uid that came.
    uids: Option<(Uid, Uid)>,
}

impl SpanChanges {
    /// An event is stored.
    pub(super) fn stored(&mut self, seq: Seq, endpoint: i64, uid: Uid) {
        let change = self.spans.entry(span(seq)).or_default();
        change.events += 1;
        let (lowest, highest) = change.uids.unwrap_or((uid, uid));
        change.uids = Some((lowest.min(uid), highest.max(uid)));
        *self.of_endpoints.entry((endpoint, span(seq))).or_default() += 1;
    }

    /// An event is deleted.
    pub(super) fn deleted(&mut self, seq: Seq, endpoint: i64) {
        self.spans.entry(span(seq)).or_default().events -= 1;
        *self.of_endpoints.entry((endpoint, span(seq))).or_default() -= 1;
    }

    pub(super) fn write(self, sql: &Transaction<'_>) -> Result<(), Error> {
        for (span, Change { events, uids }) in self.spans {
            match uids {
                Some((lowest, highest)) => sql
                    .prepare_cached(
                        "insert into spans (span, events, lowest, highest) values (?1, ?2, ?3, ?4)
                         on conflict do update set events = events + excluded.events,
                             lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest)",
                    )?
                    .execute(params![span, events, lowest.as_bytes(), highest.as_bytes()])?,
                None => sql
                    .prepare_cached("update spans set events = events + ?2 where span = ?1")?
                    .execute([span, events])?,
            };
            if events <= 0 {
                sql.prepare_cached("delete from spans where span = ?1 and events <= 0")?.execute([span])?;
            }
        }
        for ((endpoint, span), events) in self.of_endpoints {
            sql.prepare_cached(
                "insert into endpoint_spans (endpoint, span, events) values (?1, ?2, ?3)
                 on conflict do update set events = events + excluded.events",
            )?
            .execute([endpoint, span, events])?;
            if events <= 0 {
                sql.prepare_cached(
                    "delete from endpoint_spans where endpoint = ?1 and span = ?2 and events <= 0",
                )?
                .execute([endpoint, span])?;
            }
        }
        Ok(())
    }
}
