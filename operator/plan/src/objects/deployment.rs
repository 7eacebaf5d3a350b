//! The receivers themselves, over a local store: one, and never two at once.
use serde_json::{Map, Value, json};

use super::{Need, draft::Draft};
use crate::{
    class::{Class, Resources},
    limits::{GRACE_AFTER_DRAIN_SECONDS, GRACE_SECONDS_MIN, LOCK_WAIT, STARTUP_SECONDS_MAX},
    names::{self, ADMIN_PORT, ADMIN_PORT_NAME, PUBLIC_PORT, PUBLIC_PORT_NAME},
};

/// Where the volume is.
const DATA: &str = "/var/lib/boathook";
/// Where the class's Secret is.
const KEYS: &str = "/etc/boathook/keys";
/// The user and group of the process and of the volume's files, the image's own. Written out because the kubelet cannot
/// see whether a user who is given by name is root.
const USER: u32 = 65_532;

/// The Deployment. `Recreate`: the next receiver needs the volume that the last one holds.
pub(super) fn render(need: &Need<'_>) -> Draft {
    let class = &need.class.name;
    let spec = json!({
        "replicas": 1,
        "strategy": { "type": "Recreate" },
        "selector": { "matchLabels": names::selector(class) },
        "template": { "metadata": { "labels": names::labels(class) }, "spec": pod(need) },
    });
    Draft::new("apps/v1", "Deployment", need, vec![("spec", spec)])
}

fn pod(need: &Need<'_>) -> Value {
    let name = names::object(&need.class.name);
    json!({
        "serviceAccountName": name,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": grace_seconds(need.class),
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            // A large store is not walked through at each start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "containers": [container(need)],
        "volumes": [
            { "name": "data", "persistentVolumeClaim": { "claimName": name } },
            // For a start while the API server is away; a new pod needs it anyway.
            { "name": "keys", "secret": { "secretName": name, "optional": true } },
        ],
    })
}

fn container(need: &Need<'_>) -> Value {
    json!({
        "name": "receiver",
        "image": need.image,
        "args": arguments(need),
        "env": [variable("POD_NAME", "metadata.name"), variable("POD_UID", "metadata.uid")],
        "ports": [port(PUBLIC_PORT_NAME, PUBLIC_PORT), port(ADMIN_PORT_NAME, ADMIN_PORT)],
        "startupProbe": probe("/livez", 1, STARTUP_SECONDS_MAX),
        // A minute: a disk that is slow for a while is no reason to lose what is under way.
        "livenessProbe": probe("/livez", 10, 6),
        "readinessProbe": probe("/readyz", 5, 3),
        "resources": need.class.resources.as_ref().map(resources),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        // Why it ended is then told in the pod's status, where people and the operator look.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            { "name": "data", "mountPath": DATA },
            { "name": "keys", "mountPath": KEYS, "readOnly": true },
        ],
    })
}

/// The receiver's flags.
fn arguments(need: &Need<'_>) -> Vec<String> {
    let Need { namespace, class, .. } = need;
    let mut arguments: Vec<(&str, String)> = vec![
        ("--namespace", (*namespace).to_owned()),
        ("--class", class.name.clone()),
        ("--data", DATA.to_owned()),
        ("--keys", KEYS.to_owned()),
        ("--listen", format!("0.0.0.0:{PUBLIC_PORT}")),
        ("--admin", format!("0.0.0.0:{ADMIN_PORT}")),
        ("--pod-name", "$(POD_NAME)".to_owned()),
        ("--pod-uid", "$(POD_UID)".to_owned()),
        ("--drain-delay", class.drain_delay.to_string()),
        ("--lock-wait", LOCK_WAIT.to_string()),
        ("--log", "json".to_owned()),
    ];
    if !class.trusted_proxies.is_empty() {
        let networks: Vec<String> = class.trusted_proxies.iter().map(ToString::to_string).collect();
        arguments.push(("--trusted-proxies", networks.join(",")));
    }
    arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
}

/// Whole seconds from SIGTERM to SIGKILL: enough for the drain delay and everything after it.
fn grace_seconds(class: &Class) -> u64 {
    let delay = class.drain_delay.std().as_millis().div_ceil(1_000);
    let needed = u64::try_from(delay).unwrap_or(u64::MAX).saturating_add(GRACE_AFTER_DRAIN_SECONDS);
    needed.max(GRACE_SECONDS_MIN)
}

fn variable(name: &str, field: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": field } } })
}

fn port(name: &str, port: u16) -> Value {
    json!({ "name": name, "containerPort": port, "protocol": "TCP" })
}

fn probe(path: &str, every_seconds: u64, failures: u64) -> Value {
    json!({
        "httpGet": { "path": path, "port": ADMIN_PORT_NAME },
        "periodSeconds": every_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    })
}

/// The container's resources; a part without entries is left out.
fn resources(resources: &Resources) -> Value {
    let Resources { requests, limits } = resources;
    let parts = [("requests", requests), ("limits", limits)].into_iter().filter(|(_, part)| !part.is_empty());
    parts.map(|(name, part)| (name.to_owned(), json!(part))).collect::<Map<_, _>>().into()
}
