//! Noticing that the folder has changed.
use std::path::{Path, PathBuf};

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::folder::{Fingerprint, fingerprint};
use crate::limits::FOLDER_LOOK;

/// Looks at a folder. What a look sees counts when the next one sees the same, so that a file is not read while
/// somebody writes it.
pub(crate) struct FolderWatch {
    folder: PathBuf,
    /// What was read last.
    read: Fingerprint,
    /// What the last look saw.
    seen: Fingerprint,
    looks: Interval,
}

impl FolderWatch {
    /// Watches from what `read` says on: what the folder looked like before it was read.
    pub(crate) fn new(folder: &Path, read: Fingerprint) -> Self {
        let mut looks = interval(FOLDER_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { folder: folder.to_owned(), seen: read.clone(), read, looks }
    }

    /// Returns when the folder has changed and is to be read again. Nothing is lost when this is dropped.
    pub(crate) async fn changed(&mut self) {
        loop {
            self.looks.tick().await;
            // A disk may take its time, and a worker must not.
            let folder = self.folder.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || fingerprint(&folder)).await else { continue };
            let settled = now == self.seen;
            if settled && now != self.read {
                self.read = now;
                return;
            }
            self.seen = now;
        }
    }
}
