//! The faults, one function each.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};

use super::{
    bench::{Bench, until},
    checker::Verdict,
    sink::Mood,
};
use crate::process::Process;

/// One thing that breaks.
pub(super) struct Trial {
    pub(super) name: &'static str,
    pub(super) run: fn(&Path) -> anyhow::Result<Verdict>,
}

/// Each of them.
pub(super) const ALL: [Trial; 11] = [
    Trial { name: "none", run: |program| sink_is(program, Mood::Well, 5) },
    Trial { name: "receiver killed 100 times (SIGKILL)", run: killed },
    Trial { name: "receiver stopped and started 10 times (SIGTERM)", run: stopped },
    Trial { name: "sink away for 20 s", run: |program| sink_is(program, Mood::Away, 20) },
    Trial {
        name: "sink slow: 200 ms",
        run: |program| sink_is(program, Mood::Slow(Duration::from_millis(200)), 10),
    },
    Trial {
        name: "sink flapping: every second answer is 500",
        run: |program| sink_is(program, Mood::Flapping, 10),
    },
    Trial { name: "sink crowded: 429, Retry-After 1", run: |program| sink_is(program, Mood::Crowded, 10) },
    Trial { name: "clock set back 2 h, forth and back again, then restarted", run: clock_set },
    Trial { name: "disk full, then larger", run: full },
    Trial {
        name: "syncs fail (EIO), then restarted",
        run: |program| calls_fail(program, "fdatasync,fsync", "EIO"),
    },
    Trial {
        name: "disk read-only (EROFS), then restarted",
        run: |program| calls_fail(program, "pwrite64", "EROFS"),
    },
];

/// While nothing is broken yet, and after it is mended.
pub(super) const SOUND: Duration = Duration::from_secs(2);
/// The small file system, and the larger one.
const SMALL: &str = "size=24m";
const LARGE: &str = "size=1g";

fn sink_is(program: &Path, mood: Mood, seconds: u64) -> anyhow::Result<Verdict> {
    let bench = Bench::start(program)?;
    let sender = bench.sender();
    thread::sleep(SOUND);
    bench.sink.set(mood);
    thread::sleep(Duration::from_secs(seconds));
    bench.sink.set(Mood::Well);
    thread::sleep(SOUND);
    bench.verdict(sender)
}

fn killed(program: &Path) -> anyhow::Result<Verdict> {
    let mut bench = Bench::start(program)?;
    let sender = bench.sender();
    for number in 0..100 {
        // Irregular, so that it is hit at every point of its work; sometimes while it still starts.
        thread::sleep(Duration::from_millis(number * 137 % 400));
        bench.receiver.kill()?;
        bench.restart()?;
    }
    bench.verdict(sender)
}

fn stopped(program: &Path) -> anyhow::Result<Verdict> {
    let mut bench = Bench::start(program)?;
    let sender = bench.sender();
    for number in 0..10 {
        thread::sleep(Duration::from_millis(300 + number * 137 % 400));
        bench.receiver.stop()?;
        bench.restart()?;
    }
    bench.verdict(sender)
}

/// What is tried again waits by the clock: for hours, if it believed that.
fn clock_set(program: &Path) -> anyhow::Result<Verdict> {
    let mut bench = Bench::with_clock(program)?;
    let sender = bench.sender();
    bench.sink.set(Mood::Flapping);
    for hours in [0, -2, 2, -2] {
        bench.set_clock(hours)?;
        thread::sleep(2 * SOUND);
    }
    // It goes on in the middle of its retries, with what it had written before.
    bench.sink.set(Mood::Away);
    thread::sleep(SOUND);
    bench.receiver.kill()?;
    bench.restart()?;
    bench.sink.set(Mood::Flapping);
    thread::sleep(SOUND);
    bench.verdict(sender)
}

/// A file system in memory, until it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir(folder)?;
        mount(&["-t", "tmpfs", "-o", SMALL, "tmpfs"], folder)?;
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("» cannot unmount {}: do it by hand", self.0.display());
        }
    }
}

fn mount(arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let status = Command::new("mount").args(arguments).arg(folder).status().context("cannot start mount")?;
    if !status.success() {
        bail!("mount {} {} ({status}): only root may mount", arguments.join(" "), folder.display());
    }
    Ok(())
}

fn full(program: &Path) -> anyhow::Result<Verdict> {
    let folders = tempfile::tempdir().context("cannot make a temporary folder")?;
    let data = Mounted::new(&folders.path().join("data"))?;
    let mut bench = Bench::start_in(program, folders)?;
    let sender = bench.sender();
    until("the disk to be full", || Ok((sender.failures() > 100).then_some(())))?;
    if let Some(status) = bench.receiver.ended()? {
        bail!("a full disk has ended the receiver ({status})");
    }
    mount(&["-o", &format!("remount,{LARGE}")], &data.0)?;
    let before = sender.failures();
    thread::sleep(SOUND);
    let verdict = bench.verdict(sender);
    drop(data);
    eprintln!("» {before} requests were answered that there is no room");
    verdict
}

/// Has system calls of the running receiver fail: it must end by itself, without having acknowledged what is not on the
/// disk.
fn calls_fail(program: &Path, calls: &str, error: &str) -> anyhow::Result<Verdict> {
    let mut bench = Bench::start(program)?;
    let sender = bench.sender();
    thread::sleep(SOUND);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:error={error}"), "-p", &bench.receiver.id().to_string()])
        .stdin(Stdio::null());
    let mut strace = Process::start("strace", &mut strace)?;
    let status = bench.ended()?;
    strace.stop()?;
    if status.success() {
        bail!("the receiver has ended as if nothing had happened");
    }
    bench.restart()?;
    thread::sleep(SOUND);
    bench.verdict(sender)
}
