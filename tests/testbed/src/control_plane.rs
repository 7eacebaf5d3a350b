//! A control plane that tests use.
use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::{
    binaries::{Binaries, Servers},
    kubeconfig::{self, User},
    kubectl::{Kubectl, Output},
    progress,
    run_folder::RunFolder,
    servers::Running,
};

const SERVED_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A running control plane. One that is dropped is killed, and its folder removed; a cluster of one's own stays.
pub struct ControlPlane {
    kubectl: Kubectl,
    server: String,
    ca: PathBuf,
    /// None for a cluster of one's own. They end before their folder.
    servers: Option<Running>,
    folder: RunFolder,
}

impl ControlPlane {
    /// Starts one and waits until it is ready: about 4 seconds.
    ///
    /// # Errors
    /// When a server does not become ready; the message ends with its last lines.
    pub fn start(binaries: &Binaries) -> anyhow::Result<Self> {
        let Binaries { kubectl, servers } = binaries;
        let folder = RunFolder::make()?;
        let (etcd, api_server, controller_manager) = match servers {
            Servers::Running(kubeconfig) => return Self::running(kubectl, kubeconfig, folder),
            Servers::Programs { etcd, api_server, controller_manager } => {
                (etcd, api_server, controller_manager)
            }
        };
        let path = folder.path();
        let mut servers = Running::start(etcd, api_server, path)?;
        let (server, ca) = (format!("https://{}", servers.address), path.join("pki/ca.crt"));
        for name in ["admin", "controller-manager"] {
            let [certificate, key] = ["crt", "key"].map(|end| path.join(format!("pki/{name}.{end}")));
            let user = User::Certificate { certificate: &certificate, key: &key };
            fs::write(path.join(format!("{name}.kubeconfig")), kubeconfig::text(&server, &ca, &user))?;
        }
        let kubectl = Kubectl::new(kubectl, &path.join("admin.kubeconfig"), &path.join("kubectl"));
        servers.start_api_server(&kubectl)?;
        match controller_manager {
            Some(program) => servers.start_controller_manager(program, &kubectl)?,
            None => {
                progress("no kube-controller-manager: no garbage collection, no default service accounts")
            }
        }
        Ok(Self { kubectl, server, ca, servers: Some(servers), folder })
    }

