//! Answering a question page by page: candidates by the index that fits it best, looked at until the page is full or has
//! cost enough.
use boathook_event::{ObjectName, Seq};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use crate::{
    Error,
    columns::{PARKED, place, sink_numbers},
    limits::{LIST_MAX, LIST_ROWS_MAX, LIST_SLICE, LIST_SLICE_MIN},
    local::{
        archive,
        at_once::{self, AtOnce},
        facts::{self, Facts},
        names, rows, spans, steps,
    },
    traits::{DeliveryState, Found, Order, Question, Summary},
};

/// See [`crate::traits::Archive::find`].
pub(super) fn find(
    sql: &Connection,
    question: &Question,
    after: Option<Seq>,
    limit: usize,
) -> Result<Found, Error> {
    let mut found = Found { events: Vec::new(), next: None };
    let Some(walk) = Walk::of(sql, question)? else { return Ok(found) };
    let limit = limit.clamp(1, LIST_MAX);
    // One more than is wanted tells whether there are more.
    let rows = i64::try_from((limit + 1).clamp(LIST_SLICE_MIN, LIST_SLICE)).unwrap_or(i64::MAX);
    let (mut at, mut looked_at) = (after, 0);
    loop {
        let slice = walk.slice(sql, question.order, at, rows)?;
        if slice.is_empty() {
            return Ok(found);
        }
        for seq in slice {
            if found.events.len() == limit || looked_at == LIST_ROWS_MAX {
                found.next = at;
                return Ok(found);
            }
            (at, looked_at) = (Some(seq), looked_at + 1);
            steps::between();
            let Some(Candidate { summary, sinks, at_once }) = candidate(sql, seq)? else { continue };
            if question.ends_before(summary.received_at) {
                return Ok(found);
            }
            if !question.fits(&summary) {
                continue;
            }
            let deliveries = archive::deliveries(sql, seq, &sinks, &at_once)?;
            if question.fits_deliveries(&deliveries) {
                found.events.push(Summary { deliveries, ..summary });
            }
        }
    }
}

/// Where candidates come from.
enum Walk {
    /// Events with a pending delivery to one of these sinks.
    Pending(Vec<i64>),
    /// Events with a parked delivery.
    Parked,
    /// Those of an endpoint.
    Endpoint(i64),
    /// All.
    All,
}

impl Walk {
    /// `None`: the question names somebody who never had an event.
    fn of(sql: &Connection, question: &Question) -> Result<Option<Self>, Error> {
        let number = |name: &Option<ObjectName>| {
            let Some(name) = name else { return Ok(Some(None)) };
            Ok::<_, Error>(names::stored(sql, name)?.map(Some))
        };
        let (Some(sink), Some(endpoint)) = (number(&question.sink)?, number(&question.endpoint)?) else {
            return Ok(None);
        };
        Ok(Some(match (question.state, endpoint) {
            (Some(DeliveryState::Pending), _) => Self::Pending(match sink {
                Some(sink) => vec![sink],
                None => {
                    let mut statement =
                        sql.prepare_cached("select distinct sink from routes where pending > 0")?;
                    statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
                }
            }),
            (Some(DeliveryState::Parked), _) => Self::Parked,
            (_, Some(endpoint)) => Self::Endpoint(endpoint),
            (_, None) => Self::All,
        }))
    }

    /// The next candidates, each once, in order; none at the end.
    fn slice(
        &self,
        sql: &Connection,
        order: Order,
        after: Option<Seq>,
        rows: i64,
    ) -> Result<Vec<Seq>, Error> {
        let (behind, direction, from) = match order {
            Order::NewestFirst => ("<", "desc", after.map_or(i64::MAX, place)),
            Order::OldestFirst => (">", "asc", after.map_or(0, place)),
        };
        let seqs = |what: &str, of: &dyn ToSql| {
            let select =
                format!("select distinct {what} and seq {behind} ?2 order by seq {direction} limit ?3");
            let mut statement = sql.prepare_cached(&select)?;
            let rows = statement.query_map([of, &from as &dyn ToSql, &rows], |row| {
                Ok(row.get::<_, i64>(0)?.unsigned_abs())
            })?;
            Ok::<Vec<Seq>, Error>(rows.collect::<Result<_, _>>()?)
        };
        match self {
            Self::Parked => seqs(&format!("seq from deliveries where {PARKED} and ?1 is null"), &None::<i64>),
            Self::Endpoint(endpoint) => {
                let select = format!(
                    "select e.seq from {} where s.endpoint = ?1 and e.seq {behind} ?2 and s.span {behind}= ?3
                     order by s.span {direction}, e.seq {direction} limit ?4",
                    spans::of_endpoint()
                );
                let span = spans::span(from.unsigned_abs());
                let mut statement = sql.prepare_cached(&select)?;
                let rows = statement.query_map([*endpoint, from, span, rows], |row| {
                    Ok(row.get::<_, i64>(0)?.unsigned_abs())
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            }
            Self::All => seqs("seq from events where ?1 is null", &None::<i64>),
            Self::Pending(sinks) => {
                let mut all = Vec::new();
                for sink in sinks {
                    all.append(&mut seqs("seq from pending where sink = ?1", sink)?);
                }
                all.sort_unstable();
                all.dedup();
                if order == Order::NewestFirst {
                    all.reverse();
                }
                all.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
                Ok(all)
            }
        }
    }
}

/// An event that may be what is asked for.
struct Candidate {
    summary: Summary,
    sinks: Vec<i64>,
    at_once: Vec<AtOnce>,
}

fn candidate(sql: &Connection, seq: Seq) -> Result<Option<Candidate>, Error> {
    let read = |row: &Row<'_>| {
        let Facts { uid, id, event_type, key, tenant, index: _, entity: _ } = facts::column(row, 2)?;
        let summary = Summary {
            seq,
            uid,
            endpoint: ObjectName::from_stored(row.get_ref(0)?.as_str()?),
            received_at: rows::timestamp(row, 1)?,
            id,
            event_type,
            key,
            tenant,
            bytes: row.get::<_, i64>(3)?.unsigned_abs(),
            deliveries: Vec::new(),
        };
        let sinks = sink_numbers(row.get_ref(4)?.as_blob()?);
        Ok(Candidate { summary, sinks, at_once: at_once::column(row, 5)? })
    };
    let select =
        "select n.name, e.received, e.facts, coalesce(e.body_bytes, length(e.body)), e.sinks, e.at_once
                  from events e join names n on n.id = e.endpoint where e.seq = ?1";
    Ok(sql.prepare_cached(select)?.query_row([place(seq)], read).optional()?)
}
