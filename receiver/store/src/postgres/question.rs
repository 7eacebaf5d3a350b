//! Answering a question page by page: candidates by the index that fits it best, looked at until the page is full or has
//! cost enough.
use std::collections::HashMap;

use boathook_event::{ObjectName, Seq, Uid};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    columns::{PARKED, place},
    limits::{LIST_MAX, LIST_ROWS_MAX, LIST_SLICE},
    postgres::{
        archive,
        connection::{BEGIN_READ, Session},
        fault::Fault,
        flight::{Flight, value},
        rows, text,
    },
    traits::{ArchivedDelivery, DeliveryState, Found, Order, Question, Summary},
};

/// See [`crate::traits::Archive::find`].
pub(super) async fn find(
    session: &Session,
    question: &Question,
    after: Option<Seq>,
    limit: usize,
) -> Result<Found, Fault> {
    let mut found = Found { events: Vec::new(), next: None };
    let Some(walk) = Walk::of(session, question).await? else { return Ok(found) };
    let limit = limit.clamp(1, LIST_MAX);
    let (mut at, mut looked_at) = (after, 0);
    loop {
        let slice = walk.slice(session, question.order, at).await?;
        if slice.is_empty() {
            return Ok(found);
        }
        let mut summaries = summaries(session, &slice).await?;
        for seq in slice {
            if found.events.len() == limit || looked_at >= LIST_ROWS_MAX {
                found.next = at;
                return Ok(found);
            }
            (at, looked_at) = (Some(seq.unsigned_abs()), looked_at + 1);
            let Some((summary, deliveries)) = summaries.remove(&seq) else { continue };
            if question.ends_before(summary.received_at) {
                return Ok(found);
            }
            if question.fits(&summary) && question.fits_deliveries(&deliveries) {
                found.events.push(Summary { deliveries, ..summary });
            }
        }
    }
}

/// Where candidates come from.
enum Walk {
    /// Events with a pending delivery to one of these sinks.
    Pending(Vec<i32>),
    /// Events with a parked delivery.
    Parked,
    /// Those of an endpoint.
    Endpoint(i32),
    /// All.
    All,
}

impl Walk {
    /// `None`: the question names somebody who never had an event.
    async fn of(session: &Session, question: &Question) -> Result<Option<Self>, Fault> {
        let mut flight = Flight::new(&session.client);
        let id = "select id from names where name = $1";
        let name = |name: &Option<ObjectName>| {
            vec![value(name.as_ref().map(|name| name.as_str().to_owned()), Type::TEXT)]
        };
        let sink = flight.ask(id, name(&question.sink));
        let endpoint = flight.ask(id, name(&question.endpoint));
        let waited_for = flight.ask("select distinct sink from routes where pending > 0", Vec::new());
        let mut answers = flight.land().await?;
        let sink = first(&answers.take(sink))?;
        let endpoint = first(&answers.take(endpoint))?;
        if question.sink.is_some() && sink.is_none() || question.endpoint.is_some() && endpoint.is_none() {
            return Ok(None);
        }
        Ok(Some(match (question.state, endpoint) {
            (Some(DeliveryState::Pending), _) => Self::Pending(match sink {
                Some(sink) => vec![sink],
                None => {
                    let rows = answers.take(waited_for);
                    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?
                }
            }),
            (Some(DeliveryState::Parked), _) => Self::Parked,
            (_, Some(endpoint)) => Self::Endpoint(endpoint),
            (_, None) => Self::All,
        }))
    }

    /// The next candidates, each once, in order; none at the end.
    async fn slice(&self, session: &Session, order: Order, after: Option<Seq>) -> Result<Vec<i64>, Fault> {
        let (behind, direction, from) = match order {
            Order::NewestFirst => ("<", "desc", after.map_or(i64::MAX, place)),
            Order::OldestFirst => (">", "asc", after.map_or(0, place)),
        };
        let from = value(from, Type::INT8);
        let end = format!("order by seq {direction} limit {LIST_SLICE}");
        let (select, parameters) = match self {
            Self::Parked => {
                (format!("select distinct seq from deliveries where {PARKED} and seq {behind} $1 {end}"), vec![from])
            }
            Self::Endpoint(endpoint) => (
                format!("select seq from events where endpoint = $2 and seq {behind} $1 {end}"),
                vec![from, value(*endpoint, Type::INT4)],
            ),
            Self::All => (format!("select seq from events where seq {behind} $1 {end}"), vec![from]),
            Self::Pending(sinks) => (
                format!(
                    "select distinct seq from unnest($2) as of_sink (sink),
                     lateral (select seq from pending where sink = of_sink.sink and seq {behind} $1 {end}) of_it {end}"
                ),
                vec![from, value(sinks.clone(), Type::INT4_ARRAY)],
            ),
        };
        let mut flight = Flight::new(&session.client);
        let seqs = flight.ask(&select, parameters);
        let seqs = flight.land().await?.take(seqs);
        seqs.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

/// What is told of these events, by their places.
async fn summaries(
    session: &Session,
    seqs: &[i64],
) -> Result<HashMap<i64, (Summary, Vec<ArchivedDelivery>)>, Fault> {
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let found = flight.ask(
        "select e.seq, e.uid, n.name, e.received, e.id, e.type, e.key, e.tenant, octet_length(e.body), e.sinks
         from events e join names n on n.id = e.endpoint where e.seq = any($1)",
        vec![value(seqs, Type::INT8_ARRAY)],
    );
    let found = flight.land().await?.take(found);
    let found = found.iter().map(summary).collect::<Result<Vec<_>, Fault>>()?;
    let of = found.iter().map(|(seq, _, sinks)| (*seq, &sinks[..]));
    let mut deliveries = archive::deliveries(session, of).await?;
    let with_deliveries = found.into_iter().map(|(seq, summary, sinks)| {
        let of = sinks.iter().flat_map(|sink| deliveries.remove(&(seq, *sink)).unwrap_or_default()).collect();
        (seq, (summary, of))
    });
    Ok(with_deliveries.collect())
}

fn summary(row: &Row) -> Result<(i64, Summary, Vec<i32>), Fault> {
    let text = |column: usize| -> Result<Option<Box<str>>, Fault> {
        Ok(row.try_get::<_, Option<&str>>(column)?.map(text::decode))
    };
    let seq: i64 = row.try_get(0)?;
    let summary = Summary {
        seq: seq.unsigned_abs(),
        uid: Uid::from_bytes(*row.try_get::<_, Uuid>(1)?.as_bytes()),
        endpoint: ObjectName::from_stored(row.try_get(2)?),
        received_at: rows::timestamp(row.try_get(3)?)?,
        id: text(4)?,
        event_type: text(5)?,
        key: text(6)?,
        tenant: text(7)?,
        bytes: u64::from(row.try_get::<_, i32>(8)?.unsigned_abs()),
        deliveries: Vec::new(),
    };
    Ok((seq, summary, rows::sinks(row.try_get(9)?)))
}

fn first(rows: &[Row]) -> Result<Option<i32>, Fault> {
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}
