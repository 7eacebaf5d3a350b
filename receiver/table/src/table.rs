//! What a receiver serves: endpoints by URL, sinks by name.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use boathook_event::ObjectName;

use crate::{Endpoint, Sink};

/// Everything that is served at one time; swapped whole.
#[derive(Debug, Default)]
pub struct Table {
    /// By path; of several the one with the request's host, else the one without a host.
    pub(crate) paths: HashMap<String, Vec<Arc<Endpoint>>>,
    pub(crate) sinks: BTreeMap<ObjectName, Sink>,
}

impl Table {
    /// The endpoint of a URL. `host` is the request's, without port; case does not matter. Costs one hash of the path,
    /// however many endpoints there are.
    pub fn lookup(&self, host: Option<&str>, path: &str) -> Option<&Arc<Endpoint>> {
        let candidates = self.paths.get(path)?;
        let named = |endpoint: &&Arc<Endpoint>| {
            endpoint
                .host
                .as_deref()
                .is_some_and(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)))
        };
        candidates.iter().find(named).or_else(|| candidates.iter().find(|endpoint| endpoint.host.is_none()))
    }

    /// Every endpoint, in no particular order.
    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.paths.values().flatten()
    }

    /// Every sink, by name.
    pub fn sinks(&self) -> impl Iterator<Item = &Sink> {
        self.sinks.values()
    }
}
