//! A receiver between a sender and a sink, in folders of its own.
use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::{
    checker::{self, Totals, Verdict},
    sender::{PATH, SECRET, Sender},
    sink::{Mood, Sink},
};
use crate::{addresses::Addresses, http, packages, process::Process, receiver};

const READY_POLL: Duration = Duration::from_millis(20);
/// How long what waits may take to arrive, once nothing is broken any more.
const ARRIVAL_WAIT: Duration = Duration::from_secs(120);
const ARRIVAL_POLL: Duration = Duration::from_millis(100);
/// How long something that is expected to happen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// It.
pub(super) struct Bench {
    program: PathBuf,
    folders: TempDir,
    addresses: Addresses,
    pub(super) sink: Sink,
    pub(super) receiver: Process,
    /// Another one over the same database.
    other: Option<(Process, Addresses)>,
    /// The URL of its database; else it has a local store.
    database: Option<String>,
    /// The file that says how its clock is set.
    clock: Option<PathBuf>,
}

impl Bench {
    /// Starts receiver and sink.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(super) fn start(program: &Path) -> anyhow::Result<Self> {
        let folders = tempfile::tempdir().context("cannot make a temporary folder")?;
        fs::create_dir(folders.path().join("data"))?;
        Self::start_in(program, folders)
    }

    /// The same in a folder in which the folder `data` is made.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(super) fn start_in(program: &Path, folders: TempDir) -> anyhow::Result<Self> {
        Self::start_with(program, folders, None, None)
    }

    /// The same with a clock that can be set ([`Bench::set_clock`]).
    ///
    /// # Errors
    /// When one cannot be started.
    pub(super) fn with_clock(program: &Path) -> anyhow::Result<Self> {
        let folders = tempfile::tempdir().context("cannot make a temporary folder")?;
        let clock = folders.path().join("clock");
        fs::write(&clock, "+0")?;
        Self::start_with(program, folders, None, Some(clock))
    }

    /// Sets the receiver's clock to so many hours before or behind that of the machine. It sees that within a second.
    ///
    /// # Errors
    /// When it cannot be set.
    pub(super) fn set_clock(&self, hours: i32) -> anyhow::Result<()> {
        let clock = self.clock.as_ref().context("this receiver has no clock that can be set")?;
        // Whole, and then in its place: it may be read at any moment.
        let draft = clock.with_extension("draft");
        fs::write(&draft, format!("{hours:+}h"))?;
        Ok(fs::rename(draft, clock)?)
    }

    /// Starts a receiver over this database.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn shared(program: &Path, database: &str) -> anyhow::Result<Self> {
        let folders = tempfile::tempdir().context("cannot make a temporary folder")?;
        Self::start_with(program, folders, Some(database.into()), None)
    }

    fn start_with(
        program: &Path,
        folders: TempDir,
        database: Option<String>,
        clock: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let sink = Sink::start()?;
        fs::create_dir(folders.path().join("config"))?;
        fs::write(folders.path().join("config/all.yaml"), configuration(&sink))?;
        let addresses = Addresses::free()?;
        let to = (database.as_deref(), clock.as_deref());
        let receiver = start(program, folders.path(), "data", &addresses, to)?;
        let (program, other) = (program.to_owned(), None);
        Ok(Self { program, folders, addresses, sink, receiver, other, database, clock })
    }

    /// Starts another receiver over the same database.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn another(&mut self) -> anyhow::Result<()> {
        let addresses = Addresses::free()?;
        let receiver = start(&self.program, self.folders.path(), "other-data", &addresses, self.to())?;
        self.other = Some((receiver, addresses));
        Ok(())
    }

    /// A sender to each receiver in turn.
    pub(super) fn sender(&self) -> Sender {
        let other = self.other.iter().map(|(_, addresses)| addresses.public);
        Sender::start(&[self.addresses.public].into_iter().chain(other).collect::<Vec<_>>())
    }

    /// Starts the receiver anew, after it has ended.
    ///
    /// # Errors
    /// When it does not get ready.
    pub(super) fn restart(&mut self) -> anyhow::Result<()> {
        self.receiver = start(&self.program, self.folders.path(), "data", &self.addresses, self.to())?;
        Ok(())
    }

    /// Its database, and its clock.
    fn to(&self) -> (Option<&str>, Option<&Path>) {
        (self.database.as_deref(), self.clock.as_deref())
    }

    /// Waits until the receiver has ended by itself.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let receiver = &mut self.receiver;
        until("the receiver to end", || Ok(receiver.ended()?))
    }

    /// Ends the sending, waits until everything has arrived, and says what became of it.
    ///
    /// # Errors
    /// When the receiver does not say how it stands.
    pub(super) fn verdict(mut self, sender: Sender) -> anyhow::Result<Verdict> {
        self.sink.set(Mood::Well);
        let sent = sender.finish();
        let deadline = Instant::now() + ARRIVAL_WAIT;
        let totals = loop {
            let totals = self.totals()?;
            // What still waits then is told as lost.
            if totals.pending == 0 || Instant::now() > deadline {
                break totals;
            }
            thread::sleep(ARRIVAL_POLL);
        };
        let verdict = checker::check(&sent, &self.sink.taken(), totals);
        self.receiver.stop()?;
        if let Some((other, _)) = &mut self.other {
            other.stop()?;
        }
        Ok(verdict)
    }

    fn totals(&self) -> anyhow::Result<Totals> {
        let answer = http::get(self.addresses.private, "/report").context("the receiver has no report")?;
        Totals::read(&answer.body).with_context(|| format!("not understood: {}", answer.body))
    }
}

