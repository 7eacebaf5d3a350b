//! Answering questions about what was stored.
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
};

use boathook_event::{Attempt, EndpointTotals, ObjectName, Rejected, Seq, SinkTotals, Uid, Word};
use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use crate::{
    Error,
    columns::{place, state},
    limits::LIST_MAX,
    postgres::{
        connection::{BEGIN_READ, Connection, Session},
        fault::Fault,
        flight::{Flight, Parameter, value},
        oldest,
        options::Options,
        question, rejected, removal, replay,
        rows::{self, EVENT_COLUMNS, EVENT_TABLES, EventRow},
        series,
    },
    traits::{
        Archive, Archived, ArchivedDelivery, DeliveryState, Erased, Found, Question, Replay, Replayed,
        Retentions, Series, Span, Standing, Statistics,
    },
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

    fn place(&self, uid: &Uid) -> Result<Option<Seq>, Error> {
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let of = vec![value(Uuid::from_bytes(*uid.as_bytes()), Type::UUID)];
            let found = flight.ask("select seq from events where uid = $1", of);
            let found = flight.land().await?.take(found);
            found.first().map(|row| number(row, 0)).transpose()
        })
    }

    fn find(&self, question: &Question, after: Option<Seq>, limit: usize) -> Result<Found, Error> {
        self.connection
            .borrow_mut()
            .work(&async |session| question::find(session, question, after, limit).await)
    }

    fn rejections(
        &self,
        endpoint: Option<&ObjectName>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Rejected)>, Error> {
        let work = async |session: &Session| rejected::list(session, endpoint, after, limit).await;
        self.connection.borrow_mut().work(&work)
    }

    fn replay(&mut self, events: &[Seq], replay: &Replay) -> Result<Replayed, Error> {
        self.connection.get_mut().work(&async |session| replay::replay(session, events, replay).await)
    }

    fn statistics(&self) -> Result<Statistics, Error> {
        self.connection.borrow_mut().work(&async |session| statistics(session).await)
    }

    fn series(&self, span: &Span) -> Result<Series, Error> {
        self.connection.borrow_mut().work(&async |session| series::read(session, span).await)
    }

    fn oldest_pending(&self) -> Result<Vec<(ObjectName, Timestamp)>, Error> {
        self.connection.borrow_mut().work(&oldest::pending)
    }

    fn retain(&mut self, retentions: &Retentions, now: Timestamp) -> Result<u64, Error> {
        removal::retain(self.connection.get_mut(), retentions, now)
    }

    fn erase(&mut self, events: &[Seq]) -> Result<Erased, Error> {
        self.connection.get_mut().work(&async |session| removal::erase(session, events).await)
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
    let of = events.iter().map(|event| (place(event.seq), &event.sinks[..]));
    let mut deliveries = deliveries(session, of).await?;
    let with_deliveries = events.into_iter().map(|EventRow { seq, sinks, event }| {
        let of = |sink: &i32| deliveries.remove(&(place(seq), *sink)).unwrap_or_default();
        Archived { seq, event, deliveries: sinks.iter().flat_map(of).collect() }
    });
    Ok(with_deliveries.collect())
}

/// The events' deliveries by event and sink, those that are complete before the one that is pending. Ends the transaction.
pub(super) async fn deliveries<'e>(
    session: &Session,
    events: impl Iterator<Item = (i64, &'e [i32])>,
) -> Result<HashMap<(i64, i32), Vec<ArchivedDelivery>>, Fault> {
    let (mut seqs, mut of, mut sinks) = (Vec::new(), Vec::new(), Vec::new());
    for (seq, its_sinks) in events {
        seqs.push(seq);
        of.extend(its_sinks.iter().map(|_| seq));
        sinks.extend_from_slice(its_sinks);
    }
    let mut flight = Flight::new(&session.client);
    let standing = flight.ask(
        "select p.seq, p.sink, n.name, null, p.attempts, p.due, null::int8, p.replay
         from unnest($1, $2) as w (seq, sink) join pending p on p.sink = w.sink and p.seq = w.seq
         join names n on n.id = p.sink
         union all
         select d.seq, d.sink, n.name, d.outcome, d.attempts, null::int8, d.completed, d.replay
         from deliveries d join names n on n.id = d.sink where d.seq = any($1) order by 1, 2, 8",
        vec![value(of, Type::INT8_ARRAY), value(sinks, Type::INT4_ARRAY)],
    );
    let failures = flight.ask(
        "select seq, sink, replay, number, started, millis, kind, permanent, status, retry_after_millis, message
         from failures where seq = any($1) order by seq, sink, replay, number",
        vec![value(seqs, Type::INT8_ARRAY)],
    );
    flight.run("commit");
    let mut answers = flight.land().await?;
    let mut failed: HashMap<(i64, i32, i32), Vec<Attempt>> = HashMap::new();
    for row in answers.take(failures) {
        let of = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        failed.entry(of).or_default().push(rows::failure(&row, 3)?);
    }
    let mut deliveries: HashMap<_, Vec<_>> = HashMap::new();
    for row in answers.take(standing) {
        let (seq, sink) = (row.try_get(0)?, row.try_get(1)?);
        let failures = failed.remove(&(seq, sink, row.try_get(7)?)).unwrap_or_default();
        deliveries.entry((seq, sink)).or_default().push(delivery(&row, failures)?);
    }
    Ok(deliveries)
}

