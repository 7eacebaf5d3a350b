//! The chart's roles, asked for what they allow and what they do not.
use std::{fs, path::Path, sync::OnceLock};

use boathook_testbed::{Kubectl, Output};
use serde_json::json;

use crate::cluster::{apply, cluster, wait_until};

/// The namespace of the release; its roles are there. There is one: what is not in a namespace has one name.
fn release() -> &'static str {
    static RELEASE: OnceLock<String> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let namespace = cluster().namespace().unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/boathook/templates/rbac.yaml");
        let manifest = fs::read_to_string(file).unwrap().replace("{{ .Release.Namespace }}", &namespace);
        assert!(!manifest.contains("{{"), "this fills in the release's namespace alone");
        let applied = apply(&namespace, &manifest, &[]);
        assert!(applied.status.success() && applied.stderr.is_empty(), "{applied:?}");
        namespace
    })
}

/// Asks `kubectl auth can-i`, a question a line; what follows `! ` must be refused.
fn ask(user: &str, namespace: &str, questions: &str) {
    for line in questions.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (question, expected) = line.strip_prefix("! ").map_or((line, true), |question| (question, false));
        assert_eq!(may(user, namespace, question), expected, "{user}: {question}");
    }
}

fn may(user: &str, namespace: &str, question: &str) -> bool {
    let ask = ["auth", "can-i", "--as", user, "--namespace", namespace];
    let words: Vec<&str> = question.split(' ').collect();
    let answer = cluster().kubectl(&[&ask, &words[..]].concat()).unwrap();
    assert!(!answer.stderr.contains("doesn't have a resource type"), "{answer:?}");
    let told = answer.stdout.split_whitespace().next();
    assert!(matches!(told, Some("yes" | "no")), "{answer:?}");
    told == Some("yes")
}

/// `kubectl` as a service account.
fn account(namespace: &str, name: &str) -> Kubectl {
    let folder = cluster().folder();
    cluster().kubectl_as(&cluster().service_account_kubeconfig(namespace, name, folder).unwrap())
}

#[track_caller]
fn forbidden(output: &Output) {
    assert!(output.stderr.contains("(Forbidden)") || output.stderr.contains("is forbidden"), "{output:?}");
}

#[test]
fn the_operator_reads_specs_writes_statuses_and_keeps_what_receivers_need() {
    let user = format!("system:serviceaccount:{}:boathook-operator", release());
    let team = cluster().namespace().unwrap();
    ask(
        &user,
        &team,
        "list webhookendpoints.boathook.dev
         watch webhooksinks.boathook.dev
         patch webhookendpoints.boathook.dev --subresource=status
         update webhooksinks.boathook.dev --subresource=status
         ! patch webhookendpoints.boathook.dev
         ! update webhooksinks.boathook.dev
         ! delete webhookendpoints.boathook.dev
         get customresourcedefinitions.apiextensions.k8s.io/webhooksinks.boathook.dev
         ! get customresourcedefinitions.apiextensions.k8s.io/others.example.com
         ! update customresourcedefinitions.apiextensions.k8s.io/webhooksinks.boathook.dev
         watch secrets
         patch secrets
         delete deployments.apps
         patch services
         create persistentvolumeclaims
         create serviceaccounts
         update serviceaccounts --subresource=finalizers
         ! create serviceaccounts --subresource=token
         ! impersonate serviceaccounts
         patch ingresses.networking.k8s.io
         list pods
         ! create pods
         ! create pods --subresource=exec
         create events.events.k8s.io
         create rolebindings.rbac.authorization.k8s.io
         bind clusterroles.rbac.authorization.k8s.io/boathook-receiver-default
         ! bind clusterroles.rbac.authorization.k8s.io/cluster-admin
         ! create clusterroles.rbac.authorization.k8s.io
         ! update clusterroles.rbac.authorization.k8s.io/boathook-receiver-default
         ! escalate clusterroles.rbac.authorization.k8s.io
         ! create roles.rbac.authorization.k8s.io
         ! create clusterrolebindings.rbac.authorization.k8s.io
         ! create leases.coordination.k8s.io",
    );
    ask(
        &user,
        release(),
        "create leases.coordination.k8s.io
         patch leases.coordination.k8s.io",
    );
}

