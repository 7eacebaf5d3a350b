//! Secrets that providers have sent to receivers: opened, and put where their endpoints look for them. What is there is never
//! overwritten.
use std::collections::BTreeMap;

use boathook_event::ObjectName;
use boathook_plan::Captured;
use boathook_table::OpenKey;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::apply::MANAGER;

/// On a Secret that somebody else has made: captured secrets may be put into it.
const ALLOWED: (&str, &str) = ("boathook.dev/secret-capture", "allowed");
/// On those that we have made.
const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "boathook");

/// Puts each secret into its place, unless something is there. Gives those that could not be, and why.
pub(crate) async fn capture(
    client: &Client,
    key: &OpenKey,
    captured: &[Captured],
) -> BTreeMap<ObjectName, String> {
    let mut failed = BTreeMap::new();
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
            Err(why) => {
                tracing::warn!(%endpoint, secret = secret_ref.name, key = secret_ref.key, why, "cannot put the provider's secret there");
                failed.insert(endpoint.clone(), why);
            }
        }
    }
    failed
}

/// Says whether it was written.
async fn put(api: &Api<Secret>, captured: &Captured, secret: &Zeroizing<String>) -> Result<bool, String> {
    let Captured { endpoint, secret_ref, .. } = captured;
    let data = BTreeMap::from([(secret_ref.key.clone(), ByteString(secret.as_bytes().to_vec()))]);
    let there = api.get_opt(&secret_ref.name).await.map_err(|error| error.to_string())?;
    let Some(there) = there else {
        let (label, value) = OURS;
        let note = ("boathook.dev/captured-for".to_owned(), endpoint.name().to_owned());
        let metadata = ObjectMeta {
            name: Some(secret_ref.name.clone()),
            labels: Some(BTreeMap::from([(label.to_owned(), value.to_owned())])),
            annotations: Some(BTreeMap::from([note])),
            ..ObjectMeta::default()
        };
        let whole = Secret { metadata, data: Some(data), ..Secret::default() };
        let parameters = PostParams { field_manager: Some(MANAGER.into()), dry_run: false };
        return written(api.create(&parameters, &whole).await);
    };
    if there.data.as_ref().is_some_and(|data| data.contains_key(&secret_ref.key)) {
        return Ok(false);
    }
    // Whoever may write an endpoint may not be one who may write any Secret.
    let may =
        [ALLOWED, OURS].iter().any(|(label, value)| there.labels().get(*label).is_some_and(|is| is == value));
    if !may {
        let (label, value) = ALLOWED;
        return Err(format!(
            "the Secret {} was made by somebody else: label it {label}={value}, or name one that is not there yet",
            secret_ref.name
        ));
    }
    // With its version: a value that comes meanwhile is not overwritten.
    let version = there.metadata.resource_version;
    let patch = json!({ "metadata": { "resourceVersion": version }, "data": data });
    let parameters = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    written(api.patch(&secret_ref.name, &parameters, &Patch::Merge(patch)).await)
}

fn written<T>(result: Result<T, kube::Error>) -> Result<bool, String> {
    match result {
        Ok(_) => Ok(true),
        // Somebody else was faster: the next look sees what is there.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}
