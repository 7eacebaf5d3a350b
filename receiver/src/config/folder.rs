//! Objects from a folder: every `*.yaml` in it, several documents a file, `${VAR}` from the environment.
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use boathook_crds::{API_VERSION, ObjectMeta, WebhookEndpoint, WebhookSink};
use boathook_event::ObjectName;
use boathook_table::{Accepted, Built, Input, Keys, Kind, Objects, Problem, Table, build};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    document::{self, Mistake, Strict, documents, positions},
    position::Positions,
};
use crate::limits::FILE_BYTES_MAX;

/// What is wrong with a folder: one line for each mistake, with file, line and field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderError(pub Vec<String>);

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// What a folder says.
#[derive(Debug)]
pub struct Loaded {
    /// What is served.
    pub table: Table,
    places: Places,
}

impl Loaded {
    /// A mistake that was found only when the object was put to use, with its place.
    pub fn mistake(&self, problem: &Problem) -> String {
        placed(&self.places, problem)
    }
}

/// Where each object stands: file and positions, by kind and name.
type Places = BTreeMap<(&'static str, ObjectName), (PathBuf, Positions)>;

/// Reads the folder whole. `environment` are the variables that `${VAR}` may name; `keeps_nothing` is said of the store.
///
/// # Errors
/// Any mistake refuses the whole folder; all are told.
pub fn load(
    folder: &Path,
    environment: &HashMap<String, String>,
    keeps_nothing: bool,
) -> Result<Loaded, FolderError> {
    let mut loader = Loader::new(environment);
    match candidates(folder) {
        Ok(files) => files.iter().for_each(|file| loader.file(file)),
        Err(error) => loader
            .mistakes
            .push(format!("{}: {error}; --config names a folder of YAML files", folder.display())),
    }
    loader.finish(folder, keeps_nothing)
}

/// Everything in the folder that is named like a YAML file, sorted by name.
fn candidates(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What a folder looks like: for each file what changes when it is written, replaced, or made readable.
pub type Fingerprint = Vec<(PathBuf, Option<[i64; 6]>)>;

/// What the folder looks like: changes when a file does.
pub fn fingerprint(folder: &Path) -> Fingerprint {
    let look = |path: PathBuf| {
        let seen = fs::metadata(&path).ok().map(|metadata| {
            let identity = [metadata.dev(), metadata.ino(), metadata.len()].map(u64::cast_signed);
            let [device, inode, length] = identity;
            // The time of change moves with content, owner and permissions.
            [device, inode, length, metadata.ctime(), metadata.ctime_nsec(), metadata.mtime()]
        });
        (path, seen)
    };
    candidates(folder).unwrap_or_default().into_iter().map(look).collect()
}

/// A file's text; `None` for a folder that is named like a file.
fn read(path: &Path) -> Result<Option<String>, String> {
    // A link that leads nowhere is a mistake: what it stood for would silently be gone.
    let metadata = fs::metadata(path).map_err(|error| format!("{error}: mend or remove it"))?;
    if metadata.is_dir() {
        return Ok(None);
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(format!("larger than {FILE_BYTES_MAX} bytes: split it"));
    }
    let bytes = fs::read(path).map_err(|error| format!("{error}: let this process read it"))?;
    String::from_utf8(bytes).map(Some).map_err(|_| "not UTF-8 text: is it a YAML file?".into())
}

struct Loader<'e> {
    environment: &'e HashMap<String, String>,
    objects: Objects,
    keys: Keys,
    places: Places,
    mistakes: Vec<String>,
}

/// What every document starts with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: String,
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretDocument {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default, rename = "type")]
    _type: Option<String>,
    metadata: SecretMetadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    string_data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct SecretMetadata {
    name: String,
    namespace: Option<String>,
}

impl<'e> Loader<'e> {
    fn new(environment: &'e HashMap<String, String>) -> Self {
        Self {
            environment,
            objects: Objects::default(),
            keys: Keys::default(),
            places: BTreeMap::new(),
            mistakes: Vec::new(),
        }
    }

    fn file(&mut self, path: &Path) {
        match read(path) {
            Ok(Some(text)) => documents(&text).iter().for_each(|document| self.document(path, document)),
            Ok(None) => {}
            Err(error) => self.mistakes.push(format!("{}: {error}", path.display())),
        }
    }

