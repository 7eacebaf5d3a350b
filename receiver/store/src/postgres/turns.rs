//! What was never tried, read in turns: of each flow a little, found by looking for the next flow in the index.
use std::collections::{BTreeMap, BTreeSet};

use boathook_event::{Flow, ObjectName, Partitions, Seq};
use tokio_postgres::types::Type;

use crate::{
    columns::place,
    limits::{TURN_BLOCKING_MAX, TURN_FLOWS_MAX, TURN_ROWS_FOR_ONE},
    postgres::{
        connection::{BEGIN_READ, Session},
        fault::Fault,
        feed::{Tried, blocking_of, delivery, events, first_number, tried_of},
        flight::{Flight, value},
        text,
    },
    traits::{Page, Turned, Turns},
};

/// A flow that has something that was never tried, and the place behind which it is read.
type Behind = (Flow, Seq);

/// A row of `pending`.
struct Row {
    flow: Flow,
    tried: Tried,
    /// The last one of its key before it.
    earlier: Option<Seq>,
}

/// Reads some turns, in one transaction: all of it is of one moment.
pub(super) async fn read(
    session: &Session,
    sink: &ObjectName,
    of: Partitions,
    turns: &Turns,
    page: Page,
) -> Result<Turned, Fault> {
    let (flows, mut reached, last) = flows(session, sink, turns).await?;
    let quota = turns.quota(flows.len(), reached, page);
    let mut rows = rows(session, sink, turns.floor, &flows, quota.saturating_mul(TURN_ROWS_FOR_ONE)).await?;
    let given = walk(&rows, of, quota, page.deliveries_max.max(1)).given;
    let seqs = given.iter().filter_map(|at| rows.get(*at)).map(|row| row.tried.seq).collect::<Vec<_>>();
    let blocking = blocking(session, sink, turns.floor, &rows).await?;
    let events = events(session, page, &seqs).await?;
    let Walk { given, places, mut more, ends_in } = walk(&rows, of, quota, events.len());
    if let Some(flow) = ends_in {
        // It comes again, for the rest of its turn.
        let before = flows.iter().map(|(of, _)| *of).take_while(|of| *of < flow).last();
        (reached, more) = (before.or(turns.after), true);
    }
    let given: BTreeSet<usize> = given.into_iter().collect();
    let mut number = 0..;
    rows.retain(|_| number.next().is_some_and(|number| given.contains(&number)));
    let deliveries = rows.into_iter().zip(&events);
    let deliveries = deliveries
        .map(|(Row { tried, earlier, .. }, event)| Ok((delivery(sink, tried, event)?, earlier)))
        .collect::<Result<_, Fault>>()?;
    Ok(Turned { deliveries, blocking, places: places.into_iter().collect(), reached, more, last })
}

/// What of the rows of a read is given.
#[derive(Default)]
struct Walk {
    /// Which.
    given: Vec<usize>,
    /// Up to where each flow was looked at.
    places: BTreeMap<Flow, Seq>,
    more: bool,
    /// The flow within whose turn the room came to its end.
    ends_in: Option<Flow>,
}

/// Goes through the rows: of each flow as many are given as it may have, and of those that are another process's some are passed.
fn walk(rows: &[Row], of: Partitions, quota: usize, room: usize) -> Walk {
    let mut walk = Walk::default();
    let (mut turn, mut given, mut looked_at) = (None, 0, 0);
    for (at, Row { flow, tried, .. }) in rows.iter().enumerate() {
        if turn != Some(*flow) {
            (turn, given, looked_at) = (Some(*flow), 0, 0);
        }
        if given == quota || looked_at == quota.saturating_mul(TURN_ROWS_FOR_ONE) {
            walk.more = true;
            continue;
        }
        if of.contains(tried.partition) {
            if walk.given.len() >= room {
                walk.ends_in = Some(*flow);
                break;
            }
            walk.given.push(at);
            given += 1;
        }
        looked_at += 1;
        walk.places.insert(*flow, tried.seq.unsigned_abs());
    }
    walk
}

