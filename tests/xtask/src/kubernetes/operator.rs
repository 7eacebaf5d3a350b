//! The operator: its file, and its process under its own account.
use std::{
    fs,
    ops::ControlFlow,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;

use super::stage::Stage;

/// Where it would run, and where its lease lies.
pub(super) const NAMESPACE: &str = "boathook-system";
const ACCOUNT: &str = "boathook-operator";
/// A pod's name, if it were one.
const IDENTITY: &str = "boathook-operator-0";

/// One class, whose URLs are of this machine. Nobody pulls the image: there is no node.
const FILE: &str = "\
image: registry.invalid/boathook-receiver:none
classes:
  - name: default
    route: { kind: Ingress, host: localhost }
    allowInsecure: true
    drainDelay: 0s
";

/// Starts it, and waits until it leads.
///
/// # Errors
/// When it does not.
pub(super) fn start(stage: &mut Stage, program: &Path) -> anyhow::Result<()> {
    let file = stage.plane.folder().join("operator.yaml");
    fs::write(&file, FILE).with_context(|| format!("cannot write {}", file.display()))?;
    let kubeconfig = stage.account(NAMESPACE, ACCOUNT).context("no way in for the operator")?;
    let mut command = Command::new(program);
    command.args(["--identity", IDENTITY, "--lease-namespace", NAMESPACE, "--config"]).arg(file);
    command.env_clear().env("KUBECONFIG", kubeconfig).stdout(Stdio::null());
    stage.start("operator", &mut command)?;
    stage.until("the operator leads", |stage| {
        let lease = stage.json(&["lease", "boathook-operator", "--namespace", NAMESPACE])?;
        let holder = lease.pointer("/spec/holderIdentity").and_then(|holder| holder.as_str());
        Ok(match holder {
            Some(IDENTITY) => ControlFlow::Break(()),
            other => ControlFlow::Continue(format!("its lease is held by {}", other.unwrap_or("nobody"))),
        })
    })?;
    eprintln!(
        "» operator: leads, as the account {NAMESPACE}/{ACCOUNT}; log: {}",
        stage.log("operator").display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use boathook_plan::Configuration;

    use super::*;

    #[test]
    fn the_operators_file_has_no_mistake() {
        let configuration: Configuration = serde_saphyr::from_str(FILE).unwrap();
        assert_eq!(configuration.check(), [""; 0]);
        assert!(configuration.class("default").is_some());
    }
}
