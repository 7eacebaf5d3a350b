//! What is still to be delivered, read page by page.
use std::{cell::RefCell, collections::BTreeMap, fmt, time::Duration};

use boathook_event::{Delivery, DuePlace, ObjectName, Partition, Partitions, Seq};
use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    columns::place,
    limits::{DUE_OF_EACH_MIN, FEED_ROWS_MAX, NEWS_ERASED_MAX},
    postgres::{
        archive,
        connection::{BEGIN_READ, Connection, Session},
        fault::Fault,
        flight::{Flight, Parameter, value},
        options::Options,
        rows::{self, EVENT_COLUMNS},
        sharing::{self, Held},
        text, turns,
    },
    traits::{DueTurns, Epoch, Fed, Feed, Joined, News, Page, Standing, Turned, TurnedDue, Turns},
};

/// The feed of a [`super::Postgres`] store.
pub struct PostgresFeed {
    connection: RefCell<Connection>,
    holder: Box<str>,
    /// What this process holds; all deliveries are given where it never joined.
    held: Option<Held>,
}

/// Which rows of `pending` a page is made of.
struct Wanted<'w> {
    sink: &'w ObjectName,
    /// Of these partitions.
    of: Partitions,
    page: Page,
    after: Seq,
    which: Which,
    parameters: &'w dyn Fn() -> Vec<Parameter<'static>>,
    /// Only those never tried; the others' keys are given.
    fresh_only: bool,
}

/// How they are found.
enum Which {
    /// By what follows `from pending where sink = … and`; the sink is `$1`.
    Where(&'static str),
    /// They are due by `$2`, and behind `$4` and `$5`, so many of each partition of `$3` at most. What two sinks or three
    /// receivers leave lying must not be gone through for the rest.
    Due(usize),
}

/// A row of `pending`.
pub(super) struct Tried {
    pub(super) seq: i64,
    pub(super) partition: Partition,
    attempts: u32,
    pub(super) due: Option<Timestamp>,
    /// Where it is ordered.
    pub(super) key: Option<Box<str>>,
    replay: u32,
    blocks: bool,
}

impl PostgresFeed {
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        let connection = RefCell::new(Connection::new(options.clone())?);
        Ok(Self { connection, holder: options.holder.clone(), held: None })
    }

    /// The partitions whose deliveries it gives.
    fn given(&self) -> Partitions {
        self.held.as_ref().map_or(Partitions::ALL, |held| held.keys().copied().collect())
    }

    fn read(&self, wanted: &Wanted<'_>) -> Result<Fed, Error> {
        self.connection.borrow_mut().work(&async |session| wanted.read(session).await)
    }
}

impl Feed for PostgresFeed {
    fn join(&mut self, lease: Duration) -> Result<Joined, Error> {
        let Self { connection, holder, held } = self;
        let known = held.clone().unwrap_or_default();
        let shares = connection
            .get_mut()
            .work(&async |session| sharing::join(session, holder, lease, &known).await)?;
        *held = Some(shares.held.clone());
        Ok(Joined::Shared(shares))
    }

    fn claim(&mut self, wanted: Partitions) -> Result<BTreeMap<Partition, Epoch>, Error> {
        let Self { connection, holder, held } = self;
        let claimed =
            connection.get_mut().work(&async |session| sharing::claim(session, holder, wanted).await)?;
        held.get_or_insert_default().extend(&claimed);
        Ok(claimed)
    }