/// The next flows; the last one that was looked at, `None` = there is none behind it; and the last place that is committed.
async fn flows(
    session: &Session,
    sink: &ObjectName,
    turns: &Turns,
) -> Result<(Vec<Behind>, Option<Flow>, Seq), Fault> {
    let select = format!(
        "with recursive found (flow, number) as (
             (select flow, 1 from pending where sink = (select id from names where name = $1) and due is null and flow > $2
              order by flow limit 1)
             union all
             select (select p.flow from pending p where p.sink = (select id from names where name = $1) and p.due is null
                     and p.flow > found.flow order by p.flow limit 1), number + 1
             from found where flow is not null and number < {TURN_FLOWS_MAX}
         ) select flow from found where flow is not null order by flow"
    );
    let after = turns.after.map_or(-1, Flow::number);
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let at = vec![value(sink.as_str(), Type::TEXT), value(after, Type::INT8)];
    let found = flight.ask(&select, at);
    let last = flight.ask("select last_seq from store", Vec::new());
    let mut answers = flight.land().await?;
    let last = first_number(&answers.take(last))?;
    let found = answers.take(found);
    let found =
        found.iter().map(|row| Ok(Flow::numbered(row.try_get(0)?))).collect::<Result<Vec<_>, Fault>>()?;
    let reached = found.last().copied().filter(|_| found.len() >= TURN_FLOWS_MAX);
    let flows = found.into_iter().filter_map(|flow| Some((flow, turns.behind(flow)?))).collect();
    Ok((flows, reached, last))
}

/// So many rows of each flow, and one more.
async fn rows(
    session: &Session,
    sink: &ObjectName,
    floor: Seq,
    flows: &[Behind],
    rows_max: usize,
) -> Result<Vec<Row>, Fault> {
    if flows.is_empty() {
        return Ok(Vec::new());
    }
    let mut flight = Flight::new(&session.client);
    let rows = flight.ask(
        "select p.seq, p.attempts, p.due, p.key, p.replay, p.blocks, turn.flow, (
             select e.seq from pending e where e.sink = of_sink.id and e.key = p.key and e.seq < p.seq and e.seq > $4
             order by e.seq desc limit 1
         )
         from (select id from names where name = $1) of_sink, unnest($2, $3) with ordinality as turn (flow, behind, number),
         lateral (
             select * from pending where sink = of_sink.id and flow = turn.flow and seq > turn.behind and due is null
             order by seq limit $5
         ) p order by turn.number, p.seq",
        vec![
            value(sink.as_str(), Type::TEXT),
            value(flows.iter().map(|(flow, _)| flow.number()).collect::<Vec<_>>(), Type::INT8_ARRAY),
            value(flows.iter().map(|(_, behind)| place(*behind)).collect::<Vec<_>>(), Type::INT8_ARRAY),
            value(place(floor), Type::INT8),
            value(i64::try_from(rows_max).unwrap_or(i64::MAX).saturating_add(1), Type::INT8),
        ],
    );
    let rows = flight.land().await?.take(rows);
    let row = |row: &tokio_postgres::Row| {
        Ok(Row {
            flow: Flow::numbered(row.try_get(6)?),
            tried: tried_of(sink, row)?,
            earlier: row.try_get::<_, Option<i64>>(7)?.map(i64::unsigned_abs),
        })
    };
    rows.iter().map(row).collect()
}

/// Parked deliveries that hold keys of these rows.
async fn blocking(
    session: &Session,
    sink: &ObjectName,
    floor: Seq,
    rows: &[Row],
) -> Result<Vec<(Seq, Box<str>)>, Fault> {
    let keys: BTreeSet<&str> = rows.iter().filter_map(|row| row.tried.key.as_deref()).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let select = format!(
        "select b.seq, b.key from unnest($2) as of_key (key), lateral (
             select seq, key from blocking where sink = (select id from names where name = $1) and key = of_key.key and seq > $3
             order by seq limit {TURN_BLOCKING_MAX}
         ) b order by b.seq"
    );
    let keys = keys.into_iter().map(text::encode).collect::<Vec<_>>();
    let mut flight = Flight::new(&session.client);
    let blocking = flight.ask(
        &select,
        vec![
            value(sink.as_str(), Type::TEXT),
            value(keys, Type::TEXT_ARRAY),
            value(place(floor), Type::INT8),
        ],
    );
    flight.land().await?.take(blocking).iter().map(blocking_of).collect()
}
