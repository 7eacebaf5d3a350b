//! Answering questions about what was stored.
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
};

use boathook_event::{Attempt, EndpointTotals, ObjectName, Seq, SinkTotals, Uid, Word};
use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    Error,
    limits::LIST_MAX,
    local::rows::{ALREADY_THERE, DELIVERED, place},
    postgres::{
        connection::{BEGIN_READ, Connection, Session},
        fault::Fault,
        flight::{Flight, Parameter, value},
        options::Options,
        removal,
        rows::{self, EVENT_COLUMNS, EVENT_TABLES, EventRow},
    },
    traits::{Archive, Archived, ArchivedDelivery, DeliveryState, Retention, Statistics},
};

/// The archive of a [`super::Postgres`] store.
pub struct PostgresArchive {
    connection: RefCell<Connection>,
}

impl PostgresArchive {
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        Ok(Self { connection: RefCell::new(Connection::new(options.clone())?) })
    }
}

impl Archive for PostgresArchive {
    fn list(&self, endpoint: Option<&ObjectName>, after: Seq, limit: usize) -> Result<Vec<Archived>, Error> {
        let limit = i64::try_from(limit.min(LIST_MAX)).unwrap_or(i64::MAX);
        let of = match endpoint {
            Some(_) => "e.endpoint = (select id from names where name = $3)",
            None => "$3::text is null",
        };
        let select = format!(
            "select {EVENT_COLUMNS} from {EVENT_TABLES} where e.seq > $1 and {of} order by e.seq limit $2"
        );
        self.connection.borrow_mut().work(&async |session| {
            let parameters = vec![
                value(place(after), Type::INT8),
                value(limit, Type::INT8),
                value(endpoint.map(ObjectName::as_str), Type::TEXT),
            ];
            archived(session, &select, parameters).await
        })
    }

    fn show(&self, uid: &Uid) -> Result<Option<Archived>, Error> {
        let select = format!("select {EVENT_COLUMNS} from {EVENT_TABLES} where e.uid = $1");
        self.connection.borrow_mut().work(&async |session| {
            let parameters = vec![value(Uuid::from_bytes(*uid.as_bytes()), Type::UUID)];
            Ok(archived(session, &select, parameters).await?.pop())
        })
    }

    fn statistics(&self) -> Result<Statistics, Error> {
        self.connection.borrow_mut().work(&async |session| statistics(session).await)
    }

    fn retain(&mut self, retention: Retention, now: Timestamp) -> Result<u64, Error> {
        removal::retain(self.connection.get_mut(), retention, now)
    }

    fn erase(&mut self, uid: &Uid) -> Result<bool, Error> {
        self.connection.get_mut().work(&async |session| removal::erase(session, uid).await)
    }
}

impl fmt::Debug for PostgresArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresArchive")
    }
}

/// The events of this select with their deliveries, all of one moment.
async fn archived(
    session: &Session,
    select: &str,
    parameters: Vec<Parameter<'_>>,
) -> Result<Vec<Archived>, Fault> {
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let events = flight.ask(select, parameters);
    let events = flight.land().await?.take(events);
    let events = events.iter().map(rows::event).collect::<Result<Vec<_>, _>>()?;
    let mut deliveries = deliveries(session, &events).await?;
    let with_deliveries = events.into_iter().map(|EventRow { seq, sinks, event }| {
        let of = |sink: &i32| deliveries.remove(&(place(seq), *sink));
        Archived { seq, event, deliveries: sinks.iter().filter_map(of).collect() }
    });
    Ok(with_deliveries.collect())
}

