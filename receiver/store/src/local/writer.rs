//! Everything that writes: a commit to the journal, and the database that follows it.
//!
//! The database takes the journal's frames many at a time, and whenever somebody is to read it or to write to it: so it is
//! never seen without them, and each of its transactions stands between two frames. Only where a few frames do not concern what is
//! read or written they may wait.
use std::path::Path;

use boathook_event::{ObjectName, Record, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{
    Error,
    columns::place,
    local::{
        Clock,
        checkpoint::Checkpoints,
        decide::{self, Deciding, Decision},
        dedupe::{self, Dedupe, Forgotten, Row, WhyForgotten},
        fresh::Fresh,
        journal::{Frame, Journal, Position, Segments},
        names::Names,
        schema,
        segments::SegmentChanges,
        spans::SpanChanges,
        tail::Tail,
    },
    tally::Tally,
    traits::{Batch, Epoch, Hour, Verdict},
};

/// Whether a transaction is on the disk when it returns, or with the next one that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    Now,
    Later,
}

/// Everything that writes goes through here.
pub(super) struct Writer {
    /// Dropped first: its own connection must be closed before the one that cleans up.
    checkpoints: Checkpoints,
    connection: Connection,
    names: Names,
    clock: Clock,
    epoch: Epoch,
    journal: Journal,
    tail: Tail,
    dedupe: Dedupe,
    /// The last place given.
    last_seq: Seq,
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
    pub(super) fn open(file: &Path, segments: &Segments, clock: Clock) -> Result<Self, Error> {
        let connection = schema::open_writer(file)?;
        let number = |key| Ok::<_, Error>(schema::meta(&connection, key)?.unsigned_abs());
        let applied = Position { segment: number("journal_segment")?, offset: number("journal_offset")? };
        let epoch = Epoch(number("epoch")?);
        let mut writer = Self {
            checkpoints: Checkpoints::start(file)?,
            names: Names::load(&connection)?,
            dedupe: Dedupe::load(&connection)?,
            clock,
            epoch,
            journal: Journal::at(segments, applied)?,
            tail: Tail::default(),
            last_seq: 0,
            sync: Sync::Now,
            connection,
        };
        writer.catch_up()?;
        Ok(writer)
    }

    /// Takes what the journal has and the database has not.
    fn catch_up(&mut self) -> Result<(), Error> {
        while let Some(frame) = self.journal.read_next()? {
            self.tail.push(frame);
            if self.tail.is_long() {
                self.settle()?;
            }
        }
        self.settle()?;
        self.last_seq = schema::meta(&self.connection, "last_seq")?.unsigned_abs();
        Ok(())
    }

