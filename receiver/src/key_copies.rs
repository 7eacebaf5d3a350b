//! Copies of published keys in the data folder, for a start while their server is away.
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use boathook_verify::{KeyDocument, KeyFormat, KeySource};
use faster_hex::hex_string;
use sha2::{Digest as _, Sha256};

use crate::limits::{CERTIFICATE_COPIES_MAX, KEYS_KEPT_MAX};

/// The folder of the copies; none where there is no data folder.
pub(crate) struct KeyCopies(Option<PathBuf>);

impl KeyCopies {
    pub(crate) fn below(data: Option<&Path>) -> Self {
        Self(data.map(|data| data.join("published-keys")))
    }

    /// What was known before the last start, where that is not too old.
    pub(crate) fn of(&self, source: &KeySource) -> Option<KeyDocument> {
        let file = file(self.0.as_deref()?, source);
        let age = fs::metadata(&file).and_then(|about| about.modified()).ok()?.elapsed();
        let young = age.is_ok_and(|age| age <= KEYS_KEPT_MAX);
        let bytes = young.then(|| fs::read(&file).ok()).flatten()?;
        source.format().parse(&bytes).ok()
    }

    /// Keeps a document; that it cannot be kept harms nobody now.
    pub(crate) fn keep(&self, source: &KeySource, document: &[u8]) {
        let Some(folder) = self.0.as_deref() else { return };
        let file = file(folder, source);
        let write = || {
            fs::create_dir_all(folder)?;
            let new = file.with_extension("new");
            fs::write(&new, document)?;
            fs::rename(&new, &file)?;
            if source.format() == KeyFormat::Certificate { thin_out(folder) } else { Ok(()) }
        };
        if let Err(error) = tokio::task::block_in_place(write) {
            tracing::warn!(file = %file.display(), %error, "cannot keep the sender's keys for the next start");
        }
    }
}

/// Key sets are as many as are configured; of certificates, whose URLs requests name, the oldest go.
fn thin_out(folder: &Path) -> std::io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == CERTIFICATE) {
            files.push((modified(&path), path));
        }
    }
    files.sort();
    let surplus = files.len().saturating_sub(CERTIFICATE_COPIES_MAX);
    files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

fn file(folder: &Path, source: &KeySource) -> PathBuf {
    let name = hex_string(&Sha256::digest(source.url()));
    let extension = match source.format() {
        KeyFormat::KeySet => "json",
        KeyFormat::Certificate => CERTIFICATE,
    };
    folder.join(format!("{name}.{extension}"))
}

/// The ending of certificates' names.
const CERTIFICATE: &str = "pem";

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|about| about.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
