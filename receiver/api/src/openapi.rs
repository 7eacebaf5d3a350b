//! `openapi.json` (OpenAPI 3.1), made from the types and the routes.
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{Problem, ROUTES, Role, Route};

/// Where the generated document stands in the repository.
pub const OPENAPI_FILE: &str = "receiver/api/openapi.json";

/// The document's text.
pub fn openapi() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(route.method.to_ascii_lowercase(), operation(route, &mut generator));
        }
    }
    let problem = generator.subschema_for::<Problem>();
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Boathook data API",
            "version": "v1",
            "description": "What a receiver has stored, and how it is delivered again. See crds/docs/api.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:9091" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "problem": {
                    "description": "It was not carried out.",
                    "content": content(&problem),
                },
            },
            "schemas": generator.take_definitions(true),
        },
    });
    format!("{document:#}\n")
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let (status, answer) = route.success;
    let mut success = Map::from_iter([("description".to_owned(), json!("It was carried out."))]);
    success.extend(answer.map(|answer| ("content".to_owned(), content(&answer(generator)))));
    let mut operation = Map::from_iter([
        ("operationId".to_owned(), json!(route.operation)),
        ("summary".to_owned(), json!(route.summary)),
        (
            "description".to_owned(),
            match route.role {
                Role::View => json!("Needs the view or the operate token."),
                Role::Operate => json!("Needs the operate token."),
            },
        ),
        ("parameters".to_owned(), json!(parameters(route, generator))),
        (
            "responses".to_owned(),
            json!({ status.to_string(): success, "default": { "$ref": "#/components/responses/problem" } }),
        ),
    ]);
    let body = route.body.map(|body| json!({ "content": content(&body(generator)) }));
    operation.extend(body.map(|body| ("requestBody".to_owned(), body)));
    Value::Object(operation)
}

fn content(schema: &Schema) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The path's names, and the members of the query's type.
fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let names =
        route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).map(
            |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }),
        );
    let mut parameters: Vec<Value> = names.collect();
    let Some(query) = route.query else { return parameters };
    let reference = query(generator);
    let name = reference.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let members = name
        .and_then(|name| generator.definitions_mut().remove(name))
        .and_then(|schema| schema.get("properties").and_then(Value::as_object).cloned());
    for (name, mut schema) in members.unwrap_or_default() {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        parameters.push(json!({ "name": name, "in": "query", "description": description, "schema": schema }));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document: Value = serde_json::from_str(&openapi()).expect("it is JSON");
        let mut references = BTreeSet::new();
        collect(&document, &mut references);
        assert!(references.len() > 10, "{references:?}");
        for reference in references {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let names: BTreeSet<_> = ROUTES.iter().map(|route| route.operation).collect();
        assert_eq!(names.len(), ROUTES.len());
    }

    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| collect(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
}
