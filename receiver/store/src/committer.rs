//! The thread that commits, and the handle by which asynchronous code reaches it.
//!
//! The state machine is behind a mutex: whoever submits steps it, and so does the thread when a batch is done, so that
//! its bounds hold while a commit takes long. Only the thread commits, and it holds no lock then.
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use boathook_event::{Count, Record, Rejected, Seq};
use tokio::sync::{mpsc as handovers, oneshot, watch};

use crate::{
    Error, SubmitError,
    group::{Command, GroupCommit, Handover, Input, Request},
    limits::HANDOVERS_MAX,
    traits::{Append, Batch, Committer, Epoch, Verdict},
};

/// Submits to the committer thread; cheap to clone.
#[derive(Clone)]
pub struct StoreHandle(Arc<Shared>);

/// The committer thread. Dropping this closes the store without waiting; see [`Running::close`].
#[derive(Debug)]
pub struct Running {
    handle: StoreHandle,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    started: Instant,
    /// Why the store is in doubt, once it is.
    halted: watch::Sender<Option<Arc<str>>>,
}

/// Commands are carried out under the mutex, so that answers and handovers keep their order. None of them waits.
struct State {
    machine: GroupCommit<Waiter>,
    commands: Vec<Command<Waiter>>,
    /// Never blocks, and holds few jobs: one batch is written at a time, and a wake-up is sent only when its time changes.
    jobs: mpsc::Sender<Job>,
    handovers: handovers::Sender<Handover>,
    /// The last place of the last handover for which there was no room.
    missed: watch::Sender<Seq>,
}

enum Waiter {
    Verdicts(oneshot::Sender<Result<Vec<Verdict>, SubmitError>>),
    Recorded(oneshot::Sender<bool>),
}

/// What the thread is told.
enum Job {
    Write(Arc<Batch>),
    WakeAt(Duration),
    Stop,
}

impl Running {
    /// Starts the thread. The receiver gets, in sequence order, what each commit has stored; when it lags by more than
    /// [`HANDOVERS_MAX`] commits, it misses some, and is told so by [`Running::missed`].
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(
        committer: impl Committer + Send + 'static,
    ) -> Result<(Self, handovers::Receiver<Handover>), Error> {
        let (jobs, todo) = mpsc::channel();
        let (handovers, handed_over) = handovers::channel(HANDOVERS_MAX);
        let missed = watch::Sender::new(0);
        let state = State { machine: GroupCommit::default(), commands: Vec::new(), jobs, handovers, missed };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            started: Instant::now(),
            halted: watch::Sender::new(None),
        });
        let its = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("committer".into())
            .spawn(move || run(committer, &its, &todo))
            .map_err(|error| Error::Open(format!("cannot start a thread: {error}")))?;
        Ok((Self { handle: StoreHandle(shared), thread: Some(thread) }, handed_over))
    }

    /// What to submit with.
    pub fn handle(&self) -> StoreHandle {
        self.handle.clone()
    }

    /// Changes when a handover was lost: everything up to this place is committed, and is to be read from the feed.
    pub fn missed(&self) -> watch::Receiver<Seq> {
        self.handle.0.state.lock().unwrap_or_else(PoisonError::into_inner).missed.subscribe()
    }

    /// Refuses what comes from now on, writes what came before, and waits for it.
    pub async fn close(mut self) {
        self.handle.0.step(Input::Close);
        if let Some(thread) = self.thread.take() {
            // The thread turns a committer's panic into a halt; there is nothing else to learn from either result.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.0.step(Input::Close);
    }
}

