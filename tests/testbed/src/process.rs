//! A program that is started, and ends with the one who started it.
use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// Becomes the program, in a process group of its own, after it has left a guard there. The guard waits for the end of
/// its input, which comes when we close it or end, however we end; then it kills the group. The number of the group
/// cannot be another's by then: the guard itself is in it. The program's output goes to a file; our pipe stays with the
/// guard, so that its end tells that the guard is gone.
const GUARDED: &str = r#"exec 3<&0 </dev/null
{ read -r _; kill -KILL -$$; } <&3 2>/dev/null &
exec "$@" 3<&- >>"$0" 2>&1"#;
/// Lines of a program's output that are part of the error when it fails.
const LINES: usize = 20;
/// Far more than a machine under load needs.
const WAIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// A running program; one that is dropped is killed.
pub(crate) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts a program in `folder`; its output is added to a file there that is named after it.
    ///
    /// # Errors
    /// When no process can be started. That there is no such program shows in its end.
    pub(crate) fn start(program: &Path, words: &str, folder: &Path) -> anyhow::Result<Self> {
        let name = program.file_name().unwrap_or_default().display().to_string();
        let output = folder.join(format!("{name}.log"));
        let mut command = Command::new("sh");
        command.args(["-c", GUARDED]).arg(&output).arg(program).args(words.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.current_dir(folder).process_group(0).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start sh for {name}"))?, name, output })
    }

    /// Returns when `is_so` is; `what` is what the program has to do for it.
    ///
    /// # Errors
    /// When the program ends instead, or it takes more than 90 s; the message ends with the program's last lines.
    pub(crate) fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + WAIT;
        while !is_so() {
            let Self { name, child, output } = self;
            let lines = || format!("the end of {}:\n{}", output.display(), tail(output));
            if let Some(status) = child.try_wait()? {
                bail!("{name} ended before {what} ({status}); {}", lines());
            }
            if Instant::now() >= deadline {
                bail!("{name}: not {what} in {WAIT:?}; {}", lines());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal to it and to its children.
    ///
    /// # Errors
    /// When they cannot be found.
    pub(crate) fn signal_all(&self, signal: &str) -> anyhow::Result<()> {
        let mut ids = vec![self.id().to_string()];
        let parent = format!("PPid:\t{}\n", self.id());
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            // One that ends meanwhile is none.
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            if status.contains(&parent) {
                ids.push(entry.file_name().display().to_string());
            }
        }
        let sent = Command::new("sh").args(["-c", "kill -\"$0\" \"$@\"", signal]).args(ids).status()?;
        if sent.success() { Ok(()) } else { bail!("{}: cannot send SIG{signal}", self.name) }
    }

    /// Sends it SIGQUIT, which ends a PostgreSQL server and its helpers at once, and waits for its end.
    ///
    /// # Errors
    /// When it does not end in 90 s.
    pub(crate) fn quit(&mut self) -> anyhow::Result<()> {
        let id = self.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -QUIT \"$0\"", &id]).status()?;
        let deadline = Instant::now() + WAIT;
        while sent.success() && Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        bail!("{} did not end in {WAIT:?} after SIGQUIT", self.name)
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        drop(self.child.stdin.take());
        if let Some(mut of_guard) = self.child.stdout.take() {
            io::copy(&mut of_guard, &mut io::sink())?;
        }
        // Only where somebody has killed the guard is there still something to kill.
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails where it has ended already.
        let _ = self.end();
    }
}

/// The last lines of a file.
pub(crate) fn tail(file: &Path) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    /// Set for the process of ours that is killed.
    const KILLED: &str = "BOATHOOK_TESTBED_TEST_KILLED";

    fn is_alive(process: &str) -> bool {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        state.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
    }

    #[test]
    fn a_program_ends_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(Path::new("sleep"), "600", folder.path()).unwrap();
        let id = process.id().to_string();
        assert!(is_alive(&id));
        drop(process);
        assert!(!is_alive(&id));
    }

    #[test]
    fn a_program_ends_with_a_process_that_is_killed() {
        let folder = env::var_os(KILLED).map(PathBuf::from);
        if let Some(folder) = folder {
            let process = Process::start(Path::new("sleep"), "600", &folder).unwrap();
            fs::write(folder.join("unfinished"), process.id().to_string()).unwrap();
            fs::rename(folder.join("unfinished"), folder.join("id")).unwrap();
            thread::sleep(WAIT);
        }
        let folder = tempfile::tempdir().unwrap();
        let mut ours = Command::new(env::current_exe().unwrap());
        ours.args(["--exact", "process::tests::a_program_ends_with_a_process_that_is_killed"]);
        let mut ours = ours.env(KILLED, folder.path()).stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + WAIT;
        let in_time = || assert!(Instant::now() < deadline, "not in {WAIT:?}");
        while !folder.path().join("id").exists() {
            in_time();
            thread::sleep(POLL);
        }
        let id = fs::read_to_string(folder.path().join("id")).unwrap();
        assert!(is_alive(&id));
        ours.kill().unwrap();
        ours.wait().unwrap();
        while is_alive(&id) {
            in_time();
            thread::sleep(POLL);
        }
    }

    #[test]
    fn a_program_that_ends_too_soon_is_told_with_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("script"), "seq 30; exit 3").unwrap();
        for (program, start, end) in [
            ("sh", "sh ended before ready (exit status: 3); the end of ", ".log:\n11\n12\n"),
            ("/nowhere/program", "program ended before ready (exit status: 127); the end of ", "not found"),
        ] {
            let mut process = Process::start(Path::new(program), "script", folder.path()).unwrap();
            let refusal = process.wait_until("ready", || false).unwrap_err().to_string();
            assert!(refusal.starts_with(start) && refusal.contains(end), "{refusal}");
        }
    }
}
