//! What the operator watches: a store of each kind, and the namespaces in which something has happened.
use std::{fmt::Debug, hash::Hash};

use boathook_crds::{WebhookEndpoint, WebhookSink};
use boathook_plan::names::{MANAGED_BY, MANAGED_BY_LABEL};
use futures::StreamExt as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Secret, ServiceAccount},
    networking::v1::Ingress,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        reflector::{self, Store},
        watcher::{self, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::limits::PAGE;

/// A store of each kind.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) endpoints: Store<WebhookEndpoint>,
    pub(crate) sinks: Store<WebhookSink>,
    /// Names and versions only: the values are asked for when they are needed.
    pub(crate) secrets: Store<PartialObjectMeta<Secret>>,
    pub(crate) accounts: Store<ServiceAccount>,
    pub(crate) deployments: Store<Deployment>,
    pub(crate) ingresses: Store<Ingress>,
    pub(crate) pods: Store<Pod>,
}

/// Starts the watches; each sends the namespace of what has changed. Returns once every store is filled.
pub(crate) async fn start(client: &Client, touched: &mpsc::Sender<String>) -> Stores {
    let all = watcher::Config::default().page_size(PAGE);
    let ours = all.clone().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
    // Releases of Helm are large and change often, and no endpoint names one.
    let secrets = all.clone().fields("type!=helm.sh/release.v1");
    let stores = Stores {
        endpoints: watch(client, all.clone(), touched),
        sinks: watch(client, all, touched),
        secrets: watch(client, secrets, touched),
        accounts: watch(client, ours.clone(), touched),
        deployments: watch(client, ours.clone(), touched),
        ingresses: watch(client, ours.clone(), touched),
        pods: watch(client, ours, touched),
    };
    let Stores { endpoints, sinks, secrets, accounts, deployments, ingresses, pods } = &stores;
    // A writer is dropped only when its watch has ended, which it never does by itself.
    drop(tokio::join!(
        endpoints.wait_until_ready(),
        sinks.wait_until_ready(),
        secrets.wait_until_ready(),
        accounts.wait_until_ready(),
        deployments.wait_until_ready(),
        ingresses.wait_until_ready(),
        pods.wait_until_ready(),
    ));
    stores
}

fn watch<K>(client: &Client, config: watcher::Config, touched: &mpsc::Sender<String>) -> Store<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone + Send + Sync,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), config).default_backoff();
    let events = events.modify(|object| object.meta_mut().managed_fields = None);
    let objects = reflector::reflector(writer, events).touched_objects();
    tokio::spawn(pass_on(objects, touched.clone()));
    store
}

async fn pass_on<K: Resource>(
    objects: impl futures::Stream<Item = Result<K, watcher::Error>> + Send,
    touched: mpsc::Sender<String>,
) {
    futures::pin_mut!(objects);
    while let Some(object) = objects.next().await {
        match object {
            Ok(object) => {
                if let Some(namespace) = object.namespace()
                    && touched.send(namespace).await.is_err()
                {
                    return;
                }
            }
            Err(error) => tracing::warn!(%error, "a watch failed; trying again"),
        }
    }
}
