//! Who may deliver, and what is still to be delivered, read page by page.
use std::{cell::RefCell, fmt, time::Duration};

use boathook_event::{Delivery, ObjectName, Seq};
use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    columns::place,
    limits::FEED_ROWS_MAX,
    postgres::{
        archive,
        connection::{BEGIN, BEGIN_READ, Connection, Session},
        fault::Fault,
        flight::{Flight, Parameter, value},
        options::Options,
        rows::{self, EVENT_COLUMNS},
        text,
        writer::{commit, locked},
    },
    traits::{Claim, Epoch, Fed, Feed, Page, Standing},
};

/// The feed of a [`super::Postgres`] store.
pub struct PostgresFeed {
    connection: RefCell<Connection>,
    holder: Box<str>,
}

/// Which rows of `pending` a page is made of.
struct Wanted<'w> {
    sink: &'w ObjectName,
    page: Page,
    after: Seq,
    /// What follows `from pending where sink = … and`; the sink is `$1`.
    condition: &'static str,
    parameters: &'w dyn Fn() -> Vec<Parameter<'static>>,
    /// Only those never tried; the others' keys are given.
    fresh_only: bool,
}

/// A row of `pending`.
struct Tried {
    seq: i64,
    attempts: u32,
    due: Option<Timestamp>,
    /// Where it is ordered.
    key: Option<Box<str>>,
    replay: u32,
    blocks: bool,
}

impl PostgresFeed {
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        let connection = RefCell::new(Connection::new(options.clone())?);
        Ok(Self { connection, holder: options.holder.clone() })
    }

    fn read(&self, wanted: &Wanted<'_>) -> Result<Fed, Error> {
        self.connection.borrow_mut().work(&async |session| wanted.read(session).await)
    }
}

impl Feed for PostgresFeed {
    fn claim(&mut self, lease: Duration) -> Result<Claim, Error> {
        let holder = &*self.holder;
        self.connection.get_mut().work(&async |session| {
            if let Some(by) = held_by_another(session, holder).await? {
                return Ok(Claim::Held { by });
            }
            // Under the lock: an outcome is written before the claim or after it, and then it is seen to be late.
            let (_, ()) = locked(session, BEGIN, |_| ()).await?;
            let mut flight = Flight::new(&session.client);
            let claimed = flight.ask(
                "insert into leases as l (part, holder, epoch, ends)
                 values (0, $1, 1, now() + make_interval(secs => $2))
                 on conflict (part) do update set holder = excluded.holder, epoch = l.epoch + 1, ends = excluded.ends
                 where l.ends <= now() or l.holder = excluded.holder returning epoch",
                vec![value(holder, Type::TEXT), value(lease.as_secs_f64(), Type::FLOAT8)],
            );
            let claimed = flight.land().await?.take(claimed);
            commit(session, Flight::new(&session.client)).await?;
            match claimed.first() {
                Some(row) => Ok(Claim::Leased(Epoch(row.try_get::<_, i64>(0)?.unsigned_abs()))),
                // Somebody was faster.
                None => Ok(Claim::Held { by: held_by_another(session, holder).await?.unwrap_or_default() }),
            }
        })
    }

    fn renew(&mut self, epoch: Epoch, lease: Duration) -> Result<bool, Error> {
        let ends = vec![value(lease.as_secs_f64(), Type::FLOAT8)];
        self.end_at("now() + make_interval(secs => $2)", epoch, ends)
    }

    fn release(&mut self, epoch: Epoch) -> Result<(), Error> {
        self.end_at("now()", epoch, Vec::new()).map(drop)
    }

