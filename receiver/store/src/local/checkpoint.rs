//! Moving the write-ahead log into the database, away from the thread that commits.
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;

use crate::{
    Error,
    limits::{CHECKPOINT_BYTES, WAL_BYTES_MAX},
    local::schema,
};

/// The thread that checkpoints, and the writer's view of it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wal: PathBuf,
    /// Bytes committed since the last request.
    written: usize,
    /// SQLite refuses a checkpoint while another one runs; this waits instead.
    running: Arc<Mutex<()>>,
    requests: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread with a connection of its own.
    pub(super) fn start(file: &Path) -> Result<Self, Error> {
        let connection = schema::open_reader(file)?;
        let running = Arc::new(Mutex::new(()));
        // One request waits at most: a second one would find nothing to do.
        let (requests, requested) = mpsc::sync_channel(1);
        let turn = Arc::clone(&running);
        let thread = thread::Builder::new()
            .name("checkpoint".into())
            .stack_size(256 << 10)
            .spawn(move || run(&connection, &turn, &requested))
            .map_err(|error| Error::Open(format!("cannot start a thread: {error}")))?;
        let mut wal = file.as_os_str().to_owned();
        wal.push("-wal");
        Ok(Self { wal: wal.into(), written: 0, running, requests: Some(requests), thread: Some(thread) })
    }

    /// To be called by the writer after each commit, with roughly what it wrote.
    pub(super) fn after_commit(&mut self, writer: &Connection, bytes: usize) {
        self.written += bytes;
        if self.written < CHECKPOINT_BYTES {
            return;
        }
        self.written = 0;
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(());
        }
        // Under steady load no checkpoint catches up with the writer, and the log can only start anew when one has.
        if fs::metadata(&self.wal).is_ok_and(|wal| wal.len() > WAL_BYTES_MAX)
            && let Err(error) = self.empty(writer)
        {
            tracing::warn!(%error, "the write-ahead log could not be emptied; it is tried again");
        }
    }

    /// Empties the log, on the writer's own connection. Returns whether it could.
    pub(super) fn empty(&self, writer: &Connection) -> Result<bool, Error> {
        let _turn = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        schema::empty_wal(writer)
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.requests = None;
        // The folder's lock must not be given up while this connection is open.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, turn: &Mutex<()>, requested: &mpsc::Receiver<()>) {
    while requested.recv().is_ok() {
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        // What this one cannot do the next one does; a failing disk also fails the writer, who tells of it.
        if let Err(error) = connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(())) {
            tracing::warn!(%error, "a checkpoint of the store failed; it is tried again");
        }
    }
}
