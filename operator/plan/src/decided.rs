//! One class in one namespace, decided: what is served, what receivers must know for it, and what the cluster needs.
use std::collections::{BTreeMap, BTreeSet};

use boathook_crds::WebhookEndpoint;
use boathook_event::ObjectName;
use boathook_table::{self as table, Accepted, Built, Document, Input, Keys, Objects, build};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Class, Need, World,
    class::RouteKind,
    names, objects,
    world::{Gone, GoneKind, ObservedClass},
};

/// What was decided on one class.
pub(crate) struct Decided<'w> {
    pub(crate) class: &'w Class,
    pub(crate) observed: &'w ObservedClass,
    pub(crate) settings: table::Class,
    pub(crate) built: Built,
    keys: Keys,
    pub(crate) held_until: Option<Timestamp>,
}

impl<'w> Decided<'w> {
    pub(crate) fn of(
        world: &World<'w>,
        class: &'w Class,
        observed: &'w ObservedClass,
        endpoints: &[&WebhookEndpoint],
    ) -> Self {
        let objects = Objects {
            endpoints: endpoints.iter().map(|endpoint| (*endpoint).clone()).collect(),
            sinks: world.sinks.to_vec(),
        };
        let settings = settings(class);
        let none = Accepted::default();
        let accepted = world.accepted.get(&class.name).unwrap_or(&none);
        let (all, held_until) = with_held(world, class);
        let mut built = build(&Input { objects: &objects, keys: &all, class: Some(&settings), accepted });
        if held_until.is_some() {
            // What is held goes on counting, and is told as missing all the same.
            let strict = Input { objects: &objects, keys: world.keys, class: Some(&settings), accepted };
            built.problems = build(&strict).problems;
        }
        let keys = named(world, &all, &objects, &built.accepted);
        Self { class, observed, settings, built, keys, held_until }
    }

    /// Everything that the class needs here.
    pub(crate) fn objects(&self, world: &World<'_>) -> Vec<serde_json::Value> {
        let held_back = held_back(world, &self.built.accepted);
        let document = Document { class: self.settings.clone(), keys: self.keys.clone(), held_back };
        let table_json = document.to_json(world.namespace);
        objects(&Need {
            namespace: world.namespace,
            class: self.class,
            image: world.configuration.image_of(self.class),
            owner_uid: self.observed.service_account.as_deref(),
            table_json: &table_json,
            routes: self.routes(),
        })
    }

    fn routes(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut routes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        if self.class.route.kind == RouteKind::Ingress {
            for endpoint in self.built.table.endpoints() {
                if let Some(host) = endpoint.host.as_deref() {
                    routes.entry(host).or_default().insert(&endpoint.path);
                }
            }
        }
        routes
    }

    /// The name of the route that leads to a host, where the class has routes.
    pub(crate) fn route_to(&self, host: Option<&str>) -> Option<String> {
        (self.class.route.kind == RouteKind::Ingress)
            .then(|| names::ingress(&self.class.name, host.unwrap_or_default()))
    }

    /// Routes that are there and lead nowhere.
    pub(crate) fn stray_routes(&self) -> Vec<Gone> {
        let wanted: BTreeSet<String> =
            self.routes().keys().map(|host| names::ingress(&self.class.name, host)).collect();
        let stray = self.observed.ingresses.iter().filter(|name| !wanted.contains(*name));
        stray.map(|name| Gone { kind: GoneKind::Ingress, name: name.clone() }).collect()
    }
}

/// What receivers must know of a class to decide as we do.
fn settings(class: &Class) -> table::Class {
    let grant = |grant: &crate::class::HostGrant| table::HostGrant {
        host: grant.host.clone(),
        namespace: grant.namespace.clone(),
    };
    let routed = class.route.kind == RouteKind::Ingress;
    table::Class {
        name: class.name.clone(),
        host: class.route.host.clone(),
        hosts: class.hosts.iter().map(grant).collect(),
        routed,
        secure: class.route.tls_secret_name.is_some() || class.allow_insecure,
        proxies_known: !class.trusted_proxies.is_empty(),
    }
}

/// The keys with those of deleted Secrets that still count in this class, and when the first of those ends.
fn with_held(world: &World<'_>, class: &Class) -> (Keys, Option<Timestamp>) {
    let mut keys = world.keys.clone();
    let mut until = None;
    for held in world.held {
        let hold = SignedDuration::try_from(class.key_hold.std()).unwrap_or(SignedDuration::ZERO);
        let end = held.since.checked_add(hold).unwrap_or(held.since);
        if end <= world.now || keys.contains(world.namespace, &held.name) {
            continue;
        }
        keys.insert(
            world.namespace,
            &held.name,
            held.values.iter().map(|(key, value)| (key.clone(), value.to_vec())),
        );
        until = Some(until.map_or(end, |until: Timestamp| until.min(end)));
    }
    (keys, until)
}

/// The values that the objects name, as they are written and as they were accepted; nothing else leaves a Secret.
fn named(world: &World<'_>, keys: &Keys, objects: &Objects, accepted: &Accepted) -> Keys {
    let endpoints = objects.endpoints.iter().map(|endpoint| &endpoint.spec);
    let endpoints = endpoints.chain(accepted.endpoints.values().map(|written| &written.spec));
    let sinks = objects.sinks.iter().map(|sink| &sink.spec);
    let sinks = sinks.chain(accepted.sinks.values().map(|written| &written.spec));
    let headers = sinks.filter_map(|spec| spec.http.as_ref()).flat_map(|http| &http.headers);
    let of_sinks =
        headers.filter_map(|header| header.secret_ref.as_ref()).map(|secret| (&*secret.name, &*secret.key));
    let of_endpoints = endpoints.flat_map(|spec| &spec.secrets).map(|secret| (&*secret.name, &*secret.key));
    keys.only(world.namespace, &of_endpoints.chain(of_sinks).collect())
}

/// What is served although something else is written: a receiver that starts anew must know it.
fn held_back(world: &World<'_>, accepted: &Accepted) -> Accepted {
    let endpoint =
        |name: &ObjectName| world.endpoints.iter().find(|object| name_of(&object.metadata) == *name);
    let sink = |name: &ObjectName| world.sinks.iter().find(|object| name_of(&object.metadata) == *name);
    let generation =
        |metadata: Option<&boathook_crds::ObjectMeta>| metadata.and_then(|metadata| metadata.generation);
    let mut held_back = accepted.clone();
    held_back.endpoints.retain(|name, written| {
        generation(endpoint(name).map(|object| &object.metadata)) != Some(written.generation)
    });
    held_back.sinks.retain(|name, written| {
        generation(sink(name).map(|object| &object.metadata)) != Some(written.generation)
    });
    held_back
}

pub(crate) fn name_of(metadata: &boathook_crds::ObjectMeta) -> ObjectName {
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    ObjectName::new(namespace, metadata.name.as_deref().unwrap_or_default())
}