    fn last(&self) -> Result<Seq, Error> {
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let last = flight.ask("select last_seq from store", Vec::new());
            first_number(&flight.land().await?.take(last))
        })
    }

    fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        self.read(&Wanted {
            sink,
            page,
            after,
            condition: "seq > $2 order by seq",
            parameters: &|| vec![value(place(after), Type::INT8)],
            fresh_only: true,
        })
    }

    fn due(&self, sink: &ObjectName, until: Timestamp, page: Page) -> Result<Fed, Error> {
        self.read(&Wanted {
            sink,
            page,
            after: 0,
            condition: "due <= $2 order by due, seq",
            parameters: &|| vec![value(until.as_microsecond(), Type::INT8)],
            fresh_only: false,
        })
    }

    fn earliest_due(&self, sink: &ObjectName, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let due = flight.ask(
                "select due from pending where sink = (select id from names where name = $1) and due > $2
                 order by due limit 1",
                vec![value(sink.as_str(), Type::TEXT), value(after.as_microsecond(), Type::INT8)],
            );
            let rows = flight.land().await?.take(due);
            rows.first().map(|row| rows::timestamp(row.try_get(0)?)).transpose()
        })
    }

    fn oldest(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        self.read(&Wanted {
            sink,
            page,
            after,
            condition: "seq > $2 order by seq",
            parameters: &|| vec![value(place(after), Type::INT8)],
            fresh_only: false,
        })
    }

    fn blocking(&self, sink: &ObjectName, seqs: &[Seq]) -> Result<Vec<Seq>, Error> {
        let seqs = seqs.iter().map(|seq| place(*seq)).collect::<Vec<_>>();
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let blocking = flight.ask(
                "select seq from blocking where sink = (select id from names where name = $1) and seq = any($2)
                 order by seq",
                vec![value(sink.as_str(), Type::TEXT), value(seqs.clone(), Type::INT8_ARRAY)],
            );
            let blocking = flight.land().await?.take(blocking);
            blocking.iter().map(|row| Ok(row.try_get::<_, i64>(0)?.unsigned_abs())).collect()
        })
    }

    fn backlog(&self) -> Result<Vec<(ObjectName, u64)>, Error> {
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let waiting = flight.ask(
                "select n.name, sum(r.pending_bytes)::int8 from routes r join names n on n.id = r.sink group by n.name",
                Vec::new(),
            );
            let waiting = flight.land().await?.take(waiting);
            let bytes = |row: &Row| {
                let bytes = row.try_get::<_, i64>(1)?.max(0).unsigned_abs();
                Ok((ObjectName::from_stored(row.try_get(0)?), bytes))
            };
            waiting.iter().map(bytes).collect()
        })
    }

    fn standing(&self, seq: Seq) -> Result<Option<Standing>, Error> {
        self.connection.borrow_mut().work(&async |session| archive::standing(session, place(seq)).await)
    }

    fn by_key(&self, sink: &ObjectName, key: &str, after: Seq, page: Page) -> Result<Fed, Error> {
        self.read(&Wanted {
            sink,
            page,
            after,
            condition: "key = $2 and seq > $3 order by seq",
            parameters: &|| {
                vec![value(text::encode(key).into_owned(), Type::TEXT), value(place(after), Type::INT8)]
            },
            fresh_only: false,
        })
    }
}

impl PostgresFeed {
    /// Moves the end of the lease; false if it is another's by now.
    fn end_at(
        &mut self,
        ends: &str,
        epoch: Epoch,
        mut parameters: Vec<Parameter<'static>>,
    ) -> Result<bool, Error> {
        let statement =
            format!("update leases set ends = {ends} where part = 0 and epoch = $1 returning epoch");
        parameters.insert(0, value(place(epoch.0), Type::INT8));
        let parameters = RefCell::new(Some(parameters));
        self.connection.get_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let parameters = parameters.borrow_mut().take().unwrap_or_default();
            let ours = flight.ask(&statement, parameters);
            Ok(!flight.land().await?.take(ours).is_empty())
        })
    }
}

impl fmt::Debug for PostgresFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresFeed").field(&self.holder).finish()
    }
}

