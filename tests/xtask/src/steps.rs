//! Running one command with a line before and after it.
use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, bail};

/// Runs a program in the repository's root with its output passed through.
///
/// # Errors
/// When it cannot be started or ends with another status than 0.
pub(crate) fn run(what: &str, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let started = Instant::now();
    eprintln!("» {what}: {program} {}", arguments.join(" "));
    let status = command(program, arguments).status().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{what} failed ({status}); the output above says why");
    }
    eprintln!("» {what}: done in {} s", started.elapsed().as_secs());
    Ok(())
}

/// A program to be run in the repository's root, without standard input.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).stdin(Stdio::null());
    command
}
