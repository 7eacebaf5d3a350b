//! The control plane as tests use it: what it can do, that it comes back, and that nothing of it stays.
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use boathook_testbed::{Binaries, ControlPlane, Servers, progress, shared};
use serde_json::Value;

const WIDGETS: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.testbed.boathook.dev }
spec:
  group: testbed.boathook.dev
  scope: Namespaced
  names: { kind: Widget, plural: widgets, singular: widget }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: { min: { type: integer }, max: { type: integer } }
              x-kubernetes-validations:
                - { rule: "self.min <= self.max", message: "min must not be more than max" }
"#;

/// Set for the process of ours that shares a control plane and ends.
const SHARES: &str = "BOATHOOK_TESTBED_TEST_SHARES";

fn is_alive(process: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in 30 s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn client_and_server_say_their_version() {
    let version = shared().kubectl(&["version", "--output", "json"]).unwrap().success().unwrap();
    let version: Value = serde_json::from_str(&version).unwrap();
    for side in ["clientVersion", "serverVersion"] {
        assert_eq!(version[side]["major"], "1", "{version}");
    }
}

#[test]
fn a_definition_is_established_and_its_rules_hold() {
    let plane = shared();
    plane.apply_stdin(WIDGETS).unwrap().success().unwrap();
    plane.wait_until_served("widgets.testbed.boathook.dev").unwrap();
    let namespace = plane.namespace().unwrap();
    let widget = |max: u8| {
        let widget = format!(
            "apiVersion: testbed.boathook.dev/v1\nkind: Widget\nmetadata: {{ name: w, namespace: {namespace} }}\n\
             spec: {{ min: 2, max: {max} }}"
        );
        plane.apply_stdin(&widget).unwrap()
    };
    let refused = widget(1);
    assert!(refused.stderr.contains("min must not be more than max"), "{refused:?}");
    widget(3).success().unwrap();
}

#[test]
fn a_service_account_may_do_what_its_role_says_and_no_more() {
    let plane = shared();
    let namespace = plane.namespace().unwrap();
    let run = |arguments: &[&str]| {
        plane.kubectl(&[arguments, &["--namespace", &namespace]].concat()).unwrap().success().unwrap()
    };
    run(&["create", "serviceaccount", "reader"]);
    run(&["create", "role", "reader", "--verb=get", "--resource=secrets", "--resource-name=a"]);
    run(&[
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        &format!("--serviceaccount={namespace}:reader"),
    ]);
    run(&["create", "secret", "generic", "a"]);
    run(&["create", "secret", "generic", "b"]);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = plane.service_account_kubeconfig(&namespace, "reader", folder.path()).unwrap();
    let reader = plane.kubectl_as(&kubeconfig);
    reader.run(&["get", "secret", "a", "--namespace", &namespace]).unwrap().success().unwrap();
    for forbidden in [&["get", "secret", "b"][..], &["get", "secrets"], &["delete", "secret", "a"]] {
        let refused = reader.run(&[forbidden, &["--namespace", &namespace]].concat()).unwrap();
        let account = format!("\"system:serviceaccount:{namespace}:reader\" cannot");
        assert!(refused.stderr.contains("Forbidden") && refused.stderr.contains(&account), "{refused:?}");
    }
}

#[test]
fn writes_are_counted() {
    let posts = || {
        let metrics = shared().apiserver_metrics().unwrap();
        let of_namespaces = |line: &&str| {
            ["apiserver_request_total{", "resource=\"namespaces\"", "verb=\"POST\""]
                .iter()
                .all(|part| line.contains(part))
        };
        let lines = metrics.lines().filter(of_namespaces);
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    let before = posts();
    shared().namespace().unwrap();
    assert!(posts() > before);
}

#[test]
fn a_cluster_of_ones_own_is_used_and_not_touched() {
    let servers = Servers::Running(shared().kubeconfig().to_owned());
    let binaries = Binaries { servers, ..Binaries::ensure(&progress).unwrap() };
    let plane = ControlPlane::start(&binaries).unwrap();
    assert_eq!(plane.server(), shared().server());
    assert_eq!(fs::read(plane.ca()).unwrap(), fs::read(shared().ca()).unwrap());
    let [one, other] = [plane.namespace().unwrap(), shared().namespace().unwrap()];
    plane.kubectl(&["get", "namespace", &one, &other]).unwrap().success().unwrap();
    for refusal in [plane.stop_apiserver(), plane.start_apiserver(), plane.apiserver_metrics().map(|_| ())] {
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.contains("BOATHOOK_TESTBED_KUBECONFIG"), "{refusal}");
    }
    assert!(plane.process_ids().is_empty());
}

#[test]
fn what_was_written_is_there_when_the_api_server_is_back_and_no_process_stays() {
    let plane = ControlPlane::start(&Binaries::ensure(&progress).unwrap()).unwrap();
    let namespace = plane.namespace().unwrap();
    let before = plane.process_ids();
    plane.stop_apiserver().unwrap();
    let get = ["get", "namespace", &namespace];
    assert!(!plane.kubectl(&get).unwrap().status.success());
    assert_eq!(plane.process_ids().len(), before.len() - 1);
    plane.start_apiserver().unwrap();
    plane.kubectl(&get).unwrap().success().unwrap();
    // The controller manager has not ended meanwhile, and goes on.
    let account = ["wait", "--for=create", "serviceaccount/default", "--timeout=30s", "--namespace"];
    let later = plane.namespace().unwrap();
    plane.kubectl(&[&account[..], &[&later]].concat()).unwrap().success().unwrap();

    let after = plane.process_ids();
    let folder = plane.folder().to_owned();
    assert!(after.iter().all(|id| is_alive(&id.to_string())) && folder.exists());
    drop(plane);
    for id in before.iter().chain(&after) {
        assert!(!is_alive(&id.to_string()), "{id}");
    }
    assert!(!folder.exists());
}

#[test]
fn the_shared_one_ends_with_its_process() {
    if let Some(file) = env::var_os(SHARES) {
        let plane = shared();
        let ids: Vec<String> = plane.process_ids().iter().map(u32::to_string).collect();
        fs::write(PathBuf::from(file), format!("{} {}", plane.folder().display(), ids.join(" "))).unwrap();
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut ours = Command::new(env::current_exe().unwrap());
    ours.args(["--exact", "the_shared_one_ends_with_its_process"]).env(SHARES, file.path());
    assert!(ours.stdout(Stdio::null()).status().unwrap().success());
    let text = fs::read_to_string(file.path()).unwrap();
    let mut words = text.split(' ');
    let folder = Path::new(words.next().unwrap());
    let ids: Vec<&str> = words.collect();
    assert_eq!(ids.len(), 3, "{text}");
    wait_until("no server is there", || !ids.iter().any(|id| is_alive(id)));
    wait_until("the folder is gone", || !folder.exists());
}
