//! A receiver that is configured by a folder.
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use boathook_sinks::AddressGuard;
use tokio::sync::{Notify, watch as channel};

use super::{
    Configuration,
    folder::{Fingerprint, FolderError, fingerprint, load},
    watch::FolderWatch,
};
use crate::{limits::READ_AGAIN, metrics::Metrics, serving::Observed};

/// The folder, and what is served of it.
pub(crate) struct FolderSource {
    folder: PathBuf,
    environment: HashMap<String, String>,
    /// What the folder looked like before it was first read.
    seen: Fingerprint,
    /// The store keeps nothing.
    keeps_nothing: bool,
    configuration: Arc<Configuration>,
}

impl FolderSource {
    /// Reads the folder and serves what it says.
    ///
    /// # Errors
    /// Any mistake refuses the whole folder; all are told.
    pub(crate) fn read(
        folder: &Path,
        metrics: Arc<Metrics>,
        keeps_nothing: bool,
    ) -> Result<Self, FolderError> {
        // A folder is for one machine: its sinks may well be on it.
        let guard = AddressGuard { loopback: true, allow: Vec::new() };
        let source = Self {
            folder: folder.to_owned(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            seen: fingerprint(folder),
            keeps_nothing,
            configuration: Arc::new(Configuration::new(guard, metrics)),
        };
        source.serve()?;
        Ok(source)
    }

    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// Reads the folder again when it changes, or when asked to. A folder with a mistake changes nothing.
    pub(crate) async fn follow(self, asked: Arc<Notify>, configured: channel::Sender<()>) {
        let mut watch = FolderWatch::new(&self.folder, self.seen.clone());
        loop {
            let refused = self.configuration.refused();
            let (told, news) = tokio::select! {
                () = watch.changed() => (None, "the configuration has changed"),
                () = asked.notified() => (None, "the configuration was read again"),
                // What could not be read may be readable by now; the same mistake is not told again.
                () = tokio::time::sleep(READ_AGAIN), if refused.is_some() => {
                    (refused, "the mistake is gone; the configuration has changed")
                }
            };
            match tokio::task::block_in_place(|| self.serve()) {
                Ok(()) => {
                    self.configuration.set_refused(None);
                    configured.send_replace(());
                    self.configuration.live.load().tell(news);
                }
                Err(error) if told == Some(error.to_string()) => {}
                Err(error) => {
                    self.configuration.set_refused(Some(error.to_string()));
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

    fn serve(&self) -> Result<(), FolderError> {
        let mut loaded = load(&self.folder, &self.environment, self.keeps_nothing)?;
        let table = std::mem::take(&mut loaded.table);
        self.configuration.serve(table, Observed::default(), None, |problems| {
            let mistakes: Vec<String> = problems.iter().map(|problem| loaded.mistake(problem)).collect();
            if mistakes.is_empty() { Ok(()) } else { Err(FolderError(mistakes)) }
        })
    }
}
