//! What a real API server takes and gives back: the examples, the statuses, what `kubectl` shows, and the chart's roles.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::indexing_slicing, reason = "a member of JSON that is not there is null")]
#[path = "api/cluster.rs"]
mod cluster;
#[path = "api/examples.rs"]
mod examples;
#[path = "api/roles.rs"]
mod roles;

use boathook_crds::members;
use cluster::{apply, cluster};
use examples::examples;
use serde_json::{Value, json};

/// Runs `kubectl` and takes what it prints.
fn printed(arguments: &[&str]) -> String {
    cluster().kubectl(arguments).unwrap().success().unwrap()
}

/// An object as it is in the cluster now.
fn read(namespace: &str, object: &Value) -> Value {
    let [kind, name] = [&object["kind"], &object["metadata"]["name"]].map(|text| text.as_str().unwrap());
    let read = printed(&["get", kind, name, "--namespace", namespace, "--output", "json"]);
    serde_json::from_str(&read).unwrap()
}

/// The spec as it is written, with what the schema fills in.
fn filled(object: &Value) -> Value {
    let defaults = match object["kind"].as_str().unwrap() {
        "WebhookEndpoint" => vec![("receiverClassName", json!("default")), ("mode", json!("Active"))],
        "WebhookSink" => vec![("suspend", json!(false)), ("body", json!("Raw"))],
        _ => vec![],
    };
    let mut spec = object["spec"].clone();
    for (field, default) in defaults {
        let member = &mut spec[field];
        if member.is_null() {
            *member = default;
        }
    }
    spec
}

/// An endpoint `a` that has nowhere to go.
fn endpoint() -> Value {
    let spec =
        json!({ "provider": "github", "secrets": [{ "name": "hook", "key": "secret" }], "delivery": {} });
    about_endpoint("spec", &spec)
}

fn about_endpoint(member: &str, value: &Value) -> Value {
    let api_version = boathook_crds::API_VERSION;
    json!({ "apiVersion": api_version, "kind": "WebhookEndpoint", "metadata": { "name": "a" }, member: value })
}

/// Writes a part of the status of `a`, under the name of whom the part belongs to.
fn report(namespace: &str, manager: &str, status: &Value) {
    let options = ["--subresource=status", "--field-manager", manager];
    let applied = apply(namespace, &about_endpoint("status", status).to_string(), &options);
    assert!(applied.status.success() && applied.stderr.is_empty(), "{applied:?}");
}

#[test]
fn every_example_is_taken_without_a_warning_kept_as_written_and_unchanged_by_a_second_apply() {
    let examples = ["quick-start", "kubernetes", "valid"].into_iter().flat_map(examples);
    for example in examples {
        let namespace = cluster().namespace().unwrap();
        for document in example.placed(&namespace).split("\n---\n") {
            let place = format!("{}: {document}", example.name);
            let applied = apply(&namespace, document, &[]);
            assert!(applied.status.success() && applied.stderr.is_empty(), "{place}: {applied:?}");
            let written: Value = serde_saphyr::from_str(document).unwrap();
            let first = read(&namespace, &written);
            assert_eq!(first["spec"], filled(&written), "{place}");
            apply(&namespace, document, &[]).success().unwrap();
            let version = &read(&namespace, &written)["metadata"]["resourceVersion"];
            assert_eq!(version, &first["metadata"]["resourceVersion"], "{place}");
        }
    }
}

#[test]
fn each_pod_keeps_its_own_entry_of_the_status_and_the_generation_stays() {
    let namespace = cluster().namespace().unwrap();
    apply(&namespace, &endpoint().to_string(), &[]).success().unwrap();
    for (pod, generation) in [("x", 1), ("y", 1), ("x", 2)] {
        report(&namespace, pod, &json!({ "receivers": [{ "pod": pod, "generation": generation }] }));
    }
    report(&namespace, "operator", &json!({ "observedGeneration": 1 }));
    let read = read(&namespace, &endpoint());
    let entries = read["status"]["receivers"].as_array().unwrap();
    let entries: Vec<_> = entries.iter().map(|entry| (&entry["pod"], &entry["generation"])).collect();
    assert_eq!(entries, [(&json!("x"), &json!(2)), (&json!("y"), &json!(1))]);
    assert_eq!(read["metadata"]["generation"], 1, "{read:#}");
}

#[test]
fn lists_show_what_people_look_for() {
    let namespace = cluster().namespace().unwrap();
    apply(&namespace, &endpoint().to_string(), &[]).success().unwrap();
    let url = "https://hooks.example.com/a";
    let status = json!({
        "url": url,
        "health": "Healthy",
        "lastEventTime": "2020-01-31T00:00:00Z",
        "events": { "accepted": 21, "rejected": 22, "pending": 23, "parked": 24 },
    });
    report(&namespace, "operator", &status);
    let row = |arguments: &[&str]| {
        let table = printed(&[&["get", "whe", "--namespace", &namespace], arguments].concat());
        let lines: Vec<Vec<String>> =
            table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        let [head, row] = lines.try_into().unwrap();
        // Ages change while we look.
        let is_age = |name: &str| name == "AGE" || name == "LAST-EVENT";
        assert_eq!(head.len(), row.len(), "{table}");
        let cells = head.into_iter().zip(row);
        cells
            .map(|(name, cell)| if is_age(&name) { name } else { format!("{name}={cell}") })
            .collect::<Vec<_>>()
    };
    let url = format!("URL={url}");
    let narrow = ["NAME=a", "PROVIDER=github", "HEALTH=Healthy", "LAST-EVENT", "BACKLOG=23", &url];
    let wide = ["ACCEPTED=21", "REJECTED=22", "PARKED=24", "MODE=Active", "CLASS=default"];
    assert_eq!(row(&[]), [&narrow[..], &["AGE"]].concat());
    assert_eq!(row(&["--output", "wide"]), [&narrow[..], &wide, &["AGE"]].concat());
}

#[test]
fn explain_answers() {
    for kind in ["WebhookEndpoint", "WebhookSink"] {
        let spec = format!("{kind}.spec").to_lowercase();
        let tree = printed(&["explain", &spec, "--recursive"]);
        let fields = members(kind, "spec");
        assert!(!fields.is_empty());
        for field in fields {
            assert!(tree.contains(&format!("\n  {field}\t<")), "{field}: {tree}");
            let page = printed(&["explain", &format!("{spec}.{field}")]);
            let about = page.split_once("DESCRIPTION:\n").unwrap().1.trim_start();
            // kubectl's word for a description that is not there.
            assert!(!about.starts_with("<empty>"), "{page}");
        }
    }
}
