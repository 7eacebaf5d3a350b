//! What a team does: it applies its endpoint, and looks how it is.
use std::ops::ControlFlow;

use anyhow::Context;
use serde_json::Value;

use super::stage::Stage;
use crate::{addresses::Addresses, delivery::Endpoint, steps};

/// The team's namespace.
pub(super) const NAMESPACE: &str = "demo";
/// The endpoint of `crds/examples/kubernetes`: it names no path, and has this one by default.
pub(super) const PATH: &str = "/demo/github";
const NAME: &str = "github";

/// Applies the example.
///
/// # Errors
/// When the API server refuses it.
pub(super) fn apply(stage: &Stage) -> anyhow::Result<()> {
    let folder = "crds/examples/kubernetes";
    let file = steps::root()?.join(folder).to_string_lossy().into_owned();
    let applied = stage.kubectl(&["apply", "--namespace", NAMESPACE, "--filename", &file]);
    let applied = applied.context("the example is refused")?;
    println!("$ kubectl apply -n {NAMESPACE} -f {folder}\n{applied}");
    Ok(())
}

/// The endpoint as it is now.
///
/// # Errors
/// When it is not there.
pub(super) fn endpoint(stage: &Stage) -> anyhow::Result<Value> {
    stage.json(&["webhookendpoint", NAME, "--namespace", NAMESPACE])
}

/// Waits until it is served.
///
/// # Errors
/// When it is not; its conditions say why.
pub(super) fn programmed(stage: &mut Stage) -> anyhow::Result<()> {
    wait(stage, "the endpoint is Ready", |endpoint| {
        condition(endpoint, "Ready").is_some_and(|ready| ready == "True")
    })
}

/// Waits until it is Healthy, and shows it.
///
/// # Errors
/// When it is not; its conditions say why.
pub(super) fn healthy(stage: &mut Stage) -> anyhow::Result<()> {
    wait(stage, "the endpoint is Healthy", |endpoint| health(endpoint) == "Healthy")?;
    let table = stage.kubectl(&["get", "webhookendpoints", "--namespace", NAMESPACE])?;
    println!("\n$ kubectl get webhookendpoints -n {NAMESPACE}\n{}", table.trim_end());
    Ok(())
}

fn wait(stage: &mut Stage, what: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    stage.until(what, |stage| {
        let endpoint = endpoint(stage)?;
        Ok(if is_so(&endpoint) { ControlFlow::Break(()) } else { ControlFlow::Continue(told(&endpoint)) })
    })
}

/// What its status says, in one line.
pub(super) fn told(endpoint: &Value) -> String {
    let conditions = endpoint.pointer("/status/conditions").and_then(Value::as_array);
    let texts = conditions.into_iter().flatten().map(|condition| {
        let text = |member: &str| condition.get(member).and_then(Value::as_str).unwrap_or_default();
        format!("{}={} ({}: {})", text("type"), text("status"), text("reason"), text("message"))
    });
    let conditions: Vec<String> = texts.collect();
    format!("health {}, {}", health(endpoint), conditions.join(", "))
}

fn health(endpoint: &Value) -> &str {
    endpoint.pointer("/status/health").and_then(Value::as_str).unwrap_or("not told")
}

fn condition<'e>(endpoint: &'e Value, kind: &str) -> Option<&'e Value> {
    let conditions = endpoint.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").is_some_and(|of| of == kind))?.get("status")
}

/// What one can do now.
pub(super) fn tell(stage: &Stage, endpoint: Endpoint, addresses: &Addresses) {
    let (kubeconfig, kubectl) = (stage.plane.kubeconfig().display(), stage.kubectl.display());
    println!("\nTry in a second terminal:\n");
    println!("export KUBECONFIG='{kubeconfig}' kubectl='{kubectl}'");
    println!("$kubectl -n {NAMESPACE} get webhookendpoints,webhooksinks -o wide");
    println!("$kubectl -n {NAMESPACE} describe webhookendpoint {NAME}");
    println!("{}", mistake());
    println!(
        "\n(`provider: github` again puts it right.) Send another delivery:\n\n{}\n",
        endpoint.shell_lines()
    );
    let private = addresses.private;
    println!("metrics  http://{private}/metrics");
    println!("report   http://{private}/report");
    println!("logs     {}, {}", stage.log("operator").display(), stage.log("receiver").display());
    println!("Ctrl-C stops everything; nothing of it stays but the logs.");
}

/// A mistake in the spec, and what the endpoint then says.
fn mistake() -> String {
    format!(
        r#"$kubectl -n {NAMESPACE} patch webhookendpoint {NAME} --type merge -p '{{"spec":{{"provider":"gihtub"}}}}' &&
  $kubectl -n {NAMESPACE} wait webhookendpoint {NAME} --for=condition=Accepted=False &&
  $kubectl -n {NAMESPACE} get webhookendpoint {NAME} -o jsonpath='{{.status.conditions[?(@.type=="Accepted")].message}}{{"\n"}}'"#
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_told_in_one_line_also_where_there_is_none() {
        let accepted = json!({ "type": "Accepted", "status": "False", "reason": "SecretNotFound", "message": "there is no Secret a" });
        let refused = json!({ "status": { "health": "Failed", "conditions": [accepted] } });
        assert_eq!(told(&refused), "health Failed, Accepted=False (SecretNotFound: there is no Secret a)");
        assert_eq!(condition(&refused, "Accepted"), Some(&json!("False")));
        assert_eq!(condition(&refused, "Ready"), None);
        assert_eq!(told(&json!({})), "health not told, ");
    }
}