    fn release(&mut self, given: Partitions) -> Result<(), Error> {
        let held = self.held.get_or_insert_default();
        let epochs = given.iter().filter_map(|partition| held.get(&partition).copied()).collect::<Vec<_>>();
        self.connection.get_mut().work(&async |session| sharing::release(session, &epochs).await)?;
        held.retain(|partition, _| !given.contains(*partition));
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Error> {
        let Self { connection, holder, held } = self;
        let epochs = held.get_or_insert_default().values().copied().collect::<Vec<_>>();
        connection.get_mut().work(&async |session| sharing::leave(session, holder, &epochs).await)?;
        held.get_or_insert_default().clear();
        Ok(())
    }

    fn news(&self, erased_after: u64) -> Result<News, Error> {
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let news = flight.ask("select last_seq, armed from store", Vec::new());
            let erased = flight.ask(
                "select number, seq from erased where number > $1 order by number limit $2",
                vec![value(place(erased_after), Type::INT8), value(NEWS_ERASED_MAX, Type::INT8)],
            );
            let mut answers = flight.land().await?;
            let number = |row: &Row, column| row.try_get::<_, i64>(column).map(i64::unsigned_abs);
            let (news, erased) = (answers.take(news), answers.take(erased));
            let Some(row) = news.first() else { return Ok(News::default()) };
            Ok(News {
                last: number(row, 0)?,
                armed: number(row, 1)?,
                erased_up_to: erased.last().map_or(Ok(erased_after), |row| number(row, 0))?,
                erased: erased.iter().map(|row| number(row, 1)).collect::<Result<_, _>>()?,
            })
        })
    }

    fn next(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        self.read(&Wanted {
            sink,
            of: self.given(),
            page,
            after,
            which: Which::Where("seq > $2 order by seq"),
            parameters: &|| vec![value(place(after), Type::INT8)],
            fresh_only: true,
        })
    }

    fn turns(&self, sink: &ObjectName, turns: &Turns, page: Page) -> Result<Turned, Error> {
        let of = self.given();
        let mut connection = self.connection.borrow_mut();
        connection.work(&async |session| turns::read(session, sink, of, turns, page).await)
    }

    fn due(
        &self,
        sink: &ObjectName,
        until: Timestamp,
        (behind, seq): DuePlace,
        page: Page,
    ) -> Result<Fed, Error> {
        let of = self.given();
        let rows_max = page.deliveries_max.min(FEED_ROWS_MAX);
        let count = usize::try_from(of.len()).unwrap_or(1).max(1);
        self.read(&Wanted {
            sink,
            of,
            page,
            after: 0,
            which: Which::Due(2 * rows_max / count + DUE_OF_EACH_MIN),
            parameters: &|| {
                vec![
                    value(until.as_microsecond(), Type::INT8),
                    value(parts(of), Type::INT4_ARRAY),
                    value(behind.as_microsecond(), Type::INT8),
                    value(place(seq), Type::INT8),
                ]
            },
            fresh_only: false,
        })
    }

    fn due_turns(&self, sink: &ObjectName, turns: &DueTurns, page: Page) -> Result<TurnedDue, Error> {
        let of = self.given();
        let mut connection = self.connection.borrow_mut();
        connection.work(&async |session| turns::read_due(session, sink, of, turns, page).await)
    }

    fn earliest_due(&self, sink: &ObjectName, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.connection.borrow_mut().work(&async |session| {
            let mut flight = Flight::new(&session.client);
            let due = flight.ask(
                "select min(due) from unnest($3) as of_part (part), lateral (
                     select due from pending where sink = (select id from names where name = $1)
                     and part = of_part.part and due > $2 order by due limit 1
                 ) of_it",
                vec![
                    value(sink.as_str(), Type::TEXT),
                    value(after.as_microsecond(), Type::INT8),
                    value(parts(self.given()), Type::INT4_ARRAY),
                ],
            );
            let rows = flight.land().await?.take(due);
            let due = rows.first().map(|row| row.try_get::<_, Option<i64>>(0)).transpose()?.flatten();
            due.map(rows::timestamp).transpose()
        })
    }

    fn oldest(&self, sink: &ObjectName, after: Seq, page: Page) -> Result<Fed, Error> {
        self.read(&Wanted {
            sink,
            of: self.given(),
            page,
            after,
            which: Which::Where("seq > $2 order by seq"),
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
            of: self.given(),
            page,
            after,
            which: Which::Where("key = $2 and seq > $3 order by seq"),
            parameters: &|| {
                vec![value(text::encode(key).into_owned(), Type::TEXT), value(place(after), Type::INT8)]
            },
            fresh_only: false,
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
        let select = self.which.select();
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
        let tried = answers.take(tried);
        let mut tried =
            tried.iter().map(|row| tried_of(self.sink, row)).collect::<Result<Vec<_>, Fault>>()?;
        let hidden = self.which.hide(&mut tried);
        let blocking = blocking.map(|blocking| answers.take(blocking)).unwrap_or_default();
        let blocking = blocking.iter().map(blocking_of).collect::<Result<Vec<_>, Fault>>()?;
        // Behind the last of a full page of them there are more, which must not be passed.
        let cut = blocking.last().map(|(seq, _)| *seq).filter(|_| blocking.len() >= FEED_ROWS_MAX);
        if let Some(cut) = cut {
            tried.retain(|tried| tried.seq.unsigned_abs() <= cut);
        }
        let wanted = tried.iter().filter(|tried| self.is_wanted(tried)).take(self.page.deliveries_max);
        let wanted = wanted.map(|tried| tried.seq).collect::<Vec<_>>();
        let events = events(session, self.page, &wanted).await?;
        let mut fed = self.fill(tried, &events, last)?;
        if let (Some(cut), false) = (cut, fed.more) {
            (fed.up_to, fed.more) = (cut, true);
        }
        fed.more |= hidden;
        fed.blocking = blocking.into_iter().filter(|(seq, _)| *seq <= fed.up_to).collect();
        Ok(fed)
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
            let (wanted, seq) = (self.is_wanted(&tried), tried.seq.unsigned_abs());
            if fed.deliveries.len() >= self.page.deliveries_max {
                return Ok(fed);
            }
            if wanted {
                // Those that have no room are not there.
                let Some(row) = events.next() else { return Ok(fed) };
                fed.deliveries.push(delivery(self.sink, tried, row)?);
            } else if tried.attempts > 0 && self.of.contains(tried.partition) {
                fed.tried.extend(tried.key.map(|key| (seq, key)));
            }
            fed.up_to = seq;
        }
        if whole {
            // There is nothing behind: everything that was stored at this moment was looked at.
            fed.up_to = fed.up_to.max(last);
            fed.more = false;
        }
        Ok(fed)
    }

    fn is_wanted(&self, tried: &Tried) -> bool {
        self.of.contains(tried.partition) && (!self.fresh_only || tried.due.is_none())
    }
}

