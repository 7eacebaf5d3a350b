//! The cluster: a control plane without a node, and what an administrator installs before the operator.
use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context, bail};
use boathook_testbed::{Binaries, ControlPlane, Servers, progress};
use serde_json::json;

use super::{demo, operator, stage::Stage};
use crate::steps;

/// What Helm fills in.
const RELEASE_NAMESPACE: &str = "{{ .Release.Namespace }}";

/// Starts a control plane; also returns the program `kubectl`.
///
/// # Errors
/// When the environment names another cluster, or its programs cannot be built or do not become ready.
pub(super) fn start() -> anyhow::Result<(ControlPlane, PathBuf)> {
    eprintln!(
        "» control plane: etcd, kube-apiserver, kube-controller-manager; the first time they are built, about 7 minutes"
    );
    let started = Instant::now();
    let binaries = Binaries::ensure(&progress)?;
    match &binaries.servers {
        Servers::Running(_) => bail!("this starts a cluster of its own: unset BOATHOOK_TESTBED_KUBECONFIG"),
        Servers::Programs { controller_manager: None, .. } => bail!(
            "without kube-controller-manager no Deployment gets pods: add it to KUBEBUILDER_ASSETS, or unset that"
        ),
        Servers::Programs { .. } => {}
    }
    let plane = ControlPlane::start(&binaries).context("the control plane cannot be started")?;
    eprintln!("» control plane: ready in {} s at {}", started.elapsed().as_secs(), plane.server());
    Ok((plane, binaries.kubectl))
}

/// Applies the CRDs, the two namespaces and the chart's roles.
///
/// # Errors
/// When the API server refuses one, or does not serve the kinds.
pub(super) fn install(stage: &mut Stage) -> anyhow::Result<()> {
    eprintln!("» CRDs, roles, namespaces: kubectl apply");
    let root = steps::root()?;
    let crds = root.join("crds/generated").to_string_lossy().into_owned();
    stage.kubectl(&["apply", "--server-side", "--filename", &crds]).context("the CRDs are refused")?;
    for name in ["webhookendpoints.boathook.dev", "webhooksinks.boathook.dev"] {
        stage.plane.wait_until_served(name)?;
    }
    for name in [operator::NAMESPACE, demo::NAMESPACE] {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        stage.plane.apply_stdin(&namespace.to_string())?.success()?;
    }
    let file = root.join("charts/boathook/templates/rbac.yaml");
    let template = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let roles = filled(&template).with_context(|| format!("cannot fill in {}", file.display()))?;
    stage.plane.apply_stdin(&roles)?.success().context("the chart's roles are refused")?;
    Ok(())
}

/// A template of the chart as Helm would fill it in, where only the namespace is asked for.
fn filled(template: &str) -> anyhow::Result<String> {
    let text = template.replace(RELEASE_NAMESPACE, operator::NAMESPACE);
    match text.lines().zip(1..).find(|(line, _)| line.contains("{{")) {
        Some((line, at)) => bail!("line {at} asks for more than {RELEASE_NAMESPACE}: `{}`", line.trim()),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charts_roles_ask_for_nothing_but_the_namespace() {
        let file = steps::root().unwrap().join("charts/boathook/templates/rbac.yaml");
        let roles = filled(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(roles.contains(operator::NAMESPACE), "{roles}");
    }

    #[test]
    fn a_template_that_asks_for_more_is_refused_with_its_line() {
        let refusal = filled("a: {{ .Release.Namespace }}\nb: {{ .Values.b }}\n").unwrap_err().to_string();
        assert!(refusal.starts_with("line 2 ") && refusal.contains("`b: {{ .Values.b }}`"), "{refusal}");
    }
}
