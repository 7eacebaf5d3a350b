//! A commit: it is decided, written to the journal and synced, while the database follows at its own pace.
use std::sync::{Arc, Mutex, MutexGuard};

use boathook_event::{ObjectName, Record, Seq};
use rusqlite::Connection;

use crate::{
    Error,
    local::{
        Clock, Shared,
        decide::{self, Deciding, Decision},
        dedupe::{Dedupe, Row},
        journal::{Frame, Journal, Position},
        locked, schema,
        tail::{Tail, Tails},
    },
    traits::{Batch, Epoch, Verdict},
};

/// What commits need. They wait for each other, and neither for a transaction nor for a read.
pub(super) struct Commits {
    /// Held for as long as a commit takes, and before the state.
    journal: Mutex<Journal>,
    /// Held for moments.
    state: Mutex<State>,
}

struct State {
    /// Only reads: keys and deliveries of repeated events.
    connection: Connection,
    tails: Tails,
    /// Where their last frame ends.
    end: Position,
    dedupe: Dedupe,
    clock: Clock,
    epoch: Epoch,
    /// The last place given.
    last_seq: Seq,
}

/// What the database is to take now.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) tails: Vec<Arc<Tail>>,
    /// Where the last of its frames ends.
    pub(super) end: Position,
}

/// What became of a batch.
enum Committed {
    Made(Vec<Verdict>),
    /// Nothing: the database must first take what only the journal has.
    Unsettled,
}

impl Shared {
    /// One frame of the journal, and one sync if there are events in it.
    pub(super) fn commit(&self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        loop {
            match self.commits.commit(batch)? {
                Committed::Made(verdicts) => return Ok(verdicts),
                Committed::Unsettled => self.writer().settle()?,
            }
        }
    }
}

impl Commits {
    /// With a connection of its own. What the journal has behind the place up to which it was read comes with
    /// [`Commits::read_next`].
    pub(super) fn new(
        connection: Connection,
        journal: Journal,
        epoch: Epoch,
        clock: Clock,
    ) -> Result<Self, Error> {
        let state = State {
            dedupe: Dedupe::load(&connection)?,
            connection,
            tails: Tails::default(),
            end: journal.end(),
            clock,
            epoch,
            last_seq: 0,
        };
        Ok(Self { journal: Mutex::new(journal), state: Mutex::new(state) })
    }

    /// Adds a frame that an earlier process has written. Returns whether there was one.
    pub(super) fn read_next(&self) -> Result<bool, Error> {
        let mut journal = locked(&self.journal);
        let Some(frame) = journal.read_next()? else { return Ok(false) };
        self.state().push(frame, journal.end());
        Ok(true)
    }

    /// Makes the frames that were read durable: what is in doubt must not be in the database before it is in the journal.
    pub(super) fn sync_read(&self) -> Result<(), Error> {
        locked(&self.journal).sync_read()
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, Error> {
        let mut journal = locked(&self.journal);
        let decided = self.state().decide(batch)?;
        let Some(mut frame) = decided else { return Ok(Committed::Unsettled) };
        let sync = !frame.appends.is_empty();
        if let Err(error) = journal.write(&mut frame, sync) {
            self.state().take_back();
            return Err(error);
        }
        let verdicts = frame.appends.iter().map(decide::verdict).collect();
        self.state().push(frame, journal.end());
        Ok(Committed::Made(verdicts))
    }

    /// What the database does not have, to be taken by it now. It stays known here until it is [`Commits::taken`].
    pub(super) fn take(&self) -> Taken {
        self.state().take()
    }

    /// The same before work on these events alone: nothing, if all may follow it.
    pub(super) fn take_before_work_on(&self, events: &[Seq]) -> Taken {
        let mut state = self.state();
        if state.tails.may_follow_work_on(events) { Taken::default() } else { state.take() }
    }

    /// The database has what it took, with these keys in this generation.
    pub(super) fn taken(&self, generation: i64, keys: &[Row]) {
        let mut state = self.state();
        state.dedupe.taken(generation, keys);
        state.tails.taken();
    }

    /// The generation is gone from the database.
    pub(super) fn forgotten(&self, generation: i64) {
        self.state().dedupe.forgotten(generation);
    }

    /// Whether the database should take what only the journal has.
    pub(super) fn is_tail_long(&self) -> bool {
        self.state().tails.are_long()
    }

    /// See [`Tails::only_ended`].
    pub(super) fn only_ended(&self, sink: &ObjectName) -> Option<Vec<Seq>> {
        self.state().tails.only_ended(sink)
    }

    /// From when it returns only outcomes of this epoch count.
    pub(super) fn begin(&self, epoch: Epoch) {
        // A commit that runs may have decided on others.
        let _journal = locked(&self.journal);
        self.state().epoch = epoch;
    }

    /// The last place given.
    pub(super) fn last_seq(&self) -> Seq {
        self.state().last_seq
    }

    /// Goes on behind this place.
    pub(super) fn go_on_after(&self, last_seq: Seq) {
        self.state().last_seq = last_seq;
    }

    /// Bytes of the database that are in use; the log that is moved into it comes on top.
    pub(super) fn database_bytes(&self) -> Result<u64, Error> {
        let state = self.state();
        let number = |name| schema::pragma(&state.connection, name);
        let pages = number("page_count")? - number("freelist_count")?;
        Ok(pages.unsigned_abs() * number("page_size")?.unsigned_abs())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl State {
    /// A frame that is to be written; none if the database must first take what only the journal has.
    fn decide(&mut self, batch: &Batch) -> Result<Option<Frame>, Error> {
        if self.tails.are_full() {
            return Ok(None);
        }
        let Batch { appends, outcomes, counters, rejected } = batch;
        let at = (self.clock)();
        let deciding = Deciding {
            sql: &self.connection,
            dedupe: &mut self.dedupe,
            tails: &self.tails,
            at,
            last: self.last_seq,
        };
        let decision = deciding.decide(appends);
        let Ok(Decision::Made(appends)) = decision else {
            self.take_back();
            return decision.map(|_| None);
        };
        let counts = |(of, record): &(Epoch, Record)| {
            if *of < self.epoch {
                tracing::warn!(seq = record.seq, sink = %record.sink, "an outcome came after its sink was taken over");
                return None;
            }
            Some(record.clone())
        };
        Ok(Some(Frame {
            at,
            appends,
            outcomes: outcomes.iter().filter_map(counts).collect(),
            counters: counters.clone(),
            rejected: rejected.clone(),
        }))
    }

    /// Adds a frame that is written, and ends there.
    fn push(&mut self, frame: Frame, end: Position) {
        self.dedupe.committed();
        if let Some(seq) = frame.last_seq() {
            self.last_seq = seq;
        }
        self.tails.push(frame);
        self.end = end;
    }

    /// Forgets the keys of what was decided and not written.
    fn take_back(&mut self) {
        self.dedupe.take_back(self.last_seq + 1);
    }

    fn take(&mut self) -> Taken {
        self.dedupe.take(self.last_seq + 1);
        Taken { tails: self.tails.take(), end: self.end }
    }
}
