//! A namespace as it is, from the stores; the values of Secrets are asked for when they have changed.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use boathook_crds::{WebhookEndpoint, WebhookSink};
use boathook_plan::{Configuration, Held, Observed, ObservedClass, Pod, names, references};
use boathook_table::{Accepted, DOCUMENT_KEY, Document, Keys};
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret, networking::v1::Ingress};
use kube::{Api, Client, ResourceExt as _, runtime::reflector::ObjectRef};
use zeroize::Zeroizing;

use crate::{limits::REPORT_TIME_MAX, watches::Stores};

/// Everything that is needed to decide on a namespace.
pub(crate) struct Fetched {
    pub(crate) endpoints: Vec<WebhookEndpoint>,
    pub(crate) sinks: Vec<WebhookSink>,
    pub(crate) keys: Keys,
    pub(crate) held: Vec<Held>,
    pub(crate) observed: Observed,
}

/// The values of the Secrets that are named, by the Secret's name.
#[derive(Default)]
pub(crate) struct Values(HashMap<String, Known>);

/// What is known of a Secret.
struct Known {
    /// The version that the values are of.
    version: String,
    values: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// Since when it is gone.
    gone: Option<Timestamp>,
}

impl Values {
    /// Asks for what has changed. What nobody names any more is forgotten at once, what is gone is kept for a while.
    async fn look(
        &mut self,
        client: &Client,
        stores: &Stores,
        namespace: &str,
        named: &BTreeSet<String>,
    ) -> Result<(), kube::Error> {
        self.0.retain(|name, _| named.contains(name));
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        for name in named {
            let there = stores.secrets.get(&ObjectRef::new(name).within(namespace));
            let there = there.and_then(|secret| secret.metadata.resource_version.clone());
            let known = self.0.get(name).filter(|known| known.gone.is_none()).map(|known| &known.version);
            if there.is_some() && there.as_ref() == known {
                continue;
            }
            let secret = if there.is_some() { api.get_opt(name).await? } else { None };
            match secret {
                Some(secret) => drop(self.0.insert(name.clone(), Known::of(secret))),
                None => {
                    if let Some(known) = self.0.get_mut(name) {
                        known.gone.get_or_insert_with(Timestamp::now);
                    }
                }
            }
        }
        Ok(())
    }

    /// The values that are there, and those that were.
    fn counted(&self, namespace: &str) -> (Keys, Vec<Held>) {
        let (mut keys, mut held) = (Keys::default(), Vec::new());
        for (name, Known { values, gone, .. }) in &self.0 {
            match gone {
                None => keys.insert(
                    namespace,
                    name,
                    values.iter().map(|(key, value)| (key.clone(), value.to_vec())),
                ),
                Some(since) => held.push(Held { name: name.clone(), values: values.clone(), since: *since }),
            }
        }
        (keys, held)
    }
}

impl Known {
    fn of(secret: Secret) -> Self {
        let values = secret.data.into_iter().flatten().map(|(key, value)| (key, Zeroizing::new(value.0)));
        let version = secret.metadata.resource_version.unwrap_or_default();
        Self { version, values: values.collect(), gone: None }
    }
}

/// Looks at a namespace.
pub(crate) async fn fetch(
    client: &Client,
    stores: &Stores,
    configuration: &Configuration,
    namespace: &str,
    accepted: &BTreeMap<String, Accepted>,
    values: &mut Values,
) -> Result<Fetched, kube::Error> {
    let endpoints: Vec<WebhookEndpoint> = here(&stores.endpoints.state(), namespace);
    let sinks: Vec<WebhookSink> = here(&stores.sinks.state(), namespace);
    let named = references(configuration, &endpoints, &sinks, accepted);
    values.look(client, stores, namespace, &named).await?;
    let (keys, held) = values.counted(namespace);
    let observed = observed(stores, configuration, namespace, &endpoints).await;
    Ok(Fetched { endpoints, sinks, keys, held, observed })
}

