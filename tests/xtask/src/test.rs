//! `cargo xtask test`: the workspace's tests, with a sum that machines can read.
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, bail};
use clap::ValueEnum;

use crate::{packages, steps};

/// A part of the tests.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// The pure crates and the API; needs nothing but cargo.
    Unit,
    /// The API, receivers and the operator on a real Kubernetes API server, which is built where it is not there: minutes,
    /// once.
    Api,
    /// Where events go.
    Sinks,
}

impl Level {
    /// The packages whose tests belong to it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Unit => &[
                "boathook-template",
                "boathook-verify",
                "boathook-event",
                "boathook-dispatch",
                "boathook-table",
                "boathook-plan",
                "boathook-crds",
            ],
            Self::Api => &["boathook-testbed", "boathook-tests", "boathook-receiver", "boathook-operator"],
            Self::Sinks => &["boathook-sinks"],
        }
    }

    /// Of these packages' tests, those that belong to it; none = all.
    fn targets(self) -> &'static [&'static str] {
        match self {
            Self::Api => {
                &["--test", "control_plane", "--test", "api_*", "--test", "cluster", "--test", "reconcile"]
            }
            Self::Unit | Self::Sinks => &[],
        }
    }

    /// Programs of the system that its tests run.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Api => &["openssl"],
            Self::Unit | Self::Sinks => &[],
        }
    }
}

/// Programs of the system that some test runs.
const PROGRAMS: [&str; 3] = ["openssl", "strace", packages::POSTGRES];

/// Runs the tests, passes their output through and closes with `N passed, M failed`.
///
/// # Errors
/// When a test fails, or the tests cannot be built.
pub(crate) fn run(level: Option<Level>) -> anyhow::Result<()> {
    let started = Instant::now();
    packages::ensure(level.map_or(&PROGRAMS, Level::programs))?;
    let mut tests = steps::command("cargo", &arguments(level))?
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = tests.stdout.take().context("cargo's output was asked for")?;
    let mut sum = Sum::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        sum.add(&line);
    }
    let status = tests.wait()?;
    println!("took {} s", started.elapsed().as_secs());
    println!("{} passed, {} failed", sum.passed, sum.failed);
    if !status.success() || sum.failed > 0 {
        bail!("tests failed ({status}); the output above names them");
    }
    if sum.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn arguments(level: Option<Level>) -> Vec<&'static str> {
    let mut arguments = vec!["test", "--locked", "--no-fail-fast"];
    match level {
        None => arguments.push("--workspace"),
        Some(level) => {
            arguments.extend(level.packages().iter().flat_map(|package| ["--package", package]));
            arguments.extend(level.targets());
        }
    }
    arguments
}

/// What the test programs said in their last lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    passed: u64,
    failed: u64,
}

impl Sum {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        for part in result.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_counts_only_the_closing_lines_of_test_programs() {
        let mut sum = Sum::default();
        for line in [
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "9 passed",
        ] {
            sum.add(line);
        }
        assert_eq!(sum, Sum { passed: 4, failed: 2 });
    }

    #[test]
    fn a_level_runs_its_packages_and_no_level_runs_all() {
        assert_eq!(arguments(None), ["test", "--locked", "--no-fail-fast", "--workspace"]);
        assert_eq!(
            arguments(Some(Level::Sinks)),
            ["test", "--locked", "--no-fail-fast", "--package", "boathook-sinks"]
        );
        let api = arguments(Some(Level::Api)).join(" ");
        let targets =
            "--package boathook-operator --test control_plane --test api_* --test cluster --test reconcile";
        assert!(api.ends_with(targets), "{api}");
    }

    /// A crate that is pure bans the rest by a link to `clippy-pure.toml`.
    #[test]
    fn every_pure_crate_is_in_the_unit_level() {
        let root = steps::root().unwrap();
        let folders = ["receiver", "operator"].map(|edge| std::fs::read_dir(root.join(edge)).unwrap());
        for folder in folders.into_iter().flatten().map(|folder| folder.unwrap().path()) {
            if folder.join("clippy.toml").exists() {
                let name = format!("boathook-{}", folder.file_name().unwrap().to_str().unwrap());
                assert!(Level::Unit.packages().contains(&name.as_str()), "{name}");
            }
        }
    }
}
