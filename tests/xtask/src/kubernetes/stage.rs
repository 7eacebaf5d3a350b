//! All that runs while we show it: the control plane, and programs of ours with a log each.
use std::{
    fs::{self, File},
    ops::ControlFlow,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use boathook_testbed::ControlPlane;
use serde_json::Value;

use super::cluster;
use crate::{process::Process, signals::Signals, steps};

/// Far more than any step needs on a machine that does nothing else.
const WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);
/// Lines of a program's log that are part of the error when it ends by itself.
const LINES: usize = 10;

/// What runs.
pub(super) struct Stage {
    /// In the order in which they were started. They end before the control plane, the last one first.
    processes: Vec<Process>,
    pub(super) plane: ControlPlane,
    /// The program `kubectl`.
    pub(super) kubectl: PathBuf,
    signals: Signals,
    logs: PathBuf,
}

impl Stage {
    /// Starts the control plane. Until then a signal ends us, and the control plane with us; from here on it is caught.
    ///
    /// # Errors
    /// When its programs cannot be built, or do not become ready.
    pub(super) fn set() -> anyhow::Result<Self> {
        let logs = steps::root()?.join(".boathook/kubernetes");
        fs::create_dir_all(&logs).with_context(|| format!("cannot make the folder {}", logs.display()))?;
        let (plane, kubectl) = cluster::start()?;
        Ok(Self { processes: Vec::new(), plane, kubectl, signals: Signals::catch()?, logs })
    }

    /// Starts a program of ours without our environment; its messages go to its log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
    ) -> anyhow::Result<&mut Process> {
        let log = self.log(name);
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stderr(file).process_group(0);
        self.processes.push(Process::start(name, command)?);
        self.processes.last_mut().context("it was added just now")
    }

    /// Looks again and again until there is what is awaited; what a look says instead is told when time is up.
    ///
    /// # Errors
    /// When that takes more than 30 s, a program of ours ends, or a signal comes.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> anyhow::Result<ControlFlow<T, String>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + WAIT;
        loop {
            let seen = match look(self) {
                Ok(ControlFlow::Break(found)) => return Ok(found),
                Ok(ControlFlow::Continue(seen)) => seen,
                Err(error) => format!("{error:#}"),
            };
            if self.signals.came() {
                bail!("a signal came while waiting: {what}");
            }
            if let Some((name, status)) = self.ended()? {
                bail!("the {name} ended ({status}) while waiting: {what}; {}", self.last_lines(name));
            }
            if Instant::now() >= deadline {
                bail!("not in {WAIT:?}: {what}; seen instead: {seen}");
            }
            thread::sleep(POLL);
        }
    }

    /// Passes signals on to the program that was started last, and returns when it has ended because of one.
    ///
    /// # Errors
    /// When a program of ours ends otherwise.
    pub(super) fn stay(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some((name, status)) = self.ended()? {
                if self.signals.came() && status.success() {
                    eprintln!("» the {name} has drained; the rest follows");
                    return Ok(());
                }
                bail!("the {name} ended ({status}); {}", self.last_lines(name));
            }
            thread::sleep(POLL);
        }
    }

    /// The first program of ours that has ended.
    fn ended(&mut self) -> anyhow::Result<Option<(&'static str, ExitStatus)>> {
        for process in &mut self.processes {
            if let Some(status) = process.ended()? {
                return Ok(Some((process.name(), status)));
            }
        }
        Ok(None)
    }

    /// Passes signals on to a program of ours.
    pub(super) fn pass_signals_to(&self, process: u32) {
        self.signals.pass_on(process);
    }

    /// The failure, and where to look further.
    pub(super) fn failure(&self, failure: &anyhow::Error) -> anyhow::Error {
        if self.signals.came() {
            return anyhow!("stopped by a signal before the end of the walk");
        }
        let logs = self.logs.display();
        anyhow!("{failure:#}\nlogs: {logs}/*.log; the control plane's stay with BOATHOOK_TESTBED_KEEP=1")
    }

    /// The log of a program of ours.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn last_lines(&self, name: &str) -> String {
        let log = self.log(name);
        format!("the end of {}:\n{}", log.display(), tail(&log))
    }

    /// What `kubectl` prints.
    ///
    /// # Errors
    /// When it fails; the message is its own.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.plane.kubectl(arguments)?.success()
    }

    /// An object or a list, as `kubectl get` with these arguments has it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.kubectl(&[&["get", "--output", "json"], arguments].concat())?;
        serde_json::from_str(&text).context("kubectl's JSON is not understood")
    }

    /// A kubeconfig of a service account, in the control plane's folder, good for a day.
    ///
    /// # Errors
    /// When there is no such account.
    pub(super) fn account(&self, namespace: &str, account: &str) -> anyhow::Result<PathBuf> {
        let file = self.plane.service_account_kubeconfig(namespace, account, self.plane.folder())?;
        // The testbed's own token is good for an hour, and people may look for longer.
        let create = ["create", "token", account, "--namespace", namespace, "--duration", "24h"];
        let token = self.kubectl(&create)?;
        let set = ["config", "set", "users.testbed.token", token.trim()];
        self.plane.kubectl_as(&file).run(&set)?.success()?;
        Ok(file)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        while self.processes.pop().is_some() {}
    }
}

/// The last lines of a file.
fn tail(file: &Path) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}