impl Which {
    fn select(&self) -> String {
        const COLUMNS: &str = "seq, attempts, due, key, replay, blocks";
        let of_sink = "from pending where sink = (select id from names where name = $1) and";
        let rows_max = FEED_ROWS_MAX + 1;
        match self {
            Self::Where(condition) => format!("select {COLUMNS} {of_sink} {condition} limit {rows_max}"),
            Self::Due(of_each) => format!(
                "select {COLUMNS} from unnest($3) as of_part (of_part), lateral (
                     select {COLUMNS} {of_sink} part = of_part and due <= $2 and (due, seq) > ($4, $5)
                     order by due, seq limit {of_each}
                 ) of_it order by due, seq limit {rows_max}"
            ),
        }
    }

    /// Of a partition that has given as many as it may there are more: what comes after the last of these is not given, for they
    /// may come before it. Tells whether there was such a partition.
    fn hide(&self, tried: &mut Vec<Tried>) -> bool {
        let Self::Due(of_each) = self else { return false };
        let mut last = BTreeMap::<Partition, (usize, (Option<Timestamp>, i64))>::new();
        for Tried { partition, due, seq, .. } in &*tried {
            let (count, latest) = last.entry(*partition).or_default();
            (*count, *latest) = (*count + 1, (*due, *seq));
        }
        let full = last.values().filter(|(count, _)| count >= of_each);
        let Some(up_to) = full.map(|(_, latest)| *latest).min() else { return false };
        tried.retain(|tried| (tried.due, tried.seq) <= up_to);
        true
    }
}

fn parts(of: Partitions) -> Vec<i32> {
    of.iter().map(rows::part).collect()
}

/// The events at these places, in this order, as many as the page has room for; ends the transaction.
pub(super) async fn events(session: &Session, page: Page, wanted: &[i64]) -> Result<Vec<Row>, Fault> {
    let select = format!(
        "select {EVENT_COLUMNS} from (
             select e.*, w.number, sum(octet_length(e.body)) over (order by w.number) as bytes
             from unnest($1) with ordinality as w (seq, number) join events e on e.seq = w.seq
         ) e join names n on n.id = e.endpoint where e.bytes <= $2 or e.number = 1 order by e.number"
    );
    let mut flight = Flight::new(&session.client);
    let bytes_max = i64::try_from(page.bytes_max).unwrap_or(i64::MAX);
    let parameters = vec![value(wanted, Type::INT8_ARRAY), value(bytes_max, Type::INT8)];
    let events = (!wanted.is_empty()).then(|| flight.ask(&select, parameters));
    flight.run("commit");
    let mut answers = flight.land().await?;
    Ok(events.map(|events| answers.take(events)).unwrap_or_default())
}

/// A delivery of these two rows.
pub(super) fn delivery(sink: &ObjectName, tried: Tried, event: &Row) -> Result<Delivery, Fault> {
    let Tried { seq, partition: _, attempts, due, key, replay, blocks } = tried;
    let (sink, event, ordered) = (sink.clone(), rows::event(event)?.event, key.is_some());
    Ok(Delivery { seq: seq.unsigned_abs(), sink, event, attempts, due, ordered, blocks, replay })
}

pub(super) fn tried_of(sink: &ObjectName, row: &Row) -> Result<Tried, Fault> {
    let seq: i64 = row.try_get(0)?;
    let key = row.try_get::<_, Option<&str>>(3)?.map(text::decode);
    Ok(Tried {
        seq,
        partition: Partition::of(sink, key.as_deref(), seq.unsigned_abs()),
        attempts: row.try_get::<_, i32>(1)?.unsigned_abs(),
        due: row.try_get::<_, Option<i64>>(2)?.map(rows::timestamp).transpose()?,
        key,
        replay: row.try_get::<_, i32>(4)?.unsigned_abs(),
        blocks: row.try_get(5)?,
    })
}

pub(super) fn blocking_of(row: &Row) -> Result<(Seq, Box<str>), Fault> {
    Ok((row.try_get::<_, i64>(0)?.unsigned_abs(), text::decode(row.try_get(1)?)))
}

pub(super) fn first_number(rows: &[Row]) -> Result<u64, Fault> {
    let number = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
    Ok(number.unwrap_or(0).unsigned_abs())
}
