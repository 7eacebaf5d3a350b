//! What waits, read in turns: of each flow a little, found by looking for the next flow in the index.
use std::collections::{BTreeMap, BTreeSet};

use boathook_event::{DuePlace, Flow, ObjectName, Partitions, Seq};
use jiff::Timestamp;
use tokio_postgres::types::Type;

use crate::{
    columns::place,
    limits::{DUE_TURN, TURN_BLOCKING_MAX, TURN_FLOWS_MAX, TURN_ROWS_FOR_ONE},
    postgres::{
        connection::{BEGIN_READ, Session},
        fault::Fault,
        feed::{Tried, blocking_of, delivery, events, first_number, tried_of},
        flight::{Flight, value},
        text,
    },
    traits::{DueTurns, Page, Turned, TurnedDue, Turns},
};

/// A flow that has something that was never tried, and the place behind which it is read.
type Behind = (Flow, Seq);

/// The same of what is due.
type DueBehind = (Flow, DuePlace);

/// A row of `pending`.
struct Row {
    flow: Flow,
    tried: Tried,
    /// The last one of its key before it.
    earlier: Option<Seq>,
}

/// Reads some turns of what is due, in one transaction: all of it is of one moment.
pub(super) async fn read_due(
    session: &Session,
    sink: &ObjectName,
    of: Partitions,
    turns: &DueTurns,
    page: Page,
) -> Result<TurnedDue, Fault> {
    let (flows, mut reached) = due_flows(session, sink, turns).await?;
    let rows = due_rows(session, sink, &flows, turns.until).await?;
    let given = walk(&rows, of, DUE_TURN, page.deliveries_max.max(1)).given;
    let seqs = given.iter().filter_map(|at| rows.get(*at)).map(|row| row.tried.seq).collect::<Vec<_>>();
    let events = events(session, page, &seqs).await?;
    let Walk { given, places, ends_in, .. } = walk(&rows, of, DUE_TURN, events.len());
    if let Some(flow) = ends_in {
        reached = before(flows.iter().map(|(of, _)| *of), flow).or(turns.after);
    }
    let place = |(flow, at): (Flow, usize)| {
        let tried = &rows.get(at)?.tried;
        Some((flow, (tried.due?, tried.seq.unsigned_abs())))
    };
    let places = places.into_iter().filter_map(place).collect();
    let deliveries = kept(rows, given).into_iter().zip(&events);
    let deliveries = deliveries.map(|(row, event)| delivery(sink, row.tried, event));
    Ok(TurnedDue { deliveries: deliveries.collect::<Result<_, Fault>>()?, places, reached })
}

/// The flow before this one.
fn before(flows: impl Iterator<Item = Flow>, flow: Flow) -> Option<Flow> {
    flows.take_while(|of| *of < flow).last()
}

/// Only these rows.
fn kept(mut rows: Vec<Row>, given: Vec<usize>) -> Vec<Row> {
    let given: BTreeSet<usize> = given.into_iter().collect();
    let mut number = 0..;
    rows.retain(|_| number.next().is_some_and(|number| given.contains(&number)));
    rows
}

/// The next flows of which something is due, and the last one that was looked at; `None` = there is none behind it.
async fn due_flows(
    session: &Session,
    sink: &ObjectName,
    turns: &DueTurns,
) -> Result<(Vec<DueBehind>, Option<Flow>), Fault> {
    let select = format!(
        "with recursive found (flow, due, number) as (
             (select flow, due, 1 from pending where sink = (select id from names where name = $1) and due is not null
              and flow > $2 order by flow, due limit 1)
             union all
             select next.flow, next.due, number + 1 from found, lateral (
                 select p.flow, p.due from pending p where p.sink = (select id from names where name = $1)
                 and p.due is not null and p.flow > found.flow order by p.flow, p.due limit 1
             ) next where number < {TURN_FLOWS_MAX}
         ) select flow, due <= $3 from found order by flow"
    );
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let found = flight.ask(
        &select,
        vec![
            value(sink.as_str(), Type::TEXT),
            value(turns.after.map_or(-1, Flow::number), Type::INT8),
            value(turns.until.as_microsecond(), Type::INT8),
        ],
    );
    let found = flight.land().await?.take(found);
    let flow = |row: &tokio_postgres::Row| Ok((Flow::numbered(row.try_get(0)?), row.try_get(1)?));
    let found = found.iter().map(flow).collect::<Result<Vec<(Flow, bool)>, Fault>>()?;
    let reached = found.last().map(|(flow, _)| *flow).filter(|_| found.len() >= TURN_FLOWS_MAX);
    let due = found.into_iter().filter(|(_, is_due)| *is_due);
    Ok((due.filter_map(|(flow, _)| Some((flow, turns.behind(flow)?))).collect(), reached))
}

