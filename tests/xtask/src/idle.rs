//! `cargo xtask idle`: how soon a release receiver is ready, and how much memory it keeps with nothing to do.
use std::{
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    addresses::Addresses,
    process::Process,
    programs::{self, RECEIVER},
    receiver,
};

const ROUNDS: usize = 5;
/// How finely the time until it is ready is measured.
const READY_POLL: Duration = Duration::from_millis(5);
/// Between ready and the look at its memory.
const IDLE: Duration = Duration::from_secs(3);

/// Measures, and prints medians beside the targets. It does not judge: a machine under load is no failure.
///
/// # Errors
/// When the receiver cannot be built, started or looked at.
pub(crate) fn run() -> anyhow::Result<()> {
    let [program] = programs::build([RECEIVER], "release")?;
    let (mut ready, mut resident) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let round = round(&program)?;
        println!("round {number} of {ROUNDS}: {}", figures(round.ready, round.resident_kib));
        ready.push(round.ready);
        resident.push(round.resident_kib);
    }
    println!("{}", figures(median(ready), median(resident)));
    println!("(medians of {ROUNDS} rounds; the targets: ready in < 200 ms, < 20 MB resident)");
    Ok(())
}

struct Round {
    ready: Duration,
    resident_kib: u64,
}

/// One start on a fresh data folder.
fn round(program: &Path) -> anyhow::Result<Round> {
    let data = tempfile::tempdir().context("cannot make a temporary folder")?;
    let addresses = Addresses::free()?;
    let mut command = receiver::quick_start(program, data.path(), &addresses)?;
    let started = Instant::now();
    let mut receiver = Process::start("receiver", command.stdout(Stdio::null()))?;
    receiver::wait_until_ready(&mut receiver, addresses.private, READY_POLL)?;
    let ready = started.elapsed();
    thread::sleep(IDLE);
    let path = format!("/proc/{}/status", receiver.id());
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path} (Linux has it)"))?;
    let resident_kib = resident_kib(&status).with_context(|| format!("{path} has no VmRSS"))?;
    receiver.stop()?;
    Ok(Round { ready, resident_kib })
}

/// The line `VmRSS:     12345 kB`, whose kB are 1024 bytes.
fn resident_kib(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

/// In milliseconds and in MB of 1,000,000 bytes.
fn figures(ready: Duration, resident_kib: u64) -> String {
    let tenths = (resident_kib * 1024 + 50_000) / 100_000;
    format!("ready in {} ms, {}.{} MB resident", ready.as_millis(), tenths / 10, tenths % 10)
}

/// The middle of an odd number of values.
fn median<T: Ord + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_processs_status() {
        assert_eq!(resident_kib("VmHWM:\t   13000 kB\nVmRSS:\t   12345 kB\nThreads:\t3\n"), Some(12345));
        assert_eq!(resident_kib("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn figures_are_rounded_to_a_tenth_of_a_decimal_megabyte() {
        let ready = Duration::from_micros(41_900);
        assert_eq!(figures(ready, 12_345), "ready in 41 ms, 12.6 MB resident");
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(vec![9, 1, 5, 3, 7]), 5);
    }
}
