//! The CRDs as the API server takes them, and the files that are generated from them.
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{WebhookEndpoint, WebhookSink, providers, reference};

/// The name of a Secret (RFC 1123).
pub(crate) const NAME: &str = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$";
/// A key of a Secret.
pub(crate) const KEY: &str = "^[-._a-zA-Z0-9]+$";

/// Counts up with every change of the schemas. An operator does not start on definitions with a lower one.
pub const SCHEMA_VERSION: u32 = 3;
/// The annotation of a definition that says its version.
pub const SCHEMA_VERSION_ANNOTATION: &str = "boathook.dev/schema-version";

/// Both CustomResourceDefinitions, with structural schemas and the annotation `boathook.dev/schema-version`.
pub fn crds() -> [Value; 2] {
    [WebhookEndpoint::crd(), WebhookSink::crd()].map(|crd| {
        let mut value = serde_json::to_value(crd).expect("a CRD is plain data");
        annotate(&mut value, SCHEMA_VERSION_ANNOTATION, &SCHEMA_VERSION.to_string());
        let versions = value.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
        for version in versions.into_iter().flatten() {
            version.pointer_mut("/schema/openAPIV3Schema").into_iter().for_each(clean);
        }
        value
    })
}

/// The generated files: path from the repository's root, and content.
pub fn generated() -> Vec<(String, String)> {
    let file = |folder: &str, crd: &Value| {
        let name = crd.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        (format!("{folder}/{name}.yaml"), yaml(crd))
    };
    let plain = crds().into_iter().map(|crd| file("crds/generated", &crd));
    let charted = crds().into_iter().map(|mut crd| {
        // To uninstall a definition is to delete every object of its kind.
        annotate(&mut crd, "helm.sh/resource-policy", "keep");
        file("charts/boathook-crds/templates", &crd)
    });
    let others = [
        ("charts/boathook-crds/Chart.yaml".to_owned(), yaml(&chart())),
        ("crds/docs/fields.md".to_owned(), reference::fields(&crds())),
        ("crds/docs/providers.md".to_owned(), providers::index()),
    ];
    plain.chain(charted).chain(others).chain(providers::pages()).collect()
}

/// The chart of the definitions: no Kubernetes older than all that the schemas use.
fn chart() -> Value {
    json!({
        "apiVersion": "v2",
        "name": "boathook-crds",
        "description": "The kinds of Boathook: WebhookEndpoint and WebhookSink",
        "type": "application",
        "version": env!("CARGO_PKG_VERSION"),
        "appVersion": env!("CARGO_PKG_VERSION"),
        "kubeVersion": ">=1.33.0-0",
    })
}

fn yaml(value: &Value) -> String {
    let yaml = serde_yaml::to_string(value).expect("objects are plain data");
    format!("# Generated from crds/src by `cargo xtask generate`.\n{yaml}")
}

fn annotate(object: &mut Value, name: &str, value: &str) {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    let annotations = metadata.map(|metadata| metadata.entry("annotations").or_insert_with(|| json!({})));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.insert(name.to_owned(), value.into());
    }
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

/// Labels as Kubernetes has them.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "minProperties": 1, "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// Names and texts for templates.
pub(crate) fn attributes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": { "type": "string", "minLength": 1, "maxLength": 1024 },
    })
}

/// Any JSON object.
pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Any JSON value.
pub(crate) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// Removes what the derive writes and an API server refuses or warns of: `nullable`, the null in enums of options, and
/// integer formats that Kubernetes does not know. Walks schema positions only, so that a property may have such a name.
/// Descriptions lose the line ends of their source, which `kubectl explain` would keep beside its own.
fn clean(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    members.remove("nullable");
    if let Some(Value::String(description)) = members.get_mut("description") {
        let paragraphs: Vec<String> = description.split("\n\n").map(|text| text.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
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
    fn helm_has_nothing_to_fill_in_in_the_chart_of_the_definitions() {
        let files = generated();
        let templates: Vec<_> = files.iter().filter(|(path, _)| path.contains("/templates/")).collect();
        assert_eq!(templates.len(), 2);
        for (path, text) in templates {
            assert!(!text.contains("{{"), "{path}");
            assert!(text.contains("helm.sh/resource-policy: keep"), "{path}");
        }
    }

    #[test]
    fn each_crd_stays_far_below_the_size_that_the_api_server_takes() {
        for crd in crds() {
            assert!(crd.to_string().len() < 200 * 1024, "{}", crd["metadata"]["name"]);
        }
    }
}
