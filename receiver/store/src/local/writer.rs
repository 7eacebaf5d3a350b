//! Everything that writes to the database, which follows the journal.
//!
//! The database takes the journal's frames many at a time, and whenever somebody is to read it or to write to it: so it is
//! never seen without them, and each of its transactions stands between two frames. Only where a few frames do not concern what is
//! read or written they may wait. Commits go on meanwhile: what they write is taken the next time.
use std::{path::Path, sync::Arc};

use boathook_event::{ObjectName, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    Error,
    columns::place,
    local::{
        Clock,
        checkpoint::Checkpoints,
        commits::{Commits, Taken},
        dedupe::{self, Forgotten, Generation, Row, WhyForgotten},
        fresh::Fresh,
        journal::{Journal, Position, Segments},
        names::Names,
        schema,
        segments::SegmentChanges,
        spans::SpanChanges,
        steps,
    },
    tally::Tally,
    traits::{Epoch, Hour},
};

/// Whether a transaction is on the disk when it returns, or with the next one that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    Now,
    Later,
}

/// Everything that writes to the database goes through here.
pub(super) struct Writer {
    /// Dropped first, and the commits after them: their connections must be closed before the one that cleans up.
    checkpoints: Checkpoints,
    commits: Arc<Commits>,
    connection: Connection,
    names: Names,
    clock: Clock,
    epoch: Epoch,
    newest: Generation,
    /// What the connection is set to.
    sync: Sync,
}

/// A running transaction.
pub(super) struct Work<'w> {
    pub(super) sql: &'w Connection,
    pub(super) names: &'w mut Names,
    pub(super) tally: Tally<i64>,
    pub(super) now: Timestamp,
    /// The last event's place that the database has.
    pub(super) last_seq: Seq,
    pub(super) fresh: Fresh<'w>,
    /// Keys to be remembered.
    pub(super) keys: Vec<Row>,
    pub(super) segments: SegmentChanges,
    pub(super) spans: SpanChanges,
}

impl Writer {
    /// Opens the database, makes it where there is none, and has it take what the journal has.
    pub(super) fn open(file: &Path, segments: &Segments, clock: Clock) -> Result<Self, Error> {
        let connection = schema::open_writer(file)?;
        let number = |key| Ok::<_, Error>(schema::meta(&connection, key)?.unsigned_abs());
        let applied = Position { segment: number("journal_segment")?, offset: number("journal_offset")? };
        let epoch = Epoch(number("epoch")?);
        let journal = Journal::at(segments, applied)?;
        let commits = Commits::new(schema::open_reader(file)?, journal, epoch, Arc::clone(&clock))?;
        let mut writer = Self {
            checkpoints: Checkpoints::start(file)?,
            commits: Arc::new(commits),
            names: Names::load(&connection)?,
            newest: Generation::load(&connection)?,
            clock,
            epoch,
            sync: Sync::Now,
            connection,
        };
        writer.catch_up()?;
        Ok(writer)
    }

    /// Takes what the journal has and the database has not.
    fn catch_up(&mut self) -> Result<(), Error> {
        while self.commits.read_next()? {
            if self.commits.is_tail_long() {
                self.commits.sync_read()?;
                self.settle()?;
            }
        }
        self.settle()?;
        let last_seq = schema::meta(&self.connection, "last_seq")?.unsigned_abs();
        self.commits.go_on_after(last_seq);
        Ok(())
    }

    /// What commits need.
    pub(super) fn commits(&self) -> Arc<Commits> {
        Arc::clone(&self.commits)
    }

    /// Has the database take what only the journal has, if that is much by now.
    pub(super) fn settle_if_long(&mut self) -> Result<(), Error> {
        if self.commits.is_tail_long() { self.settle() } else { Ok(()) }
    }

