//! A program of ours while it runs: started, looked at, stopped.
use std::{
    io,
    process::{Child, ChildStdout, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// How long a program that was asked to stop may drain before it is killed.
const STOP_WAIT: Duration = Duration::from_secs(10);
const STOP_POLL: Duration = Duration::from_millis(20);

/// A running program; one that is dropped is stopped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts it; messages call it by this name.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn();
        let program = command.get_program().to_string_lossy();
        Ok(Self { name, child: child.with_context(|| format!("cannot start {program}"))? })
    }

    /// Its standard output, once, where it was asked for.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system cannot say.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
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
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        terminate(self.id())?;
        let deadline = Instant::now() + STOP_WAIT;
        while self.ended()?.is_none() {
            if Instant::now() >= deadline {
                self.child.kill()?;
                self.child.wait()?;
                bail!("the {} did not stop in {STOP_WAIT:?} after SIGTERM, and was killed", self.name);
            }
            thread::sleep(STOP_POLL);
        }
        Ok(())
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// When the system does not let us.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.wait().map(drop)
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("» {error:#}");
        }
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
    fn a_process_that_is_asked_to_end_ends() {
        let mut sleeper = Process::start("sleeper", Command::new("sleep").arg("600")).unwrap();
        assert_eq!(sleeper.ended().unwrap(), None);
        sleeper.stop().unwrap();
        assert!(sleeper.ended().unwrap().is_some());
        sleeper.stop().unwrap();
    }
}
