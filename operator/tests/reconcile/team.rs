//! A namespace with what its team has written, and the receiver that the operator wants in it.
use std::process::Command;

use serde_json::{Value, json};

use crate::{
    operator::{Cluster, cluster, receiver_program},
    program::{Answer, Program, Request, folders, until},
};

/// A namespace.
pub(crate) struct Team {
    cluster: &'static Cluster,
    pub(crate) namespace: String,
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

impl Team {
    pub(crate) fn new() -> Self {
        Self::on(cluster())
    }

    pub(crate) fn on(cluster: &'static Cluster) -> Self {
        Self { cluster, namespace: cluster.plane.namespace().unwrap() }
    }

    /// The versions of everything that the operator makes or writes into, but the keys.
    pub(crate) fn versions(&self) -> Vec<String> {
        let kinds = "serviceaccounts,deployments,services,rolebindings,persistentvolumeclaims,ingresses,webhookendpoints,webhooksinks";
        let columns = "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}";
        self.kubectl(&["get", kinds, columns]).lines().map(str::to_owned).collect()
    }

    pub(crate) fn secret(&self, name: &str, value: &str) {
        let metadata = json!({ "name": name, "namespace": self.namespace });
        self.apply(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": { "secret": value } }));
    }

    pub(crate) fn sink(&self, name: &str, spec: &Value) {
        self.write("WebhookSink", name, spec);
    }

    pub(crate) fn endpoint(&self, name: &str, spec: &Value) {
        self.write("WebhookEndpoint", name, spec);
    }

    fn write(&self, kind: &str, name: &str, spec: &Value) {
        let metadata = json!({ "name": name, "namespace": self.namespace });
        self.apply(&json!({ "apiVersion": "boathook.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec }));
    }

    fn apply(&self, object: &Value) {
        self.cluster.plane.apply_stdin(&object.to_string()).unwrap().success().unwrap();
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let arguments = [&["--namespace", self.namespace.as_str()], arguments].concat();
        self.cluster.plane.kubectl(&arguments).unwrap().success().unwrap()
    }

    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let text = self.kubectl(&["get", kind, name, "--ignore-not-found", "--output", "json"]);
        serde_json::from_str(&text).ok()
    }

    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.kubectl(&["get", kind, "--output", "json"])).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Waits until the endpoint's status is as asked.
    pub(crate) fn until(&self, what: &str, name: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let mut looks = 0;
        until(what, || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            let status = self.object("webhookendpoint", name)?["status"].clone();
            looks += 1;
            if looks % 50 == 0 {
                eprintln!("waiting for {what}: {status}");
            }
            last = status.clone();
            is(&status).then_some(status)
        })
    }

    pub(crate) fn condition(status: &Value, kind: &str) -> Value {
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
    }

    pub(crate) fn holds(status: &Value, kind: &str) -> bool {
        Self::condition(status, kind)["status"] == "True"
    }

    pub(crate) fn fails(status: &Value, kind: &str) -> bool {
        Self::condition(status, kind)["status"] == "False"
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("https://hooks.example.com/{}/{name}", self.namespace)
    }

    /// The document that the operator has written for the receivers.
    pub(crate) fn compiled(&self) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let secret = self.object("secret", "boathook-default").unwrap_or_default();
        let document = secret["data"]["table.json"].as_str().unwrap_or_default();
        String::from_utf8(STANDARD.decode(document).unwrap()).unwrap()
    }

    /// The receiver as the Deployment wants it, on addresses of this test.
    pub(crate) fn receiver(&self) -> Program {
        self.start("127.0.0.1", 0)
    }

    /// The same with its private port where the operator looks for it, on a loopback address of this process alone.
    pub(crate) fn receiver_at_home(&self) -> Program {
        let [_, a, b, c] = std::process::id().to_be_bytes();
        self.start(&format!("127.{}.{b}.{c}", 64 | a), 9090)
    }

    fn start(&self, address: &str, private_port: u16) -> Program {
        let private = format!("{address}:{private_port}");
        let pod = until("the Deployment's pod", || self.list("pod").pop());
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        let uid = pod["metadata"]["uid"].as_str().unwrap();
        let plane = self.cluster.plane;
        let kubeconfig = until("the account's token", || {
            plane.service_account_kubeconfig(&self.namespace, "boathook-default", plane.folder()).ok()
        });
        let folders = folders("");
        let data = folders.path().join("data");
        let mut arguments: Vec<String> = pod["spec"]["containers"][0]["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|argument| {
                argument.as_str().unwrap().replace("$(POD_NAME)", &name).replace("$(POD_UID)", uid)
            })
            .collect();
        let data = data.to_str().unwrap();
        for (flag, value) in
            [("--listen", "127.0.0.1:0"), ("--admin", &private), ("--api", "127.0.0.1:0"), ("--data", data)]
        {
            let at = arguments.iter().position(|argument| argument == flag).unwrap();
            value.clone_into(&mut arguments[at + 1]);
        }
        let mut command = Command::new(receiver_program());
        command.args(arguments).args(["--sink-allow", "127.0.0.0/8"]);
        command.env_clear().env("KUBECONFIG", kubeconfig);
        let program = Program::run(command, folders);
        self.make_ready(&name, address);
        program
    }

    /// Does what a node would do.
    fn make_ready(&self, pod: &str, address: &str) {
        let condition = json!({ "type": "Ready", "status": "True" });
        let status = json!({ "status": { "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }], "conditions": [condition] } });
        self.kubectl(&[
            "patch",
            "pod",
            pod,
            "--subresource",
            "status",
            "--type",
            "merge",
            "--patch",
            &status.to_string(),
        ]);
    }

    /// Sends a genuine delivery to an endpoint.
    pub(crate) fn send(&self, receiver: &Program, endpoint: &str, secret: &str, id: &str) -> Answer {
        let mut request = Request::signed_with(secret, id, "push", "{}");
        request.path = format!("/{}/{endpoint}", self.namespace);
        request.send(receiver.public)
    }
}