fn delivery(row: &Row, failures: Vec<Attempt>) -> Result<ArchivedDelivery, Fault> {
    let time = |column| row.try_get::<_, Option<i64>>(column)?.map(rows::timestamp).transpose();
    let outcome = row.try_get::<_, Option<&str>>(3)?;
    let state = state(outcome);
    Ok(ArchivedDelivery {
        sink: ObjectName::from_stored(row.try_get(2)?),
        replay: row.try_get::<_, i32>(7)?.unsigned_abs(),
        state,
        parked_for: outcome.filter(|_| state == DeliveryState::Parked).map(Into::into),
        attempts: row.try_get::<_, i32>(4)?.unsigned_abs(),
        due: time(5)?,
        completed_at: time(6)?,
        failures,
    })
}

/// See [`crate::traits::Feed::standing`].
pub(super) async fn standing(session: &Session, seq: i64) -> Result<Option<Standing>, Fault> {
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let event = flight.ask("select uid, sinks from events where seq = $1", vec![value(seq, Type::INT8)]);
    let event = flight.land().await?.take(event);
    let Some(row) = event.first() else {
        session.client.batch_execute("commit").await?;
        return Ok(None);
    };
    let sinks = rows::sinks(row.try_get(1)?);
    let mut stand = deliveries(session, std::iter::once((seq, &sinks[..]))).await?;
    let last = |sink: &i32| stand.remove(&(seq, *sink))?.pop().map(|last| (last.sink, last.state));
    let deliveries = sinks.iter().filter_map(last).collect();
    Ok(Some(Standing { uid: Uid::from_bytes(*row.try_get::<_, Uuid>(0)?.as_bytes()), deliveries }))
}

async fn statistics(session: &Session) -> Result<Statistics, Fault> {
    let mut flight = Flight::new(&session.client);
    flight.run(BEGIN_READ);
    let store = flight.ask("select events, last_seq from store", Vec::new());
    let words = flight
        .ask("select n.name, w.word, w.number from words w join names n on n.id = w.endpoint", Vec::new());
    let routes = flight.ask(
        "select e.name, s.name, r.delivered, r.parked, r.pending, r.failed_attempts, r.erased,
             r.skipped, r.pending_bytes
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
        let totals = endpoints.entry(endpoint.clone()).or_insert_with(|| EndpointTotals::none_yet(endpoint));
        let word: &str = row.try_get(1)?;
        let known = Word::ALL.iter().zip(&mut totals.words).find(|(known, _)| known.as_str() == word);
        if let Some((_, total)) = known {
            *total = number(&row, 2)?;
        }
    }
    let mut sinks: BTreeMap<ObjectName, SinkTotals> = BTreeMap::new();
    for row in answers.take(routes) {
        let [delivered, parked, pending] = [number(&row, 2)?, number(&row, 3)?, number(&row, 4)?];
        let [failed, erased, skipped] = [number(&row, 5)?, number(&row, 6)?, number(&row, 7)?];
        if let Some(totals) = endpoints.get_mut(&ObjectName::from_stored(row.try_get(0)?)) {
            totals.delivered += delivered;
            totals.parked += parked;
            totals.skipped += skipped;
            totals.pending += pending;
            totals.erased += erased;
        }
        let sink = ObjectName::from_stored(row.try_get(1)?);
        let totals = sinks.entry(sink.clone()).or_insert_with(|| SinkTotals::none_yet(sink));
        totals.delivered += delivered;
        totals.parked += parked;
        totals.skipped += skipped;
        totals.pending += pending;
        totals.pending_bytes += number(&row, 8)?;
        totals.erased += erased;
        totals.failed_attempts += failed;
    }
    statistics.endpoints = endpoints.into_values().collect();
    statistics.sinks = sinks.into_values().collect();
    Ok(statistics)
}

/// A total.
fn number(row: &Row, column: usize) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(column)?.max(0).unsigned_abs())
}
