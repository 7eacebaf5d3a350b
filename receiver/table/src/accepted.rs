//! What was accepted last: it goes on being served while what was written since is not acceptable.
use std::collections::BTreeMap;

use boathook_crds::{WebhookEndpointSpec, WebhookSinkSpec};
use boathook_event::ObjectName;
use serde::{Deserialize, Serialize};

/// The specs that are served, by object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Accepted {
    /// Endpoints.
    pub endpoints: BTreeMap<ObjectName, Written<WebhookEndpointSpec>>,
    /// Sinks.
    pub sinks: BTreeMap<ObjectName, Written<WebhookSinkSpec>>,
}

/// A spec as it was written at one generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written<S> {
    /// The object's generation; 0 where there is none (a folder).
    pub generation: i64,
    /// The spec.
    pub spec: S,
}

impl Accepted {
    /// This, and what is only in `other`.
    #[must_use]
    pub fn over(mut self, other: Self) -> Self {
        for (name, written) in other.endpoints {
            self.endpoints.entry(name).or_insert(written);
        }
        for (name, written) in other.sinks {
            self.sinks.entry(name).or_insert(written);
        }
        self
    }
}
