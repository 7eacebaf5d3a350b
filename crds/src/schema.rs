//! The CRDs as the API server takes them, and the files that are generated from them.
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::{WebhookEndpoint, WebhookSink, reference};

/// Both CustomResourceDefinitions, with structural schemas.
pub fn crds() -> [Value; 2] {
    [WebhookEndpoint::crd(), WebhookSink::crd()].map(|crd| {
        let mut value = serde_json::to_value(crd).expect("a CRD is plain data");
        let versions = value.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
        for version in versions.into_iter().flatten() {
            version.pointer_mut("/schema/openAPIV3Schema").into_iter().for_each(clean);
        }
        value
    })
}

/// The generated files: path from the repository's root, and content.
pub fn generated() -> Vec<(String, String)> {
    let file = |crd: Value| {
        let name = crd.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let yaml = serde_yaml::to_string(&crd).expect("a CRD is plain data");
        let head = "# Generated from crds/src by `cargo xtask generate`.\n";
        (format!("crds/generated/{name}.yaml"), format!("{head}{yaml}"))
    };
    let pages = [
        ("crds/docs/fields.md".to_owned(), reference::fields(&crds())),
        ("crds/docs/providers.md".to_owned(), reference::providers()),
    ];
    crds().into_iter().map(file).chain(pages).collect()
}

/// The names of the fields that an object of this kind may have at a path such as `spec.secrets[0]` (`""` is the object);
/// none where anything may stand, or nothing.
pub fn members(kind: &str, path: &str) -> Vec<String> {
    let of_kind = |crd: &Value| crd.pointer("/spec/names/kind").and_then(Value::as_str) == Some(kind);
    let Some(crd) = crds().into_iter().find(of_kind) else { return Vec::new() };
    let mut node = crd.pointer("/spec/versions/0/schema/openAPIV3Schema");
    for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
        let index = step.trim_end_matches(']').parse::<usize>().is_ok();
        node = node.and_then(|node| {
            if index { node.get("items") } else { node.pointer(&format!("/properties/{step}")) }
        });
    }
    let properties = node.and_then(|node| node.get("properties")).and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
}

/// A time in RFC 3339.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "maxLength": 64 })
}

/// Removes what the derive writes and an API server refuses or warns of: `nullable`, the null in enums of options, and
/// integer formats that Kubernetes does not know. Walks schema positions only, so that a property may have such a name.
fn clean(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    members.remove("nullable");
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if members.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
        members.remove("format");
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(clean);
    }
    for nested in ["items", "additionalProperties"] {
        members.get_mut(nested).into_iter().for_each(clean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every schema node with its path.
    fn nodes(path: &str, schema: &Value, out: &mut Vec<(String, Value)>) {
        out.push((path.to_owned(), schema.clone()));
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            nodes(&format!("{path}.{name}"), property, out);
        }
        for nested in ["items", "additionalProperties"] {
            if schema[nested].is_object() {
                nodes(&format!("{path}[]"), &schema[nested], out);
            }
        }
    }

    fn spec_nodes() -> Vec<(String, Value)> {
        let mut out = Vec::new();
        for crd in crds() {
            let root = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            nodes(crd["spec"]["names"]["kind"].as_str().unwrap(), &root["properties"]["spec"], &mut out);
        }
        out
    }

    #[test]
    fn every_node_of_the_schema_is_structural() {
        for (path, node) in spec_nodes() {
            let open = node["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
            assert!(node["type"].is_string() || open, "{path} has no type: {node}");
            for refused in ["$ref", "anyOf", "oneOf", "allOf", "nullable", "definitions"] {
                assert!(node.get(refused).is_none(), "{path} has {refused}");
            }
        }
    }

    #[test]
    fn every_list_map_string_and_number_is_bounded_and_every_field_is_described() {
        for (path, node) in spec_nodes() {
            let has = |names: &[&str]| names.iter().any(|name| node.get(name).is_some());
            let bounded = match node["type"].as_str() {
                Some("array") => has(&["maxItems"]),
                Some("string") => has(&["maxLength", "enum"]),
                Some("integer" | "number") => has(&["maximum"]),
                Some("object") if node["additionalProperties"].is_object() => has(&["maxProperties"]),
                _ => true,
            };
            assert!(bounded, "{path} has no bound: {node}");
            assert!(node["description"].is_string() || path.ends_with("[]"), "{path} has no description");
        }
    }

    #[test]
    fn each_crd_stays_far_below_the_size_that_the_api_server_takes() {
        for crd in crds() {
            assert!(crd.to_string().len() < 200 * 1024, "{}", crd["metadata"]["name"]);
        }
    }
}
