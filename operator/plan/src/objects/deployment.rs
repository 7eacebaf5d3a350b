//! The receivers themselves: over a local store one, and never two at once; over a database that they share, or over nothing,
//! as many as the class says.
use serde_json::{Map, Value, json};

use super::{Need, draft::Draft};
use crate::{
    class::{Class, Resources, StoreKind},
    limits::{DATA_COPIES_MAX, GRACE_AFTER_DRAIN_SECONDS, GRACE_SECONDS_MIN, LOCK_WAIT, STARTUP_SECONDS_MAX},
    names::{self, ADMIN_PORT, ADMIN_PORT_NAME, API_PORT, PUBLIC_PORT, PUBLIC_PORT_NAME, Role, TOKEN_KEY},
};

/// Where the volume is.
const DATA: &str = "/var/lib/boathook";
/// Where the class's Secret is.
const KEYS: &str = "/etc/boathook/keys";
/// Where the data API's tokens are.
const API_TOKENS: &str = "/etc/boathook/api-tokens";
/// The variable in which a receiver looks for the database's URL: unlike a flag it does not show among the processes.
const DATABASE_VARIABLE: &str = "BOATHOOK_POSTGRES_URL";
/// The user and group of the process and of the volume's files, the image's own. Written out because the kubelet cannot
/// see whether a user who is given by name is root.
const USER: u32 = 65_532;

/// The Deployment. `Recreate` over a volume: the next receiver needs the one that the last one holds. Otherwise the next is
/// there before the last one goes.
pub(super) fn render(need: &Need<'_>) -> Draft {
    let class = &need.class.name;
    let strategy = match need.class.store.kind {
        StoreKind::Local => json!({ "type": "Recreate" }),
        StoreKind::Postgres | StoreKind::None => {
            json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } })
        }
    };
    let spec = json!({
        "replicas": need.class.replicas,
        "strategy": strategy,
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
        "volumes": volumes(need),
    })
}

fn container(need: &Need<'_>) -> Value {
    json!({
        "name": "receiver",
        "image": need.image,
        "args": arguments(need),
        "env": environment(need),
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
        "volumeMounts": mounts(need),
    })
}

fn volumes(need: &Need<'_>) -> Vec<Value> {
    // For a start while the API server is away; a new pod needs it anyway.
    let keys = json!({ "name": "keys", "secret": { "secretName": names::object(&need.class.name), "optional": true } });
    // Whoever makes a token's Secret lets its holders in; a token that is not there admits nobody.
    let sources = Role::ALL.map(|role| token(need, role));
    let tokens = json!({ "name": "api-tokens", "projected": { "sources": sources } });
    data(need).into_iter().chain([keys, tokens]).collect()
}

fn mounts(need: &Need<'_>) -> Vec<Value> {
    let data = data(need).map(|_| json!({ "name": "data", "mountPath": DATA }));
    let keys = json!({ "name": "keys", "mountPath": KEYS, "readOnly": true });
    let tokens = json!({ "name": "api-tokens", "mountPath": API_TOKENS, "readOnly": true });
    data.into_iter().chain([keys, tokens]).collect()
}

/// The folder of data. Over a database it holds copies alone, which a new pod does without; where nothing is kept there is none.
fn data(need: &Need<'_>) -> Option<Value> {
    match need.class.store.kind {
        StoreKind::Local => {
            let claim = names::object(&need.class.name);
            Some(json!({ "name": "data", "persistentVolumeClaim": { "claimName": claim } }))
        }
        StoreKind::Postgres => Some(json!({ "name": "data", "emptyDir": { "sizeLimit": DATA_COPIES_MAX } })),
        StoreKind::None => None,
    }
}

/// One token of the data API, as a file.
fn token(need: &Need<'_>, role: Role) -> Value {
    json!({ "secret": {
        "name": names::api_token(&need.class.name, role),
        "optional": true,
        "items": [{ "key": TOKEN_KEY, "path": role.as_str() }],
    } })
}

fn environment(need: &Need<'_>) -> Vec<Value> {
    let mut variables = vec![variable("POD_NAME", "metadata.name"), variable("POD_UID", "metadata.uid")];
    if let Some((secret, key)) = need.class.store.database() {
        let from = json!({ "secretKeyRef": { "name": secret, "key": key } });
        variables.push(json!({ "name": DATABASE_VARIABLE, "valueFrom": from }));
    }
    variables
}

/// The receiver's flags.
fn arguments(need: &Need<'_>) -> Vec<String> {
    let Need { namespace, class, .. } = need;
    let mut arguments: Vec<(&str, String)> =
        vec![("--namespace", (*namespace).to_owned()), ("--class", class.name.clone())];
    arguments.extend(data(need).map(|_| ("--data", DATA.to_owned())));
    arguments.extend([
        ("--keys", KEYS.to_owned()),
        ("--listen", format!("0.0.0.0:{PUBLIC_PORT}")),
        ("--admin", format!("0.0.0.0:{ADMIN_PORT}")),
        // Reached by forwarding a port alone.
        ("--api", format!("127.0.0.1:{API_PORT}")),
        ("--api-tokens", API_TOKENS.to_owned()),
        ("--pod-name", "$(POD_NAME)".to_owned()),
        ("--pod-uid", "$(POD_UID)".to_owned()),
        ("--drain-delay", class.drain_delay.to_string()),
        ("--log", "json".to_owned()),
    ]);
    match class.store.kind {
        StoreKind::Local => arguments.push(("--lock-wait", LOCK_WAIT.to_string())),
        kind @ (StoreKind::Postgres | StoreKind::None) => {
            arguments.push(("--store", kind.as_str().to_owned()));
        }
    }
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
