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
        let job = Job { dir: dir.path().into(), from, count: 1_000_000, at_once: 1 + 7 * round as u64 };
        let acknowledged = run_and_kill(&job, after);
        assert!(acknowledged.len() >= after);
        all.extend(acknowledged);
        assert_stored(dir.path(), &all);
    }
}
