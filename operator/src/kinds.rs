//! The kinds must be there, and not older than this program's own.
use anyhow::{Context as _, bail};
use boathook_crds::{SCHEMA_VERSION, SCHEMA_VERSION_ANNOTATION};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};

/// Checks both.
///
/// # Errors
/// One is missing or older; the message says what to do.
pub(crate) async fn check(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in ["webhookendpoints.boathook.dev", "webhooksinks.boathook.dev"] {
        let found = api.get_opt(name).await.context("cannot look at the CustomResourceDefinitions")?;
        let Some(found) = found else {
            bail!("the CustomResourceDefinition {name} is missing: install the chart boathook-crds");
        };
        let annotations = found.metadata.annotations.unwrap_or_default();
        let version =
            annotations.get(SCHEMA_VERSION_ANNOTATION).and_then(|version| version.parse::<u32>().ok());
        if version.is_none_or(|version| version < SCHEMA_VERSION) {
            let version = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            bail!(
                "the CustomResourceDefinition {name} has schema version {version}, and this operator needs {SCHEMA_VERSION}: \
                 upgrade the chart boathook-crds first"
            );
        }
    }
    Ok(())
}
