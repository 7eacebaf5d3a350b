//! The writing side: everything that changes the store is done under its one lock, one transaction after the other.
//!
//! The lock is the row of the table `store`, which also has the last place that was given. It is held until the commit is
//! visible to everybody; so events become visible in the order of their places, whichever process stored them, and whoever
//! has read up to a place will find nothing new before it. Two processes that receive the same event at the same moment
//! decide one after the other, and no two writers can block each other in a circle.
use std::{cell::RefCell, collections::HashSet, fmt};

use boathook_event::{Count, Seq};
use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

use crate::{
    Error,
    columns::place,
    postgres::{
        append,
        connection::{BEGIN, BEGIN_LATER, COMMIT, Connection, Session},
        fault::Fault,
        flight::{Answers, Flight, value},
        names::{Names, Unknown},
        options::Options,
        outcome::Outcomes,
        rejected, replay,
    },
    tally::Tally,
    traits::{Batch, Committer, Epoch, Hour, Verdict},
};

/// Takes the lock, and tells the last place and the database's time in microseconds. Only what is asked after it sees what
/// the holder before has done.
const LOCK: &str = "select last_seq, (extract(epoch from now()) * 1000000)::int8 from store for update";

/// Makes batches durable in a [`super::Postgres`] store.
pub struct PostgresCommitter {
    connection: Connection,
    /// By which the table `writers` knows this process.
    writer: Box<str>,
    /// Of the last commit with counters.
    number: i64,
    names: Names,
    unsettled: Option<Unsettled>,
}

/// Counters of a commit whose answer was lost: the next one finds out whether they are in.
struct Unsettled {
    number: i64,
    counters: Vec<Count>,
}

/// What a transaction finds.
pub(super) struct Locked {
    pub(super) last_seq: Seq,
    /// Microseconds, by the database's clock.
    pub(super) now: i64,
    /// Of what was asked behind the lock.
    pub(super) answers: Answers,
}

impl Locked {
    /// In which it is.
    pub(super) fn hour(&self) -> Hour {
        Hour::of_microseconds(self.now)
    }
}

/// Begins a transaction and takes the lock, together with what `ask` adds.
pub(super) async fn locked<'f, A>(
    session: &'f Session,
    begin: &'f str,
    ask: impl FnOnce(&mut Flight<'f>) -> A,
) -> Result<(Locked, A), Fault> {
    let mut flight = Flight::new(&session.client);
    flight.run(begin);
    let lock = flight.ask(LOCK, Vec::new());
    let asked = ask(&mut flight);
    let mut answers = flight.land().await?;
    let rows = answers.take(lock);
    let row = rows.first().ok_or_else(|| Error::Away("the table `store` is empty".into()))?;
    let (last_seq, now) = (row.try_get::<_, i64>(0)?.unsigned_abs(), row.try_get(1)?);
    Ok((Locked { last_seq, now, answers }, asked))
}

/// Sends what is left to write, and the commit with it.
pub(super) async fn commit(session: &Session, mut flight: Flight<'_>) -> Result<(), Fault> {
    flight.run(COMMIT);
    session.committing();
    flight.land().await?;
    Ok(())
}

impl PostgresCommitter {
    pub(super) fn open(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::new(options.clone())?,
            writer: options.holder.clone(),
            // Higher than any of a process of this name before.
            number: Timestamp::now().as_microsecond(),
            names: Names::default(),
            unsettled: None,
        })
    }
}

impl Committer for PostgresCommitter {
    fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        let Self { connection, writer, number, names, unsettled } = self;
        *number += 1;
        // What goes with this commit: known only when it is known whether the unsettled ones are in.
        let sent = RefCell::new(batch.counters.clone());
        let work = Work { batch, writer, number: *number, names, unsettled: unsettled.as_ref(), sent: &sent };
        match connection.work(&async |session| work.run(session).await) {
            Ok((verdicts, fresh)) => {
                names.keep(fresh);
                *unsettled = None;
                Ok(verdicts)
            }
            Err(error) => {
                if matches!(error, Error::InDoubt(_)) {
                    *unsettled = Some(Unsettled { number: *number, counters: sent.into_inner() });
                }
                Err(error)
            }
        }
    }
}

impl fmt::Debug for PostgresCommitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresCommitter").field(&self.writer).finish()
    }
}

/// The epochs of rights that nobody has taken over.
fn in_force(rows: &[Row]) -> Result<HashSet<Epoch>, Fault> {
    rows.iter().map(|row| Ok(Epoch(row.try_get::<_, i64>(0)?.unsigned_abs()))).collect()
}

