//! Folders that are made once and kept outside the clone, safely with several processes at it.
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf, absolute},
};

use anyhow::Context;

use crate::variable;

/// The folder of all such folders.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The one that the environment names.
    ///
    /// # Errors
    /// When it names none, or the folder cannot be made.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let [ours, xdg, home] = ["BOATHOOK_TESTBED_CACHE", "XDG_CACHE_HOME", "HOME"].map(variable);
        let root =
            root(ours, xdg, home).context("neither HOME nor BOATHOOK_TESTBED_CACHE is set: set one")?;
        // Programs run in other folders than ours.
        let root = absolute(root)?;
        fs::create_dir_all(&root).with_context(|| format!("cannot make the folder {}", root.display()))?;
        Ok(Self { root })
    }

    /// A folder with such a name; whoever comes first fills it, all others wait.
    ///
    /// # Errors
    /// When `fill` fails; then there is no folder, and the next call tries again.
    pub(crate) fn folder(
        &self,
        name: &str,
        progress: &dyn Fn(&str),
        fill: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let folder = self.root.join(name);
        if folder.is_dir() {
            return Ok(folder);
        }
        let lock = File::create(self.root.join(format!("{name}.lock")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress(&format!("another process makes {}: waiting for it", folder.display()));
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if !folder.is_dir() {
            // Under the lock it is nobody's; what is there was left by one that failed or was killed.
            let unfinished = self.root.join(format!("{name}.unfinished"));
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)?;
            }
            fs::create_dir(&unfinished)?;
            fill(&unfinished)?;
            fs::rename(&unfinished, &folder)?;
        }
        Ok(folder)
    }
}

/// A relative `XDG_CACHE_HOME` is to be ignored (XDG Base Directory Specification).
fn root(ours: Option<PathBuf>, xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let of_user = || xdg.filter(|xdg| xdg.is_absolute()).or_else(|| Some(home?.join(".cache")));
    ours.or_else(|| Some(of_user()?.join("boathook/testbed")))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn our_variable_goes_before_those_of_the_system() {
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(root(path("a"), path("/xdg"), path("/home")), path("a"));
        assert_eq!(root(None, path("/xdg"), path("/home")), path("/xdg/boathook/testbed"));
        assert_eq!(root(None, path("xdg"), path("/home")), path("/home/.cache/boathook/testbed"));
        assert_eq!(root(None, None, None), None);
    }

    #[test]
    fn a_folder_is_filled_once_and_a_failure_leaves_none() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache { root: root.path().to_owned() };
        let failure = cache.folder("a", &|_| {}, |_| anyhow::bail!("no"));
        assert!(failure.is_err() && !root.path().join("a").exists());
        let filled = AtomicUsize::new(0);
        let fill = |folder: &Path| {
            filled.fetch_add(1, Ordering::Relaxed);
            Ok(fs::write(folder.join("file"), "")?)
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let folder = cache.folder("a", &|_| {}, fill).unwrap();
                    assert!(folder.join("file").exists());
                });
            }
        });
        assert_eq!(filled.into_inner(), 1);
        // The folder and its lock.
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }
}
