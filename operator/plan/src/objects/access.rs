//! Who the receivers are, and what they may do: watch the two kinds, report into their status, read their one Secret.
use serde_json::json;

use super::{Need, draft::Draft};
use crate::names;

/// The root of the class's objects in the namespace. The token is wanted: receivers watch.
pub(super) fn service_account(need: &Need<'_>) -> Draft {
    Draft::new("v1", "ServiceAccount", need, vec![("automountServiceAccountToken", true.into())])
}

/// Binds the chart's ClusterRole here: the operator makes no roles, so it can give nothing that it does not have.
pub(super) fn role_binding(need: &Need<'_>) -> Draft {
    let class = &need.class.name;
    let role = json!({
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": names::cluster_role(class),
    });
    let subjects = json!([{
        "kind": "ServiceAccount",
        "name": names::object(class),
        "namespace": need.namespace,
    }]);
    let body = vec![("roleRef", role), ("subjects", subjects)];
    Draft::new("rbac.authorization.k8s.io/v1", "RoleBinding", need, body)
}
