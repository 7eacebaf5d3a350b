//! The writing connection: one transaction at a time, synced exactly when something is acknowledged by it.
use std::path::Path;

use boathook_event::{Count, Seq};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    Error,
    columns::place,
    limits::APPEND_OVERHEAD_BYTES,
    local::{Clock, checkpoint::Checkpoints, names::Names, schema},
    tally::Tally,
    traits::{Append, Batch, Epoch, Verdict},
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
    pub(super) last_seq: Seq,
}

impl Writer {
    pub(super) fn open(file: &Path, clock: Clock) -> Result<Self, Error> {
        let connection = schema::open_writer(file)?;
        Ok(Self {
            checkpoints: Checkpoints::start(file)?,
            names: Names::load(&connection)?,
            clock,
            epoch: Epoch(schema::meta(&connection, "epoch")?.unsigned_abs()),
            last_seq: schema::meta(&connection, "last_seq")?.unsigned_abs(),
            sync: Sync::Now,
            connection,
        })
    }

    pub(super) fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        let Batch { appends, outcomes, counters, rejected } = batch;
        let epoch = self.epoch;
        let sync = if appends.is_empty() { Sync::Later } else { Sync::Now };
        let bytes = appends.iter().map(weight).sum::<usize>() + outcomes.len() * APPEND_OVERHEAD_BYTES;
        self.transaction(sync, bytes, |work| {
            let verdicts = appends.iter().map(|append| work.append(append)).collect::<Result<_, _>>()?;
            for (of, record) in outcomes {
                if *of < epoch {
                    tracing::warn!(seq = record.seq, sink = %record.sink, "an outcome came after its sink was taken over");
                } else {
                    work.outcome(record)?;
                }
            }
            for Count { endpoint, word, by } in counters {
                let endpoint = work.names.id(work.sql, endpoint)?;
                work.tally.word(endpoint, *word, *by);
            }
            work.reject(rejected)?;
            Ok(verdicts)
        })
    }

    /// Makes the next epoch the only one whose outcomes count.
    pub(super) fn claim(&mut self) -> Result<Epoch, Error> {
        let epoch = Epoch(self.epoch.0 + 1);
        self.transaction(Sync::Now, 0, |work| {
            Ok(work.sql.execute("update meta set value = ?1 where key = 'epoch'", [place(epoch.0)])?)
        })?;
        self.epoch = epoch;
        Ok(epoch)
    }

    /// The last one claimed.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Runs `work` in a transaction of its own. Nothing of it remains if it or the commit fails.
    pub(super) fn transaction<R>(
        &mut self,
        sync: Sync,
        bytes: usize,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.set_sync(sync)?;
        let result = self.attempt(work);
        self.names.settle(result.is_ok());
        let (result, last_seq) = result?;
        self.last_seq = last_seq;
        self.checkpoints.after_commit(&self.connection, bytes);
        Ok(result)
    }

    /// Runs `work` with freed bytes overwritten, then takes them out of the write-ahead log, too.
    pub(super) fn transaction_without_traces<R>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.connection.execute_batch("pragma secure_delete = on")?;
        let result = self.transaction(Sync::Now, 0, work);
        self.connection.execute_batch("pragma secure_delete = off")?;
        let result = result?;
        if !self.checkpoints.empty(&self.connection)? {
            return Err(Error::Full(
                "the bytes are still in the write-ahead log, which somebody reads; try again".into(),
            ));
        }
        Ok(result)
    }

    fn attempt<R>(
        &mut self,
        work: impl FnOnce(&mut Work<'_>) -> Result<R, Error>,
    ) -> Result<(R, Seq), Error> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut running = Work {
            sql: &transaction,
            names: &mut self.names,
            tally: Tally::default(),
            now: (self.clock)(),
            last_seq: self.last_seq,
        };
        let result = work(&mut running)?;
        let Work { tally, last_seq, .. } = running;
        tally.write(&transaction)?;
        if last_seq != self.last_seq {
            transaction
                .prepare_cached("update meta set value = ?1 where key = 'last_seq'")?
                .execute([place(last_seq)])?;
        }
        transaction.commit()?;
        Ok((result, last_seq))
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

fn weight(append: &Append) -> usize {
    append.event.body.len() + APPEND_OVERHEAD_BYTES
}

#[cfg(test)]
impl Writer {
    /// Lets the database grow to so many pages only: a full disk.
    pub(super) fn limit_pages(&self, pages: u32) -> Result<(), Error> {
        self.connection.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use boathook_event::{Event, EventParts, Head, ObjectName, Uid};
    use http::{HeaderMap, Method};

    use super::*;

    fn append(uid: u8, bytes: usize) -> Append {
        let head = Head { method: Method::POST, path: "/".into(), query: None, headers: HeaderMap::new() };
        let parts = EventParts {
            uid: Uid::from_bytes([uid; 16]),
            endpoint: ObjectName::new("test", "in"),
            received_at: Timestamp::UNIX_EPOCH,
            id: None,
            event_type: None,
            key: None,
            tenant: None,
            entity: None,
            index: 0,
            head: Arc::new(head),
            body: vec![uid; bytes].into(),
        };
        let event = Arc::new(Event::restore(parts));
        Append {
            event,
            dedupe: Vec::new(),
            dedupe_window: std::time::Duration::ZERO,
            parked: None,
            destinations: Vec::new(),
        }
    }

    #[test]
    fn a_full_disk_stores_nothing_and_the_store_goes_on_when_there_is_room_again() -> Result<(), Error> {
        let dir = tempfile::tempdir().map_err(|error| Error::Open(error.to_string()))?;
        let mut writer = Writer::open(&dir.path().join("events.db"), Arc::new(Timestamp::now))?;
        let batch = |appends: &[Append]| Batch { appends: appends.to_vec(), ..Batch::default() };
        assert_eq!(writer.commit(&batch(&[append(1, 10)]))?, [Verdict::Stored { seq: 1 }]);
        writer.limit_pages(40)?;
        let full = writer.commit(&batch(&[append(2, 10), append(3, 1 << 20)]));
        assert!(matches!(full, Err(Error::Full(_))), "{full:?}");
        writer.limit_pages(1 << 20)?;
        assert_eq!(writer.commit(&batch(&[append(2, 10)]))?, [Verdict::Stored { seq: 2 }]);
        Ok(())
    }
}
