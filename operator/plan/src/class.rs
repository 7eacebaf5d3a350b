//! The operator's configuration file: which classes of receivers there are, and what each is like.
//!
//! Reading it refuses unknown fields; [`Configuration::check`] finds every other mistake. What it finds nothing in is
//! rendered as it stands.
mod check;
mod text;

use std::collections::BTreeMap;

use boathook_verify::Duration;
use core::net::IpAddr;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use crate::limits::{DRAIN_DELAY_DEFAULT, KEY_HOLD_DEFAULT, STORE_SECRET_KEY_DEFAULT, STORE_SIZE_DEFAULT};

/// The file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Configuration {
    /// The classes that endpoints may name.
    pub classes: Vec<Class>,
    /// The receivers' image, for classes that name none.
    pub image: String,
}

impl Configuration {
    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// The image that a class's receivers should run.
    pub fn image_of<'c>(&'c self, class: &'c Class) -> &'c str {
        class.image.as_deref().unwrap_or(&self.image)
    }
}

/// One class: what its receivers are like in each namespace that uses it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Class {
    /// What endpoints write as `receiverClassName`: an RFC 1123 label of at most 40 bytes.
    pub name: String,
    /// Where accepted events are kept. Default: a local store of 1Gi.
    #[serde(default)]
    pub store: Store,
    /// How providers reach the receivers. Default: only inside the cluster, through the Service.
    #[serde(default)]
    pub route: Route,
    /// Hosts that belong to one namespace each, which may use any path there.
    #[serde(default)]
    pub hosts: Vec<HostGrant>,
    /// Whether the route may do without TLS: signatures stay safe, but bodies and tokens can be read on the way.
    #[serde(default)]
    pub allow_insecure: bool,
    /// Networks of the proxies in front, whose word about the caller's address is believed.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long the last value of a deleted Secret goes on verifying. 0s to 1h; default 60s.
    #[serde(default = "key_hold")]
    pub key_hold: Duration,
    /// How long a receiver goes on accepting after SIGTERM, while load balancers learn that it leaves. 0s to 5m; default
    /// 15s.
    #[serde(default = "drain_delay")]
    pub drain_delay: Duration,
    /// How many receivers there are. 1 to 64, 1 over a local store; default 1.
    #[serde(default = "replicas")]
    pub replicas: u32,
    /// The container's resources. Default: none are asked for.
    #[serde(default)]
    pub resources: Option<Resources>,
    /// An image of its own.
    #[serde(default)]
    pub image: Option<String>,
}

/// Where accepted events are kept.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Store {
    /// What keeps them. Default: local.
    pub kind: StoreKind,
    /// The volume's size, as Kubernetes writes quantities, where the kind is local. Default 1Gi. It can grow where the storage
    /// class lets it, never shrink.
    pub size: Option<String>,
    /// The volume's storage class, where the kind is local. Default: the cluster's.
    pub storage_class_name: Option<String>,
    /// The Secret with the database's URL, where the kind is postgres. It must exist in each namespace that uses the class, each
    /// with a role and a schema of its own: nothing secret crosses a namespace.
    pub secret_name: Option<String>,
    /// Its key with the URL. Default: url.
    pub secret_key: Option<String>,
}

impl Store {
    /// The volume's size.
    pub fn size(&self) -> &str {
        self.size.as_deref().unwrap_or(STORE_SIZE_DEFAULT)
    }

    /// The Secret with the database's URL, and its key, where there is a database.
    pub fn database(&self) -> Option<(&str, &str)> {
        let key = self.secret_key.as_deref().unwrap_or(STORE_SECRET_KEY_DEFAULT);
        (self.kind == StoreKind::Postgres).then(|| (self.secret_name.as_deref().unwrap_or_default(), key))
    }
}

/// What keeps accepted events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoreKind {
    /// A folder on a volume of its own: one receiver for each namespace.
    #[default]
    Local,
    /// A PostgreSQL database for each namespace, which all its receivers share.
    Postgres,
    /// Nothing: events are in a receiver's memory until they are delivered, and only endpoints that acknowledge what is
    /// delivered are accepted.
    None,
}

impl StoreKind {
    /// As the file writes it, and the receiver's `--store`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Postgres => "postgres",
            Self::None => "none",
        }
    }
}

/// How providers reach the receivers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Route {
    /// What makes the way.
    pub kind: RouteKind,
    /// The host that all namespaces share, each below `/<namespace>/`.
    #[serde(default)]
    pub host: Option<String>,
    /// The Ingress class. Default: the cluster's.
    #[serde(default)]
    pub ingress_class_name: Option<String>,
    /// The Secret with certificate and key. It must exist in each namespace that uses the class: keys are never copied.
    #[serde(default)]
    pub tls_secret_name: Option<String>,
    /// Annotations of each Ingress, for its controller.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Whether an endpoint is programmed only once its Ingress has an address. Not every controller writes one. Default:
    /// false.
    #[serde(default)]
    pub require_address: bool,
}

/// What makes the way to the receivers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum RouteKind {
    /// One Ingress for each host.
    Ingress,
    /// Nothing: whoever configures the class leads requests to the Service.
    #[default]
    None,
}

/// A host that belongs to one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HostGrant {
    /// The host, in lower case.
    pub host: String,
    /// The namespace.
    pub namespace: String,
}

/// Resources of the receivers' container, as Kubernetes writes them (`cpu: 100m`, `memory: 64Mi`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Resources {
    /// What is set aside.
    pub requests: BTreeMap<String, String>,
    /// What is never exceeded.
    pub limits: BTreeMap<String, String>,
}

fn key_hold() -> Duration {
    KEY_HOLD_DEFAULT
}

fn replicas() -> u32 {
    1
}

fn drain_delay() -> Duration {
    DRAIN_DELAY_DEFAULT
}

/// Networks, or single addresses, as the receiver's own flag takes them.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
            let next = "write 192.0.2.0/24, 2001:db8::/32 or an address";
            de::Error::custom(format!("`{text}` is no network: {next}"))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(network).collect()
}