    /// One frame of the journal, and one sync if there are events in it.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        if self.tail.is_full() {
            self.settle()?;
        }
        let mut frame = match self.decide(batch) {
            Ok(frame) => frame,
            Err(error) => {
                self.take_back(batch);
                return Err(error);
            }
        };
        let sync = !frame.appends.is_empty();
        if let Err(error) = self.journal.write(&mut frame, sync) {
            self.take_back(batch);
            return Err(error);
        }
        let verdicts = frame.appends.iter().map(decide::verdict).collect();
        if let Some(seq) = frame.last_seq() {
            self.last_seq = seq;
        }
        self.tail.push(frame);
        Ok(verdicts)
    }

    fn decide(&mut self, batch: &Batch) -> Result<Frame, Error> {
        let Batch { appends, outcomes, counters, rejected } = batch;
        let at = (self.clock)();
        let appends = loop {
            let deciding = Deciding {
                sql: &self.connection,
                dedupe: &mut self.dedupe,
                tail: &self.tail,
                at,
                last: self.last_seq,
            };
            match deciding.decide(appends)? {
                Decision::Made(decided) => break decided,
                Decision::Unsettled => {
                    self.take_back(batch);
                    self.settle()?;
                }
            }
        };
        let counts = |(of, record): &(Epoch, Record)| {
            if *of < self.epoch {
                tracing::warn!(seq = record.seq, sink = %record.sink, "an outcome came after its sink was taken over");
                return None;
            }
            Some(record.clone())
        };
        Ok(Frame {
            at,
            appends,
            outcomes: outcomes.iter().filter_map(counts).collect(),
            counters: counters.clone(),
            rejected: rejected.clone(),
        })
    }

    /// Forgets the keys of a batch that was not committed.
    fn take_back(&mut self, batch: &Batch) {
        for append in &batch.appends {
            self.dedupe.take_back(&append.dedupe, self.last_seq + 1);
        }
    }

    /// Has the database take what only the journal has, if that is much by now.
    pub(super) fn settle_if_long(&mut self) {
        if self.tail.is_long()
            && let Err(error) = self.settle()
        {
            tracing::warn!(%error, "the database of the store is behind its journal; it is tried again");
        }
    }

    /// Has the database take what only the journal has.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        if self.tail.is_empty() { Ok(()) } else { self.transaction(Sync::Later, |_| Ok(())) }
    }

    /// Forgets a slice of this generation's keys, and then the generation. Returns whether there are more.
    pub(super) fn forget(
        &mut self,
        generation: i64,
        why: WhyForgotten,
        now: Timestamp,
    ) -> Result<bool, Error> {
        // Keys of the journal's may belong to it.
        self.settle()?;
        let forgotten =
            self.transaction(Sync::Later, |work| dedupe::forget(work.sql, generation, why, now))?;
        if forgotten == Forgotten::All {
            self.dedupe.forgotten(generation);
        }
        Ok(forgotten == Forgotten::Some)
    }

    /// Bytes of the database that are in use; the log that is moved into it comes on top.
    pub(super) fn database_bytes(&self) -> Result<u64, Error> {
        let number = |name| schema::pragma(&self.connection, name);
        let pages = number("page_count")? - number("freelist_count")?;
        Ok(pages.unsigned_abs() * number("page_size")?.unsigned_abs())
    }

    /// The time of the store's clock.
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The last place given.
    pub(super) fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// Makes the next epoch the only one whose outcomes count.
    pub(super) fn claim(&mut self) -> Result<Epoch, Error> {
        let epoch = Epoch(self.epoch.0 + 1);
        self.transaction(Sync::Now, |work| {
            Ok(work.sql.execute("update meta set value = ?1 where key = 'epoch'", [place(epoch.0)])?)
        })?;
        self.epoch = epoch;
        Ok(epoch)
    }

    /// Runs `work` in a transaction, on a database that has taken what only the journal had. Nothing of it remains if it or the
    /// commit fails.
    pub(super) fn transaction<R>(
        &mut self,
        sync: Sync,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.transaction_with(true, sync, work)
    }

    /// The same for work that is about these events alone: what only the journal has stays there, if that may follow.
    pub(super) fn transaction_on<R>(
        &mut self,
        events: &[Seq],
        sync: Sync,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let settles = !self.tail.may_follow_work_on(events);
        self.transaction_with(settles, sync, work)
    }

    fn transaction_with<R>(
        &mut self,
        settles: bool,
        sync: Sync,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.set_sync(sync)?;
        let result = self.attempt(settles, work);
        self.names.settle(result.is_ok());
        let result = result?;
        self.checkpoints.after_commit(&self.connection);
        Ok(result)
    }

    /// The deliveries to this sink that have ended, in order, and that the database still has as pending; what else only the journal
    /// had the database has taken then.
    pub(super) fn only_ended(&mut self, sink: &ObjectName) -> Result<Vec<Seq>, Error> {
        match self.tail.only_ended(sink) {
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
        settles: bool,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let frames = if settles { self.tail.frames() } else { &[] };
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
        running.apply(frames).map_err(|error| match error {
            // It is acknowledged, and can neither be told nor left out.
            Error::Rejected(text) => {
                Error::Io(format!("the database does not take what the journal has: {text}"))
            }
            error => error,
        })?;
        let result = work(&mut running)?;
        let Work { tally, last_seq, mut keys, segments, spans, .. } = running;
        tally.write(&transaction)?;
        segments.write(&transaction)?;
        spans.write(&transaction)?;
        let generation = self.dedupe.write(&transaction, &mut keys, now)?;
        let mut set = transaction.prepare_cached("update meta set value = ?2 where key = ?1")?;
        if last_seq != 0 {
            set.execute(params!["last_seq", place(last_seq)])?;
        }
        if !frames.is_empty() {
            let Position { segment, offset } = self.journal.end();
            set.execute(params!["journal_segment", place(segment)])?;
            set.execute(params!["journal_offset", place(offset)])?;
        }
        drop(set);
        transaction.commit()?;
        if settles {
            self.dedupe.written(generation, &keys);
            self.tail = Tail::default();
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
