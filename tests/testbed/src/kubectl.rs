//! Calling `kubectl`.
use std::{
    fs::File,
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, bail};

/// `kubectl` as one user of one cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    /// What it remembers of the API must not reach the next cluster on the same port.
    cache: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: &Path, kubeconfig: &Path, cache: &Path) -> Self {
        Self { program: program.to_owned(), kubeconfig: kubeconfig.to_owned(), cache: cache.to_owned() }
    }

    /// The same as another user.
    #[must_use]
    pub fn with_kubeconfig(&self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), ..self.clone() }
    }

    /// The user's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started; how it ended is in the output.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.run_on(arguments, Stdio::null())
    }

    /// Applies objects, as YAML or JSON.
    ///
    /// # Errors
    /// When it cannot be started; how it ended is in the output.
    pub fn apply_stdin(&self, objects: &str) -> anyhow::Result<Output> {
        self.run_on(&["apply", "--filename", "-"], input(objects)?)
    }

    fn run_on(&self, arguments: &[&str], input: Stdio) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments).stdin(input);
        // The user's own preferences stay out of it.
        command.env("KUBECACHEDIR", &self.cache).env("KUBERC", "off");
        let output = command.output();
        let output = output.with_context(|| format!("cannot start {}", self.program.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Output {
            command: format!("kubectl {}", arguments.join(" ")),
            status: output.status,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }
}

/// What `kubectl` said, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Its standard output, where it succeeded.
    ///
    /// # Errors
    /// When it failed; the message is its own.
    pub fn success(self) -> anyhow::Result<String> {
        if !self.status.success() {
            bail!("{}: {}: {}", self.command, self.status, self.stderr.trim_end());
        }
        Ok(self.stdout)
    }
}

/// A file, so that nobody waits for a reader.
fn input(text: &str) -> anyhow::Result<Stdio> {
    let mut file: File = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}
