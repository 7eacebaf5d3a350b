//! One connection to the server, for one thread at a time: made when it is needed, made anew when it was lost.
use std::{cell::Cell, fs};

use tokio::{
    runtime::{self, Runtime},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{Client, NoTls};

use crate::{
    Error,
    limits::{CONNECT_PAUSE, CONNECT_TIME_MAX, REPEATS_MAX, WORK_TIME_MAX},
    postgres::{
        fault::{Fault, Follows, text},
        options::Options,
    },
};

/// Statements look few rows up by their keys, and are planned as they come: without statistics, or with those of an hour
/// ago, the planner takes a table for small and reads all of it. Compiling them would take longer than running them.
macro_rules! by_index {
    () => {
        "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off; set local jit = off"
    };
}
/// What every transaction begins with. It is set for the transaction alone: a pooler may give the next one another server
/// process. A process that is stopped in the middle holds the others up no longer than a few seconds.
pub(super) const BEGIN: &str = concat!(
    "begin; set local synchronous_commit = on; set local lock_timeout = '5s'; set local statement_timeout = '8s'; \
     set local idle_in_transaction_session_timeout = '5s'; ",
    by_index!()
);
/// The same for what may be lost with the server: it is durable with the next commit that is not.
pub(super) const BEGIN_LATER: &str = concat!(
    "begin; set local synchronous_commit = off; set local lock_timeout = '5s'; set local statement_timeout = '8s'; \
     set local idle_in_transaction_session_timeout = '5s'; ",
    by_index!()
);
/// What a read begins with: all of it is of one moment.
pub(super) const BEGIN_READ: &str = concat!(
    "begin isolation level repeatable read read only; set local statement_timeout = '8s'; \
     set local idle_in_transaction_session_timeout = '5s'; ",
    by_index!()
);
/// What every transaction ends with. A timeout that hits a commit while it waits for its standby would end the wait, and
/// report success for what the standby does not have: we stop waiting instead, and are in doubt.
pub(super) const COMMIT: &str = "set local statement_timeout = 0; commit";

/// A connection, or the intention to have one.
pub(super) struct Connection {
    options: Options,
    /// Drives the connection while somebody waits for it; taken when this is dropped.
    runtime: Option<Runtime>,
    session: Option<Session>,
}

/// An open connection.
pub(super) struct Session {
    pub(super) client: Client,
    driver: JoinHandle<()>,
    committing: Cell<bool>,
}

impl Session {
    /// To be called before a commit is sent: if its answer is lost, nobody knows whether it was done.
    pub(super) fn committing(&self) {
        self.committing.set(true);
    }

    /// Closes it at once, whatever it does: the server rolls back what is not committed.
    async fn end(self) {
        self.driver.abort();
        drop(self.driver.await);
    }
}

impl Connection {
    pub(super) fn new(options: Options) -> Result<Self, Error> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Open(format!("cannot start a runtime: {error}")))?;
        Ok(Self { options, runtime: Some(runtime), session: None })
    }

    /// Does a piece of work, which is one transaction. Where the connection turns out to be lost before anything was
    /// committed, or the server asks for it, the work is done again.
    ///
    /// # Errors
    /// [`Error::Away`], [`Error::InDoubt`] and the others say whether it may have been done.
    pub(super) fn work<R>(&mut self, work: &impl AsyncFn(&Session) -> Result<R, Fault>) -> Result<R, Error> {
        let Self { options, runtime, session } = self;
        let Some(runtime) = runtime else { return Err(Error::Away("it was closed".into())) };
        runtime.block_on(async {
            let mut repeats = 0;
            loop {
                let known = session.take().filter(|session| !session.client.is_closed());
                let stale = known.is_some();
                let open = match known {
                    Some(open) => open,
                    None => connect(options).await?,
                };
                open.committing.set(false);
                let done = timeout(WORK_TIME_MAX, work(&open)).await;
                let committing = open.committing.get();
                let follows = match done {
                    Ok(Ok(done)) => {
                        *session = Some(open);
                        return Ok(done);
                    }
                    Ok(Err(fault)) => fault.follows(committing, stale),
                    Err(_) => Follows::Failed(late(committing)),
                };
                open.end().await;
                match follows {
                    Follows::Again if repeats < REPEATS_MAX => repeats += 1,
                    Follows::Again => {
                        return Err(Error::Away("the server asks to try again, again and again".into()));
                    }
                    Follows::Failed(error) => return Err(error),
                }
            }
        })
    }
}

impl Drop for Connection {
    /// In a place that must not wait, also.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Nothing came in time.
fn late(committing: bool) -> Error {
    let text = format!("no answer in {} s", WORK_TIME_MAX.as_secs());
    if committing { Error::InDoubt(text) } else { Error::Away(text) }
}

async fn connect(options: &Options) -> Result<Session, Error> {
    let connected = timeout(2 * CONNECT_TIME_MAX, open(options)).await;
    let failed = match connected {
        Ok(Ok(session)) => return Ok(session),
        Ok(Err(error)) => error,
        Err(_) => format!("no answer in {} s", (2 * CONNECT_TIME_MAX).as_secs()),
    };
    // So that who comes at once again does not come more often than this.
    sleep(CONNECT_PAUSE).await;
    Err(Error::Away(format!("cannot connect to {}: {failed}", options.place())))
}

async fn open(options: &Options) -> Result<Session, String> {
    let mut config = options.config.clone();
    if let Some(file) = &options.password {
        let password = fs::read_to_string(file).map_err(|error| {
            format!("the file {} with the password cannot be read: {error}", file.display())
        })?;
        config.password(password.trim_end_matches(['\r', '\n']));
    }
    let (client, driver) = match options.tls.clone() {
        None => {
            let (client, connection) = config.connect(NoTls).await.map_err(|error| text(&error))?;
            (client, tokio::spawn(drive(connection)))
        }
        Some(tls) => {
            let (client, connection) = config.connect(tls).await.map_err(|error| text(&error))?;
            (client, tokio::spawn(drive(connection)))
        }
    };
    Ok(Session { client, driver, committing: Cell::new(false) })
}

/// Until it is closed; who waits for an answer is told why.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(error = text(&error), "a connection to the store has ended");
    }
}