    fn document(&mut self, path: &Path, text: &str) {
        let Some(Header { api_version, kind }) = self.parsed::<Header>(path, text, None) else { return };
        match (&*api_version, &*kind) {
            (API_VERSION, "WebhookEndpoint") => {
                if let Some(endpoint) = self.parsed::<WebhookEndpoint>(path, text, Some("WebhookEndpoint")) {
                    self.place(Kind::Endpoint, &endpoint.metadata, path, text);
                    self.objects.endpoints.push(endpoint);
                }
            }
            (API_VERSION, "WebhookSink") => {
                if let Some(sink) = self.parsed::<WebhookSink>(path, text, Some("WebhookSink")) {
                    self.place(Kind::Sink, &sink.metadata, path, text);
                    self.objects.sinks.push(sink);
                }
            }
            ("v1", "Secret") => {
                if let Some(secret) = self.parsed::<SecretDocument>(path, text, None) {
                    self.secret(path, text, secret);
                }
            }
            _ => self.mistakes.push(format!(
                "{}:{}: {kind} of {api_version} is not known: write WebhookEndpoint or WebhookSink of {API_VERSION}, or \
                 Secret of v1",
                path.display(),
                positions(text).line("kind").unwrap_or(0),
            )),
        }
    }

    fn secret(&mut self, path: &Path, text: &str, secret: SecretDocument) {
        let line = |field: &str| positions(text).line(field).unwrap_or(0);
        let namespace = secret.metadata.namespace.as_deref().unwrap_or("default").to_owned();
        let mut values = Vec::new();
        for (key, text) in secret.data {
            // Long values are often wrapped, as Kubernetes allows.
            let encoded: String = text.split_whitespace().collect();
            match STANDARD.decode(encoded) {
                Ok(value) => values.push((key, value)),
                Err(_) => self.mistakes.push(format!(
                    "{}:{}: Secret {namespace}/{}: data.{key} is not base64: write plain text under stringData",
                    path.display(),
                    line(&format!("data.{key}")),
                    secret.metadata.name
                )),
            }
        }
        values.extend(secret.string_data.into_iter().map(|(key, text)| (key, text.into_bytes())));
        if self.keys.contains(&namespace, &secret.metadata.name) {
            let name = &secret.metadata.name;
            self.mistakes.push(format!(
                "{}:{}: there are two Secrets {namespace}/{name}: rename or remove one",
                path.display(),
                line("metadata.name"),
            ));
        }
        self.keys.insert(&namespace, &secret.metadata.name, values);
    }

    /// The document as `T`; its mistakes are kept.
    fn parsed<T: DeserializeOwned>(&mut self, path: &Path, text: &str, strict: Strict<'_>) -> Option<T> {
        match document::parsed(text, self.environment, strict) {
            Ok(value) => Some(value),
            Err(mistakes) => {
                let told = mistakes.into_iter();
                let told =
                    told.map(|Mistake { line, message }| format!("{}:{line}: {message}", path.display()));
                self.mistakes.extend(told);
                None
            }
        }
    }

    fn place(&mut self, kind: Kind, metadata: &ObjectMeta, path: &Path, text: &str) {
        let namespace = metadata.namespace.as_deref().unwrap_or("default");
        let name = ObjectName::new(namespace, metadata.name.as_deref().unwrap_or_default());
        self.places.insert((kind.as_str(), name), (path.to_owned(), positions(text)));
    }

    fn finish(mut self, folder: &Path, keeps_nothing: bool) -> Result<Loaded, FolderError> {
        if self.mistakes.is_empty() && self.objects.endpoints.is_empty() {
            self.mistakes
                .push(format!("{}: no WebhookEndpoint in any *.yaml of this folder", folder.display()));
        }
        let accepted = Accepted::default();
        let (objects, keys) = (&self.objects, &self.keys);
        let input = Input { objects, keys, class: None, accepted: &accepted, keeps_nothing };
        let Built { table, problems, .. } = build(&input);
        if self.mistakes.is_empty() {
            self.mistakes.extend(problems.iter().map(|problem| placed(&self.places, problem)));
        }
        let Self { places, mistakes, .. } = self;
        if mistakes.is_empty() { Ok(Loaded { table, places }) } else { Err(FolderError(mistakes)) }
    }
}

/// The problem behind its file and line.
fn placed(places: &Places, problem: &Problem) -> String {
    match places.get(&(problem.kind.as_str(), problem.object.clone())) {
        Some((path, positions)) => {
            let line = positions.line(&problem.field).unwrap_or(1);
            format!("{}:{line}: {problem}", path.display())
        }
        None => problem.to_string(),
    }
}
