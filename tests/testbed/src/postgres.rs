//! A PostgreSQL server for tests, from the system's packages: on 127.0.0.1, syncing as in earnest, not as root.
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use anyhow::{Context, bail};

use crate::{process::Process, run_folder::RunFolder, servers::free_port, variable};

/// Where Debian and its relatives keep the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The user that their package makes.
const USER: &str = "postgres";
/// The role that tests connect as, and its password.
const ROLE: &str = "boathook";
const PASSWORD: &str = "password-of-tests";
/// Few tests need much memory, and the data of each is small. Durability is as it is by default.
const SETTINGS: &str =
    "-c shared_buffers=64MB -c max_connections=200 -c max_wal_size=256MB -c listen_addresses=127.0.0.1";

/// A running server; it ends with its owner, and its data with it.
pub struct Postgres {
    /// Dropped before the folder it writes to.
    process: Mutex<Option<Process>>,
    programs: PathBuf,
    port: u16,
    databases: AtomicU32,
    folder: RunFolder,
}

/// The server of this process: started by whoever asks first, ended with the process. A test that stops its server starts
/// a [`Postgres`] of its own.
///
/// # Panics
/// When it cannot be started; every call then says why.
pub fn shared_postgres() -> &'static Postgres {
    static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
    match SHARED.get_or_init(|| Postgres::start().map_err(|error| format!("{error:#}"))) {
        Ok(server) => server,
        #[expect(clippy::panic, reason = "a test without its server has failed")]
        Err(error) => panic!("{error}"),
    }
}

/// The folder of PostgreSQL's programs: the one that `BOATHOOK_TESTBED_POSTGRES` names, else that of the newest version
/// that the system's package has installed.
pub fn postgres_programs() -> Option<PathBuf> {
    let named = variable("BOATHOOK_TESTBED_POSTGRES");
    let installed = || {
        let versions = fs::read_dir(VERSIONS).ok()?.filter_map(Result::ok);
        let newest = versions.max_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())?;
        Some(newest.path().join("bin"))
    };
    named.or_else(installed).filter(|folder| folder.join("postgres").exists())
}

