//! Secrets that a provider makes and sends once: taken when they are waited for, kept before they are acknowledged, and
//! never taken twice.
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::program::{Answer, Program, Request, configuration, until};

const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
const OTHER: &str = "secret_0000000000000000000000000000000000000000000";
const EVENT: &str = r#"{"id":"367cba44","type":"page.created","entity":{"id":"153104cd"}}"#;

/// An endpoint for Notion that waits for its token until then; with the token, where it is given.
fn notion(until: &str, token: Option<&str>) -> String {
    let endpoint = format!(
        "provider: notion\nsecrets: [{{ name: notion, key: token }}]\n\
         secretCapture: {{ secretRef: {{ name: notion, key: token }}, until: \"{until}\" }}"
    );
    let secret = token.map(|token| {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: notion }}\nstringData: {{ token: {token} }}\n")
    });
    configuration(&endpoint, "log: {}") + &secret.unwrap_or_default()
}

fn brings(program: &Program, token: &str) -> Answer {
    let mut request = Request::new("POST", "/in");
    request.body = format!(r#"{{"verification_token":"{token}"}}"#).into_bytes();
    request.send(program.public)
}

fn delivers(program: &Program, token: &str) -> Answer {
    let mut request = Request::new("POST", "/in");
    request.body = EVENT.into();
    request.sign("notion", token).send(program.public)
}

fn file(program: &Program) -> PathBuf {
    program.folders.path().join("data/captured/default_in")
}

#[test]
fn the_first_secret_is_kept_and_named_and_no_other_is_taken() {
    let program = Program::start(&notion("2099-01-01T00:00:00Z", None));
    assert_eq!(delivers(&program, TOKEN).refusal(), (503, "unavailable".into()));
    assert_eq!(brings(&program, TOKEN).status, 200);
    let kept = file(&program);
    assert_eq!(fs::read_to_string(&kept).unwrap(), TOKEN);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let line = until("the line", || program.logs().all().into_iter().find(|line| line["file"].is_string()));
    assert_eq!((&line["file"], &line["secret"]), (&kept.to_str().unwrap().into(), &"notion".into()));
    assert!(program.logs().all().iter().all(|line| !line.to_string().contains(TOKEN)));
    // Who asks for it once more hears the same; another one is no handshake at all.
    assert_eq!(brings(&program, TOKEN).status, 200);
    assert_eq!(brings(&program, OTHER).refusal(), (401, "missing_signature".into()));
    // So it is after a crash.
    let folders = program.kill();
    let program = Program::start_in(folders, &[]);
    assert_eq!(brings(&program, OTHER).refusal(), (401, "missing_signature".into()));
    assert_eq!(brings(&program, TOKEN).status, 200);
    assert_eq!(fs::read_to_string(&kept).unwrap(), TOKEN);
    // Once it is where the endpoint looks for it, deliveries count, and nothing is left of it here.
    program.configure(&notion("2099-01-01T00:00:00Z", Some(TOKEN)));
    until("the secret to count", || (delivers(&program, TOKEN).status == 200).then_some(()));
    until("the file to go", || (!kept.exists()).then_some(()));
    assert_eq!(brings(&program, OTHER).refusal(), (401, "missing_signature".into()));
}

#[test]
fn after_its_time_no_secret_is_taken() {
    let program = Program::start(&notion("2026-01-01T00:00:00Z", None));
    assert_eq!(brings(&program, TOKEN).refusal(), (401, "missing_signature".into()));
    assert!(!file(&program).exists());
}

#[test]
fn a_secret_that_cannot_be_kept_is_not_acknowledged() {
    let program = Program::start(&notion("2099-01-01T00:00:00Z", None));
    let folder = program.folders.path().join("data/captured");
    fs::remove_dir(&folder).unwrap();
    fs::write(folder, "").unwrap();
    assert_eq!(brings(&program, TOKEN).refusal(), (503, "unavailable".into()));
    assert!(program.logged("refused")["reason"].as_str().unwrap().contains("cannot be kept"));
}