impl Wanted<'_> {
    /// Two round trips, in one transaction: all of it is of one moment.
    async fn read(&self, session: &Session) -> Result<Fed, Fault> {
        let select = format!(
            "select seq, attempts, due, key, replay, blocks from pending where sink = (select id from names where name = $1)
             and {} limit {}",
            self.condition,
            FEED_ROWS_MAX + 1
        );
        let holding = format!(
            "select seq, key from blocking where sink = (select id from names where name = $1) and seq > $2
             order by seq limit {FEED_ROWS_MAX}"
        );
        let mut parameters = vec![value(self.sink.as_str(), Type::TEXT)];
        parameters.extend((self.parameters)());
        let mut flight = Flight::new(&session.client);
        flight.run(BEGIN_READ);
        let tried = flight.ask(&select, parameters);
        let last = flight.ask("select last_seq from store", Vec::new());
        let blocking = self.fresh_only.then(|| {
            let at = vec![value(self.sink.as_str(), Type::TEXT), value(place(self.after), Type::INT8)];
            flight.ask(&holding, at)
        });
        let mut answers = flight.land().await?;
        let last = first_number(&answers.take(last))?;
        let mut tried = answers.take(tried).iter().map(tried_of).collect::<Result<Vec<_>, Fault>>()?;
        let blocking = blocking.map(|blocking| answers.take(blocking)).unwrap_or_default();
        let blocking = blocking.iter().map(blocking_of).collect::<Result<Vec<_>, Fault>>()?;
        // Behind the last of a full page of them there are more, which must not be passed.
        let cut = blocking.last().map(|(seq, _)| *seq).filter(|_| blocking.len() >= FEED_ROWS_MAX);
        if let Some(cut) = cut {
            tried.retain(|tried| tried.seq.unsigned_abs() <= cut);
        }
        let wanted = tried.iter().filter(|tried| self.is_wanted(tried)).take(self.page.deliveries_max);
        let wanted = wanted.map(|tried| tried.seq).collect::<Vec<_>>();
        let events = self.events(session, &wanted).await?;
        let mut fed = self.fill(tried, &events, last)?;
        if let (Some(cut), false) = (cut, fed.more) {
            (fed.up_to, fed.more) = (cut, true);
        }
        fed.blocking = blocking.into_iter().filter(|(seq, _)| *seq <= fed.up_to).collect();
        Ok(fed)
    }

    /// The events at these places, in this order, as many as the page has room for.
    async fn events(&self, session: &Session, wanted: &[i64]) -> Result<Vec<Row>, Fault> {
        let select = format!(
            "select {EVENT_COLUMNS} from (
                 select e.*, w.number, sum(octet_length(e.body)) over (order by w.number) as bytes
                 from unnest($1) with ordinality as w (seq, number) join events e on e.seq = w.seq
             ) e join names n on n.id = e.endpoint where e.bytes <= $2 or e.number = 1 order by e.number"
        );
        let mut flight = Flight::new(&session.client);
        let bytes_max = i64::try_from(self.page.bytes_max).unwrap_or(i64::MAX);
        let parameters = vec![value(wanted, Type::INT8_ARRAY), value(bytes_max, Type::INT8)];
        let events = (!wanted.is_empty()).then(|| flight.ask(&select, parameters));
        flight.run("commit");
        let mut answers = flight.land().await?;
        Ok(events.map(|events| answers.take(events)).unwrap_or_default())
    }

    fn fill(&self, tried: Vec<Tried>, events: &[Row], last: Seq) -> Result<Fed, Fault> {
        let mut fed = Fed {
            deliveries: Vec::new(),
            tried: Vec::new(),
            blocking: Vec::new(),
            up_to: self.after,
            more: true,
        };
        let mut events = events.iter();
        let whole = tried.len() <= FEED_ROWS_MAX;
        for tried in tried.into_iter().take(FEED_ROWS_MAX) {
            let wanted = self.is_wanted(&tried);
            let Tried { seq, attempts, due, key, replay, blocks } = tried;
            if fed.deliveries.len() >= self.page.deliveries_max {
                return Ok(fed);
            }
            if wanted {
                // Those that have no room are not there.
                let Some(row) = events.next() else { return Ok(fed) };
                let event = rows::event(row)?.event;
                let (sink, ordered) = (self.sink.clone(), key.is_some());
                fed.deliveries.push(Delivery {
                    seq: seq.unsigned_abs(),
                    sink,
                    event,
                    attempts,
                    due,
                    ordered,
                    blocks,
                    replay,
                });
            } else if attempts > 0 {
                fed.tried.extend(key.map(|key| (seq.unsigned_abs(), key)));
            }
            fed.up_to = seq.unsigned_abs();
        }
        if whole {
            // There is nothing behind: everything that was stored at this moment was looked at.
            fed.up_to = fed.up_to.max(last);
            fed.more = false;
        }
        Ok(fed)
    }

    fn is_wanted(&self, tried: &Tried) -> bool {
        !self.fresh_only || tried.due.is_none()
    }
}

/// Who may deliver, if it is not this process.
async fn held_by_another(session: &Session, holder: &str) -> Result<Option<Box<str>>, Fault> {
    let mut flight = Flight::new(&session.client);
    let held = flight.ask(
        "select holder from leases where part = 0 and ends > now() and holder <> $1",
        vec![value(holder, Type::TEXT)],
    );
    let held = flight.land().await?.take(held);
    Ok(held.first().map(|row| row.try_get::<_, &str>(0).map(Into::into)).transpose()?)
}

fn tried_of(row: &Row) -> Result<Tried, Fault> {
    Ok(Tried {
        seq: row.try_get(0)?,
        attempts: row.try_get::<_, i32>(1)?.unsigned_abs(),
        due: row.try_get::<_, Option<i64>>(2)?.map(rows::timestamp).transpose()?,
        key: row.try_get::<_, Option<&str>>(3)?.map(text::decode),
        replay: row.try_get::<_, i32>(4)?.unsigned_abs(),
        blocks: row.try_get(5)?,
    })
}

fn blocking_of(row: &Row) -> Result<(Seq, Box<str>), Fault> {
    Ok((row.try_get::<_, i64>(0)?.unsigned_abs(), text::decode(row.try_get(1)?)))
}

fn first_number(rows: &[Row]) -> Result<u64, Fault> {
    let number = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
    Ok(number.unwrap_or(0).unsigned_abs())
}
