//! What is true of the objects of every case, whatever the class says.
use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_plan::{class::StoreKind, names::TABLE_KEY};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::Ingress,
    rbac::v1::RoleBinding,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::cases::{self, Case};

/// Runs a check over the objects of every case.
fn each(check: impl Fn(&str, &Case, &[Value])) {
    cases::all().for_each(|(name, case)| check(&name, &case, &case.objects()));
}

/// The only object of a kind, where there is one.
fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Option<&'o Value> {
    objects.iter().find(|object| object["kind"] == kind)
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

#[test]
fn objects_have_no_member_that_their_kind_does_not_know() {
    fn read_and_written<T: Serialize + DeserializeOwned>(object: &Value) -> Value {
        let typed: T = serde_json::from_value(object.clone()).unwrap();
        serde_json::to_value(typed).unwrap()
    }
    each(|name, _, objects| {
        for object in objects {
            let typed = match object["kind"].as_str().unwrap() {
                "ServiceAccount" => read_and_written::<ServiceAccount>(object),
                "PersistentVolumeClaim" => read_and_written::<PersistentVolumeClaim>(object),
                "RoleBinding" => read_and_written::<RoleBinding>(object),
                "Secret" => read_and_written::<Secret>(object),
                "Service" => read_and_written::<Service>(object),
                "Deployment" => read_and_written::<Deployment>(object),
                "Ingress" => read_and_written::<Ingress>(object),
                kind => panic!("{name}: no type for {kind}"),
            };
            assert_eq!(&typed, object, "{name}");
        }
    });
}

#[test]
fn nothing_is_said_that_the_api_server_would_not_keep() {
    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Object(members) => members.is_empty() || members.values().any(is_empty),
            Value::Array(items) => items.is_empty() || items.iter().any(is_empty),
            value => value.is_null() || value == "",
        }
    }
    each(|name, _, objects| assert!(!objects.iter().any(is_empty), "{name}"));
}

#[test]
fn objects_are_in_the_namespace_labelled_and_named_once() {
    each(|name, case, objects| {
        let mut names = BTreeSet::new();
        for object in objects {
            let metadata = &object["metadata"];
            assert_eq!(metadata["namespace"], case.namespace, "{name}");
            let labels = json!({
                "app.kubernetes.io/name": "boathook-receiver",
                "app.kubernetes.io/managed-by": "boathook",
                "boathook.dev/class": case.class().name,
            });
            assert_eq!(metadata["labels"], labels, "{name}");
            let own = metadata["name"].as_str().unwrap();
            assert!(own.len() <= 63 && own.starts_with(&format!("boathook-{}", case.class().name)), "{own}");
            assert!(names.insert((object["kind"].to_string(), own)), "{name}: {own} twice");
        }
    });
}

#[test]
fn the_service_account_owns_all_but_itself_and_the_volume_claim() {
    each(|name, case, objects| {
        let roots: Vec<&str> = objects
            .iter()
            .filter(|object| object["metadata"].get("ownerReferences").is_none())
            .map(|object| object["kind"].as_str().unwrap())
            .collect();
        let claim = Some("PersistentVolumeClaim").filter(|_| case.class().store.kind == StoreKind::Local);
        assert_eq!(roots, ["ServiceAccount"].into_iter().chain(claim).collect::<Vec<_>>(), "{name}");
        let owner = json!([{
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "name": objects[0]["metadata"]["name"],
            "uid": case.owner_uid,
            "controller": true,
            "blockOwnerDeletion": false,
        }]);
        let owned = objects.iter().skip(roots.len());
        owned.for_each(|object| assert_eq!(object["metadata"]["ownerReferences"], owner, "{name}"));
        assert_eq!(objects.len() > roots.len(), case.owner_uid.is_some(), "{name}");
    });
}

#[test]
fn selectors_match_the_pods_of_this_class_only() {
    each(|name, case, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        let pod = &deployment["spec"]["template"]["metadata"]["labels"];
        let service = of_kind(objects, "Service").unwrap();
        for selector in [&deployment["spec"]["selector"]["matchLabels"], &service["spec"]["selector"]] {
            assert!(boathook_plan::is_within(selector, pod), "{name}");
            assert_eq!(selector["boathook.dev/class"], case.class().name, "{name}");
        }
    });
}

#[test]
fn probes_services_and_ingresses_point_to_ports_that_exist() {
    each(|name, _, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let ports = texts(&container["ports"], "name");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let port = container[probe]["httpGet"]["port"].as_str().unwrap();
            assert!(ports.iter().any(|one| one == port), "{name}: {probe}");
        }
        let service = of_kind(objects, "Service").unwrap();
        let targets = texts(&service["spec"]["ports"], "targetPort");
        assert_eq!(targets, ["http"], "{name}: the private port is nobody's service");
        assert!(ports.contains(&targets[0]), "{name}");
        let open = texts(&service["spec"]["ports"], "name");
        for ingress in objects.iter().filter(|object| object["kind"] == "Ingress") {
            for path in ingress["spec"]["rules"][0]["http"]["paths"].as_array().unwrap() {
                let backend = &path["backend"]["service"];
                assert_eq!(backend["name"], service["metadata"]["name"], "{name}");
                assert!(open.iter().any(|port| backend["port"]["name"] == **port), "{name}");
            }
        }
    });
}