    fn running(kubectl: &Path, kubeconfig: &Path, folder: RunFolder) -> anyhow::Result<Self> {
        let kubectl = Kubectl::new(kubectl, kubeconfig, &folder.path().join("kubectl"));
        let cluster = |template: &str| {
            let template =
                format!("go-template={{{{with (index .clusters 0).cluster}}}}{template}{{{{end}}}}");
            kubectl
                .run(&["config", "view", "--raw", "--minify", "--flatten", "--output", &template])?
                .success()
        };
        let server = cluster("{{.server}}")?;
        let authority = cluster(r#"{{index . "certificate-authority-data" | base64decode}}"#)
            .with_context(|| format!("{} has no certificate authority", kubeconfig.display()))?;
        let ca = folder.path().join("ca.crt");
        fs::write(&ca, authority)?;
        Ok(Self { kubectl, server, ca, servers: None, folder })
    }

    /// A kubeconfig that may do everything.
    pub fn kubeconfig(&self) -> &Path {
        self.kubectl.kubeconfig()
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate of the authority that has signed the API server's.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// The folder of its logs, and of whatever a test wants to be removed with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `kubectl` as one who may do everything.
    ///
    /// # Errors
    /// When it cannot be started; how it ended is in the output.
    pub fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.kubectl.run(arguments)
    }

    /// Applies objects, as YAML or JSON.
    ///
    /// # Errors
    /// When it cannot be started; how it ended is in the output.
    pub fn apply_stdin(&self, objects: &str) -> anyhow::Result<Output> {
        self.kubectl.apply_stdin(objects)
    }

    /// Applies a CustomResourceDefinition, and waits until its kind is served.
    ///
    /// # Errors
    /// When it is refused, or not served within half a minute.
    pub fn define(&self, definition: &Value) -> anyhow::Result<()> {
        self.apply_stdin(&definition.to_string())?.success()?;
        let name = definition.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        self.wait_until_served(name)
    }

    /// Waits until the kind of a CustomResourceDefinition is served. `kubectl wait` fails, rather than waits, where the
    /// server has not written the first condition yet.
    ///
    /// # Errors
    /// When there is no such definition, or it is not served within half a minute.
    pub fn wait_until_served(&self, definition: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + SERVED_WITHIN;
        let get = ["get", "--output=json", "crd", definition];
        while !established(&serde_json::from_str(&self.kubectl(&get)?.success()?)?) {
            if Instant::now() >= deadline {
                bail!("{definition} is not served in {SERVED_WITHIN:?}");
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// `kubectl` as another user.
    pub fn kubectl_as(&self, kubeconfig: &Path) -> Kubectl {
        self.kubectl.with_kubeconfig(kubeconfig)
    }

    /// Makes a namespace that nobody else has. It is left to the cluster: in one of your own, find it by the label
    /// `boathook.dev/testbed`.
    ///
    /// # Errors
    /// When it is refused.
    pub fn namespace(&self) -> anyhow::Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{since_1970:x}-{}-{count}", process::id());
        let metadata = json!({ "name": name, "labels": { "boathook.dev/testbed": "true" } });
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        self.apply_stdin(&object.to_string())?.success()?;
        Ok(name)
    }

    /// Writes a kubeconfig for a service account, good for an hour, into a folder.
    ///
    /// # Errors
    /// When there is no such account, or the file cannot be written.
    pub fn service_account_kubeconfig(
        &self,
        namespace: &str,
        account: &str,
        folder: &Path,
    ) -> anyhow::Result<PathBuf> {
        let create = ["create", "token", account, "--namespace", namespace, "--duration", "1h"];
        let token = self.kubectl(&create)?.success()?;
        let file = folder.join(format!("{namespace}-{account}.kubeconfig"));
        fs::write(&file, kubeconfig::text(&self.server, &self.ca, &User::Token(token.trim())))?;
        Ok(file)
    }

    /// The API server's own metrics, in Prometheus' text format: `apiserver_request_total` counts by verb.
    ///
    /// # Errors
    /// When the API server does not answer, or is not ours: then others' requests would be counted.
    pub fn apiserver_metrics(&self) -> anyhow::Result<String> {
        self.servers("counted")?;
        self.kubectl(&["get", "--raw", "/metrics"])?.success()
    }

    /// Takes the API server away, as a crash would. The controller manager and the data stay.
    ///
    /// # Errors
    /// When the API server is not ours.
    pub fn stop_apiserver(&self) -> anyhow::Result<()> {
        self.servers("stopped")?.stop_api_server();
        Ok(())
    }

    /// Brings the API server back, at the same address, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready, or is not ours.
    pub fn start_apiserver(&self) -> anyhow::Result<()> {
        self.servers("started")?.start_api_server(&self.kubectl)
    }

    /// The process ids of its servers.
    pub fn process_ids(&self) -> Vec<u32> {
        self.servers.as_ref().map(Running::process_ids).unwrap_or_default()
    }

    fn servers(&self, what: &str) -> anyhow::Result<&Running> {
        let Some(servers) = &self.servers else {
            bail!(
                "the API server of BOATHOOK_TESTBED_KUBECONFIG is not the testbed's to be {what}: unset the variable \
                 for this test"
            );
        };
        Ok(servers)
    }
}

fn established(definition: &Value) -> bool {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|one| one["type"] == "Established" && one["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_without_conditions_is_not_established_yet() {
        assert!(!established(&json!({})));
        assert!(!established(&json!({ "status": { "conditions": null } })));
        let conditions = json!([{ "type": "Established", "status": "False" }]);
        assert!(!established(&json!({ "status": { "conditions": conditions } })));
        let conditions = json!([{ "type": "NamesAccepted", "status": "True" }, { "type": "Established", "status": "True" }]);
        assert!(established(&json!({ "status": { "conditions": conditions } })));
    }
}
