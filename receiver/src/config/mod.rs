//! Where the objects come from, and how a change of them becomes what is served.
mod document;
pub mod folder;
mod position;
mod sinks;
mod watch;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use boathook_sinks::{AddressGuard, Registry};
use tokio::sync::{Notify, watch as channel};

use self::{
    folder::{Fingerprint, FolderError, fingerprint, load},
    watch::FolderWatch,
};
use crate::{
    limits::READ_AGAIN,
    metrics::Metrics,
    serving::{Live, Serving},
};

/// The folder that a receiver is configured by.
pub(crate) struct Configuration {
    folder: PathBuf,
    environment: HashMap<String, String>,
    registry: Registry,
    metrics: Arc<Metrics>,
    /// What the folder looked like before it was first read.
    seen: Fingerprint,
    pub(crate) live: Arc<Live>,
    /// Why the folder as it is now is not what is served.
    pub(crate) refused: Arc<Mutex<Option<String>>>,
}

impl Configuration {
    /// Reads the folder and serves what it says.
    ///
    /// # Errors
    /// Any mistake refuses the whole folder; all are told.
    pub(crate) fn read(folder: &Path, metrics: Arc<Metrics>) -> Result<Self, FolderError> {
        // A folder is for one machine: its sinks may well be on it.
        let guard = AddressGuard { loopback: true, allow: Vec::new() };
        let configuration = Self {
            folder: folder.to_owned(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            registry: Registry::new(guard, Box::new(std::io::stdout())),
            metrics,
            seen: fingerprint(folder),
            live: Arc::new(Live::from_pointee(Serving::nothing())),
            refused: Arc::default(),
        };
        configuration.serve()?;
        Ok(configuration)
    }

    /// Reads the folder again when it changes, or when asked to. Marks `configured` when something else is served. A
    /// folder with a mistake changes nothing. Never returns.
    pub(crate) async fn follow(self, asked: Arc<Notify>, configured: channel::Sender<()>) {
        let mut watch = FolderWatch::new(&self.folder, self.seen.clone());
        loop {
            let refused = self.refused();
            let (told, news) = tokio::select! {
                () = watch.changed() => (None, "the configuration has changed"),
                () = asked.notified() => (None, "the configuration was read again"),
                // What could not be read may be readable by now; the same mistake is not told again.
                () = tokio::time::sleep(READ_AGAIN), if refused.is_some() => {
                    (refused, "the mistake is gone; the configuration has changed")
                }
            };
            let served = tokio::task::block_in_place(|| self.serve());
            self.metrics.gauges.config_refused.set(i64::from(served.is_err()));
            match served {
                Ok(()) => {
                    self.refuse(None);
                    configured.send_replace(());
                    self.live.load().tell(news);
                }
                Err(error) if told == Some(error.to_string()) => {}
                Err(error) => {
                    self.refuse(Some(error.to_string()));
                    for mistake in error.0 {
                        tracing::error!(
                            mistake,
                            "the changed configuration is refused; the one before goes on"
                        );
                    }
                }
            }
        }
    }

    fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, why: Option<String>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn serve(&self) -> Result<(), FolderError> {
        let loaded = load(&self.folder, &self.environment)?;
        let drivers = sinks::drivers(loaded.table.sinks(), &self.registry).map_err(|problems| {
            FolderError(problems.iter().map(|problem| loaded.mistake(problem)).collect())
        })?;
        self.live.store(Arc::new(self.live.load().followed_by(loaded.table, drivers)));
        Ok(())
    }
}
