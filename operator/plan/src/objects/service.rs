//! The address of the receivers inside the cluster.
use serde_json::json;

use super::{Need, draft::Draft};
use crate::names::{self, PUBLIC_PORT_NAME};

/// Port 80 to the public port, by name. The private port is no part of it: probes and the operator ask each pod.
pub(super) fn render(need: &Need<'_>) -> Draft {
    let spec = json!({
        "type": "ClusterIP",
        "selector": names::selector(&need.class.name),
        "ports": [{
            "name": PUBLIC_PORT_NAME,
            "port": 80,
            "protocol": "TCP",
            "targetPort": PUBLIC_PORT_NAME,
        }],
    });
    Draft::new("v1", "Service", need, vec![("spec", spec)])
}
