//! An object in the making: what is its own, and what all of ours have.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Need;
use crate::names;

/// What is particular to an object.
pub(super) struct Draft {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) annotations: BTreeMap<String, String>,
    /// What stands beside `metadata`. A `null` in it is left out.
    pub(super) body: Vec<(&'static str, Value)>,
}

impl Draft {
    /// An object with the name of the class's objects.
    pub(super) fn new(
        api_version: &'static str,
        kind: &'static str,
        need: &Need<'_>,
        body: Vec<(&'static str, Value)>,
    ) -> Self {
        let name = names::object(&need.class.name);
        Self { api_version, kind, name, annotations: BTreeMap::new(), body }
    }

    /// The whole object, owned by the ServiceAccount with this uid, if any.
    pub(super) fn finish(self, need: &Need<'_>, owner_uid: Option<&str>) -> Value {
        let Self { api_version, kind, name, annotations, body } = self;
        let class = &need.class.name;
        let metadata = json!({
            "name": name,
            "namespace": need.namespace,
            "labels": names::labels(class),
            "annotations": annotations,
            "ownerReferences": owner_uid.map(|uid| [owner(class, uid)]),
        });
        let head = [("apiVersion", api_version.into()), ("kind", kind.into()), ("metadata", metadata)];
        let members = head.into_iter().chain(body).map(|(member, value)| (member.to_owned(), value));
        let mut object = Value::Object(members.collect());
        tidy(&mut object);
        let digest = digest(&object);
        let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        if let Some(annotations) = annotations {
            annotations.insert(names::RENDERED_ANNOTATION.to_owned(), digest.into());
            annotations.sort_keys();
        }
        object
    }
}

/// Whose it is: with it, the garbage collector removes the object. It need not be waited for.
fn owner(class: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "name": names::object(class),
        "uid": uid,
        "controller": true,
        "blockOwnerDeletion": false,
    })
}

/// Sorts the members and leaves out those that are `null`: the API server would not keep them.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.sort_keys();
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// A digest of the object without `data`: that of a Secret must not be guessed at by whoever reads its metadata. It
/// guards nothing, so 64 bits are enough.
fn digest(object: &Value) -> String {
    let members = object.as_object().into_iter().flatten().filter(|(name, _)| *name != "data");
    let mut digest = Sha256::new();
    members.for_each(|(name, value)| digest.update(format!("{name}={value}\n")));
    let mut digits = faster_hex::hex_string(&digest.finalize());
    digits.truncate(16);
    digits
}
