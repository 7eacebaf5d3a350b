//! The faults of receivers that share a database.
use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use boathook_testbed::Postgres;

use super::{
    bench::{Bench, until},
    checker::Verdict,
    trials::{SOUND, Trial},
};

/// Each of them.
pub(super) const ALL: [Trial; 5] = [
    Trial { name: "PostgreSQL killed 10 times", run: server_killed },
    Trial { name: "PostgreSQL's connection cut 100 times, in the middle of a commit", run: connection_cut },
    Trial { name: "PostgreSQL lost, its synchronous standby promoted", run: failed_over },
    Trial { name: "one of two receivers killed (SIGKILL), then started again", run: one_killed },
    Trial { name: "one of two receivers stopped for 25 s (SIGSTOP), then continued", run: one_stopped },
];

/// Longer than the lease of a receiver.
const LEASE_OVER: Duration = Duration::from_secs(25);

fn server_killed(program: &Path) -> anyhow::Result<Verdict> {
    let server = Postgres::start()?;
    let bench = Bench::shared(program, &server.database()?)?;
    let sender = bench.sender();
    for number in 0..10 {
        thread::sleep(SOUND + Duration::from_millis(number * 137 % 400));
        server.crash()?;
        server.start_again()?;
    }
    thread::sleep(SOUND);
    bench.verdict(sender)
}

fn failed_over(program: &Path) -> anyhow::Result<Verdict> {
    let server = Postgres::start()?;
    let database = server.database()?;
    let standby = server.standby()?;
    let bench = Bench::shared(program, &server.by_tcp_or(&database, &standby))?;
    let sender = bench.sender();
    thread::sleep(2 * SOUND);
    server.crash()?;
    standby.promote()?;
    thread::sleep(2 * SOUND);
    bench.verdict(sender)
}

fn one_killed(program: &Path) -> anyhow::Result<Verdict> {
    let server = Postgres::start()?;
    let mut bench = Bench::shared(program, &server.database()?)?;
    bench.another()?;
    let sender = bench.sender();
    thread::sleep(2 * SOUND);
    bench.receiver.kill()?;
    thread::sleep(LEASE_OVER);
    bench.restart()?;
    thread::sleep(2 * SOUND);
    bench.verdict(sender)
}

fn one_stopped(program: &Path) -> anyhow::Result<Verdict> {
    let server = Postgres::start()?;
    let mut bench = Bench::shared(program, &server.database()?)?;
    bench.another()?;
    let sender = bench.sender();
    thread::sleep(2 * SOUND);
    signal("STOP", bench.receiver.id())?;
    thread::sleep(LEASE_OVER);
    signal("CONT", bench.receiver.id())?;
    thread::sleep(2 * SOUND);
    bench.verdict(sender)
}

fn connection_cut(program: &Path) -> anyhow::Result<Verdict> {
    let server = Postgres::start()?;
    let wire = Wire::to(server.port())?;
    let bench = Bench::shared(program, &server.by_tcp(&server.database()?, wire.port))?;
    let sender = bench.sender();
    for number in 0..100 {
        thread::sleep(Duration::from_millis(50 + number * 137 % 200));
        wire.armed.store(true, Relaxed);
        until("a commit to go by", || Ok((!wire.armed.load(Relaxed)).then_some(())))?;
    }
    thread::sleep(SOUND);
    eprintln!("» {} connections were cut after a commit was sent", wire.cuts.load(Relaxed));
    bench.verdict(sender)
}

/// Sends a signal by its name.
fn signal(name: &str, process: u32) -> anyhow::Result<()> {
    let kill = format!("kill -{name} {process}");
    let status = Command::new("sh").args(["-c", &kill]).status().context("cannot start sh")?;
    if !status.success() {
        bail!("{kill}: {status}");
    }
    Ok(())
}

/// Between receivers and the server. Armed, it cuts the next connection on which a commit is sent; the server gets it or not, by
/// turns, and its answer goes nowhere.
struct Wire {
    port: u16,
    armed: Arc<AtomicBool>,
    cuts: Arc<AtomicU32>,
}

impl Wire {
    fn to(server: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let wire = Self { port: listener.local_addr()?.port(), armed: Arc::default(), cuts: Arc::default() };
        let (armed, cuts) = (Arc::clone(&wire.armed), Arc::clone(&wire.cuts));
        thread::spawn(move || {
            for ours in listener.incoming().map_while(Result::ok) {
                let Ok(theirs) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (Ok(mut from), Ok(mut to)) = (theirs.try_clone(), ours.try_clone()) else { continue };
                thread::spawn(move || {
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(Shutdown::Both));
                });
                let (armed, cuts) = (Arc::clone(&armed), Arc::clone(&cuts));
                thread::spawn(move || forward(&ours, &theirs, &armed, &cuts));
            }
        });
        Ok(wire)
    }
}

fn forward(mut ours: &TcpStream, mut theirs: &TcpStream, armed: &AtomicBool, cuts: &AtomicU32) {
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = ours.read(&mut bytes) {
        let sent = bytes.get(..count).unwrap_or_default();
        if sent.windows(8).any(|window| window == b"; commit") && armed.swap(false, Relaxed) {
            drop(ours.shutdown(Shutdown::Both));
            if cuts.fetch_add(1, Relaxed).is_multiple_of(2) {
                drop(theirs.shutdown(Shutdown::Both));
                return;
            }
        }
        if theirs.write_all(sent).is_err() {
            break;
        }
    }
    // The server has to read what it was sent: it would not, if we closed before it has answered.
    drop(theirs.shutdown(Shutdown::Write));
    drop(io::copy(&mut theirs, &mut io::sink()));
}
