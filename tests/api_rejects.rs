//! What a real API server refuses, in the words that people read there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#[path = "api/cluster.rs"]
mod cluster;
#[path = "api/examples.rs"]
mod examples;

use boathook_testbed::Output;
use cluster::{apply, cluster};
use examples::examples;

/// What `kubectl` says before it says why.
const HEADS: [&str; 4] =
    ["is invalid: * ", "is invalid: ", "Kind=WebhookEndpoint): ", "error converting YAML to JSON: "];

/// Why something was refused, without the object's name and without the remark that there may be more.
fn why(output: &Output) -> String {
    let remark = "some validation rules were not checked because the object was invalid";
    let lines: Vec<&str> =
        output.stderr.lines().map(str::trim).filter(|line| !line.contains(remark)).collect();
    let text = lines.join(" ");
    HEADS.iter().find_map(|head| text.split_once(head)).map_or(text.as_str(), |(_, why)| why).to_owned()
}

#[test]
fn every_invalid_example_is_refused_in_the_words_it_says_or_left_to_the_operator() {
    let mut wrong = Vec::new();
    for example in examples("invalid") {
        let expected = example.text.lines().find_map(|line| line.strip_prefix("# expect api: "));
        let expected = expected.unwrap_or_else(|| panic!("{}: no `# expect api:`", example.name));
        let namespace = cluster().namespace().unwrap();
        let applied = apply(&namespace, &example.placed(&namespace), &[]);
        let found =
            if applied.status.success() { "accepted".to_owned() + &applied.stderr } else { why(&applied) };
        if found != expected {
            wrong.push(format!("{}: expected: {expected}\n  found: {found}", example.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_class_of_an_endpoint_is_for_good() {
    let namespace = cluster().namespace().unwrap();
    let of_class = |class: &str| {
        let endpoint = format!(
            "apiVersion: boathook.dev/v1alpha1\nkind: WebhookEndpoint\nmetadata: {{ name: a }}\nspec:\n  provider: \
             github\n  secrets: [{{ name: hook, key: secret }}]\n  delivery: {{}}\n{class}"
        );
        apply(&namespace, &endpoint, &[])
    };
    of_class("").success().unwrap();
    of_class("  receiverClassName: default").success().unwrap();
    let refused = of_class("  receiverClassName: other");
    let told = "spec.receiverClassName: Invalid value: \"string\": receiverClassName cannot be changed: delete the \
                endpoint and make it anew";
    assert_eq!(why(&refused), told);
    let delete = ["delete", "webhookendpoint", "a", "--namespace", &namespace];
    cluster().kubectl(&delete).unwrap().success().unwrap();
    of_class("  receiverClassName: other").success().unwrap();
    assert_eq!(why(&of_class("")), told);
}

#[test]
fn a_url_of_another_protocol_is_refused_and_not_shown() {
    let namespace = cluster().namespace().unwrap();
    // Such URLs are often secrets.
    let sink = "apiVersion: boathook.dev/v1alpha1\nkind: WebhookSink\nmetadata: { name: a }\n\
                spec: { http: { url: ftp://example.com/secret } }";
    let refused = apply(&namespace, sink, &[]);
    let told = "spec.http.url: Invalid value: \"string\": url must start with http:// or https://";
    assert_eq!(why(&refused), told);
    assert!(!refused.stderr.contains("secret"), "{refused:?}");
}
