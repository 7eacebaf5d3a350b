//! What runs for longer than a call: each job in a task of its own, asked for and cancelled by its id.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use boathook_api::{Code, Erasure, JobState, Problem, Replay};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{Answered, json, with_status};
use crate::limits::{DRY_RUN_WAIT, JOBS_KEPT_MAX, JOBS_RUNNING_MAX};

/// How far a job is, as the API tells it.
pub(super) trait Progress: Clone + Serialize {
    /// What such a job is called.
    const NAME: &str;
    /// By which it is asked for.
    fn id(&self) -> &str;
    /// How it stands.
    fn state(&self) -> JobState;
    /// When it began.
    fn started_at(&self) -> Timestamp;
    /// It stands so from this time on.
    fn end(&mut self, state: JobState, at: Timestamp, error: Option<String>);
}

/// The jobs of one kind of this process.
pub(super) struct Jobs<P>(Mutex<BTreeMap<String, Job<P>>>);

/// One of them, as far as others see it.
pub(super) struct Job<P> {
    progress: Arc<Mutex<P>>,
    cancelled: CancellationToken,
}

impl<P> Clone for Job<P> {
    fn clone(&self) -> Self {
        Self { progress: Arc::clone(&self.progress), cancelled: self.cancelled.clone() }
    }
}

impl<P> Default for Jobs<P> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<P: Progress> Jobs<P> {
    pub(super) fn show(&self, id: &str) -> Answered {
        json(&*self.job(id)?.progress())
    }

    pub(super) fn cancel(&self, id: &str) -> Answered {
        let job = self.job(id)?;
        job.cancelled.cancel();
        job.end(JobState::Cancelled, None);
        json(&*job.progress())
    }

    /// Cancels all: the receiver stops.
    pub(super) fn stop(&self) {
        self.jobs().values().for_each(|job| job.cancelled.cancel());
    }

    /// A new one, which has this to tell at first.
    pub(super) fn begin(&self, progress: P) -> Result<Job<P>, Problem> {
        let mut jobs = self.jobs();
        let running = |job: &Job<P>| job.progress().state() == JobState::Running;
        if jobs.values().filter(|job| running(job)).count() >= JOBS_RUNNING_MAX {
            return Err(Problem::new(
                Code::Conflict,
                format!("{JOBS_RUNNING_MAX} {}s are running", P::NAME),
                "wait until one ends, or cancel one",
            ));
        }
        while jobs.len() >= JOBS_KEPT_MAX {
            let ended = jobs.iter().filter(|(_, job)| !running(job));
            let oldest = ended.min_by_key(|(_, job)| job.progress().started_at()).map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { break };
            jobs.remove(&oldest);
        }
        let id = progress.id().to_owned();
        let job = Job { progress: Arc::new(Mutex::new(progress)), cancelled: CancellationToken::new() };
        jobs.insert(id, job.clone());
        Ok(job)
    }

    fn job(&self, id: &str) -> Result<Job<P>, Problem> {
        self.jobs().get(id).cloned().ok_or_else(|| {
            Problem::new(
                Code::NotFound,
                format!("there is no {} `{id}`", P::NAME),
                "a receiver forgets them when it ends; what they had done by then stays done. Ask for it anew",
            )
        })
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job<P>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Progress> Job<P> {
    pub(super) fn progress(&self) -> MutexGuard<'_, P> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until then. Returns whether it goes on: not if it is cancelled, and that at once. What it does in between is done whole,
    /// and counted.
    pub(super) async fn goes_on(&self, at: Instant) -> bool {
        let waited = self.cancelled.run_until_cancelled(sleep_until(at.into())).await;
        waited.is_some() && !self.cancelled.is_cancelled()
    }

    /// It stands as what it did has ended.
    pub(super) fn ended(&self, outcome: Result<(), boathook_store::Error>) {
        match outcome {
            Err(error) => self.end(JobState::Failed, Some(error.to_string())),
            Ok(()) if self.cancelled.is_cancelled() => self.end(JobState::Cancelled, None),
            Ok(()) => self.end(JobState::Done, None),
        }
    }

    /// Does the work in a task of its own, and tells how far it is.
    pub(super) async fn start(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
        dry_run: bool,
    ) -> Answered {
        let working = tokio::spawn(work);
        if dry_run {
            // Whoever counts wants the number; of very much it is asked for later.
            drop(timeout(DRY_RUN_WAIT, working).await);
        }
        with_status(StatusCode::CREATED, &*self.progress())
    }

    /// It stands so from now on, if it was running.
    fn end(&self, state: JobState, error: Option<String>) {
        let mut progress = self.progress();
        if progress.state() == JobState::Running {
            progress.end(state, Timestamp::now(), error);
        }
    }
}

/// By which a new job is asked for.
pub(super) fn new_id() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// Of a job whose state stands in fields of the same names.
macro_rules! progress {
    ($job:ty, $name:literal) => {
        impl Progress for $job {
            const NAME: &str = $name;

            fn id(&self) -> &str {
                &self.id
            }

            fn state(&self) -> JobState {
                self.state
            }

            fn started_at(&self) -> Timestamp {
                self.started_at
            }

            fn end(&mut self, state: JobState, at: Timestamp, error: Option<String>) {
                (self.state, self.ended_at, self.error) = (state, Some(at), error);
            }
        }
    };
}

progress!(Replay, "replay");
progress!(Erasure, "erasure");
