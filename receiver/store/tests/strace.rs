//! The order of system calls: every answer follows a sync of what it answers for. A kill cannot show that, since the
//! operating system keeps what a dead process wrote.
use std::{env, fs, io::ErrorKind, process::Command};

use tempfile::TempDir;

use crate::program::Job;

const COUNT: u64 = 50;
const JOURNAL: &str = "/journal/0";

/// A system call of the trace, in the order of the trace.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Go(u64),
    LogWrite,
    LogSyncBegins,
    LogSyncEnds,
    Ack(u64),
}

/// Reads lines such as `12 fdatasync(7</tmp/x/journal/000000000001>) = 0`, or such a call in two parts, of the log whose path has
/// `log` in it. These words tell when something begins that is to be in the log, and when that is told.
fn calls(trace: &str, log: &str, [go, ack]: [&str; 2]) -> Vec<Call> {
    let mut syncing = Vec::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let word = |word: &str| {
            let (_, rest) = call.split_once(&format!("\"{word} "))?;
            rest.split_once("\\n")?.0.parse::<u64>().ok()
        };
        let of_log = call.contains(log);
        if call.starts_with("write(1") {
            calls.extend(word(go).map(Call::Go).or_else(|| word(ack).map(Call::Ack)));
        } else if call.starts_with("pwrite64(") && of_log {
            calls.push(Call::LogWrite);
        } else if (call.starts_with("fdatasync(") || call.starts_with("fsync(")) && of_log {
            calls.push(Call::LogSyncBegins);
            if call.ends_with("= 0") {
                calls.push(Call::LogSyncEnds);
            } else {
                syncing.push(pid);
            }
        } else if call.contains("sync resumed>") && call.ends_with("= 0") && syncing.contains(&pid) {
            syncing.retain(|other| *other != pid);
            calls.push(Call::LogSyncEnds);
        }
    }
    calls
}

/// Between the submission and the answer, the log is written, and then a sync of it begins and ends.
fn assert_synced_before_ack(calls: &[Call], number: u64) {
    let place = |wanted: Call| calls.iter().position(|call| *call == wanted);
    let (Some(go), Some(ack)) = (place(Call::Go(number)), place(Call::Ack(number))) else {
        panic!("{number} is not in the trace")
    };
    let between = &calls[go..ack];
    let written = between.iter().rposition(|call| *call == Call::LogWrite);
    let written = written.unwrap_or_else(|| panic!("nothing was written for {number}: {between:?}"));
    let mut after = between[written..].iter();
    assert!(
        after.any(|call| *call == Call::LogSyncBegins) && after.any(|call| *call == Call::LogSyncEnds),
        "{number} was acknowledged before it was synced: {between:?}",
    );
}

#[test]
fn every_acknowledgement_and_the_end_of_a_replay_follow_a_sync_of_what_they_tell() {
    let dir = TempDir::new().unwrap();
    let trace = dir.path().join("trace");
    let mut command = Command::new("strace");
    command
        .args([
            "-f",
            "-y",
            "-s",
            "64",
            "-e",
            "trace=write,pwrite64,fsync,fdatasync",
            "-e",
            "signal=none",
            "-o",
        ])
        .arg(&trace)
        .arg(env::current_exe().unwrap());
    Job { dir: dir.path().join("store"), from: 1, count: COUNT, at_once: 1, ask: 10 }.configure(&mut command);
    let run = match command.output() {
        Ok(run) => run,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("this test needs `strace`; install the package strace (apt-get install strace)")
        }
        Err(error) => panic!("strace could not be started: {error}"),
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let trace = fs::read_to_string(trace).unwrap();
    let appended = calls(&trace, JOURNAL, ["go", "ack"]);
    (1..=COUNT).for_each(|number| assert_synced_before_ack(&appended, number));
    assert_synced_before_ack(&calls(&trace, "/events.db-wal", ["replay", "replayed"]), 1);
}

#[test]
#[should_panic(expected = "1 was acknowledged before it was synced")]
fn the_check_finds_an_acknowledgement_before_its_sync() {
    let trace = "7 write(1</dev/pts/0>, \"go 1\\n\", 5) = 5\n\
                 8 fdatasync(5</x/journal/000000000001>) = 0\n\
                 8 pwrite64(5</x/journal/000000000001>, \"\"..., 24, 0) = 24\n\
                 8 fdatasync(5</x/journal/000000000001> <unfinished ...>\n\
                 7 write(1</dev/pts/0>, \"ack 1\\n\", 6) = 6\n\
                 8 <... fdatasync resumed>) = 0\n";
    assert_synced_before_ack(&calls(trace, JOURNAL, ["go", "ack"]), 1);
}
