//! The example on each provider's page is one that compiles, but for the secret that only the reader has.
use boathook_crds::{Reason, WebhookEndpoint, provider_page};
use boathook_table::{Accepted, Input, Keys, Objects, build};
use boathook_verify::preset_ids;
use serde_json::{Value, json};

#[test]
fn the_example_of_every_page_compiles_once_its_secret_is_filled_in() {
    let sink = json!({
        "apiVersion": "boathook.dev/v1alpha1",
        "kind": "WebhookSink",
        "metadata": { "name": "your-sink" },
        "spec": { "log": {} },
    });
    let sink = serde_json::from_value(sink).unwrap();
    for id in preset_ids() {
        let page = provider_page(id).unwrap();
        let (_, rest) = page.split_once("```yaml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let (mut keys, mut endpoints) = (Keys::default(), Vec::new());
        for document in example.split("---\n") {
            let document: Value = serde_saphyr::from_str(document).unwrap();
            if let Some(data) = document.get("stringData").and_then(Value::as_object) {
                let text = |value: &Value| value.as_str().unwrap().as_bytes().to_vec();
                keys.insert("default", id, data.iter().map(|(key, value)| (key.clone(), text(value))));
            } else {
                endpoints.push(serde_json::from_value::<WebhookEndpoint>(document).unwrap());
            }
        }
        let objects = Objects { endpoints, sinks: vec![boathook_crds::WebhookSink::clone(&sink)] };
        let accepted = Accepted::default();
        let built = build(&Input {
            objects: &objects,
            keys: &keys,
            class: None,
            accepted: &accepted,
            keeps_nothing: false,
        });
        let others: Vec<_> =
            built.problems.iter().filter(|problem| problem.reason != Reason::SecretInvalid).collect();
        assert!(others.is_empty() && objects.endpoints.len() == 1, "{id}: {others:?}\n{example}");
    }
}
