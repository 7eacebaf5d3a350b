//! Moving the write-ahead log into the database, beside what writes to it.
//!
//! The log can start anew, in the blocks it has, only at a moment when all of it was moved; until then it grows, and a
//! growing file makes each sync wait for the file system's own journal. Under load no checkpoint beside the writer ever
//! sees that moment. So the thread moves nearly all, again and again until little is left, and the writer moves the rest
//! between two transactions.
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rusqlite::Connection;

use crate::{
    Error,
    limits::{CHECKPOINT_PAGES, CHECKPOINT_PASSES_MAX, CHECKPOINT_REST_PAGES, WAL_BYTES_MAX},
    local::{schema, woken::Woken},
};

/// The thread that checkpoints, and the writer's view of it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wal: PathBuf,
    /// Pages of the log at the last request.
    requested_at: i32,
    shared: Arc<Shared>,
    /// The folder's lock must not be given up while its connection is open.
    thread: Woken,
}

#[derive(Debug, Default)]
struct Shared {
    /// SQLite refuses a checkpoint while another one runs; this waits instead.
    turn: Mutex<()>,
    /// Little is left for the writer to move.
    nearly_done: AtomicBool,
}

impl Checkpoints {
    /// Starts the thread with a connection of its own.
    pub(super) fn start(file: &Path) -> Result<Self, Error> {
        let connection = schema::open_reader(file)?;
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new().name("checkpoint".into()).stack_size(256 << 10);
        let thread = Woken::start(thread, move || run(&connection, &its))
            .map_err(|error| Error::Open(format!("cannot start a thread: {error}")))?;
        Ok(Self { wal: schema::wal(file), requested_at: 0, shared, thread })
    }

    /// To be called by the writer after each commit, in the thread that committed.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        if self.shared.nearly_done.swap(false, Ordering::Relaxed) {
            let _turn = self.shared.turn();
            told(passive(writer).map(drop));
        }
        let Some(pages) = schema::log_pages() else { return };
        // It has begun anew.
        self.requested_at = self.requested_at.min(pages);
        if pages - self.requested_at < CHECKPOINT_PAGES {
            return;
        }
        self.requested_at = pages;
        self.thread.wake();
        // The thread does not catch up with a writer at full speed.
        if fs::metadata(&self.wal).is_ok_and(|wal| wal.len() > WAL_BYTES_MAX) {
            told(self.empty(writer).map(drop));
        }
    }

    /// Empties the log, on the writer's own connection. Returns whether it could.
    pub(super) fn empty(&self, writer: &Connection) -> Result<bool, Error> {
        let _turn = self.shared.turn();
        schema::empty_wal(writer)
    }
}

impl Shared {
    fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(connection: &Connection, shared: &Shared) {
    for _ in 0..CHECKPOINT_PASSES_MAX {
        let rest = {
            let _turn = shared.turn();
            passive(connection)
        };
        match rest {
            Ok(rest) if rest > CHECKPOINT_REST_PAGES => {}
            Ok(_) => {
                shared.nearly_done.store(true, Ordering::Relaxed);
                break;
            }
            Err(error) => {
                told(Err(error));
                break;
            }
        }
    }
}

/// Moves what can be moved without waiting for anybody. Returns how many pages are left in the log.
fn passive(connection: &Connection) -> Result<i64, Error> {
    let moved = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?);
    Ok(connection.query_row("pragma wal_checkpoint(passive)", [], moved)?)
}

/// What one checkpoint cannot do the next one does; a failing disk fails the commits, too.
fn told(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a checkpoint of the store failed; it is tried again");
    }
}
