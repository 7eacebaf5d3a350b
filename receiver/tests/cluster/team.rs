//! A namespace with what the operator would make in it: an account with the receiver's rights, and the class's Secret.
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_table::{Accepted, Class, DOCUMENT_KEY, Document, Keys};
use boathook_testbed::ControlPlane;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, Program, Request, bare_command, folders};

/// A namespace.
pub(crate) struct Team<'p> {
    plane: &'p ControlPlane,
    pub(crate) namespace: String,
    kubeconfig: PathBuf,
}

/// GitHub's endpoint with these members beside or instead.
pub(crate) fn github(more: Value) -> Value {
    let mut spec = json!({
        "provider": "github",
        "secrets": [{ "name": "hook", "key": "secret" }],
        "delivery": { "sinks": [{ "name": "out" }] },
    });
    let Value::Object(more) = more else { return spec };
    spec.as_object_mut().unwrap().extend(more);
    spec
}

impl<'p> Team<'p> {
    pub(crate) fn new(plane: &'p ControlPlane) -> Self {
        // Two tests at once would each find them half made.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let one = ONE_AT_A_TIME.lock().unwrap();
        boathook_crds::crds().iter().for_each(|crd| plane.define(crd).unwrap());
        drop(one);
        let namespace = plane.namespace().unwrap();
        let rights = json!([
            { "apiGroups": ["boathook.dev"], "resources": ["webhookendpoints", "webhooksinks"], "verbs": ["get", "list", "watch"] },
            { "apiGroups": ["boathook.dev"], "resources": ["webhookendpoints/status", "webhooksinks/status"], "verbs": ["patch"] },
            { "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["boathook-default"], "verbs": ["get", "list", "watch"] },
        ]);
        let name = json!({ "name": "receiver", "namespace": namespace });
        let group = "rbac.authorization.k8s.io";
        for object in [
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": name }),
            json!({ "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": name, "rules": rights }),
            json!({
                "apiVersion": format!("{group}/v1"),
                "kind": "RoleBinding",
                "metadata": name,
                "roleRef": { "apiGroup": group, "kind": "Role", "name": "receiver" },
                "subjects": [{ "kind": "ServiceAccount", "name": "receiver" }],
            }),
        ] {
            plane.apply_stdin(&object.to_string()).unwrap().success().unwrap();
        }
        let kubeconfig = plane.service_account_kubeconfig(&namespace, "receiver", plane.folder()).unwrap();
        Self { plane, namespace, kubeconfig }
    }

    /// Writes the class's Secret with these keys: Secret, key, value.
    pub(crate) fn keys(&self, values: &[(&str, &str, &str)]) {
        let data = STANDARD.encode(self.document(values));
        self.apply(&json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "boathook-default", "namespace": self.namespace },
            "data": { (DOCUMENT_KEY): data },
        }));
    }

    /// What the operator would write with these keys.
    pub(crate) fn document(&self, values: &[(&str, &str, &str)]) -> Vec<u8> {
        let mut keys = Keys::default();
        for (name, key, value) in values {
            keys.insert(&self.namespace, name, [((*key).to_owned(), value.as_bytes().to_vec())]);
        }
        let class = Class { name: "default".into(), ..Class::default() };
        let document = Document { class, keys, held_back: Accepted::default(), seal_key: None };
        document.to_json(&self.namespace).to_vec()
    }

    pub(crate) fn sink(&self, name: &str, spec: &Value) -> Value {
        self.object("WebhookSink", name, spec)
    }

    pub(crate) fn endpoint(&self, name: &str, spec: &Value) -> Value {
        self.object("WebhookEndpoint", name, spec)
    }

    fn object(&self, kind: &str, name: &str, spec: &Value) -> Value {
        let metadata = json!({ "name": name, "namespace": self.namespace });
        json!({ "apiVersion": "boathook.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec })
    }

    pub(crate) fn apply(&self, object: &Value) {
        self.plane.apply_stdin(&object.to_string()).unwrap().success().unwrap();
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", self.namespace.as_str()], arguments].concat();
        self.plane.kubectl(&arguments).unwrap().success().unwrap()
    }

    /// The only entry of `status.receivers`.
    pub(crate) fn entry(&self, kind: &str, name: &str) -> Option<Value> {
        let object: Value =
            serde_json::from_str(&self.kubectl(&["get", kind, name, "--output", "json"])).unwrap();
        object["status"]["receivers"].get(0).cloned()
    }

    /// A receiver of this namespace, with its account's rights alone.
    pub(crate) fn receiver(&self) -> Program {
        self.receiver_in(folders(""))
    }

    /// The same over these folders; that of the configuration stands for the mounted Secret.
    pub(crate) fn receiver_in(&self, folders: Arc<TempDir>) -> Program {
        let mut command = bare_command(folders.path());
        command.arg("--keys").arg(folders.path().join("config"));
        command
            .args(["--namespace", &self.namespace, "--pod-name", "pod-1", "--pod-uid", "uid-1"])
            .args(["--sink-allow", "127.0.0.0/8"])
            .env("KUBECONFIG", &self.kubeconfig);
        Program::run(command, folders)
    }

    /// Sends a genuine delivery to the endpoint `github`.
    pub(crate) fn send(&self, receiver: &Program, secret: &str, id: &str) -> Answer {
        self.send_to(receiver, "github", secret, id)
    }

    pub(crate) fn send_to(&self, receiver: &Program, endpoint: &str, secret: &str, id: &str) -> Answer {
        let mut request = Request::signed_with(secret, id, "push", "{}");
        request.path = format!("/{}/{endpoint}", self.namespace);
        request.send(receiver.public)
    }
}
