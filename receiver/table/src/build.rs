//! From objects to a table: what can be served, what is wrong with the rest, and what goes on being served instead.
use std::{collections::BTreeSet, sync::Arc};

use boathook_crds::{Reason, WebhookEndpoint, WebhookSink};
use boathook_event::ObjectName;

use crate::{
    Accepted, Class, Endpoint, Keys, Kind, Objects, Problem, Table, Written, endpoint,
    limits::NAME_BYTES_MAX, sink,
};

/// The namespace of an object that names none.
const NAMESPACE_DEFAULT: &str = "default";

/// Everything that a table is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'i> {
    /// The objects.
    pub objects: &'i Objects,
    /// The values of their Secrets.
    pub keys: &'i Keys,
    /// The class that the endpoints are of; `None` = a folder, where hosts and paths are free.
    pub class: Option<&'i Class>,
    /// What was accepted before: served while what is written now is not acceptable.
    pub accepted: &'i Accepted,
    /// Whether the receivers' store keeps nothing, so that endpoints may ask for less.
    pub keeps_nothing: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Built {
    /// What is served.
    pub table: Table,
    /// What is wrong with objects as they are written now.
    pub problems: Vec<Problem>,
    /// What is served, as specs: the [`Input::accepted`] of the next time.
    pub accepted: Accepted,
    /// Endpoints that want what an older one has.
    pub conflicts: Vec<Conflict>,
}

/// Two endpoints of one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// It is served.
    pub older: ObjectName,
    /// It is not.
    pub younger: ObjectName,
}

/// Compiles the objects. An object with a problem is served as it was accepted before, or left out; every problem is
/// returned.
pub fn build(input: &Input<'_>) -> Built {
    let mut built = Built::default();
    let mut seen = BTreeSet::new();
    for object in &input.objects.sinks {
        let name = name_of(&object.metadata);
        if is_sound(Kind::Sink, &name, &mut seen, &mut built) {
            built.sink(input, name, object);
        }
    }
    seen.clear();
    let mut endpoints: Vec<&WebhookEndpoint> = input.objects.endpoints.iter().collect();
    endpoints.sort_by_key(|object| object.metadata.creation_timestamp.clone());
    for object in endpoints {
        let name = name_of(&object.metadata);
        if is_sound(Kind::Endpoint, &name, &mut seen, &mut built) {
            built.endpoint(input, name, object);
        }
    }
    built
}

impl Built {
    fn sink(&mut self, input: &Input<'_>, name: ObjectName, object: &WebhookSink) {
        let written =
            Written { generation: object.metadata.generation.unwrap_or(0), spec: object.spec.clone() };
        let candidates = [Some(&written), input.accepted.sinks.get(&name)];
        for (place, written) in candidates.into_iter().flatten().enumerate() {
            match sink::compile(&name, object.metadata.labels.as_ref(), &written.spec, input.keys) {
                Ok(sink) => {
                    self.accepted.sinks.insert(name.clone(), written.clone());
                    self.table.sinks.insert(name, sink);
                    return;
                }
                Err(found) if place == 0 => self.problems.extend(found),
                Err(_) => {}
            }
        }
    }

    fn endpoint(&mut self, input: &Input<'_>, name: ObjectName, object: &WebhookEndpoint) {
        let written =
            Written { generation: object.metadata.generation.unwrap_or(0), spec: object.spec.clone() };
        let candidates = [Some(&written), input.accepted.endpoints.get(&name)];
        for (place, written) in candidates.into_iter().flatten().enumerate() {
            let compiled = endpoint::compile(&name, written, input, &self.table.sinks);
            let compiled = compiled.and_then(|endpoint| self.captures_alone(endpoint));
            match compiled.and_then(|endpoint| self.place(endpoint)) {
                Ok(()) => {
                    self.accepted.endpoints.insert(name, written.clone());
                    return;
                }
                Err(found) if place == 0 => self.problems.extend(found),
                Err(_) => {}
            }
        }
    }

    /// Of two endpoints that take a secret into one place the second would never get its own.
    fn captures_alone(&self, endpoint: Endpoint) -> Result<Endpoint, Vec<Problem>> {
        let Some(capture) = &endpoint.capture else { return Ok(endpoint) };
        let same = |older: &&Arc<Endpoint>| {
            older.name.namespace() == endpoint.name.namespace()
                && older.capture.as_ref().is_some_and(|older| older.secret_ref == capture.secret_ref)
        };
        let Some(older) = self.table.endpoints().find(same) else { return Ok(endpoint) };
        let message = format!(
            "{} takes its secret into the same place: name another Secret, or another key of it",
            older.name
        );
        Err(vec![Problem {
            kind: Kind::Endpoint,
            object: endpoint.name.clone(),
            field: "spec.secretCapture.secretRef".into(),
            reason: Reason::InvalidValue,
            message,
        }])
    }

    /// The first endpoint of a URL is served; both are told.
    fn place(&mut self, endpoint: Endpoint) -> Result<(), Vec<Problem>> {
        let same_path = self.table.paths.entry(endpoint.path.clone()).or_default();
        let Some(older) = same_path.iter().find(|older| older.host == endpoint.host) else {
            same_path.push(Arc::new(endpoint));
            return Ok(());
        };
        let conflict = Conflict { older: older.name.clone(), younger: endpoint.name.clone() };
        let message = format!("{} has this path already: give one of them another", older.name);
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
        Err(vec![Problem {
            kind: Kind::Endpoint,
            object: endpoint.name,
            field: "spec.path".into(),
            reason: Reason::PathConflict,
            message,
        }])
    }
}

/// Whether an object has a name that nobody has; else that is told.
fn is_sound(kind: Kind, name: &ObjectName, seen: &mut BTreeSet<ObjectName>, built: &mut Built) -> bool {
    let problem =
        bad_name(kind, name).or_else(|| (!seen.insert(name.clone())).then(|| twice(kind, name.clone())));
    let sound = problem.is_none();
    built.problems.extend(problem);
    sound
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
