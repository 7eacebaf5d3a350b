//! The embedded store: a journal, and one SQLite database made from it, in a folder that one process owns.
//!
//! A commit is one frame of the journal, which keeps the events' bytes; the database keeps what is looked for, and takes the
//! frames a little later. Commits wait for each other, and not for the database. One connection writes there, behind a mutex, so
//! nobody ever waits inside SQLite for another writer of this process; commits, feeds and archives read on connections of their
//! own; a thread checkpoints on another one.
mod append;
mod archive;
mod at_once;
mod checkpoint;
mod commits;
mod decide;
mod dedupe;
mod facts;
mod fault;
mod feed;
mod fresh;
mod insert;
mod journal;
mod lock;
mod names;
mod oldest;
mod outcome;
pub(crate) mod question;
mod quota;
mod rejected;
mod removal;
mod replay;
pub(crate) mod rows;
mod schema;
mod segments;
mod series;
mod snapshot;
mod spans;
mod steps;
mod tail;
mod tally;
mod turns;
mod woken;
mod writer;

use std::{
    fmt,
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

pub use archive::LocalArchive;
pub use feed::LocalFeed;
use jiff::Timestamp;

use crate::{
    Error,
    local::{commits::Commits, journal::Segments, quota::Quota, woken::Woken, writer::Writer},
    traits::{Batch, Committer, Verdict},
};

/// Tells the wall-clock time, by which deduplication keys expire.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A store in a folder. The folder stays locked until this and everything made from it is dropped.
#[derive(Clone)]
pub struct Local(Arc<Shared>);

/// In the order in which the fields must be dropped.
struct Shared {
    commits: Arc<Commits>,
    writer: Mutex<Writer>,
    clock: Clock,
    segments: Segments,
    file: PathBuf,
    _lock: File,
}

impl Local {
    /// Opens the store in this folder, and makes it where there is none. Waits up to `lock_wait` for another process to
    /// leave it.
    ///
    /// # Errors
    /// [`Error::Open`] says what is in the way and what to do; other errors are the disk's.
    pub fn open(dir: &Path, lock_wait: Duration) -> Result<Self, Error> {
        Self::open_with_clock(dir, lock_wait, Arc::new(Timestamp::now))
    }

    /// Like [`Local::open`], with another clock than the system's.
    pub fn open_with_clock(dir: &Path, lock_wait: Duration, clock: Clock) -> Result<Self, Error> {
        let lock = lock::take(dir, lock_wait)?;
        let file = dir.join("events.db");
        for_its_owner(&file)
            .map_err(|error| Error::Io(format!("cannot make {}: {error}", file.display())))?;
        let segments = Segments::in_folder(&dir.join("journal"))?;
        let writer = Writer::open(&file, &segments, Arc::clone(&clock))?;
        sync_entries(dir).map_err(|error| Error::Io(format!("cannot sync {}: {error}", dir.display())))?;
        let commits = writer.commits();
        let shared = Shared { commits, writer: Mutex::new(writer), clock, segments, file, _lock: lock };
        shared.overwrite_leftovers()?;
        Ok(Self(Arc::new(shared)))
    }

    /// What makes batches durable.
    pub fn committer(&self) -> LocalCommitter {
        LocalCommitter { shared: Arc::clone(&self.0), settler: None, quota: Quota::new(u64::MAX) }
    }

    /// A feed, on a connection of its own.
    pub fn feed(&self) -> Result<LocalFeed, Error> {
        LocalFeed::open(&self.0)
    }

    /// An archive, on a connection of its own.
    pub fn archive(&self) -> Result<LocalArchive, Error> {
        LocalArchive::open(&self.0)
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.0.file).finish()
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The writer. A panic while it was held has rolled its transaction back, so it is sound to go on.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        locked(&self.writer)
    }
}

/// Makes batches durable in a [`Local`] store.
pub struct LocalCommitter {
    shared: Arc<Shared>,
    /// The thread by which the database follows; started when there is something for it.
    settler: Option<Woken>,
    quota: Quota,
}

impl LocalCommitter {
    /// The same, which takes no events while the store's files have so many bytes or more. It is looked once a second at most.
    pub fn within(self, bytes_max: u64) -> Self {
        Self { quota: Quota::new(bytes_max), ..self }
    }

    /// Has the database follow, in a thread of its own, if it is far behind.
    fn follow(&mut self) {
        if !self.shared.commits.is_tail_long() {
            return;
        }
        if self.settler.is_none() {
            let shared = Arc::clone(&self.shared);
            let settle = move || {
                if let Err(error) = shared.writer().settle_if_long() {
                    tracing::warn!(%error, "the database of the store is behind its journal; it is tried again");
                }
            };
            self.settler = Woken::start(thread::Builder::new().name("settler".into()), settle)
                .inspect_err(|error| {
                    tracing::warn!(%error, "cannot start a thread; commits wait for the database instead");
                })
                .ok();
        }
        if let Some(settler) = &self.settler {
            settler.wake();
        }
    }
}

impl Committer for LocalCommitter {
    fn commit(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Error> {
        self.shared.commit(batch)
    }

    fn rest(&mut self) -> Option<String> {
        self.follow();
        let refusal = self.quota.refusal(&self.shared);
        refusal.unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be told how much of the disk the store has; it goes on");
            None
        })
    }
}

impl fmt::Debug for LocalCommitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalCommitter").field(&self.shared.file).finish()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the file, if it is not there, so that nobody else can read it; SQLite's other files get its permissions.
fn for_its_owner(file: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map(drop)
}

/// Makes the names of a new folder and of the files in it durable: without them the synced bytes cannot be found.
fn sync_entries(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()?;
    // The parent may be one that may not be opened; then somebody else made the folder, long ago.
    match dir.canonicalize()?.parent().map(File::open) {
        Some(Ok(parent)) => parent.sync_all(),
        _ => Ok(()),
    }
}
