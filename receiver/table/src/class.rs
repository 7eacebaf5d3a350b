//! What a receiver class lets the endpoints of a namespace have.
use boathook_crds::{Reason, WebhookEndpointSpec};
use serde::{Deserialize, Serialize};

use crate::problem::Problems;

/// The part of a class that decides on endpoints. The operator writes it beside the keys, so that receivers decide alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    /// Its name.
    pub name: String,
    /// The host of endpoints that name none; shared by all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Hosts that belong to one namespace alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostGrant>,
    /// Whether it has a public route.
    #[serde(default)]
    pub routed: bool,
    /// Whether the route has TLS, or may do without.
    #[serde(default)]
    pub secure: bool,
    /// Whether the route has TLS itself.
    #[serde(default)]
    pub tls: bool,
    /// Whether the receivers know the proxies in front of them.
    #[serde(default)]
    pub proxies_known: bool,
    /// Whether its receivers' store keeps nothing.
    #[serde(default)]
    pub keeps_nothing: bool,
}

/// A host that belongs to one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostGrant {
    /// The host.
    pub host: String,
    /// The namespace, whose paths on it are free.
    pub namespace: String,
}

impl Class {
    /// The host by which the endpoint is called.
    pub(crate) fn host_of<'s>(&'s self, spec: &'s WebhookEndpointSpec) -> Option<&'s str> {
        spec.host.as_deref().or(self.host.as_deref())
    }

    /// The URL under which its route leads to the endpoint.
    pub fn url_of(&self, spec: &WebhookEndpointSpec, path: &str) -> Option<String> {
        let host = self.host_of(spec).filter(|_| self.routed)?;
        let scheme = if self.tls { "https" } else { "http" };
        Some(format!("{scheme}://{}{path}", host.to_ascii_lowercase()))
    }

    /// Tells what the class does not let the endpoint have.
    pub(crate) fn check(&self, spec: &WebhookEndpointSpec, path: &str, problems: &mut Problems<'_>) {
        let namespace = problems.object.namespace().to_owned();
        if self.routed && !self.secure {
            let message = format!(
                "the class {} has a route without TLS: whoever runs the operator gives it a certificate, or sets allowInsecure",
                self.name
            );
            problems.add("spec.receiverClassName", Reason::InsecureRoute, message);
        }
        let same = |host: &str, other: &str| host.eq_ignore_ascii_case(other);
        let host = self.host_of(spec);
        let shared = |host: &str| self.host.as_deref().is_some_and(|shared| same(host, shared));
        let granted = |grant: &HostGrant| host.is_some_and(|host| same(host, &grant.host));
        let grant = self.hosts.iter().find(|grant| granted(grant));
        match (host, grant) {
            (_, Some(grant)) if grant.namespace == namespace => {}
            (Some(host), None) if shared(host) && path.starts_with(&format!("/{namespace}/")) => {}
            (Some(host), None) if shared(host) => {
                let message = format!("on the shared host {host} the path starts with /{namespace}/");
                problems.add("spec.path", Reason::PathNotAllowed, message);
            }
            (Some(host), _) if self.routed => {
                let message = format!(
                    "the class {} does not give the host {host} to this namespace: leave the host out, or ask whoever runs the \
                     operator for it",
                    self.name
                );
                problems.add("spec.host", Reason::HostNotAllowed, message);
            }
            _ => {}
        }
        self.check_sources(spec, problems);
    }

    fn check_sources(&self, spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) {
        if !self.routed || self.proxies_known {
            return;
        }
        let sources =
            spec.verification.as_ref().is_some_and(|verification| !verification.allowed_sources.is_empty());
        let rate = spec.limits.as_ref().is_some_and(|limits| limits.per_source_per_minute.is_some());
        for (field, used) in
            [("spec.verification.allowedSources", sources), ("spec.limits.perSourcePerMinute", rate)]
        {
            if used {
                let message = format!(
                    "behind the route every caller has the proxy's address: whoever runs the operator names its networks in \
                     trustedProxies of the class {}",
                    self.name
                );
                problems.add(field, Reason::ProxiesUnknown, message);
            }
        }
    }
}
