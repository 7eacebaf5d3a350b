//! One process per data folder, on a disk of its own machine.
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::Error;

/// File systems on which locks or synced writes cannot be relied on.
const NETWORK_FILE_SYSTEMS: [&str; 12] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "nfs",
    "nfs4",
    "smb3",
];
/// Pause between two tries: a restarted receiver is not noticeably later.
const POLL: Duration = Duration::from_millis(20);

/// Makes the folder (for its owner alone) where it is missing, and takes its lock. The lock ends with the file.
pub(super) fn take(dir: &Path, wait: Duration) -> Result<File, Error> {
    let failed = |what: &str, error: std::io::Error| {
        let dir = dir.display();
        Error::Open(format!(
            "cannot {what} in the data folder {dir}: {error}; check its owner and its volume"
        ))
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| failed("create anything", error))?;
    refuse_network_file_system(dir)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join("lock"))
        .map_err(|error| failed("open the file `lock`", error))?;
    let deadline = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(POLL),
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed("lock the file `lock`", error)),
        }
    }
    write_pid(&mut file).map_err(|error| failed("write the file `lock`", error))?;
    Ok(file)
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path, file: &mut File) -> Error {
    let mut pid = String::new();
    let pid = file
        .read_to_string(&mut pid)
        .ok()
        .map(|_| pid.trim())
        .filter(|pid| !pid.is_empty())
        .unwrap_or("unknown");
    Error::Open(format!(
        "the data folder {} is used by another receiver (pid {pid}); stop that one, name another folder with --data, or \
         wait longer for it with --lock-wait",
        dir.display(),
    ))
}

fn refuse_network_file_system(dir: &Path) -> Result<(), Error> {
    // Where the table of mounts cannot be read there is no such check.
    let (Ok(mounts), Ok(whole)) = (fs::read_to_string("/proc/self/mounts"), dir.canonicalize()) else {
        return Ok(());
    };
    let Some(kind) = file_system(&mounts, &whole).filter(|kind| NETWORK_FILE_SYSTEMS.contains(kind)) else {
        return Ok(());
    };
    Err(Error::Open(format!(
        "the data folder {} is on a network file system ({kind}), where a lock and a synced write cannot be relied on; \
         use a disk of this machine or a block volume, or --store postgres",
        dir.display(),
    )))
}

/// The type of the file system that holds `path`, from a text like `/proc/self/mounts`.
fn file_system<'m>(mounts: &'m str, path: &Path) -> Option<&'m str> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let point = fields.next()?.replace("\\040", " ");
            let kind = fields.next()?;
            path.starts_with(&point).then_some((point.len(), kind))
        })
        // The longest mount point; of several at one place the last covers the others.
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_last_mount_tells_the_file_system() {
        let mounts = "/dev/sda / ext4 rw 0 0\nserver:/x /data nfs4 rw 0 0\n/dev/sdb /data/fast xfs rw 0 0\n\
                      s:/y /with\\040space cifs rw 0 0\ntmpfs /twice tmpfs rw 0 0\ns:/z /twice nfs rw 0 0\n";
        for (path, kind) in [
            ("/data/boathook", "nfs4"),
            ("/data/fast/boathook", "xfs"),
            ("/database", "ext4"),
            ("/with space/a", "cifs"),
            ("/twice", "nfs"),
        ] {
            assert_eq!(file_system(mounts, Path::new(path)), Some(kind), "{path}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }
}
