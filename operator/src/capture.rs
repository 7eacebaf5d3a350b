//! Secrets that providers have sent to receivers: opened, and put where their endpoints look for them. What is there is never
//! overwritten.
use std::collections::BTreeMap;

use boathook_plan::Captured;
use boathook_table::OpenKey;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::apply::MANAGER;

/// Puts each secret into its place, unless something is there.
pub(crate) async fn capture(
    client: &Client,
    key: &OpenKey,
    captured: &[Captured],
) -> Result<(), kube::Error> {
    for captured in captured {
        let Captured { endpoint, secret_ref, sealed } = captured;
        let Some(secret) = key.open(endpoint, secret_ref, sealed) else {
            // Sealed for an operator before this one: the receiver seals it anew as soon as it has this one's key.
            tracing::debug!(%endpoint, "a captured secret was sealed with another key");
            continue;
        };
        let api: Api<Secret> = Api::namespaced(client.clone(), endpoint.namespace());
        match put(&api, captured, &secret).await {
            Ok(true) => tracing::info!(
                %endpoint, secret = secret_ref.name, key = secret_ref.key,
                "the provider's secret was captured into this Secret"
            ),
            Ok(false) => {}
            // Somebody else was faster: the next look sees what is there.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says whether it was written.
async fn put(
    api: &Api<Secret>,
    captured: &Captured,
    secret: &Zeroizing<String>,
) -> Result<bool, kube::Error> {
    let Captured { endpoint, secret_ref, .. } = captured;
    let data = BTreeMap::from([(secret_ref.key.clone(), ByteString(secret.as_bytes().to_vec()))]);
    let Some(there) = api.get_opt(&secret_ref.name).await? else {
        let label = ("app.kubernetes.io/managed-by".to_owned(), "boathook".to_owned());
        let note = ("boathook.dev/captured-for".to_owned(), endpoint.name().to_owned());
        let metadata = ObjectMeta {
            name: Some(secret_ref.name.clone()),
            labels: Some(BTreeMap::from([label])),
            annotations: Some(BTreeMap::from([note])),
            ..ObjectMeta::default()
        };
        let whole = Secret { metadata, data: Some(data), ..Secret::default() };
        api.create(&PostParams { field_manager: Some(MANAGER.into()), dry_run: false }, &whole).await?;
        return Ok(true);
    };
    if there.data.as_ref().is_some_and(|data| data.contains_key(&secret_ref.key)) {
        return Ok(false);
    }
    // With its version: a value that comes meanwhile is not overwritten.
    let version = there.metadata.resource_version;
    let patch = json!({ "metadata": { "resourceVersion": version }, "data": data });
    let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    api.patch(&secret_ref.name, &parameters, &Patch::Merge(patch)).await?;
    Ok(true)
}
