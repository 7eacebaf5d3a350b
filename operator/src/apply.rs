//! Bringing the cluster to what was decided: only what differs is written.
use boathook_plan::{Gone, GoneKind, is_within};
use k8s_openapi::api::{core::v1::ServiceAccount, networking::v1::Ingress};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::Value;

/// The name under which the operator writes.
pub(crate) const MANAGER: &str = "boathook-operator";

/// Applies the objects in their order, where the cluster has something else.
pub(crate) async fn apply(client: &Client, namespace: &str, objects: &[Value]) -> Result<(), kube::Error> {
    for object in objects {
        let Some((api, name)) = api_of(client, namespace, object) else { continue };
        let there = api.get_opt(&name).await?;
        let there = there.and_then(|there| serde_json::to_value(there).ok());
        if there.is_some_and(|there| is_within(object, &there)) {
            continue;
        }
        let parameters = PatchParams::apply(MANAGER).force();
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        match api.patch(&name, &parameters, &Patch::Apply(object)).await {
            Ok(_) => tracing::info!(namespace, kind, name, "applied"),
            // A claim can change in few ways; what runs on it goes on as it is.
            Err(kube::Error::Api(refused)) if kind == "PersistentVolumeClaim" && refused.code == 422 => {
                tracing::warn!(namespace, kind, name, error = %refused, "the change is refused; the volume stays as it is");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Deletes what is to go, if it is there.
pub(crate) async fn delete(client: &Client, namespace: &str, gone: &[Gone]) -> Result<(), kube::Error> {
    for Gone { kind, name } in gone {
        let parameters = DeleteParams::background();
        let deleted = match kind {
            GoneKind::Ingress => {
                let api: Api<Ingress> = Api::namespaced(client.clone(), namespace);
                api.delete(name, &parameters).await.map(drop)
            }
            GoneKind::ServiceAccount => {
                let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
                api.delete(name, &parameters).await.map(drop)
            }
        };
        match deleted {
            Ok(()) => tracing::info!(namespace, ?kind, name, "deleted"),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn api_of(client: &Client, namespace: &str, object: &Value) -> Option<(Api<DynamicObject>, String)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (api_version, kind) = (text("/apiVersion")?, text("/kind")?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Some((Api::namespaced_with(client.clone(), namespace, &resource), text("/metadata/name")?.to_owned()))
}
