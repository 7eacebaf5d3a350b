//! Where the objects come from, and how a change of them becomes what is served.
mod cluster;
mod document;
pub mod folder;
mod from_folder;
mod last_known;
mod position;
mod sinks;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use boathook_sinks::{AddressGuard, Fetcher, Registry};
use boathook_table::{Problem, SealKey, Table};
use tokio::sync::{Notify, watch as channel};

pub(crate) use self::{cluster::ClusterSource, from_folder::FolderSource};
use crate::{
    metrics::Metrics,
    serving::{Live, Observed, Serving},
};

/// What is served, and what makes a table of objects into it.
pub(crate) struct Configuration {
    registry: Registry,
    metrics: Arc<Metrics>,
    pub(crate) live: Arc<Live>,
    /// Why what is written is not what is served; one line for each mistake.
    refused: Mutex<Option<String>>,
}

/// Where the objects come from.
pub(crate) enum Source {
    Folder(FolderSource),
    Cluster(Box<ClusterSource>),
}

impl Source {
    pub(crate) fn configuration(&self) -> &Arc<Configuration> {
        match self {
            Self::Folder(source) => source.configuration(),
            Self::Cluster(source) => source.configuration(),
        }
    }

    /// The API server, where there is one.
    pub(crate) fn client(&self) -> Option<kube::Client> {
        match self {
            Self::Folder(_) => None,
            Self::Cluster(source) => Some(source.client.clone()),
        }
    }

    /// Follows the changes; marks `configured` when something else is served. Never returns.
    pub(crate) async fn follow(self, asked: Arc<Notify>, configured: channel::Sender<()>) {
        match self {
            Self::Folder(source) => source.follow(asked, configured).await,
            Self::Cluster(source) => source.follow(configured).await,
        }
    }
}

impl Configuration {
    /// Nothing is served yet. `guard` decides which addresses sinks may have.
    pub(crate) fn new(guard: AddressGuard, metrics: Arc<Metrics>) -> Self {
        Self {
            registry: Registry::new(guard, Box::new(std::io::stdout())),
            metrics,
            live: Arc::new(Live::from_pointee(Serving::nothing())),
            refused: Mutex::default(),
        }
    }

    /// Serves the table. A sink that cannot be made stays without a driver; `refuse` decides, by what is wrong with those,
    /// whether nothing is changed.
    fn serve<E>(
        &self,
        table: Table,
        observed: Observed,
        seal_key: Option<SealKey>,
        refuse: impl FnOnce(Vec<Problem>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (drivers, problems) = sinks::drivers(table.sinks(), &self.registry);
        refuse(problems)?;
        self.live.store(Arc::new(self.live.load().followed_by(table, drivers, observed, seal_key)));
        Ok(())
    }

    /// What fetches documents: under the same guard as sinks.
    pub(crate) fn fetcher(&self) -> Result<Fetcher, String> {
        self.registry.fetcher()
    }

    /// Why what is written is not what is served.
    pub(crate) fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_refused(&self, why: Option<String>) {
        self.metrics.gauges.config_refused.set(i64::from(why.is_some()));
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}
