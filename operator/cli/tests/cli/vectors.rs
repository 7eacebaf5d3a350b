//! Every vector of the verifiers is decided by `verify` as it says.
use std::{collections::BTreeSet, fs, path::Path};

use boathook_verify::preset_ids;
use serde_json::{Value, json};

use crate::program::{program, run};

/// Published vectors of schemes that are no preset: each line has its own.
const VARIANTS: &str = "variants";

/// The lines of a file.
pub(crate) fn vectors(id: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../receiver/verify/vectors")
        .join(format!("{id}.jsonl"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn all_vectors() -> impl Iterator<Item = (&'static str, Value)> {
    let ids = preset_ids().chain([VARIANTS]);
    ids.flat_map(|id| vectors(id).into_iter().map(move |vector| (id, vector)))
}

fn arguments(id: &'static str) -> Vec<&'static str> {
    let sender: &[&str] = if id == VARIANTS { &[] } else { &["--provider", id] };
    [&["verify", "-o", "json"], sender, &["-"]].concat()
}

/// The exit status, and what the result must have.
fn expected(vector: &Value) -> (i32, Value) {
    let expect = &vector["expect"];
    let (word, value) = expect.as_object().unwrap().iter().next().unwrap();
    match word.as_str() {
        "accepted" | "acceptedBatch" => (0, json!({ "genuine": true })),
        "handshake" => (0, json!({ "handshake": { "body": value } })),
        "brings" => (0, json!({ "handshake": { "bringsSecret": true } })),
        "rejected" => (1, json!({ "genuine": false, "code": value })),
        "refusedSecret" => (2, Value::Null),
        _ => panic!("unknown expectation {expect}"),
    }
}

/// Whether all that is expected is there.
fn has(found: &Value, expected: &Value) -> bool {
    match expected {
        Value::Object(members) => members.iter().all(|(name, value)| has(&found[name], value)),
        _ => found == expected,
    }
}

#[test]
fn every_vector_is_decided_as_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (id, vector) in all_vectors() {
        count += 1;
        let (status, expected) = expected(&vector);
        let found = match run(&arguments(id), vector.to_string().as_bytes()) {
            Ok(ended) => (i32::from(!ended.good), serde_json::from_str(&ended.output).unwrap()),
            Err(mistake) => (2, Value::String(mistake.0)),
        };
        // Of a secret that cannot be used only the message tells.
        if found.0 != status || (status < 2 && !has(&found.1, &expected)) {
            wrong.push(format!("{id}/{}: expected {status} {expected}, found {found:?}", vector["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 2000, "only {count} vectors");
}

#[test]
fn the_program_decides_one_vector_of_each_flag_as_it_says() {
    let mut seen = BTreeSet::new();
    for (id, vector) in all_vectors() {
        let known = seen.len();
        seen.extend(vector["flags"].as_array().unwrap().iter().map(Value::to_string));
        if seen.len() == known {
            continue;
        }
        let (status, expected) = expected(&vector);
        let exit = program(&arguments(id), vector.to_string().as_bytes());
        assert_eq!(exit.status, status, "{id}/{}: {}{}", vector["id"], exit.output, exit.errors);
        if status == 2 {
            assert!(exit.output.is_empty() && !exit.errors.is_empty(), "{id}/{}", vector["id"]);
        } else {
            let found: Value = serde_json::from_str(&exit.output).unwrap();
            assert!(has(&found, &expected), "{id}/{}: {found}", vector["id"]);
        }
    }
}

#[test]
fn no_secret_of_a_vector_is_shown() {
    for (id, vector) in all_vectors() {
        let shown = match run(&arguments(id), vector.to_string().as_bytes()) {
            Ok(ended) => ended.output,
            Err(mistake) => mistake.0,
        };
        for secret in vector["secrets"].as_array().unwrap() {
            let text = secret["text"].as_str().unwrap().trim();
            // Shorter ones may be words of a message.
            assert!(text.len() < 12 || !shown.contains(text), "{id}/{}: {shown}", vector["id"]);
        }
    }
}
