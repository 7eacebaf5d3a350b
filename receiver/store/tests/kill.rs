//! A process killed at any moment has stored everything it acknowledged, once.
use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::program::{Job, acknowledged, assert_stored};

/// Runs the program until it has acknowledged so many events, and kills it. Gives all it has acknowledged.
fn run_and_kill(job: &Job, after: usize) -> Vec<u64> {
    let mut command = Command::new(env::current_exe().unwrap());
    job.configure(&mut command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let mut acks = 0;
    while acks < after {
        let start = text.len();
        assert!(output.read_line(&mut text).unwrap() > 0, "it ended by itself: {text}");
        acks += usize::from(text[start..].starts_with("ack "));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it wrote before it died is still in the pipe.
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    text.push_str(&String::from_utf8_lossy(&rest));
    acknowledged(&text)
}

#[test]
fn everything_acknowledged_before_a_kill_is_stored_once() {
    let dir = TempDir::new().unwrap();
    let mut all = Vec::<u64>::new();
    for (round, after) in [1, 70, 3, 260, 35, 500, 11, 140, 90, 400].into_iter().enumerate() {
        // Each run begins a little before the end of the one before: a sender repeats what was not acknowledged.
        let from = all.iter().max().map_or(1, |last| last.saturating_sub(20).max(1));
        let job =
            Job { dir: dir.path().into(), from, count: 1_000_000, at_once: 1 + 7 * round as u64, ask: 100 };
        let acknowledged = run_and_kill(&job, after);
        assert!(acknowledged.len() >= after);
        all.extend(acknowledged);
        assert_stored(dir.path(), &all);
    }
}

/// Each write and each sync may be the last thing that a process does, from the first of a start on: a frame that is written and not
/// synced, one that is synced and not answered, a transaction of the database in its middle, the beginning of a segment.
#[test]
fn everything_acknowledged_is_stored_once_wherever_the_process_is_killed() {
    let dir = TempDir::new().unwrap();
    let mut all = Vec::<u64>::new();
    let points = [
        ("pwrite64", &[1, 2, 3, 5, 8, 13, 18, 19, 20, 21, 30, 40, 60][..]),
        ("fdatasync", &[1, 2, 3, 4, 5, 6, 7, 12, 20]),
        ("fsync", &[1, 2, 3]),
        ("ftruncate", &[1]),
    ];
    let (mut runs, mut killed) = (0, 0);
    for (call, times) in points {
        for time in times {
            let from = all.iter().max().map_or(1, |last| last.saturating_sub(20).max(1));
            let mut command = Command::new("strace");
            let kill = format!("inject={call}:signal=SIGKILL:when={time}");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &kill]);
            command.arg(env::current_exe().unwrap());
            Job { dir: dir.path().into(), from, count: 60, at_once: 3, ask: 8 }.configure(&mut command);
            let run = command.output().expect("this test needs the package strace");
            (runs, killed) = (runs + 1, killed + usize::from(!run.status.success()));
            all.extend(acknowledged(&String::from_utf8_lossy(&run.stdout)));
            assert_stored(dir.path(), &all);
        }
    }
    assert!(2 * killed > runs && all.len() > 100, "{killed} of {runs} killed, {} acknowledged", all.len());
}