/// Where the events' deliveries stand: each is pending, or complete.
async fn deliveries(
    session: &Session,
    events: &[EventRow],
) -> Result<HashMap<(i64, i32), ArchivedDelivery>, Fault> {
    let seqs = events.iter().map(|event| place(event.seq)).collect::<Vec<_>>();
    let of_events = events.iter().flat_map(|event| event.sinks.iter().map(|sink| (place(event.seq), *sink)));
    let (of, sinks): (Vec<_>, Vec<_>) = of_events.unzip();
    let mut flight = Flight::new(&session.client);
    let standing = flight.ask(
        "select p.seq, p.sink, n.name, null, p.attempts, p.due, null::int8
         from unnest($1, $2) as w (seq, sink) join pending p on p.sink = w.sink and p.seq = w.seq
         join names n on n.id = p.sink
         union all
         select d.seq, d.sink, n.name, d.outcome, d.attempts, null::int8, d.completed
         from deliveries d join names n on n.id = d.sink where d.seq = any($1)",
        vec![value(of, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)],
    );
    let failures = flight.ask(
        "select seq, sink, number, started, millis, kind, permanent, status, retry_after_millis, message
         from failures where seq = any($1) order by seq, sink, number",
        vec![value(seqs, Type::INT8_ARRAY)],
    );
    flight.run("commit");
    let mut answers = flight.land().await?;
    let mut failed: HashMap<(i64, i32), Vec<Attempt>> = HashMap::new();
    for row in answers.take(failures) {
        failed.entry((row.try_get(0)?, row.try_get(1)?)).or_default().push(rows::failure(&row, 2)?);
    }
    let mut deliveries = HashMap::new();
    for row in answers.take(standing) {
        let at = (row.try_get(0)?, row.try_get(1)?);
        let failures = failed.remove(&at).unwrap_or_default();
        deliveries.insert(at, delivery(&row, failures)?);
    }
    Ok(deliveries)
}

fn delivery(row: &Row, failures: Vec<Attempt>) -> Result<ArchivedDelivery, Fault> {
    let time = |column| row.try_get::<_, Option<i64>>(column)?.map(rows::timestamp).transpose();
    Ok(ArchivedDelivery {
        sink: ObjectName::from_stored(row.try_get(2)?),
        state: match row.try_get::<_, Option<&str>>(3)? {
            None => DeliveryState::Pending,
            Some(DELIVERED | ALREADY_THERE) => DeliveryState::Delivered,
            Some(_) => DeliveryState::Parked,
        },
        attempts: row.try_get::<_, i32>(4)?.unsigned_abs(),
        due: time(5)?,
        completed_at: time(6)?,
        failures,
    })
}

async fn statistics(session: &Session) -> Result<Statistics, Fault> {
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let store = flight.ask("select events, last_seq from store", Vec::new());
    let words = flight
        .ask("select n.name, w.word, w.number from words w join names n on n.id = w.endpoint", Vec::new());
    let routes = flight.ask(
        "select e.name, s.name, r.delivered, r.parked, r.pending, r.failed_attempts
         from routes r join names e on e.id = r.endpoint join names s on s.id = r.sink",
        Vec::new(),
    );
    flight.run("commit");
    let mut answers = flight.land().await?;
    let mut statistics = Statistics::default();
    if let Some(row) = answers.take(store).first() {
        statistics.events = number(row, 0)?;
        statistics.last_seq = number(row, 1)?;
    }
    let mut endpoints: BTreeMap<ObjectName, EndpointTotals> = BTreeMap::new();
    for row in answers.take(words) {
        let endpoint = ObjectName::from_stored(row.try_get(0)?);
        let totals = endpoints.entry(endpoint.clone()).or_insert_with(|| none_yet(endpoint));
        let word: &str = row.try_get(1)?;
        let known = Word::ALL.iter().zip(&mut totals.words).find(|(known, _)| known.as_str() == word);
        if let Some((_, total)) = known {
            *total = number(&row, 2)?;
        }
    }
    let mut sinks: BTreeMap<ObjectName, SinkTotals> = BTreeMap::new();
    for row in answers.take(routes) {
        let [delivered, parked, pending, failed] =
            [number(&row, 2)?, number(&row, 3)?, number(&row, 4)?, number(&row, 5)?];
        if let Some(totals) = endpoints.get_mut(&ObjectName::from_stored(row.try_get(0)?)) {
            totals.delivered += delivered;
            totals.parked += parked;
            totals.pending += pending;
        }
        let sink = ObjectName::from_stored(row.try_get(1)?);
        let none = SinkTotals { sink: sink.clone(), delivered: 0, parked: 0, pending: 0, failed_attempts: 0 };
        let totals = sinks.entry(sink).or_insert(none);
        totals.delivered += delivered;
        totals.parked += parked;
        totals.pending += pending;
        totals.failed_attempts += failed;
    }
    statistics.endpoints = endpoints.into_values().collect();
    statistics.sinks = sinks.into_values().collect();
    Ok(statistics)
}

fn none_yet(endpoint: ObjectName) -> EndpointTotals {
    EndpointTotals { endpoint, words: [0; Word::ALL.len()], delivered: 0, parked: 0, pending: 0 }
}

/// A total.
fn number(row: &Row, column: usize) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(column)?.max(0).unsigned_abs())
}