/// Of each flow what is due first behind its place, also of other processes.
async fn due_rows(
    session: &Session,
    sink: &ObjectName,
    flows: &[DueBehind],
    until: Timestamp,
) -> Result<Vec<Row>, Fault> {
    if flows.is_empty() {
        return Ok(Vec::new());
    }
    let select = format!(
        "select p.seq, p.attempts, p.due, p.key, p.replay, p.blocks, turn.flow
         from (select id from names where name = $1) of_sink,
         unnest($2, $3, $4) with ordinality as turn (flow, due, seq, number),
         lateral (
             select * from pending where sink = of_sink.id and flow = turn.flow and due <= $5
             and (pending.due, pending.seq) > (turn.due, turn.seq) order by pending.due, pending.seq limit {}
         ) p order by turn.number, p.due, p.seq",
        DUE_TURN * TURN_ROWS_FOR_ONE + 1
    );
    let places =
        |of: &dyn Fn(&DueBehind) -> i64| value(flows.iter().map(of).collect::<Vec<_>>(), Type::INT8_ARRAY);
    let mut flight = Flight::new(&session.client);
    let rows = flight.ask(
        &select,
        vec![
            value(sink.as_str(), Type::TEXT),
            places(&|(flow, _)| flow.number()),
            places(&|(_, (due, _))| due.as_microsecond()),
            places(&|(_, (_, seq))| place(*seq)),
            value(until.as_microsecond(), Type::INT8),
        ],
    );
    let rows = flight.land().await?.take(rows);
    let row = |row: &tokio_postgres::Row| {
        Ok(Row { flow: Flow::numbered(row.try_get(6)?), tried: tried_of(sink, row)?, earlier: None })
    };
    rows.iter().map(row).collect()
}

/// Reads some turns of what was never tried, in one transaction: all of it is of one moment.
pub(super) async fn read(
    session: &Session,
    sink: &ObjectName,
    of: Partitions,
    turns: &Turns,
    page: Page,
) -> Result<Turned, Fault> {
    let (flows, mut reached, last) = flows(session, sink, turns).await?;
    let quota = turns.quota(flows.len(), reached, page);
    let rows = rows(session, sink, turns.floor, &flows, quota.saturating_mul(TURN_ROWS_FOR_ONE)).await?;
    let given = walk(&rows, of, quota, page.deliveries_max.max(1)).given;
    let seqs = given.iter().filter_map(|at| rows.get(*at)).map(|row| row.tried.seq).collect::<Vec<_>>();
    let blocking = blocking(session, sink, turns.floor, &rows).await?;
    let events = events(session, page, &seqs).await?;
    let Walk { given, places, mut more, ends_in } = walk(&rows, of, quota, events.len());
    if let Some(flow) = ends_in {
        // It comes again, for the rest of its turn.
        reached = before(flows.iter().map(|(of, _)| *of), flow).or(turns.after);
        more = true;
    }
    let place = |(flow, at): (Flow, usize)| Some((flow, rows.get(at)?.tried.seq.unsigned_abs()));
    let places = places.into_iter().filter_map(place).collect();
    let deliveries = kept(rows, given).into_iter().zip(&events);
    let deliveries = deliveries
        .map(|(Row { tried, earlier, .. }, event)| Ok((delivery(sink, tried, event)?, earlier)))
        .collect::<Result<_, Fault>>()?;
    Ok(Turned { deliveries, blocking, places, reached, more, last })
}

/// What of the rows of a read is given.
#[derive(Default)]
struct Walk {
    /// Which.
    given: Vec<usize>,
    /// Which row of each flow was looked at last.
    places: BTreeMap<Flow, usize>,
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
        walk.places.insert(*flow, at);
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
