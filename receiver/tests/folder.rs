//! The examples are loaded as a user would load them; the invalid ones say what they expect.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use boathook_receiver::config::folder::{fingerprint, load};

fn examples(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples").join(folder)
}

/// A folder with these files alone.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
    folder
}

#[test]
fn the_quick_start_serves_github_at_its_path() {
    let table = load(&examples("quick-start"), &HashMap::new(), false).unwrap().table;
    assert_eq!(
        table.lookup(None, "/github").map(|endpoint| endpoint.name.to_string()).as_deref(),
        Some("default/github")
    );
    assert_eq!(table.sinks().count(), 1);
}

#[test]
fn every_valid_example_is_served_by_itself() {
    for file in fs::read_dir(examples("valid")).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let alone = folder(&[("example.yaml", &text)]);
        let table = load(alone.path(), &HashMap::new(), false);
        assert_eq!(
            table.as_ref().map(|loaded| loaded.table.endpoints().count()).map_err(ToString::to_string),
            Ok(1),
            "{path:?}"
        );
    }
}

#[test]
fn every_invalid_example_is_refused_with_line_and_reason() {
    for file in fs::read_dir(examples("invalid")).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# expect: ")).unwrap();
        let (line, message) = expected.split_once(" | ").unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let alone = folder(&[(name, &text)]);
        let error = load(alone.path(), &HashMap::new(), false).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}{line}")) && error.contains(message), "{name}: {error}");
    }
}

#[test]
fn variables_fill_plain_scalars_and_leave_quoted_ones_alone() {
    let text = fs::read_to_string(examples("quick-start/github.yaml")).unwrap();
    let text = text.replace("path: /github", "path: ${HOOK_PATH}").replace("\"It's", "\"${HOOK_PATH} It's");
    let set = HashMap::from([("HOOK_PATH".to_owned(), "/from-env".to_owned())]);
    let here = folder(&[("a.yaml", &text)]);
    assert!(load(here.path(), &set, false).unwrap().table.lookup(None, "/from-env").is_some());
}

#[test]
fn mistakes_of_all_files_are_told_at_once_and_none_shows_a_secret() {
    let broken = "apiVersion: v1\nkind: Secret\nmetadata: { name: x }\ndata: { secret: 'hush!' }\n";
    let unknown = "apiVersion: apps/v1\nkind: Deployment\n";
    let here = folder(&[("a.yaml", broken), ("b.yml", unknown), ("c.txt", "not read")]);
    let error = load(here.path(), &HashMap::new(), false).unwrap_err();
    assert_eq!(error.0.len(), 2, "{error}");
    assert!(
        error.to_string().contains("data.secret is not base64") && error.to_string().contains("Deployment")
    );
    assert!(!error.to_string().contains("hush"));
}

#[test]
fn an_empty_or_missing_folder_is_told() {
    let empty = folder(&[]);
    assert!(
        load(empty.path(), &HashMap::new(), false).unwrap_err().to_string().contains("no WebhookEndpoint")
    );
    assert!(load(&empty.path().join("nowhere"), &HashMap::new(), false).is_err());
}

#[test]
fn a_changed_file_changes_the_fingerprint() {
    let here = folder(&[("a.yaml", "a: 1")]);
    let before = fingerprint(here.path());
    assert_eq!(before, fingerprint(here.path()));
    fs::write(here.path().join("b.yaml"), "b: 1").unwrap();
    assert_ne!(before, fingerprint(here.path()));
}