impl StoreHandle {
    /// Stores the events of one request in one commit. Returns when they are durable, with a verdict for each, in order.
    /// They are stored even if this future is dropped.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn append(&self, appends: Vec<Append>) -> Result<Vec<Verdict>, SubmitError> {
        let (answer, answered) = oneshot::channel();
        self.0.step(Input::Submit(Request::Appends(Waiter::Verdicts(answer), appends)));
        answered.await.unwrap_or_else(|_| Err(SubmitError::InDoubt("the store is closed".into())))
    }

    /// Records attempts and what follows them, each under the epoch under which it began, soon. The receiver is told whether they are recorded, in the order of the
    /// calls; if they are not, the deliveries are still as they were.
    pub fn record(&self, records: Vec<(Epoch, Record)>) -> oneshot::Receiver<bool> {
        let (answer, answered) = oneshot::channel();
        self.0.step(Input::Submit(Request::Outcomes(Waiter::Recorded(answer), records)));
        answered
    }

    /// Adds to totals, soon.
    pub fn count(&self, counts: Vec<Count>) {
        self.0.step(Input::Submit(Request::Counts(counts)));
    }

    /// Remembers refused requests, soon.
    pub fn reject(&self, rejected: Vec<Rejected>) {
        self.0.step(Input::Submit(Request::Rejected(rejected)));
    }

    /// Returns, with the reason, when the store is in doubt: the process must exit then, for only a new one may trust what
    /// it reads. Everybody who waited was told [`SubmitError::InDoubt`] or
    /// [`SubmitError::Unavailable`].
    pub async fn halted(&self) -> Arc<str> {
        let mut halted = self.0.halted.subscribe();
        match halted.wait_for(Option::is_some).await.map(|reason| reason.clone()) {
            Ok(Some(reason)) => reason,
            // The sender lives as long as this handle, and what was waited for is there.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreHandle")
    }
}

impl Shared {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn step(&self, input: Input<Waiter>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { machine, commands, jobs, handovers, missed } = &mut *state;
        machine.step(self.now(), input, commands);
        for command in commands.drain(..) {
            match command {
                // The thread ends only after it was told to stop, which is the last thing it is told.
                Command::Write(batch) => drop(jobs.send(Job::Write(batch))),
                Command::WakeAt(at) => drop(jobs.send(Job::WakeAt(at))),
                Command::Closed => drop(jobs.send(Job::Stop)),
                // Who no longer listens has gone away; what was stored is stored.
                Command::Answer(Waiter::Verdicts(answer), result) => drop(answer.send(result)),
                Command::Answer(Waiter::Recorded(answer), result) => drop(answer.send(result.is_ok())),
                Command::Handover(handover) => {
                    let last = handover.last;
                    if handovers.try_send(handover).is_err() {
                        missed.send_replace(last);
                    }
                }
                Command::Halt(reason) => {
                    tracing::error!(reason, "the store is in doubt; nothing is acknowledged any more");
                    self.halted.send_replace(Some(reason.into()));
                    drop(jobs.send(Job::Stop));
                }
            }
        }
    }
}

fn run(mut committer: impl Committer, shared: &Shared, jobs: &mpsc::Receiver<Job>) {
    let (mut wake_at, mut refusal) = (None, None);
    while let Some(job) = next(jobs, &mut wake_at, shared) {
        match job {
            Job::Write(batch) => {
                wake_at = None;
                let commit = catch_unwind(AssertUnwindSafe(|| committer.commit(&batch)));
                let result = commit.unwrap_or_else(|_| Err(Error::Io("the committer panicked".into())));
                if let Err(error) = &result {
                    let (appends, outcomes) = (batch.appends.len(), batch.outcomes.len());
                    tracing::warn!(%error, appends, outcomes, "a commit failed");
                }
                drop(batch);
                shared.step(Input::Written(result));
                let now = committer.rest();
                if now != refusal {
                    refusal.clone_from(&now);
                    shared.step(Input::Refuse(now));
                }
            }
            Job::WakeAt(at) => wake_at = Some(at),
            Job::Stop => return,
        }
    }
}

/// The next job; ticks while it waits. An idle store waits without a deadline and costs nothing.
fn next(jobs: &mpsc::Receiver<Job>, wake_at: &mut Option<Duration>, shared: &Shared) -> Option<Job> {
    loop {
        let Some(at) = *wake_at else { return jobs.recv().ok() };
        match jobs.recv_timeout(at.saturating_sub(shared.now())) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                *wake_at = None;
                shared.step(Input::Tick);
            }
        }
    }
}
