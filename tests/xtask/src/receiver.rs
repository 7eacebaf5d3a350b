//! The receiver as a process of ours: built, started, waited for, stopped.
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{addresses::Addresses, http, steps};

const PROGRAM: &str = "boathook-receiver";
const READY_WAIT: Duration = Duration::from_secs(30);
/// How long a receiver that was asked to stop may drain before it is killed.
const STOP_WAIT: Duration = Duration::from_secs(10);
const STOP_POLL: Duration = Duration::from_millis(20);

/// Builds it with a profile of cargo's (`dev`, `release`); the program's path.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn build(profile: &str) -> anyhow::Result<PathBuf> {
    let started = Instant::now();
    let mut arguments = vec!["build", "--locked", "--package", PROGRAM, "--profile", profile];
    eprintln!("» receiver: cargo {}", arguments.join(" "));
    // The messages on standard output say where the program is; progress and errors stay on standard error.
    arguments.extend(["--message-format", "json-render-diagnostics"]);
    let output = steps::command("cargo", &arguments)?.stderr(Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the receiver cannot be built ({}); the output above says why", output.status);
    }
    eprintln!("» receiver: done in {} s", started.elapsed().as_secs());
    let messages = String::from_utf8_lossy(&output.stdout);
    messages.lines().find_map(program).with_context(|| format!("package {PROGRAM} has no program {PROGRAM}"))
}

/// The program that one of cargo's messages speaks of.
fn program(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_ours = message.pointer("/target/name")?.as_str()? == PROGRAM;
    message.get("executable")?.as_str().filter(|_| is_ours).map(PathBuf::from)
}

/// The command that serves the quick-start folder.
///
/// # Errors
/// When there is no repository here.
pub(crate) fn quick_start(program: &Path, data: &Path, addresses: &Addresses) -> anyhow::Result<Command> {
    let Addresses { public, private } = addresses;
    let mut command = Command::new(program);
    command.arg("--config").arg(steps::root()?.join("crds/examples/quick-start"));
    command.arg("--data").arg(data);
    command.args(["--listen", &public.to_string(), "--admin", &private.to_string(), "--log", "text"]);
    command.stdin(Stdio::null());
    Ok(command)
}

/// A running receiver; one that is dropped is killed.
pub(crate) struct Receiver {
    child: Child,
    private: SocketAddr,
}

impl Receiver {
    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(command: &mut Command, private: SocketAddr) -> anyhow::Result<Self> {
        let child = command.spawn();
        let program = command.get_program().to_string_lossy();
        Ok(Self { child: child.with_context(|| format!("cannot start {program}"))?, private })
    }

    /// Returns when it is ready; asks every `poll`.
    ///
    /// # Errors
    /// When it ends instead, or is not ready in 30 s.
    pub(crate) fn wait_until_ready(&mut self, poll: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WAIT;
        // Without a connection it does not listen yet.
        while http::get(self.private, "/readyz").map_or(0, |answer| answer.status) != 200 {
            if let Some(status) = self.child.try_wait()? {
                bail!("the receiver ended before it was ready ({status}); its messages above say why");
            }
            if Instant::now() >= deadline {
                let private = self.private;
                bail!("http://{private}/readyz did not answer 200 in {READY_WAIT:?}; see the messages above");
            }
            thread::sleep(poll);
        }
        Ok(())
    }

    /// Its standard output, once, where it was asked for.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Returns when it has ended.
    ///
    /// # Errors
    /// When the system cannot say.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Asks it to drain and waits for its end.
    ///
    /// # Errors
    /// When it has not ended in 10 s; then it is killed.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        terminate(self.id())?;
        let deadline = Instant::now() + STOP_WAIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                bail!("the receiver did not stop in {STOP_WAIT:?} after SIGTERM, and was killed");
            }
            thread::sleep(STOP_POLL);
        }
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Both fail where it has ended already, as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGTERM. The standard library can only kill; every shell has `kill`, not every system has it as a program.
///
/// # Errors
/// When there is no such process, or no shell.
pub(crate) fn terminate(process: u32) -> io::Result<()> {
    let status = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &process.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says_it_is() {
        let ours =
            r#"{"reason":"compiler-artifact","target":{"name":"boathook-receiver"},"executable":"/t/b"}"#;
        assert_eq!(program(ours), Some(PathBuf::from("/t/b")));
        for other in [
            r#"{"reason":"compiler-artifact","target":{"name":"boathook_receiver"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "no message",
        ] {
            assert_eq!(program(other), None, "{other}");
        }
    }

    #[test]
    fn a_process_that_is_asked_to_end_ends() {
        let mut sleeper = Command::new("sleep");
        let receiver = Receiver::start(sleeper.arg("600"), ([127, 0, 0, 1], 9).into()).unwrap();
        receiver.stop().unwrap();
    }

    #[test]
    fn a_receiver_that_ends_at_once_is_told_by_its_status() {
        let mut failing = Command::new("sh");
        failing.args(["-c", "exit 2"]);
        let nobody = Addresses::free().unwrap().private;
        let mut receiver = Receiver::start(&mut failing, nobody).unwrap();
        let refusal = receiver.wait_until_ready(Duration::from_millis(1)).unwrap_err().to_string();
        assert!(refusal.contains("exit status: 2"), "{refusal}");
    }
}
