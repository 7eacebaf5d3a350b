//! The way from outside, as Ingresses.
//!
//! One for each host, with exactly the paths that are served: what nobody receives is answered by the controller. An
//! Ingress may have any number of paths: the API server takes 20,000 in one.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Need, draft::Draft};
use crate::{
    class::{Route, RouteKind},
    names::{self, PUBLIC_PORT_NAME},
};

/// The Ingresses, by host; none where the class has another way.
pub(super) fn render(need: &Need<'_>) -> impl Iterator<Item = Draft> {
    let route = &need.class.route;
    let hosts = need.routes.iter().filter(move |(_, paths)| match route.kind {
        RouteKind::Ingress => !paths.is_empty(),
        RouteKind::None => false,
    });
    hosts.map(move |(host, paths)| one(need, route, host, paths))
}

fn one(need: &Need<'_>, route: &Route, host: &str, paths: &BTreeSet<&str>) -> Draft {
    let service = names::object(&need.class.name);
    let path = |path: &&str| -> Value {
        json!({
            "path": path,
            "pathType": "Exact",
            "backend": { "service": { "name": service, "port": { "name": PUBLIC_PORT_NAME } } },
        })
    };
    let spec = json!({
        "ingressClassName": route.ingress_class_name,
        "tls": route.tls_secret_name.as_ref().map(|name| json!([{ "hosts": [host], "secretName": name }])),
        "rules": [{ "host": host, "http": { "paths": paths.iter().map(path).collect::<Vec<_>>() } }],
    });
    let draft = Draft::new("networking.k8s.io/v1", "Ingress", need, vec![("spec", spec)]);
    Draft { name: names::ingress(&need.class.name, host), annotations: route.annotations.clone(), ..draft }
}