#[test]
fn what_cannot_be_read_is_a_mistake_and_never_silently_gone() {
    let text = fs::read_to_string(examples("quick-start/github.yaml")).unwrap();
    let here = folder(&[("a.yaml", &text)]);
    std::os::unix::fs::symlink("/nowhere/at/all", here.path().join("b.yaml")).unwrap();
    fs::write(here.path().join("c.yaml"), b"\xff\xfe").unwrap();
    fs::create_dir(here.path().join("d.yaml")).unwrap();
    let error = load(here.path(), &HashMap::new(), false).unwrap_err();
    assert_eq!(error.0.len(), 2, "{error}");
    assert!(
        error.0[0].contains("b.yaml: No such file") && error.0[1].contains("c.yaml: not UTF-8"),
        "{error}"
    );
    let file = load(&here.path().join("a.yaml"), &HashMap::new(), false).unwrap_err().to_string();
    assert!(file.contains("--config names a folder"), "{file}");
}

#[test]
fn two_secrets_of_one_name_are_a_mistake() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: { name: x }\nstringData: { a: b }\n";
    let text = fs::read_to_string(examples("quick-start/github.yaml")).unwrap();
    let here = folder(&[("a.yaml", &text), ("b.yaml", secret), ("c.yaml", secret)]);
    let error = load(here.path(), &HashMap::new(), false).unwrap_err().to_string();
    assert!(error.contains("c.yaml:3: there are two Secrets default/x"), "{error}");
}

#[test]
fn a_document_may_begin_behind_its_marker_and_base64_may_be_wrapped() {
    let text = fs::read_to_string(examples("quick-start/github.yaml")).unwrap();
    let wrapped = "--- {apiVersion: v1, kind: Secret, metadata: {name: y}, data: {k: \"aGVs\n  bG8=\"}}\n";
    let here = folder(&[("a.yaml", &text), ("b.yaml", wrapped)]);
    assert!(
        load(here.path(), &HashMap::new(), false).is_ok(),
        "{:?}",
        load(here.path(), &HashMap::new(), false).err()
    );
}

#[test]
fn a_file_made_readable_changes_the_fingerprint() {
    use std::os::unix::fs::PermissionsExt as _;
    let here = folder(&[("a.yaml", "a: 1")]);
    let before = fingerprint(here.path());
    fs::set_permissions(here.path().join("a.yaml"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_ne!(before, fingerprint(here.path()));
}

#[test]
fn each_mistake_of_form_names_line_field_and_next_step() {
    let good = fs::read_to_string(examples("quick-start/github.yaml")).unwrap();
    let spec = |lines: &str| good.replace("  path: /github\n", &format!("  path: /github\n{lines}\n"));
    for (text, told) in [
        (
            spec("  limits: { requestsPerMinute: five }"),
            "a.yaml:20: spec.limits.requestsPerMinute: invalid u32",
        ),
        (
            spec("  mod: Paused"),
            "a.yaml:20: spec.mod: unknown field; there are: acknowledge, attributes, dedupe, delivery, events,",
        ),
        (
            spec("  events: { typs: [a] }"),
            "spec.events.typs: unknown field; there are: filter, id, key, schemas, tenant, type, types, unknownTypes",
        ),
        (spec("  mode: paused"), "a.yaml:20: spec.mode: unknown variant `paused`, expected"),
        (
            good.replace("secrets: [{ name: github-hook, key: secret }]", "secrets: [text]"),
            "spec.secrets[0]: ",
        ),
        (
            spec("  host: ${NOPE_HOST}"),
            "the environment variable NOPE_HOST is not set: set it, or write ${NOPE_HOST:-default}",
        ),
        (spec("  limits: { requestsPerMinute: ${NUM} }"), "a ${VAR} cannot stand inside { } or [ ]"),
        (good.replacen("---\n", "", 1), "apiVersion stands twice: remove one, or is a line `---` missing"),
        (good.replace("metadata: { name: github }", "metadata: {}"), "metadata.name: it has no name"),
        (good.replace("metadata: { name: github }", "metadata: { name: Git Hub }"), "`Git Hub` is no name"),
    ] {
        let here = folder(&[("a.yaml", &text)]);
        let error = load(here.path(), &HashMap::new(), false).unwrap_err().to_string();
        assert!(error.contains(told), "{told}\n{error}");
        assert!(!error.contains(" at line "), "the place is told once: {error}");
    }
}
