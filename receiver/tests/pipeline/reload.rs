//! A change of the folder: live soon, without a lost request; a bad one changes nothing.
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use super::program::{GITHUB, Program, Request, configuration, until};

const LOG: &str = "log: {}";

#[test]
fn a_rotated_secret_counts_without_a_restart_and_without_a_lost_request() {
    let program = Program::start(&configuration(GITHUB, LOG));
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let both = "provider: github\nsecrets: [{ name: hook, key: other }, { name: hook, key: secret }]";
    let new = "provider: github\nsecrets: [{ name: hook, key: other }]";
    thread::scope(|scope| {
        scope.spawn(|| {
            // A sender with the old secret, all through the first change.
            while !stop.load(Relaxed) {
                let id = format!("d-{}", sent.fetch_add(1, Relaxed));
                assert_eq!(program.send(&id, "push", "{}").status, 200);
            }
        });
        program.configure(&configuration(both, LOG));
        until("the new secret to count", || {
            let answer = Request::signed_with("other-secret", "new", "push", "{}").send(program.public);
            (answer.status == 200).then_some(())
        });
        stop.store(true, Relaxed);
    });
    program.configure(&configuration(new, LOG));
    until("the old secret to end", || (program.send("old", "push", "{}").status == 401).then_some(()));
    let accepted = program.report()["endpoints"][0]["events"]["accepted"].as_u64().unwrap();
    assert!(accepted > sent.load(Relaxed), "{accepted}");
}

#[test]
fn a_bad_change_is_told_with_file_line_and_field_and_the_old_configuration_goes_on() {
    let program = Program::start(&configuration(GITHUB, LOG));
    program.configure(&configuration("provider: gihtub\nsecrets: [{ name: hook, key: secret }]", LOG));
    let line = program.logged("the changed configuration is refused; the one before goes on");
    let mistake = line["mistake"].as_str().unwrap();
    assert!(mistake.contains("all.yaml:18: WebhookEndpoint default/in: spec.provider: unknown provider gihtub: did you mean github?"), "{mistake}");
    assert_eq!(program.send("1", "push", "{}").status, 200);
    assert!(program.report()["configuration"]["refused"].as_str().unwrap().contains("gihtub"));
    assert_eq!(program.metric("boathook_config_refused"), 1.0);
    program.configure(&configuration(GITHUB, LOG));
    program.logged("the configuration has changed");
    assert!(program.report()["configuration"]["refused"].is_null());
    assert_eq!(program.metric("boathook_config_refused"), 0.0);
}

#[test]
fn a_sink_that_cannot_be_made_refuses_the_change_too() {
    let program = Program::start(&configuration(GITHUB, LOG));
    program.configure(&configuration(GITHUB, "http: { url: \"http://169.254.169.254/latest\" }"));
    let line = program.logged("the changed configuration is refused; the one before goes on");
    let mistake = line["mistake"].as_str().unwrap();
    assert!(
        mistake.contains("all.yaml:10: WebhookSink default/out: spec.http.url: 169.254.169.254 is"),
        "{mistake}"
    );
}

#[test]
fn a_new_endpoint_and_a_moved_one_are_live_soon_and_the_old_url_ends() {
    let program = Program::start(&configuration(GITHUB, LOG));
    assert_eq!(program.send("1", "push", "{}").status, 200);
    program.configure(&configuration(GITHUB, LOG).replace("path: /in", "path: /moved"));
    let mut request = Request::signed("2", "push", "{}");
    request.path = "/moved".into();
    until("the new URL", || (request.send(program.public).status == 200).then_some(()));
    assert_eq!(program.send("3", "push", "{}").status, 404);
    // Its history is the endpoint's, not the URL's.
    assert_eq!(program.report()["endpoints"][0]["events"]["accepted"], 2);
}

#[test]
fn hangup_reads_the_folder_at_once() {
    let program = Program::start(&configuration(GITHUB, LOG));
    program.signal("HUP");
    program.logged("the configuration was read again");
}
