//! A receiver in folders of its own, and what fills it.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::{addresses::Addresses, delivery::signature, http, process::Process, receiver};

/// The secret of both endpoints.
pub(super) const SECRET: &str = "hush-hush";
/// The endpoint that takes batches.
const BATCHES: &str = "/batches";
/// The endpoint that takes live requests.
pub(super) const LIVE: &str = "/live";
const POLL: Duration = Duration::from_millis(100);
/// How long something that is expected to happen may take.
const PATIENCE: Duration = Duration::from_secs(900);
/// Bytes of an event.
const EVENT_BYTES: usize = 1_024;

/// It.
pub(super) struct Rig {
    program: PathBuf,
    folders: TempDir,
    pub(super) addresses: Addresses,
    pub(super) receiver: Process,
}

impl Rig {
    /// Starts a receiver that delivers to this address.
    ///
    /// # Errors
    /// When it does not get ready.
    pub(super) fn start(program: &Path, sink: SocketAddr) -> anyhow::Result<Self> {
        let folders = tempfile::tempdir().context("cannot make a temporary folder")?;
        fs::create_dir(folders.path().join("config"))?;
        fs::write(folders.path().join("config/all.yaml"), configuration(sink))?;
        let addresses = Addresses::free()?;
        let receiver = start(program, folders.path(), &addresses)?;
        Ok(Self { program: program.to_owned(), folders, addresses, receiver })
    }

    /// Stops the receiver and starts it anew, on what it has.
    ///
    /// # Errors
    /// When it does not end, or does not get ready.
    pub(super) fn restart(&mut self) -> anyhow::Result<()> {
        self.receiver.stop()?;
        self.receiver = start(&self.program, self.folders.path(), &self.addresses)?;
        Ok(())
    }

    /// Sends so many events, in batches.
    ///
    /// # Errors
    /// When one is not taken.
    pub(super) fn fill(&self, events: u32, batch: u32) -> anyhow::Result<()> {
        let mut connection = http::Connection::open(self.addresses.public)?;
        for first in (0..events).step_by(usize::try_from(batch)?) {
            let items = (first..events.min(first + batch)).map(event).collect::<Vec<_>>();
            let body = format!("[{}]", items.join(","));
            let signature = signature(SECRET, &body);
            let headers = [
                ("Content-Type", "application/json"),
                ("X-Front-Event-ID", "batch"),
                ("X-Front-Signature", signature.trim_start_matches("sha256=")),
            ];
            let answer = connection.post(BATCHES, &headers, &body)?;
            if answer.status != 200 {
                bail!("a batch was answered {}: {}", answer.status, answer.body);
            }
            if first.is_multiple_of(100_000) {
                eprintln!("» {first} of {events} events sent");
            }
        }
        Ok(())
    }

    /// Waits until the sink's total of this name is that.
    ///
    /// # Errors
    /// When it takes too long.
    pub(super) fn until(&self, total: &str, number: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer =
                http::get(self.addresses.private, "/report").context("the receiver has no report")?;
            let report: Value = serde_json::from_str(&answer.body)?;
            let now = report.pointer(&format!("/sinks/0/{total}")).and_then(Value::as_u64).unwrap_or(0);
            if now >= number {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("waited for {number} {total} for {PATIENCE:?}, in vain: there are {now}");
            }
            thread::sleep(POLL);
        }
    }

    /// Calls the data API.
    ///
    /// # Errors
    /// When it does not carry the call out.
    pub(super) fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let token = fs::read_to_string(self.folders.path().join("data/api-tokens/operate"))?;
        let authorization = format!("Bearer {}", token.trim());
        let headers = [("Authorization", &*authorization)];
        let mut connection = http::Connection::open(self.addresses.api)?;
        let answer = connection.send(method, path, &headers, body)?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} was answered {}: {}", answer.status, answer.body);
        }
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// The highest resident memory of the receiver by now, in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    pub(super) fn resident_max(&self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.receiver.id());
        let status =
            fs::read_to_string(&path).with_context(|| format!("cannot read {path} (Linux has it)"))?;
        let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kib.with_context(|| format!("{path} has no VmHWM"))? * 1_024)
    }
}

/// An event of one of 1,000 keys.
fn event(number: u32) -> String {
    let start =
        format!(r#"{{"id":"e{number}","type":"message.received","key":"k{}","text":""#, number % 1_000);
    let rest = EVENT_BYTES.saturating_sub(start.len() + 2);
    format!("{start}{}\"}}", "x".repeat(rest))
}

fn start(program: &Path, folders: &Path, addresses: &Addresses) -> anyhow::Result<Process> {
    let logs = folders.join("log");
    let into = fs::OpenOptions::new().create(true).append(true).open(&logs)?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(folders.join("config"))
        .arg("--data")
        .arg(folders.join("data"))
        .args(["--listen", &addresses.public.to_string(), "--admin", &addresses.private.to_string()])
        .args(["--api", &addresses.api.to_string(), "--log-level", "error"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(into);
    let mut process = Process::start("receiver", &mut command)?;
    receiver::wait_until_ready(&mut process, addresses.private, POLL)
        .with_context(|| format!("its log: {}", fs::read_to_string(&logs).unwrap_or_default()))?;
    Ok(process)
}

fn configuration(sink: SocketAddr) -> String {
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
  http: {{ url: "http://{sink}/" }}
---
apiVersion: boathook.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{ name: batches }}
spec:
  provider: front-seed
  path: {BATCHES}
  secrets: [{{ name: hook, key: secret }}]
  events: {{ key: "{{/key}}" }}
  delivery: {{ sinks: [{{ name: out }}] }}
---
apiVersion: boathook.dev/v1alpha1
kind: WebhookEndpoint
metadata: {{ name: live }}
spec:
  provider: github
  path: {LIVE}
  secrets: [{{ name: hook, key: secret }}]
  events: {{ key: "{{/key}}" }}
  delivery: {{ sinks: [{{ name: out }}] }}
"#
    )
}
