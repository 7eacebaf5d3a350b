//! Running one command with a line before and after it.
use std::{
    env,
    path::{Path, PathBuf},
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
    let status = command(program, arguments)?.status().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{what} failed ({status}); the output above says why");
    }
    eprintln!("» {what}: done in {} s", started.elapsed().as_secs());
    Ok(())
}

/// A program to be run in the repository's root, without standard input.
///
/// # Errors
/// When there is no repository here.
pub(crate) fn command(program: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()?).stdin(Stdio::null());
    Ok(command)
}

/// The repository's root. It is found when we run, not when we are built: copies of the repository may share a
/// target folder, and so one built program. `cargo run` says whose program it runs; else the current folder counts.
///
/// # Errors
/// When neither is inside the repository.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let said_by_cargo = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = env::current_dir().ok();
    let root = said_by_cargo.iter().chain(&here).find_map(|folder| root_above(folder));
    root.context("this is not inside Boathook's repository: change into it and run `cargo xtask` there")
}

fn root_above(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join("tests/xtask/Cargo.toml").is_file()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_from_any_folder_below_it_and_from_nowhere_else() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("copy");
        std::fs::create_dir_all(root.join("tests/xtask/src")).unwrap();
        std::fs::write(root.join("tests/xtask/Cargo.toml"), "").unwrap();
        for folder in ["", "tests", "tests/xtask", "tests/xtask/src"] {
            assert_eq!(root_above(&root.join(folder)).as_ref(), Some(&root), "{folder}");
        }
        assert_eq!(root_above(outside.path()), None);
    }
}
