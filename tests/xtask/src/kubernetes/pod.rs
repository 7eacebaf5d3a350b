//! The pod that the operator's Deployment asks for, run as a process of this machine.
use std::{
    ops::ControlFlow,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::{demo, stage::Stage};
use crate::{addresses::Addresses, delivery::Delivery, lines::Lines, receiver};

/// A pod that nobody runs but us.
pub(super) struct Pod(Value);

impl Pod {
    /// Waits for it.
    ///
    /// # Errors
    /// When it does not come; the endpoint's conditions say why.
    pub(super) fn awaited(stage: &mut Stage) -> anyhow::Result<Self> {
        let of_class = ["pods", "--namespace", demo::NAMESPACE, "--selector", "boathook.dev/class=default"];
        let pod = stage.until("the Deployment's pod is there", |stage| {
            let mut pods = stage.json(&of_class)?;
            let first = pods.pointer_mut("/items/0").map(Value::take);
            Ok(match first {
                Some(pod) => ControlFlow::Break(Self(pod)),
                None => ControlFlow::Continue(format!("no pod; {}", demo::told(&demo::endpoint(stage)?))),
            })
        })?;
        eprintln!(
            "» pod {}: there is no node here, so the receiver runs as a process of this machine, with the pod's \
             arguments and account, and the pod is marked ready in place of a kubelet",
            pod.text("/metadata/name")?
        );
        Ok(pod)
    }

    /// Runs the receiver as the pod says, but at addresses and in a folder of this machine.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) fn run(
        &self,
        stage: &mut Stage,
        program: &Path,
        addresses: &Addresses,
        delivery: &Delivery,
    ) -> anyhow::Result<Lines> {
        let data = stage.plane.folder().join("data");
        let Addresses { public, private, api } = *addresses;
        let moved = [
            ("--listen", public.to_string()),
            ("--admin", private.to_string()),
            ("--api", api.to_string()),
            ("--data", data.to_string_lossy().into_owned()),
        ];
        let account = self.text("/spec/serviceAccountName")?;
        let kubeconfig = stage.account(demo::NAMESPACE, account).context("no way in for the receiver")?;
        let mut command = Command::new(program);
        command.args(arguments(&self.0, &moved).context("the pod cannot be run here")?);
        command.env_clear().env("KUBECONFIG", kubeconfig).stdout(Stdio::piped());
        let process = stage.start("receiver", &mut command)?;
        let output = process.stdout().context("the receiver's output was asked for")?;
        let id = process.id();
        let lines = Lines::read(output, delivery.id.clone());
        stage.pass_signals_to(id);
        stage.until("the receiver is ready", |_| {
            Ok(match receiver::is_ready(private) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(format!("http://{private}/readyz does not answer 200")),
            })
        })?;
        eprintln!(
            "» receiver: ready, as the account {}/{account}; log: {}",
            demo::NAMESPACE,
            stage.log("receiver").display()
        );
        Ok(lines)
    }

    /// Says of the pod what a kubelet would say.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(super) fn make_ready(&self, stage: &Stage) -> anyhow::Result<()> {
        let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
            .map(|kind| json!({ "type": kind, "status": "True" }));
        let image = self.text("/spec/containers/0/image")?;
        let container = json!({
            "name": self.text("/spec/containers/0/name")?,
            "image": image,
            "imageID": "",
            "ready": true,
            "started": true,
            "restartCount": 0,
            "state": { "running": {} },
        });
        let status = json!({
            "phase": "Running",
            "podIP": "127.0.0.1",
            "podIPs": [{ "ip": "127.0.0.1" }],
            "conditions": conditions,
            "containerStatuses": [container],
        });
        let patch = json!({ "status": status }).to_string();
        let name = self.text("/metadata/name")?;
        let pod = ["patch", "pod", name, "--namespace", demo::NAMESPACE, "--subresource", "status"];
        stage
            .kubectl(&[&pod[..], &["--type", "merge", "--patch", &patch]].concat())
            .context("the pod cannot be marked ready")?;
        Ok(())
    }

    fn text(&self, pointer: &str) -> anyhow::Result<&str> {
        let text = self.0.pointer(pointer).and_then(Value::as_str);
        text.with_context(|| format!("the pod has no {}", pointer.trim_start_matches('/').replace('/', ".")))
    }
}

/// The arguments of the pod's container with its variables filled in, and these flags given other values.
fn arguments(pod: &Value, moved: &[(&str, String)]) -> anyhow::Result<Vec<String>> {
    let container = pod.pointer("/spec/containers/0").context("it has no container")?;
    let list = |name: &str| container.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut arguments: Vec<String> = list("args").filter_map(Value::as_str).map(str::to_owned).collect();
    for variable in list("env") {
        let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
        let value = value(pod, variable).with_context(|| format!("its variable {name} has no value here"))?;
        for argument in &mut arguments {
            *argument = argument.replace(&format!("$({name})"), value);
        }
    }
    if let Some(open) = arguments.iter().find(|argument| argument.contains("$(")) {
        bail!("its argument {open} names a variable that it does not have");
    }
    for (flag, value) in moved {
        let at = arguments.iter().position(|argument| argument == flag);
        let at = at.and_then(|at| arguments.get_mut(at + 1));
        value.clone_into(at.with_context(|| format!("its arguments have no {flag}"))?);
    }
    Ok(arguments)
}

/// A variable's value: written, or a field of the pod.
fn value<'p>(pod: &'p Value, variable: &'p Value) -> Option<&'p str> {
    let written = variable.get("value");
    let field = variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str);
    written.or_else(|| pod.pointer(&format!("/{}", field?.replace('.', "/"))))?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(arguments: &[&str]) -> Value {
        let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
        let env = [
            field("POD_NAME", "metadata.name"),
            field("POD_UID", "metadata.uid"),
            json!({ "name": "A", "value": "b" }),
        ];
        let container = json!({ "args": arguments, "env": env });
        json!({ "metadata": { "name": "p-1", "uid": "u-1" }, "spec": { "containers": [container] } })
    }

    #[test]
    fn variables_are_filled_in_and_the_flags_of_this_machine_replaced() {
        let pod =
            pod(&["--listen", "0.0.0.0:8080", "--data", "/data", "--pod", "$(POD_NAME)/$(POD_UID)-$(A)"]);
        let moved = [("--data", "/tmp/d".to_owned()), ("--listen", "127.0.0.1:1".to_owned())];
        let expected = ["--listen", "127.0.0.1:1", "--data", "/tmp/d", "--pod", "p-1/u-1-b"];
        assert_eq!(arguments(&pod, &moved).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_filled_in_or_replaced_is_told() {
        for (given, told) in [
            (&["$(POD_IP)", "--data", "/data"][..], "$(POD_IP)"),
            (&["--listen", "a"], "no --data"),
            (&["--data"], "no --data"),
        ] {
            let refusal = arguments(&pod(given), &[("--data", String::new())]).unwrap_err().to_string();
            assert!(refusal.contains(told), "{refusal}");
        }
        let mut unknown = pod(&["--data", "/data"]);
        unknown["metadata"].as_object_mut().unwrap().remove("uid");
        let refusal = arguments(&unknown, &[]).unwrap_err().to_string();
        assert!(refusal.contains("POD_UID"), "{refusal}");
    }
}
