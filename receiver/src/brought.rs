//! Secrets that providers have sent by themselves: the first that comes for an endpoint is kept in the data folder, durably
//! and before it is acknowledged, until it stands where the endpoint looks for it.
use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use boathook_crds::SecretRef;
use boathook_event::ObjectName;
use boathook_table::{Capture, SealKey};
use boathook_verify::BroughtSecret;
use zeroize::Zeroizing;

use crate::{
    flood::Flood,
    serving::{Live, Serving},
};

/// The secrets that have come and are not in their Secrets yet.
#[derive(Clone)]
pub(crate) struct BroughtSecrets(Arc<Inner>);

struct Inner {
    /// None where there is no data folder: then no endpoint waits for a secret.
    folder: Option<PathBuf>,
    kept: Mutex<Kept>,
    /// Lines about further secrets: nobody has proved anything.
    others: Flood,
}

type Kept = BTreeMap<ObjectName, Zeroizing<String>>;

/// A file that is being written. Those of secrets have a `_` in their names.
const DRAFT: &str = "draft";

/// What became of a secret that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is kept, from now on or since an earlier time.
    Kept,
    /// Another one came before.
    TooLate,
}

impl BroughtSecrets {
    /// Opens the folder of secrets below the data folder.
    ///
    /// # Errors
    /// The folder cannot be made, or a file cannot be read: the secret in it cannot be had again.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("captured");
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            // Its own entry must be on disk before a secret in it is acknowledged.
            Ok(()) => fs::File::open(data)?.sync_all()?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match fs::remove_file(folder.join(DRAFT)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut kept = Kept::new();
        for file in fs::read_dir(&folder)? {
            let file = file?;
            if let Some((namespace, name)) = file.file_name().to_str().and_then(|name| name.split_once('_')) {
                let text = Zeroizing::new(fs::read_to_string(file.path())?);
                kept.insert(ObjectName::new(namespace, name), text);
            }
        }
        Ok(Self(Arc::new(Inner { folder: Some(folder), kept: Mutex::new(kept), others: Flood::default() })))
    }

    /// Without a folder: nothing can be kept.
    pub(crate) fn nowhere() -> Self {
        Self(Arc::new(Inner { folder: None, kept: Mutex::default(), others: Flood::default() }))
    }

    /// Keeps the secret, if it is the first for the endpoint.
    ///
    /// # Errors
    /// It cannot be written: then it is not to be acknowledged.
    pub(crate) async fn keep(
        &self,
        of: &ObjectName,
        capture: &Capture,
        secret: &BroughtSecret,
    ) -> io::Result<Taken> {
        let (inner, of, secret) = (Arc::clone(&self.0), of.clone(), secret.clone());
        let SecretRef { name, key } = &capture.secret_ref;
        let (name, key) = (name.clone(), key.clone());
        let keep = move || {
            let mut kept = inner.kept();
            if let Some(before) = kept.get(&of) {
                let same = before.as_str() == secret.text();
                if !same && inner.others.admits() {
                    tracing::warn!(endpoint = %of, "another secret has come, and is not taken: the first one counts");
                }
                return Ok(if same { Taken::Kept } else { Taken::TooLate });
            }
            let file = inner.write(&of, secret.text())?;
            tracing::warn!(
                endpoint = %of, file = %file.display(), secret = name, key,
                "the provider's secret has come and is kept in this file; it belongs into the Secret, under the key \
                 (in a cluster the operator puts it there)"
            );
            kept.insert(of, Zeroizing::new(secret.text().to_owned()));
            Ok(Taken::Kept)
        };
        tokio::task::spawn_blocking(keep).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Forgets the secrets that their endpoints have, and those of endpoints that are gone. One that an endpoint neither has nor
    /// waits for is kept: a person may still look for it.
    pub(crate) fn settle(&self, live: &Live) {
        // A secret that is being written is looked at the next time.
        let Ok(mut kept) = self.0.kept.try_lock() else { return };
        let serving = live.load();
        kept.retain(|of, secret| {
            let keep = match serving.endpoint(of) {
                Some(served) => !served.endpoint.has_secret(secret.as_bytes()),
                None => serving.observed.endpoints.contains_key(of),
            };
            if keep {
                return true;
            }
            let Some(file) = self.0.folder.as_deref().map(|folder| file(folder, of)) else { return false };
            match fs::remove_file(&file) {
                Ok(()) => tracing::info!(endpoint = %of, file = %file.display(), "the endpoint's secret is where it belongs; its file is removed"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(endpoint = %of, file = %file.display(), %error, "cannot remove the file of a secret that is where it belongs: remove it by hand"),
            }
            false
        });
    }

    /// The secrets that are to be told to the operator, with the places where they belong.
    pub(crate) fn to_tell(&self, serving: &Serving) -> Vec<(ObjectName, SecretRef, Zeroizing<String>)> {
        let told = |(of, text): (&ObjectName, &Zeroizing<String>)| {
            let capture = serving.endpoint(of)?.endpoint.capture.as_ref()?;
            Some((of.clone(), capture.secret_ref.clone(), text.clone()))
        };
        self.0.kept().iter().filter_map(told).collect()
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the file whole and synced, for its owner alone.
    fn write(&self, of: &ObjectName, text: &str) -> io::Result<PathBuf> {
        let none = || io::Error::other("there is no data folder to keep it in");
        let folder = self.folder.as_deref().ok_or_else(none)?;
        let (file, draft) = (file(folder, of), folder.join(DRAFT));
        let mut open =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        fs::rename(&draft, &file)?;
        fs::File::open(folder)?.sync_all()?;
        Ok(file)
    }
}

/// Names have no `_`.
fn file(folder: &Path, of: &ObjectName) -> PathBuf {
    folder.join(format!("{}_{}", of.namespace(), of.name()))
}

/// What was sealed last, so that the same secret is told in the same words.
#[derive(Default)]
pub(crate) struct Sealed {
    key: Option<SealKey>,
    told: BTreeMap<ObjectName, Told>,
}

struct Told {
    to: SecretRef,
    text: Zeroizing<String>,
    sealed: String,
}

impl Sealed {
    /// Seals what is to be told now; nothing while no key is known.
    pub(crate) fn look(&mut self, secrets: &BroughtSecrets, serving: &Serving) {
        let key = serving.seal_key.clone();
        if self.key != key {
            self.told.clear();
        }
        let to_tell = secrets.to_tell(serving);
        self.told.retain(|of, told| {
            to_tell.iter().any(|(known, to, text)| known == of && *to == told.to && *text == told.text)
        });
        for (of, to, text) in to_tell {
            let Some(key) = &key else { break };
            self.told.entry(of).or_insert_with_key(|of| {
                let sealed = key.seal(of, &to, &text, &mut rand::rng());
                Told { to, text, sealed }
            });
        }
        self.key = key;
    }

    pub(crate) fn of(&self, endpoint: &ObjectName) -> Option<&str> {
        self.told.get(endpoint).map(|told| told.sealed.as_str())
    }
}