#[test]
fn the_operator_sets_receivers_up_which_see_one_secret_alone_and_get_no_other_role() {
    let team = cluster().namespace().unwrap();
    let operator = account(release(), "boathook-operator");
    let bind = |name: &str, role: &str| {
        let account = format!("--serviceaccount={team}:boathook-default");
        let role = format!("--clusterrole={role}");
        operator.run(&["create", "rolebinding", name, &role, &account, "--namespace", &team]).unwrap()
    };
    for kind in [&["serviceaccount"][..], &["secret", "generic"]] {
        let create = [&["create"], kind, &["boathook-default", "--namespace", &team]].concat();
        operator.run(&create).unwrap().success().unwrap();
    }
    bind("boathook-default", "boathook-receiver-default").success().unwrap();
    forbidden(&bind("more", "cluster-admin"));
    forbidden(&bind("more", "edit"));

    let receiver = account(&team, "boathook-default");
    let run = |arguments: &[&str]| receiver.run(&[arguments, &["--namespace", &team]].concat()).unwrap();
    let own = ["get", "secrets", "--field-selector", "metadata.name=boathook-default", "--output", "name"];
    assert_eq!(run(&own).success().unwrap(), "secret/boathook-default\n");
    forbidden(&run(&["get", "secrets"]));
    let watch = |selector: &str| {
        let path = format!("/api/v1/namespaces/{team}/secrets?watch=true&timeoutSeconds=1{selector}");
        receiver.run(&["get", "--raw", &path]).unwrap()
    };
    let seen = watch("&fieldSelector=metadata.name%3Dboathook-default").success().unwrap();
    assert!(seen.contains("\"ADDED\""), "{seen}");
    forbidden(&watch(""));
}

#[test]
fn a_receiver_reads_specs_and_writes_statuses_of_its_namespace() {
    release();
    let [team, other] = [cluster().namespace().unwrap(), cluster().namespace().unwrap()];
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": "boathook-default" },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "boathook-receiver-default",
        },
        "subjects": [{ "kind": "ServiceAccount", "name": "boathook-default", "namespace": team }],
    });
    apply(&team, &binding.to_string(), &[]).success().unwrap();
    let user = format!("system:serviceaccount:{team}:boathook-default");
    ask(
        &user,
        &team,
        "watch webhookendpoints.boathook.dev
         list webhooksinks.boathook.dev
         patch webhookendpoints.boathook.dev --subresource=status
         patch webhooksinks.boathook.dev --subresource=status
         ! patch webhookendpoints.boathook.dev
         ! update webhookendpoints.boathook.dev --subresource=status
         watch secrets/boathook-default
         ! list secrets
         ! get secrets/boathook-other
         ! patch secrets/boathook-default
         ! list pods
         ! list configmaps",
    );
    ask(&user, &other, "! list webhookendpoints.boathook.dev\n! get secrets/boathook-default");
}

#[test]
fn people_see_endpoints_with_view_and_write_both_kinds_with_edit_and_admin() {
    release();
    let team = cluster().namespace().unwrap();
    for role in ["view", "edit", "admin"] {
        let [of, to] = [format!("--clusterrole={role}"), format!("--user={role}")];
        let create = ["create", "rolebinding", role, &of, &to, "--namespace", &team];
        cluster().kubectl(&create).unwrap().success().unwrap();
    }
    // The server's controller adds our roles to its own a moment later.
    wait_until("admin has our role", || may("admin", &team, "delete webhooksinks.boathook.dev"));
    wait_until("edit has our role", || may("edit", &team, "delete webhooksinks.boathook.dev"));
    wait_until("view has our role", || may("view", &team, "list webhookendpoints.boathook.dev"));
    let writes = "create webhookendpoints.boathook.dev
         patch webhooksinks.boathook.dev
         ! patch webhookendpoints.boathook.dev --subresource=status";
    ask("admin", &team, writes);
    ask("edit", &team, writes);
    ask("view", &team, "! patch webhookendpoints.boathook.dev\n! get webhooksinks.boathook.dev");
}