/// One commit.
struct Work<'w> {
    batch: &'w Batch,
    writer: &'w str,
    number: i64,
    names: &'w Names,
    unsettled: Option<&'w Unsettled>,
    sent: &'w RefCell<Vec<Count>>,
}

/// Where the answers are of what is asked behind the lock.
struct Asked {
    names: Option<usize>,
    known: Option<usize>,
    epochs: Option<usize>,
    settled: Option<usize>,
}

impl Work<'_> {
    /// Two round trips; a third one if there are outcomes, and a fourth if something was repeated.
    async fn run(&self, session: &Session) -> Result<(Vec<Verdict>, Names), Fault> {
        let Self { batch, names, .. } = *self;
        let begin = if batch.appends.is_empty() { BEGIN_LATER } else { BEGIN };
        let before = self.unsettled.map(|unsettled| &*unsettled.counters).unwrap_or_default();
        let unknown = names.unknown(batch, batch.counters.iter().chain(before));
        let (mut locked, asked) = locked(session, begin, |flight| self.ask(&unknown, flight)).await?;
        let mut tally = Tally::at(locked.hour());
        let mut rows =
            |place: Option<usize>| place.map(|place| locked.answers.take(place)).unwrap_or_default();
        let names = names.with(&rows(asked.names))?;
        let counters = self.counters(rows(asked.settled).first())?;
        let in_force = in_force(&rows(asked.epochs))?;
        let known = rows(asked.known);
        let at = (locked.last_seq, locked.now);
        let mut decided = append::decide(batch, &known, at, &names, &mut tally)?;
        let rearmed = replay::parked(session, &decided.repeated(), &mut tally).await?;
        decided.rearmed(&rearmed.events());
        for Count { endpoint, word, by } in &counters {
            tally.word(names.expect(endpoint)?, *word, *by);
        }
        let valid = batch.outcomes.iter().filter(|(epoch, record)| {
            let is_in_force = in_force.contains(epoch);
            if !is_in_force {
                tracing::warn!(seq = record.seq, sink = %record.sink, "an outcome came after its partition was taken over");
            }
            is_in_force
        });
        let outcomes = Outcomes::new(valid.map(|(_, record)| record), &names);
        let moves;
        let mut flight = Flight::new(&session.client);
        decided.write(&mut flight);
        rearmed.write(locked.now, &mut flight);
        rejected::write(&batch.rejected, &names, &mut flight)?;
        if let Some(asked) = outcomes.ask(&mut flight) {
            let mut answers = flight.land().await?;
            moves = outcomes.moves(&asked, |place| answers.take(place), locked.now, &mut tally)?;
            flight = Flight::new(&session.client);
            moves.write(&mut flight);
        }
        tally.write(&mut flight);
        if decided.last_seq != locked.last_seq {
            flight.ask("update store set last_seq = $1", vec![value(place(decided.last_seq), Type::INT8)]);
        }
        if !counters.is_empty() {
            flight.ask(
                "insert into writers (writer, number, at) values ($1, $2, now())
                 on conflict (writer) do update set number = excluded.number, at = excluded.at",
                vec![value(self.writer, Type::TEXT), value(self.number, Type::INT8)],
            );
        }
        self.sent.replace(counters);
        commit(session, flight).await?;
        let verdicts = std::mem::take(&mut decided.verdicts);
        Ok((verdicts, names.into_fresh()))
    }

    fn ask<'f>(&'f self, unknown: &'f Unknown, flight: &mut Flight<'f>) -> Asked {
        Asked {
            names: unknown.ask(flight),
            known: append::ask(self.batch, flight),
            epochs: (!self.batch.outcomes.is_empty())
                .then(|| flight.ask("select epoch from leases", Vec::new())),
            settled: self.unsettled.map(|_| {
                let writer = vec![value(self.writer, Type::TEXT)];
                flight.ask("select number from writers where writer = $1", writer)
            }),
        }
    }

    /// The counters to be added: also those of the commit before, if it was not done.
    fn counters(&self, settled: Option<&Row>) -> Result<Vec<Count>, Fault> {
        let mut counters = self.batch.counters.clone();
        if let Some(Unsettled { number, counters: before }) = self.unsettled {
            let done = settled.map(|row| row.try_get::<_, i64>(0)).transpose()?;
            if done.is_none_or(|done| done < *number) {
                counters.extend_from_slice(before);
            }
        }
        Ok(counters)
    }
}