impl Postgres {
    /// Makes a cluster in a folder of its own, and starts the server.
    ///
    /// # Errors
    /// When the programs are missing, or the server does not start.
    pub fn start() -> anyhow::Result<Self> {
        let programs = postgres_programs().context(
            "PostgreSQL's programs are missing: `cargo xtask test` installs them, or install the package `postgresql`",
        )?;
        let folder = RunFolder::make()?;
        if let Some(user) = user()? {
            chown(folder.path(), Some(user), None)?;
        }
        let port = free_port()?.local_addr()?.port();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
        let made = command(&programs.join("initdb"))?
            .args(["-D", "data", "-U", ROLE, "-E", "UTF8", "--locale=C.UTF-8", "-N", "--pwfile=password"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .current_dir(folder.path())
            .output()
            .context("cannot start initdb")?;
        if !made.status.success() {
            bail!("initdb ended ({}): {}", made.status, String::from_utf8_lossy(&made.stderr));
        }
        let server = Self { process: Mutex::default(), programs, port, databases: AtomicU32::new(0), folder };
        server.start_again()?;
        Ok(server)
    }

    /// Makes an empty database, and gives its URL, by a socket that only this user can reach: a password would cost a
    /// connection half a second in a program that is not optimized.
    ///
    /// # Errors
    /// When the server does not.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = format!("test{}", self.databases.fetch_add(1, Relaxed));
        self.sql("postgres", &format!("create database {name}"))?;
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        Ok(format!("postgres://{ROLE}@{folder}:{}/{name}", self.port))
    }

    /// The URL of the same database by 127.0.0.1 and this port, the server's own or one in front of it, with the password.
    pub fn by_tcp(&self, database: &str, port: u16) -> String {
        let name = database.rsplit('/').next().unwrap_or(database);
        format!("postgres://{ROLE}:{PASSWORD}@127.0.0.1:{port}/{name}")
    }

    /// The same URL, where the database may also be at another server: whichever takes writes.
    pub fn by_tcp_or(&self, database: &str, other: &Self) -> String {
        let name = database.rsplit('/').next().unwrap_or(database);
        let (port, other) = (self.port, other.port);
        format!("postgres://{ROLE}:{PASSWORD}@127.0.0.1:{port},127.0.0.1:{other}/{name}")
    }

    /// Starts a standby of this server, without which no commit is acknowledged from then on.
    ///
    /// # Errors
    /// When it cannot be copied or started.
    pub fn standby(&self) -> anyhow::Result<Self> {
        let folder = RunFolder::make()?;
        if let Some(user) = user()? {
            chown(folder.path(), Some(user), None)?;
        }
        let copied = command(&self.programs.join("pg_basebackup"))?
            .args(["-D", "data", "-U", ROLE, "-X", "stream", "-c", "fast", "-R", "-h"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string()])
            .current_dir(folder.path())
            .output()
            .context("cannot start pg_basebackup")?;
        if !copied.status.success() {
            bail!("pg_basebackup ended ({}): {}", copied.status, String::from_utf8_lossy(&copied.stderr));
        }
        let port = free_port()?.local_addr()?.port();
        let (process, databases) = (Mutex::default(), AtomicU32::new(0));
        let standby = Self { process, programs: self.programs.clone(), port, databases, folder };
        standby.start_again()?;
        self.sql("postgres", "alter system set synchronous_standby_names = '*'")?;
        self.sql("postgres", "select pg_reload_conf()")?;
        Ok(standby)
    }

    /// Makes a standby the one that takes writes.
    ///
    /// # Errors
    /// When it does not.
    pub fn promote(&self) -> anyhow::Result<()> {
        self.sql("postgres", "select pg_promote()").map(drop)
    }

    /// Runs statements in the database of this name (or URL) with `psql`; what they give, a line for each row, its columns
    /// separated by `|`.
    ///
    /// # Errors
    /// When one of them fails; those before it may be done.
    pub fn sql(&self, database: &str, statements: &str) -> anyhow::Result<String> {
        let name = database.rsplit('/').next().and_then(|end| end.split('?').next()).unwrap_or(database);
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", ROLE, "-d", name, "-c", statements])
            .arg("-h")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string()])
            .output()
            .context("cannot start psql")?;
        if !output.status.success() {
            bail!("{statements}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// The port of 127.0.0.1 on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once, as a crash does: what it has not synced, it must find in its log or not at all.
    ///
    /// # Errors
    /// When it does not end.
    pub fn crash(&self) -> anyhow::Result<()> {
        match self.process().take() {
            Some(mut process) => process.quit(),
            None => Ok(()),
        }
    }

    /// Starts the server again, on the same port, with the same data; returns when it can be used.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&self) -> anyhow::Result<()> {
        let (program, words) = as_user(&self.programs.join("postgres"))?;
        let words =
            format!("{words} -D data -p {} -k {} {SETTINGS}", self.port, self.folder.path().display());
        let mut process = Process::start(&program, &words, self.folder.path())?;
        process.wait_until("ready", || self.sql("postgres", "select 1").is_ok())?;
        *self.process() = Some(process);
        Ok(())
    }

    /// Has the server stand still, or go on: connections stay, and nothing is answered.
    ///
    /// # Errors
    /// When its processes cannot be found.
    pub fn stand_still(&self, still: bool) -> anyhow::Result<()> {
        match self.process().as_ref() {
            Some(process) => process.signal_all(if still { "STOP" } else { "CONT" }),
            None => Ok(()),
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who must run the server where we are root, whom it refuses.
fn user() -> anyhow::Result<Option<u32>> {
    let ours = Command::new("id").arg("-u").output().context("cannot start id")?;
    if ours.stdout != b"0\n" {
        return Ok(None);
    }
    let id = Command::new("id").args(["-u", USER]).output().context("cannot start id")?;
    let id = String::from_utf8_lossy(&id.stdout).trim().parse();
    id.map(Some).with_context(|| format!("PostgreSQL does not run as root, and there is no user `{USER}`"))
}

fn command(program: &Path) -> anyhow::Result<Command> {
    let (program, words) = as_user(program)?;
    let mut command = Command::new(program);
    command.args(words.split_whitespace());
    Ok(command)
}

/// The program and its first arguments that run it as that user.
fn as_user(program: &Path) -> anyhow::Result<(PathBuf, String)> {
    Ok(match user()? {
        None => (program.to_owned(), String::new()),
        Some(_) => {
            let words = format!("--reuid {USER} --regid {USER} --clear-groups {}", program.display());
            (PathBuf::from("setpriv"), words)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_is_there_after_a_crash() {
        let server = Postgres::start().unwrap();
        let database = server.database().unwrap();
        server.sql(&database, "create table kept (number int); insert into kept values (7)").unwrap();
        server.crash().unwrap();
        assert!(server.sql(&database, "select 1").is_err());
        server.start_again().unwrap();
        assert_eq!(server.sql(&database, "select number from kept").unwrap(), "7");
        assert_eq!(server.sql(&database, "show fsync; show synchronous_commit").unwrap(), "on\non");
    }

    #[test]
    fn a_standby_that_is_promoted_has_what_was_committed() {
        let server = Postgres::start().unwrap();
        let database = server.database().unwrap();
        let standby = server.standby().unwrap();
        server.sql(&database, "create table kept (number int); insert into kept values (7)").unwrap();
        server.crash().unwrap();
        standby.promote().unwrap();
        assert_eq!(
            standby.sql(&database, "insert into kept values (8); select count(*) from kept").unwrap(),
            "2"
        );
    }
}
