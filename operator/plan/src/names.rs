//! What our objects are called, and how they are found again.
use boathook_event::ObjectName;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The label with the class's name, on all objects and pods.
pub const CLASS_LABEL: &str = "boathook.dev/class";
/// The label that says whose the objects are, with [`MANAGED_BY`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Us.
pub const MANAGED_BY: &str = "boathook";
/// The label that says what the objects are for, with [`APPLICATION`].
pub const APPLICATION_LABEL: &str = "app.kubernetes.io/name";
/// Receivers.
pub const APPLICATION: &str = "boathook-receiver";
/// The annotation that changes whenever what we render changes, also where something is left out: what the cluster has
/// beyond it may be a default, or may have been ours once, and nothing but this tells which.
pub const RENDERED_ANNOTATION: &str = "boathook.dev/rendered";
/// What our own annotations begin with; a class may not set them.
pub const OUR_PREFIX: &str = "boathook.dev/";
/// The key of the Secret's one document.
pub const TABLE_KEY: &str = "table.json";
/// The name of the port that providers reach: the container's and the Service's.
pub const PUBLIC_PORT_NAME: &str = "http";
/// Its number in the container.
pub const PUBLIC_PORT: u16 = 8080;
/// The name of the private port: probes, metrics, the report.
pub const ADMIN_PORT_NAME: &str = "admin";
/// Its number.
pub const ADMIN_PORT: u16 = 9090;

/// The number of the data API's port, on loopback.
pub const API_PORT: u16 = 9091;
/// The key of a token of the data API in its Secret.
pub const TOKEN_KEY: &str = "token";

/// Whose token of the data API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who may read.
    View,
    /// Who may act, too.
    Operate,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::View, Self::Operate];

    /// The name of the token's file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
        }
    }
}

/// The Secret with a token of a class's data API. Nobody makes it but people.
pub fn api_token(class: &str, role: Role) -> String {
    format!("{}-api-{}", object(class), role.as_str())
}

/// The name of a class's objects in each namespace.
pub fn object(class: &str) -> String {
    format!("boathook-{class}")
}

/// The chart's ClusterRole for a class: what its receivers may do in their namespace.
pub fn cluster_role(class: &str) -> String {
    format!("boathook-receiver-{class}")
}

/// A class's Ingress for one host: the first 8 hexadecimal digits of the host's SHA-256 keep it short.
pub fn ingress(class: &str, host: &str) -> String {
    let digest = faster_hex::hex_string(&Sha256::digest(host));
    format!("{}-{}", object(class), digest.get(..8).unwrap_or_default())
}

/// The labels of a class's objects and pods.
pub fn labels(class: &str) -> Value {
    json!({ APPLICATION_LABEL: APPLICATION, MANAGED_BY_LABEL: MANAGED_BY, CLASS_LABEL: class })
}

/// Those of them by which its pods are selected: a Deployment's selector can never change, so only what a pod is.
pub fn selector(class: &str) -> Value {
    json!({ APPLICATION_LABEL: APPLICATION, CLASS_LABEL: class })
}

/// An object's own name.
pub(crate) fn name_of(metadata: &boathook_crds::ObjectMeta) -> ObjectName {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    ObjectName::new(namespace, metadata.name.as_deref().unwrap_or_default())
}
