//! Saying in the objects how they are: statuses, Events, and the entries of pods that are no more.
use std::fmt::Debug;

use boathook_crds::{WebhookEndpoint, WebhookSink};
use boathook_event::ObjectName;
use boathook_plan::{DeadEntry, Notice, Plan};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{apply::MANAGER, fetch::Fetched};

/// Writes what differs from what is there.
pub(crate) async fn report(client: &Client, fetched: &Fetched, plan: &Plan) -> Result<(), kube::Error> {
    say(client, &plan.endpoints, &fetched.endpoints, |object| object.status.as_ref()).await?;
    say(client, &plan.sinks, &fetched.sinks, |object| object.status.as_ref()).await?;
    for entry in &plan.dead {
        if entry.of_sink {
            bury::<WebhookSink>(client, entry).await?;
        } else {
            bury::<WebhookEndpoint>(client, entry).await?;
        }
    }
    tell(client, fetched, &plan.notices).await;
    Ok(())
}

/// Applies each status, unless it is what is there. `receivers` is not ours.
async fn say<K, S>(
    client: &Client,
    statuses: &[(ObjectName, S)],
    objects: &[K],
    status_of: impl Fn(&K) -> Option<&S>,
) -> Result<(), kube::Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned,
    S: Serialize,
{
    for (name, status) in statuses {
        let object = objects.iter().find(|object| object.name_any() == name.name());
        let status = serde_json::to_value(status).unwrap_or_default();
        let mut before = serde_json::to_value(object.and_then(&status_of)).unwrap_or_default();
        before.as_object_mut().into_iter().for_each(|members| drop(members.remove("receivers")));
        if before == status {
            continue;
        }
        let api: Api<K> = Api::namespaced(client.clone(), name.namespace());
        let patch = json!({ "apiVersion": K::api_version(&()), "kind": K::kind(&()), "status": status });
        match api.patch_status(name.name(), &PatchParams::apply(MANAGER).force(), &Patch::Apply(patch)).await
        {
            // One that is gone by now has nothing to be said of.
            Err(kube::Error::Api(gone)) if gone.code == 404 => {}
            said => drop(said?),
        }
    }
    Ok(())
}

/// Removes an entry whose pod is no more, if it still stands where it stood.
async fn bury<K>(client: &Client, entry: &DeadEntry) -> Result<(), kube::Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let DeadEntry { of_sink: _, object, index, pod } = entry;
    let at = format!("/status/receivers/{index}");
    let patch: json_patch::Patch = serde_json::from_value(json!([
        { "op": "test", "path": format!("{at}/pod"), "value": pod },
        { "op": "remove", "path": at },
    ]))
    .unwrap_or_default();
    let api: Api<K> = Api::namespaced(client.clone(), object.namespace());
    match api.patch_status(object.name(), &PatchParams::default(), &Patch::Json::<()>(patch)).await {
        Ok(_) => Ok(()),
        // It has moved, or the object is gone: the next look tells.
        Err(kube::Error::Api(status)) if [404, 422].contains(&status.code) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Events on transitions; what cannot be told is lost, for the condition says it, too.
async fn tell(client: &Client, fetched: &Fetched, notices: &[Notice]) {
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: None });
    for Notice { object, warning, reason, message } in notices {
        let Some(endpoint) = fetched.endpoints.iter().find(|endpoint| endpoint.name_any() == object.name())
        else {
            continue;
        };
        let event = Event {
            type_: if *warning { EventType::Warning } else { EventType::Normal },
            reason: reason.clone(),
            note: Some(message.chars().take(1_000).collect()),
            action: "Reconcile".into(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &endpoint.object_ref(&())).await {
            tracing::debug!(%error, "an Event could not be written");
        }
    }
}
