//! Running a command: in this process, or as the program that is built.
use std::{
    fs,
    io::Write as _,
    iter,
    path::Path,
    process::{Command, Stdio},
};

use boathook_cli::{Arguments, Ended, Mistake};
use clap::Parser as _;
use tempfile::TempDir;

/// How the program ended.
pub(crate) struct Exit {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Runs a command in this process.
pub(crate) fn run(arguments: &[&str], stdin: &[u8]) -> Result<Ended, Mistake> {
    let arguments = iter::once(&"boathook").chain(arguments);
    Arguments::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}")).run(&mut &*stdin)
}

/// Runs the program.
pub(crate) fn program(arguments: &[&str], stdin: &[u8]) -> Exit {
    program_at(env!("CARGO_BIN_EXE_boathook"), arguments, stdin)
}

/// Runs one of the two programs.
pub(crate) fn program_at(path: &str, arguments: &[&str], stdin: &[u8]) -> Exit {
    let mut child = Command::new(path)
        .args(arguments)
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env_remove("all_proxy")
        .env_remove("ALL_PROXY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its flags does not read.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let ended = child.wait_with_output().unwrap();
    Exit {
        status: ended.status.code().unwrap(),
        output: String::from_utf8(ended.stdout).unwrap(),
        errors: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// A folder of files for one test.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file and says where it is.
    pub(crate) fn add(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