#[test]
fn what_objects_name_is_among_them() {
    each(|name, case, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        let named = |kind: &str| of_kind(objects, kind).unwrap()["metadata"]["name"].clone();
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["serviceAccountName"], named("ServiceAccount"), "{name}");
        let volume = &pod["volumes"][0];
        match case.class().store.kind {
            StoreKind::Local => {
                assert_eq!(
                    volume["persistentVolumeClaim"]["claimName"],
                    named("PersistentVolumeClaim"),
                    "{name}"
                );
            }
            StoreKind::Postgres => assert!(volume["emptyDir"]["sizeLimit"].is_string(), "{name}"),
            StoreKind::None => assert_ne!(volume["name"], "data", "{name}"),
        }
        let container = &pod["containers"][0];
        assert_eq!(texts(&container["volumeMounts"], "name"), texts(&pod["volumes"], "name"), "{name}");
        let subject = &of_kind(objects, "RoleBinding").unwrap()["subjects"][0];
        assert_eq!(subject["name"], named("ServiceAccount"), "{name}");
        assert_eq!(subject["namespace"], deployment["metadata"]["namespace"], "{name}");
        // `$(NAME)` in an argument is replaced only where the container has such a variable.
        let variables = texts(&container["env"], "name");
        let arguments = container["args"].as_array().unwrap().iter().filter_map(Value::as_str);
        for used in arguments.filter_map(|argument| argument.strip_prefix("$(")?.strip_suffix(')')) {
            assert!(variables.iter().any(|variable| variable == used), "{name}: {used}");
        }
        let mount = &container["volumeMounts"][0]["mountPath"];
        assert!(container["args"].as_array().unwrap().contains(mount), "{name}: --data is not the volume");
    });
}

#[test]
fn pods_pass_the_restricted_level_and_write_to_their_volume_only() {
    each(|name, _, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        let pod = &deployment["spec"]["template"]["spec"];
        let own = &pod["securityContext"];
        assert_eq!(own["runAsNonRoot"], true, "{name}");
        assert_eq!(own["seccompProfile"], json!({ "type": "RuntimeDefault" }), "{name}");
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(own[id].as_u64().unwrap() > 0, "{name}: {id}");
        }
        for shared in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert!(pod.get(shared).is_none(), "{name}: {shared}");
        }
        for container in pod["containers"].as_array().unwrap() {
            let context = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            });
            assert_eq!(container["securityContext"], context, "{name}");
            let ports = container["ports"].as_array().unwrap();
            assert!(ports.iter().all(|port| port.get("hostPort").is_none()), "{name}");
        }
    });
}

#[test]
fn two_receivers_never_share_a_local_store() {
    each(|name, case, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        if case.class().store.kind != StoreKind::Local {
            return;
        }
        assert_eq!(deployment["spec"]["replicas"], 1, "{name}");
        assert_eq!(deployment["spec"]["strategy"], json!({ "type": "Recreate" }), "{name}");
    });
}

#[test]
fn receivers_that_share_a_database_have_its_url_from_the_secret_and_are_never_all_gone() {
    each(|name, case, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].as_array().unwrap();
        let is_shared = case.class().store.kind == StoreKind::Postgres;
        assert_eq!(arguments.contains(&"postgres".into()), is_shared, "{name}");
        assert_eq!(
            texts(&container["env"], "name").contains(&"BOATHOOK_POSTGRES_URL".to_owned()),
            is_shared,
            "{name}"
        );
        if is_shared {
            let from = json!({ "secretKeyRef": { "name": "boathook-database", "key": "uri" } });
            assert_eq!(container["env"][2]["valueFrom"], from, "{name}");
            assert_eq!(deployment["spec"]["replicas"], 3, "{name}");
            assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0, "{name}");
        }
    });
    let mut case = Case::named("database");
    case.class_mut().store.secret_key = None;
    let objects = case.objects();
    let env = &of_kind(&objects, "Deployment").unwrap()["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env[2]["valueFrom"]["secretKeyRef"]["key"], "url");
}

#[test]
fn receivers_that_keep_nothing_have_no_volume_and_are_never_all_gone() {
    each(|name, case, objects| {
        let Some(deployment) = of_kind(objects, "Deployment") else { return };
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let keeps_nothing = case.class().store.kind == StoreKind::None;
        let arguments = container["args"].as_array().unwrap();
        assert_eq!(arguments.contains(&"none".into()), keeps_nothing, "{name}");
        assert_eq!(arguments.contains(&"--data".into()), !keeps_nothing, "{name}");
        for (list, text) in [(&pod["volumes"], "name"), (&container["volumeMounts"], "name")] {
            assert_eq!(texts(list, text).contains(&"data".to_owned()), !keeps_nothing, "{name}");
        }
        if keeps_nothing {
            assert!(of_kind(objects, "PersistentVolumeClaim").is_none(), "{name}");
            assert_eq!(deployment["spec"]["replicas"], 4, "{name}");
            assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0, "{name}");
        }
    });
}

#[test]
fn secret_text_stands_in_the_secrets_data_and_nowhere_else() {
    each(|name, case, objects| {
        let (key, encoded) = ("whsec_Ym9hdGhvb2stZ29sZGVu", STANDARD.encode(&case.table));
        assert!(case.table.contains(key), "{name}: the case has no key to look for");
        for object in objects {
            let mut rest = object.clone();
            if object["kind"] == "Secret" {
                let data = rest.as_object_mut().unwrap().remove("data").unwrap();
                assert_eq!(data, json!({ TABLE_KEY: encoded }), "{name}");
            }
            let rest = rest.to_string();
            assert!(!rest.contains(key) && !rest.contains(&encoded), "{name}");
        }
    });
}
