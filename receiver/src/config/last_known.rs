//! What a receiver in a cluster remembers for a start while the API server is away: the objects, in its data folder and
//! without keys, and the class's Secret, where the pod has it mounted.
use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use boathook_crds::{WebhookEndpoint, WebhookSink};
use boathook_table::{DOCUMENT_KEY, Document, Objects};
use kube::Resource;
use serde::{Deserialize, Serialize};

const FILE: &str = "objects.json";

/// Where it is kept.
pub(super) struct LastKnown {
    /// A receiver whose store keeps nothing has none.
    data: Option<PathBuf>,
    keys: Option<PathBuf>,
    /// The version of what is in the file, once this process has written it.
    kept: Option<u64>,
}

/// The objects as they were seen last.
#[derive(Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) endpoints: Vec<WebhookEndpoint>,
    pub(super) sinks: Vec<WebhookSink>,
}

impl LastKnown {
    pub(super) fn new(data: Option<&Path>, keys: Option<&Path>) -> Self {
        Self { data: data.map(Path::to_owned), keys: keys.map(Path::to_owned), kept: None }
    }

    /// Keeps the objects if they are others than those kept: whole and then in their place, so that there is always one
    /// whole file.
    pub(super) fn keep(&mut self, objects: Objects) {
        let version = version(&objects);
        let Some(data) = self.data.as_deref().filter(|_| self.kept != Some(version)) else { return };
        let Objects { mut endpoints, mut sinks } = objects;
        for endpoint in &mut endpoints {
            endpoint.status = None;
        }
        for sink in &mut sinks {
            sink.status = None;
        }
        match write(data, &Remembered { endpoints, sinks }) {
            Ok(()) => self.kept = Some(version),
            Err(error) => {
                tracing::warn!(%error, "cannot keep the objects for a start without the Kubernetes API");
            }
        }
    }

    /// The objects, if some were kept and can be read.
    pub(super) fn objects(&self) -> Option<Remembered> {
        let bytes = fs::read(self.data.as_ref()?.join(FILE)).ok()?;
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "the objects that were kept cannot be read"))
            .ok()
    }

    /// What the operator has written for the class, as the pod has it mounted.
    pub(super) fn document(&self, namespace: &str) -> Option<Document> {
        let bytes = zeroize::Zeroizing::new(fs::read(self.keys.as_ref()?.join(DOCUMENT_KEY)).ok()?);
        Document::from_json(namespace, &bytes)
            .inspect_err(|error| tracing::warn!(%error, "the mounted Secret cannot be used"))
            .ok()
    }
}

fn write(data: &Path, objects: &Remembered) -> io::Result<()> {
    let draft = data.join("objects.json.draft");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&serde_json::to_vec(objects)?)?;
    file.sync_all()?;
    fs::rename(draft, data.join(FILE))
}

/// Of the objects' specs and labels: another one when an object comes, goes, changes or is made anew under its name.
fn version(objects: &Objects) -> u64 {
    let mut hasher = DefaultHasher::new();
    let endpoints = objects.endpoints.iter().map(Resource::meta);
    for metadata in endpoints.chain(objects.sinks.iter().map(Resource::meta)) {
        (&metadata.name, &metadata.uid, metadata.generation, &metadata.labels).hash(&mut hasher);
    }
    hasher.finish()
}
