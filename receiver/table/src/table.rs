//! What a receiver serves: endpoints by URL, sinks by name.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use boathook_crds::Reason;
use boathook_event::ObjectName;

use crate::{Endpoint, Keys, Kind, Objects, Problem, Sink, endpoint, limits::NAME_BYTES_MAX, sink};

/// The namespace of an object that names none.
const NAMESPACE_DEFAULT: &str = "default";

/// Everything that is served at one time; swapped whole.
#[derive(Debug, Default)]
pub struct Table {
    /// By path; of several the one with the request's host, else the one without a host.
    paths: HashMap<String, Vec<Arc<Endpoint>>>,
    sinks: BTreeMap<ObjectName, Sink>,
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

/// Compiles the objects. Those with a problem are left out; every problem is returned.
pub fn build(objects: &Objects, keys: &Keys) -> (Table, Vec<Problem>) {
    let (mut table, mut problems) = (Table::default(), Vec::new());
    for object in &objects.sinks {
        let name = name_of(&object.metadata);
        if let Some(problem) = bad_name(Kind::Sink, &name) {
            problems.push(problem);
            continue;
        }
        match sink::compile(&name, &object.spec, keys) {
            Ok(_) if table.sinks.contains_key(&name) => problems.push(twice(Kind::Sink, name)),
            Ok(sink) => drop(table.sinks.insert(name, sink)),
            Err(found) => problems.extend(found),
        }
    }
    let mut names = BTreeMap::new();
    for object in &objects.endpoints {
        let name = name_of(&object.metadata);
        if let Some(problem) = bad_name(Kind::Endpoint, &name) {
            problems.push(problem);
            continue;
        }
        if names.insert(name.clone(), ()).is_some() {
            problems.push(twice(Kind::Endpoint, name));
            continue;
        }
        match endpoint::compile(&name, &object.spec, keys, &table.sinks) {
            Ok(endpoint) => add(&mut table, endpoint, &mut problems),
            Err(found) => problems.extend(found),
        }
    }
    (table, problems)
}

/// The first endpoint of a URL is served; both are told.
fn add(table: &mut Table, endpoint: Endpoint, problems: &mut Vec<Problem>) {
    let same_path = table.paths.entry(endpoint.path.clone()).or_default();
    let Some(older) = same_path.iter().find(|older| older.host == endpoint.host) else {
        same_path.push(Arc::new(endpoint));
        return;
    };
    problems.push(Problem {
        kind: Kind::Endpoint,
        object: endpoint.name.clone(),
        field: "spec.path".into(),
        reason: Reason::PathConflict,
        message: format!("{} has this path already: give one of them another", older.name),
    });
}

/// Names are those that Kubernetes takes (RFC 1123): folders and clusters can change places.
fn bad_name(kind: Kind, object: &ObjectName) -> Option<Problem> {
    let plain = |text: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        text.len() <= NAME_BYTES_MAX
            && text.chars().all(|c| inner(c) || c == '-' || c == '.')
            && text.starts_with(inner)
            && text.ends_with(inner)
    };
    let problem = |field: &str, message: String| {
        let (field, object, reason) = (field.into(), object.clone(), Reason::InvalidValue);
        Some(Problem { kind, object, field, reason, message })
    };
    let wrong = |text: &str| format!("`{text}` is no name: write lower-case letters, digits, `-` and `.`");
    match (object.namespace(), object.name()) {
        (_, "") => problem("metadata.name", "it has no name: write one".into()),
        (_, name) if !plain(name) => problem("metadata.name", wrong(name)),
        (namespace, _) if !plain(namespace) => problem("metadata.namespace", wrong(namespace)),
        _ => None,
    }
}

fn twice(kind: Kind, object: ObjectName) -> Problem {
    let message = "there are two objects of this name: rename or remove one".into();
    Problem { kind, object, field: "metadata.name".into(), reason: Reason::InvalidValue, message }
}

fn name_of(metadata: &kube::core::ObjectMeta) -> ObjectName {
    let namespace = metadata.namespace.as_deref().unwrap_or(NAMESPACE_DEFAULT);
    ObjectName::new(namespace, metadata.name.as_deref().unwrap_or_default())
}
