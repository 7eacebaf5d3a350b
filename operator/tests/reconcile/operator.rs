//! The operator of this test process: one for all tests, as one is for all namespaces of a cluster.
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use boathook_testbed::ControlPlane;

const NAMESPACE: &str = "boathook-system";

const CONFIGURATION: &str = "
image: registry.invalid/boathook-receiver:test
classes:
  - name: default
    route: { kind: Ingress, host: hooks.example.com, tlsSecretName: hooks-tls }
    drainDelay: 0s
";

/// A cluster with the chart's parts.
pub(crate) struct Cluster {
    pub(crate) plane: &'static ControlPlane,
    kubeconfig: PathBuf,
    configuration: PathBuf,
}

/// A running operator. It ends with this, and with this process however that ends: its shell reads until then.
pub(crate) struct Operator(Child);

/// The cluster that the tests share, with one operator.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<(Cluster, Operator)> = OnceLock::new();
    let (cluster, _) = CLUSTER.get_or_init(|| {
        let cluster = Cluster::on(boathook_testbed::shared());
        let operator = cluster.start("operator-0");
        (cluster, operator)
    });
    cluster
}

/// A cluster of a test's own.
pub(crate) fn own_cluster() -> &'static Cluster {
    let binaries = boathook_testbed::Binaries::ensure(&boathook_testbed::progress).unwrap();
    let plane = boathook_testbed::ControlPlane::start(&binaries).unwrap();
    // Its servers end with this process.
    Box::leak(Box::new(Cluster::on(Box::leak(Box::new(plane)))))
}

impl Cluster {
    fn on(plane: &'static ControlPlane) -> Self {
        boathook_crds::crds().iter().for_each(|crd| plane.define(crd).unwrap());
        install(plane);
        let kubeconfig =
            plane.service_account_kubeconfig(NAMESPACE, "boathook-operator", plane.folder()).unwrap();
        let configuration = plane.folder().join("operator.yaml");
        fs::write(&configuration, CONFIGURATION).unwrap();
        Self { plane, kubeconfig, configuration }
    }

    /// Starts an operator.
    pub(crate) fn start(&self, identity: &str) -> Operator {
        let log = File::create(self.log_of(identity)).unwrap();
        let shell = Command::new("sh")
            .args(["-c", "\"$@\" & child=$!; cat >/dev/null; kill -9 $child", "sh"])
            .arg(env!("CARGO_BIN_EXE_boathook-operator"))
            .args(["--identity", identity, "--lease-namespace", NAMESPACE, "--config"])
            .arg(&self.configuration)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Operator(shell.unwrap())
    }

    /// What an operator has said.
    pub(crate) fn log(&self, identity: &str) -> String {
        fs::read_to_string(self.log_of(identity)).unwrap()
    }

    fn log_of(&self, identity: &str) -> PathBuf {
        self.plane.folder().join(format!("{identity}.log"))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

/// What the chart installs besides the operator itself.
fn install(plane: &ControlPlane) {
    let namespace =
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{{\"name\":\"{NAMESPACE}\"}}}}");
    plane.apply_stdin(&namespace).unwrap().success().unwrap();
    let rights = include_str!("../../../charts/boathook/templates/rbac.yaml");
    let rights = rights.replace("{{ .Release.Namespace }}", NAMESPACE);
    plane.apply_stdin(&rights).unwrap().success().unwrap();
}

/// The receiver's program, built beside the operator's.
pub(crate) fn receiver_program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                "boathook-receiver",
                "--bin",
                "boathook-receiver",
            ])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status();
        assert!(built.unwrap().success());
        let program =
            PathBuf::from(env!("CARGO_BIN_EXE_boathook-operator")).with_file_name("boathook-receiver");
        program.to_str().unwrap().to_owned()
    })
}
