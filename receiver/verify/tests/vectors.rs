//! Every vector is decided as it says, and every provider has the vectors that its scheme calls for.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test reads its data and fails where it cannot go on"
)]
use std::{collections::BTreeSet, fs, path::PathBuf};

use boathook_verify::{Handshakes, Kind, RawRequest, Scheme, Secret, Verifier, preset, preset_ids};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    id: String,
    #[serde(rename = "comment")]
    _comment: String,
    source: String,
    flags: BTreeSet<String>,
    secrets: Vec<VectorSecret>,
    request: VectorRequest,
    now: Timestamp,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorSecret {
    text: String,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// What it says about the event is for the tests of reading.
    Accepted(IgnoredAny),
    AcceptedBatch(IgnoredAny),
    Rejected(String),
    Handshake(String),
    RefusedSecret(bool),
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn vectors(id: &str) -> Vec<Vector> {
    let path = folder("vectors").join(format!("{id}.jsonl"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|_| panic!("{id} has no vectors: write {}", path.display()));
    let read =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{id}: {error}: {line}"));
    text.lines().map(read).collect()
}

impl Vector {
    fn request(&self) -> RawRequest {
        let headers = self.request.headers.iter();
        RawRequest {
            method: self.request.method.parse().unwrap(),
            path: self.request.path.as_str().into(),
            query: None,
            headers: headers
                .map(|(name, value)| {
                    (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
                })
                .collect(),
            body: self.request.body.clone().into(),
        }
    }

    fn secrets(&self) -> Vec<Secret> {
        let secrets = self.secrets.iter();
        secrets
            .map(|secret| Secret {
                text: secret.text.clone().into_bytes().into(),
                not_before: secret.not_before,
                not_after: secret.not_after,
            })
            .collect()
    }

    /// What the verifier says, in the words of `expect`.
    fn decide(&self, scheme: &Scheme) -> String {
        let verifier = match Verifier::compile(scheme, &self.secrets(), None) {
            Ok(verifier) => verifier,
            Err(errors) if errors.iter().all(|error| error.field.starts_with("secrets")) => {
                return "refused".into();
            }
            Err(errors) => panic!("{errors:?}"),
        };
        let request = self.request();
        match verifier.verify(&request, self.now) {
            Err(rejection) => rejection.code.as_str().into(),
            Ok(verified) => match Handshakes::compile(&scheme.handshakes).unwrap().answer(&verified) {
                Some(text) => format!("answered {text}"),
                None => "genuine".into(),
            },
        }
    }
}

#[test]
fn every_vector_is_decided_as_it_says() {
    for id in preset_ids() {
        let scheme = preset(id).unwrap();
        let mut seen = BTreeSet::new();
        for vector in vectors(id) {
            let expected = match &vector.expect {
                Expect::Accepted(_) | Expect::AcceptedBatch(_) => "genuine".to_owned(),
                Expect::Rejected(code) => code.clone(),
                Expect::Handshake(text) => format!("answered {text}"),
                Expect::RefusedSecret(refused) => {
                    assert!(refused, "{id}/{}", vector.id);
                    "refused".to_owned()
                }
            };
            assert_eq!(vector.decide(&scheme), expected, "{id}/{}", vector.id);
            let origin = vector.flags.contains("published") != vector.flags.contains("self-made");
            assert!(origin && !vector.source.is_empty(), "{id}/{} does not say where it is from", vector.id);
            assert!(seen.insert(vector.id.clone()), "{id}/{} stands twice", vector.id);
        }
    }
}

#[test]
fn every_provider_has_the_vectors_that_its_scheme_calls_for() {
    for id in preset_ids() {
        let scheme = preset(id).unwrap();
        let grammar = scheme.signature.grammar.clone().unwrap_or_default();
        let mut wanted = vec![
            "valid",
            "body-changed",
            "wrong-secret",
            "missing-signature",
            "empty-signature",
            "duplicate-header",
            "rotated",
            "empty-secret",
        ];
        for (condition, flag) in [
            (scheme.kind == Kind::Hmac, "wrong-encoding"),
            (scheme.timestamp.is_some(), "stale"),
            (grammar.prefix.is_some() || grammar.list.is_some(), "wrong-prefix"),
            (grammar.key_value.is_some() || grammar.list.is_some(), "several-signatures"),
            (!scheme.handshakes.is_empty(), "handshake"),
            (scheme.batch.is_some(), "batch"),
        ] {
            wanted.extend(condition.then_some(flag));
        }
        let has: BTreeSet<String> = vectors(id).into_iter().flat_map(|vector| vector.flags).collect();
        for flag in wanted {
            assert!(has.contains(flag), "{id} has no vector with the flag `{flag}`");
        }
    }
}

#[test]
fn every_file_of_vectors_belongs_to_a_provider() {
    let providers: BTreeSet<&str> = preset_ids().collect();
    for file in fs::read_dir(folder("vectors")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(id) = name.strip_suffix(".jsonl") {
            assert!(providers.contains(id), "vectors/{name} has no providers/{id}.yaml");
        }
    }
}

#[test]
fn the_map_names_exactly_the_published_vectors() {
    let map = fs::read_to_string(folder("vectors/map")).unwrap();
    let lines = map.lines().filter(|line| !line.starts_with('#'));
    let mapped: BTreeSet<String> = lines.map(str::to_owned).collect();
    let mut published = BTreeSet::new();
    for id in preset_ids() {
        for vector in vectors(id) {
            published.extend(vector.id.strip_prefix("published-").map(|line| format!("{line} {id}")));
        }
    }
    assert_eq!(mapped, published);
}

#[test]
fn presets_say_who_they_are_and_have_no_unknown_member() {
    for id in preset_ids() {
        let text = fs::read_to_string(folder("providers").join(format!("{id}.yaml"))).unwrap();
        let written: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let scheme = preset(id).unwrap();
        assert!(scheme.title.is_some() && scheme.docs.is_some() && scheme.setup.is_some(), "{id}");
        let understood = serde_json::to_value(&scheme).unwrap();
        for name in written.as_object().unwrap().keys() {
            let default_is_left_out = ["idSigned", "bodyProtected"].contains(&name.as_str());
            assert!(understood.get(name).is_some() || default_is_left_out, "{id}: unknown member `{name}`");
        }
        for (name, value) in understood.as_object().unwrap() {
            assert_eq!(&written[name], value, "{id}: member `{name}` was not understood as written");
        }
    }
}
