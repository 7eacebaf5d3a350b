//! `cargo xtask test`: every test of the workspace, with a sum that machines can read.
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, bail};

use crate::{packages, steps};

/// Runs the tests, passes their output through and closes with `N passed, M failed`.
///
/// # Errors
/// When a test fails, or the tests cannot be built.
pub(crate) fn run() -> anyhow::Result<()> {
    let started = Instant::now();
    packages::ensure()?;
    let mut tests = steps::command("cargo", &["test", "--workspace", "--locked", "--no-fail-fast"])
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
}