    /// Has the database take what only the journal has.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        let taken = self.commits.take();
        if taken.tails.is_empty() { Ok(()) } else { self.transaction_with(&taken, Sync::Later, |_| Ok(())) }
    }

    /// Forgets a slice of this generation's keys, and then the generation. Returns whether there are more.
    pub(super) fn forget(
        &mut self,
        generation: i64,
        why: WhyForgotten,
        now: Timestamp,
    ) -> Result<bool, Error> {
        // Keys that only the journal has come into one that is there then.
        let forgotten = self.transaction_with(&Taken::default(), Sync::Later, |work| {
            dedupe::forget(work.sql, generation, why, now)
        })?;
        if forgotten == Forgotten::All {
            self.commits.forgotten(generation);
            if generation == self.newest.number {
                self.newest = self.newest.next();
            }
        }
        Ok(forgotten == Forgotten::Some)
    }

    /// Makes the next epoch the only one whose outcomes count.
    pub(super) fn claim(&mut self) -> Result<Epoch, Error> {
        let epoch = Epoch(self.epoch.0 + 1);
        self.transaction(Sync::Now, |work| {
            Ok(work.sql.execute("update meta set value = ?1 where key = 'epoch'", [place(epoch.0)])?)
        })?;
        self.epoch = epoch;
        self.commits.begin(epoch);
        Ok(epoch)
    }

    /// Runs `work` in a transaction, on a database that has taken what only the journal had. Nothing of it remains if it or the
    /// commit fails.
    pub(super) fn transaction<R>(
        &mut self,
        sync: Sync,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let taken = self.commits.take();
        self.transaction_with(&taken, sync, work)
    }

    /// The same for work that is about these events alone: what only the journal has stays there, if that may follow.
    pub(super) fn transaction_on<R>(
        &mut self,
        events: &[Seq],
        sync: Sync,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let taken = self.commits.take_before_work_on(events);
        self.transaction_with(&taken, sync, work)
    }

    fn transaction_with<R>(
        &mut self,
        taken: &Taken,
        sync: Sync,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.set_sync(sync)?;
        let result = self.attempt(taken, work);
        self.names.settle(result.is_ok());
        let result = result?;
        self.checkpoints.after_commit(&self.connection);
        Ok(result)
    }

    /// The deliveries to this sink that have ended, in order, and that the database still has as pending; what else only the journal
    /// had the database has taken then.
    pub(super) fn only_ended(&mut self, sink: &ObjectName) -> Result<Vec<Seq>, Error> {
        match self.commits.only_ended(sink) {
            Some(ended) => Ok(ended),
            None => self.settle().map(|()| Vec::new()),
        }
    }

    /// Runs `work` with freed bytes overwritten, then takes them out of the write-ahead log, too. Also tells whether they may
    /// still be there, because somebody reads the log.
    pub(super) fn transaction_without_traces<R>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<(R, bool), Error> {
        self.connection.execute_batch("pragma secure_delete = on")?;
        let result = self.transaction(Sync::Now, work);
        self.connection.execute_batch("pragma secure_delete = off")?;
        let result = result?;
        Ok((result, !self.checkpoints.empty(&self.connection)?))
    }

    fn attempt<R>(
        &mut self,
        Taken { tails, end }: &Taken,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = (self.clock)();
        let mut running = Work {
            sql: &transaction,
            names: &mut self.names,
            tally: Tally::at(Hour::of(now)),
            now,
            last_seq: 0,
            fresh: Fresh::default(),
            keys: Vec::new(),
            segments: SegmentChanges::default(),
            spans: SpanChanges::default(),
        };
        let applied = tails.iter().try_for_each(|tail| running.apply(tail.frames()));
        applied.map_err(|error| match error {
            // It is acknowledged, and can neither be told nor left out.
            Error::Rejected(text) => {
                Error::Io(format!("the database does not take what the journal has: {text}"))
            }
            error => error,
        })?;
        let result = work(&mut running)?;
        let Work { tally, last_seq, mut keys, segments, spans, .. } = running;
        steps::between();
        tally.write(&transaction)?;
        segments.write(&transaction)?;
        spans.write(&transaction)?;
        let newest = self.newest.write(&transaction, &mut keys, now)?;
        let mut set = transaction.prepare_cached("update meta set value = ?2 where key = ?1")?;
        if last_seq != 0 {
            set.execute(params!["last_seq", place(last_seq)])?;
        }
        if !tails.is_empty() {
            set.execute(params!["journal_segment", place(end.segment)])?;
            set.execute(params!["journal_offset", place(end.offset)])?;
        }
        drop(set);
        steps::between();
        transaction.commit()?;
        steps::between();
        if !tails.is_empty() {
            self.newest = newest;
            self.commits.taken(newest.number, &keys);
        }
        Ok(result)
    }

    /// In WAL mode `NORMAL` leaves commits unsynced; the next synced one, or a checkpoint, makes them durable, too.
    fn set_sync(&mut self, sync: Sync) -> Result<(), Error> {
        if self.sync != sync {
            self.connection.execute_batch(match sync {
                Sync::Now => "pragma synchronous = full",
                Sync::Later => "pragma synchronous = normal",
            })?;
            self.sync = sync;
        }
        Ok(())
    }
}