/// What was accepted last, as the receivers know it: an operator that starts anew goes on from there.
pub(crate) async fn accepted(
    client: &Client,
    configuration: &Configuration,
    namespace: &str,
) -> Result<BTreeMap<String, Accepted>, kube::Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut accepted = BTreeMap::new();
    for class in &configuration.classes {
        let Some(secret) = api.get_opt(&names::object(&class.name)).await? else { continue };
        let bytes = secret.data.as_ref().and_then(|data| data.get(DOCUMENT_KEY));
        let document = bytes.and_then(|bytes| Document::from_json(namespace, &bytes.0).ok());
        accepted.extend(document.map(|document| (class.name.clone(), document.held_back)));
    }
    Ok(accepted)
}

async fn observed(
    stores: &Stores,
    configuration: &Configuration,
    namespace: &str,
    endpoints: &[WebhookEndpoint],
) -> Observed {
    let mut observed = Observed::default();
    for class in &configuration.classes {
        let name = names::object(&class.name);
        let reference = |name: &str| ObjectRef::new(name).within(namespace);
        let account = stores.accounts.get(&reference(&name));
        let of_class =
            |labels: &BTreeMap<String, String>| labels.get(names::CLASS_LABEL) == Some(&class.name);
        let ingresses = stores.ingresses.state();
        let ingresses =
            ingresses.iter().filter(|ingress| is_here(&***ingress, namespace) && of_class(ingress.labels()));
        let pods = stores.pods.state();
        let pods: Vec<_> =
            pods.iter().filter(|pod| is_here(&***pod, namespace) && of_class(pod.labels())).collect();
        let deployment = stores.deployments.get(&ObjectRef::<Deployment>::new(&name).within(namespace));
        let used = endpoints.iter().any(|endpoint| endpoint.spec.receiver_class_name == class.name);
        let pending = match &account {
            Some(_) if !used => pending(&pods).await,
            _ => None,
        };
        let of_class = ObservedClass {
            service_account: account.and_then(|account| account.metadata.uid.clone()),
            ingresses: ingresses.map(|ingress| (ingress.name_any(), has_address(ingress))).collect(),
            pods: pods.iter().map(|pod| Pod { name: pod.name_any(), ready: is_ready(pod) }).collect(),
            failure: deployment.and_then(|deployment| failure(&deployment)),
            pending,
        };
        observed.classes.insert(class.name.clone(), of_class);
    }
    observed
}

fn is_ready(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a controller has said where the Ingress can be reached.
fn has_address(ingress: &Ingress) -> bool {
    let balancers = ingress.status.iter().filter_map(|status| status.load_balancer.as_ref());
    balancers.flat_map(|balancer| balancer.ingress.iter().flatten()).next().is_some()
}

/// Why no pods are made, in the API server's words.
fn failure(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let failed = conditions
        .into_iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    Some(failed.message.clone().unwrap_or_default())
}

/// Deliveries that wait in the store of the class's receivers, which all of them tell alike; where nothing is stored, the most that
/// wait for one of them. Nothing is known unless one of them says so.
async fn pending(pods: &[&std::sync::Arc<k8s_openapi::api::core::v1::Pod>]) -> Option<u64> {
    let client = reqwest::Client::builder().timeout(REPORT_TIME_MAX).build().ok()?;
    let mut most = None;
    for pod in pods.iter().filter(|pod| is_ready(pod)) {
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone())?;
        let address = if address.contains(':') { format!("[{address}]") } else { address };
        let url = format!("http://{address}:{}/report", names::ADMIN_PORT);
        let report: serde_json::Value =
            serde_json::from_slice(&client.get(url).send().await.ok()?.bytes().await.ok()?).ok()?;
        let sinks = report.get("sinks")?.as_array()?;
        let waits: u64 = sinks.iter().filter_map(|sink| sink.get("pending")?.as_u64()).sum();
        most = most.max(Some(waits));
    }
    most
}

fn here<K: kube::Resource + Clone>(state: &[std::sync::Arc<K>], namespace: &str) -> Vec<K> {
    let mut here: Vec<K> = state
        .iter()
        .filter(|object| is_here(&***object, namespace))
        .map(|object| (**object).clone())
        .collect();
    here.sort_by_key(kube::ResourceExt::name_any);
    here
}

fn is_here(object: &impl kube::Resource, namespace: &str) -> bool {
    object.meta().namespace.as_deref() == Some(namespace)
}
