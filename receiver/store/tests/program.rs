//! A program that appends and acknowledges, run as a process of its own: to be killed, or to be watched.
use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use boathook_event::{DedupeKey, Destination};
use boathook_store::{
    Running, StoreHandle,
    local::Local,
    traits::{Archive, Replay, Verdict},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::suite::build::{Draft, draft, name, uid};

/// The folder of the store; without it the program is a test of itself.
const DIR: &str = "STORE_TEST_DIR";
/// The first number to append.
const FROM: &str = "STORE_TEST_FROM";
/// How many to append.
const COUNT: &str = "STORE_TEST_COUNT";
/// How many at a time.
const AT_ONCE: &str = "STORE_TEST_AT_ONCE";
/// After how many the archive is asked, so that the database takes what the journal has.
const ASK: &str = "STORE_TEST_ASK";

/// What the program is to do.
pub(crate) struct Job {
    pub(crate) dir: PathBuf,
    pub(crate) from: u64,
    pub(crate) count: u64,
    pub(crate) at_once: u64,
    pub(crate) ask: u64,
}

impl Job {
    /// The arguments that make this test program that program, and its environment.
    pub(crate) fn configure(&self, command: &mut Command) {
        command
            .args([
                "--exact",
                "program::every_acknowledged_event_is_stored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(DIR, &self.dir)
            .env(FROM, self.from.to_string())
            .env(COUNT, self.count.to_string())
            .env(AT_ONCE, self.at_once.to_string())
            .env(ASK, self.ask.to_string());
    }

    fn from_environment() -> Option<Self> {
        let number = |name| env::var(name).unwrap().parse().unwrap();
        let dir = env::var_os(DIR)?.into();
        let (from, count, at_once) = (number(FROM), number(COUNT), number(AT_ONCE));
        Some(Self { dir, from, count, at_once, ask: number(ASK) })
    }
}

/// The event of this number: its uid and its dedupe key tell it.
pub(crate) fn event(number: u64) -> Draft {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Draft { body: vec![b'x'; 2_048], ..draft(number) }.dedupe(&[DedupeKey { hash, body: None }])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_event_is_stored() {
    if let Some(job) = Job::from_environment() {
        run(&job, aloud).await;
        return;
    }
    let dir = TempDir::new().unwrap();
    run(&Job { dir: dir.path().into(), from: 1, count: 40, at_once: 8, ask: 10 }, |_| ()).await;
    let archive = Local::open(dir.path(), Duration::ZERO).unwrap().archive().unwrap();
    assert!((1..=40).all(|number| archive.show(&uid(number)).unwrap().is_some()));
}

async fn run(job: &Job, say: fn(&str)) {
    let store = Local::open(&job.dir, Duration::from_secs(60)).unwrap();
    let (running, _handovers) = Running::start(store.committer()).unwrap();
    let archive = store.archive().unwrap();
    // The test runner has begun a line.
    say("\n");
    let mut appending = JoinSet::new();
    for number in job.from..job.from + job.count {
        appending.spawn(append(running.handle(), number, say));
        if appending.len() as u64 == job.at_once {
            appending.join_next().await.unwrap().unwrap();
        }
        if number.is_multiple_of(job.ask) {
            archive.statistics().unwrap();
        }
    }
    appending.join_all().await;
    replay(archive, say);
    running.close().await;
}

async fn append(handle: StoreHandle, number: u64, say: fn(&str)) {
    say(&format!("go {number}\n"));
    let verdicts = handle.append(vec![event(number).append()]).await.unwrap();
    // A run that was killed may have stored it without saying so.
    assert!(matches!(verdicts[..], [Verdict::Stored { .. } | Verdict::Duplicate { .. }]));
    say(&format!("ack {number}\n"));
}

/// Sends the first event to another sink, too.
fn replay(mut archive: impl Archive, say: fn(&str)) {
    let to = Destination { sink: name("other"), ordered: false, blocks: false };
    say("replay 1\n");
    archive.replay(&[1], &Replay { to: Some(to), ..Replay::default() }).unwrap();
    say("replayed 1\n");
}

/// One write, past the test runner's own output.
fn aloud(line: &str) {
    io::stdout().write_all(line.as_bytes()).unwrap();
}

/// The numbers that were acknowledged, in order, as far as the output goes.
pub(crate) fn acknowledged(output: &str) -> Vec<u64> {
    let whole_lines = output.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole_lines.lines().filter_map(|line| line.strip_prefix("ack ")?.parse().ok()).collect()
}

/// Every number acknowledged is stored once, and the sequence has no gap.
pub(crate) fn assert_stored(dir: &Path, acknowledged: &[u64]) {
    let store = Local::open(dir, Duration::from_secs(60)).unwrap();
    let archive = store.archive().unwrap();
    for number in acknowledged {
        assert!(
            archive.show(&uid(*number)).unwrap().is_some(),
            "{number} was acknowledged and is not stored"
        );
    }
    let (mut after, mut bodies) = (0, 0);
    loop {
        // A uid is unique by the table itself; the sequence shows whether a place was skipped.
        let page = archive.list(None, after, 1_000).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().map(|archived| archived.seq).eq(after + 1..=last.seq));
        bodies += page.iter().filter(|archived| archived.event.body.len() == 2_048).count() as u64;
        after = last.seq;
    }
    let statistics = archive.statistics().unwrap();
    assert_eq!((statistics.events, statistics.last_seq, bodies), (after, after, after));
}