/// Looks again and again.
///
/// # Errors
/// When it takes more than a minute.
pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited for {what} for {PATIENCE:?}, in vain");
        }
        thread::sleep(READY_POLL);
    }
}

fn start(
    program: &Path,
    folders: &Path,
    data: &str,
    addresses: &Addresses,
    (database, clock): (Option<&str>, Option<&Path>),
) -> anyhow::Result<Process> {
    let logs = folders.join("log");
    let into: File = OpenOptions::new().create(true).append(true).open(&logs)?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(folders.join("config"))
        .arg("--data")
        .arg(folders.join(data))
        .args(["--listen", &addresses.public.to_string(), "--admin", &addresses.private.to_string()])
        .args(["--lock-wait", "10s", "--log-level", "warn"])
        .args(["--api", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stderr(into);
    if let Some(database) = database {
        command.args(["--store", "postgres"]).env("BOATHOOK_POSTGRES_URL", database);
    }
    if let Some(clock) = clock {
        let library = packages::faketime().context("libfaketime is not there")?;
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", clock)
            .envs([("FAKETIME_CACHE_DURATION", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
    }
    let mut process = Process::start("receiver", &mut command)?;
    receiver::wait_until_ready(&mut process, addresses.private, READY_POLL)
        .with_context(|| format!("its log: {}", fs::read_to_string(&logs).unwrap_or_default()))?;
    Ok(process)
}

/// An endpoint in order by key; what fails is tried again soon.
fn configuration(sink: &Sink) -> String {
    format!(
        r#"apiVersion: v1
kind: Secret
metadata: {{ name: hook }}
stringData: {{ secret: {SECRET} }}
---
apiVersion: boathook.dev/v1alpha1
kind: WebhookSink
metadata: {{ name: out }}
spec:
  http: {{ url: "http://{}/", timeout: 5s }}
  retry: {{ initialDelay: 100ms, maxDelay: 1s }}
---
apiVersion: boathook.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{ name: in }}
spec:
  provider: github
  path: {PATH}
  secrets: [{{ name: hook, key: secret }}]
  events: {{ key: "{{/key}}" }}
  delivery: {{ sinks: [{{ name: out }}] }}
"#,
        sink.address
    )
}
