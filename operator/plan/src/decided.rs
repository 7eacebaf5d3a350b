//! One class in one namespace, decided: what is served, what receivers must know for it, and what the cluster needs.
use std::collections::{BTreeMap, BTreeSet};

use boathook_crds::WebhookEndpoint;
use boathook_event::ObjectName;
use boathook_table::{self as table, Accepted, Built, Document, Input, Keys, Objects, build};
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::{
    Class, Need, World,
    class::{RouteKind, StoreKind},
    names::{self, name_of},
    objects,
    room::LeftOut,
    world::{Gone, GoneKind, ObservedClass},
};

/// What was decided on one class.
pub(crate) struct Decided<'w> {
    pub(crate) class: &'w Class,
    pub(crate) observed: &'w ObservedClass,
    pub(crate) built: Built,
    /// What receivers read.
    document: Zeroizing<Vec<u8>>,
    pub(crate) held_until: Option<Timestamp>,
    /// The Secret of the database's URL, where it is not there.
    pub(crate) store_missing: Option<&'w str>,
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
        let keeps_nothing = settings.keeps_nothing;
        let none = Accepted::default();
        let accepted = world.accepted.get(&class.name).unwrap_or(&none);
        let (all, held_until) = with_held(world, class, endpoints);
        let mut left_out = LeftOut::default();
        let (mut built, document) = loop {
            let keys = all.without(world.namespace, &left_out.values(&objects, accepted));
            let built = build(&Input {
                objects: &objects,
                keys: &keys,
                class: Some(&settings),
                accepted,
                keeps_nothing,
            });
            let keys = keys.only(world.namespace, &left_out.names(&objects, &built.accepted));
            let held_back = held_back(world, &built.accepted);
            let seal_key = awaits_secret(&built).then(|| world.seal_key.clone());
            let document = Document { class: settings.clone(), keys: keys.clone(), held_back, seal_key };
            let document = document.to_json(world.namespace);
            if !left_out.more(document.len(), world.namespace, &objects, &keys, accepted) {
                break (built, document);
            }
        };
        if held_until.is_some() {
            // What is held goes on counting, and is told as missing all the same.
            let there = world.keys.without(world.namespace, &left_out.values(&objects, accepted));
            let strict =
                Input { objects: &objects, keys: &there, class: Some(&settings), accepted, keeps_nothing };
            built.problems = build(&strict).problems;
        }
        left_out.tell(&mut built.problems);
        let database = class.store.database().map(|(secret, _)| secret);
        let store_missing = database.filter(|secret| !world.keys.contains(world.namespace, secret));
        Self { class, observed, built, document, held_until, store_missing }
    }

    /// Everything that the class needs here.
    pub(crate) fn objects(&self, world: &World<'_>) -> Vec<serde_json::Value> {
        objects(&Need {
            namespace: world.namespace,
            class: self.class,
            image: world.configuration.image_of(self.class),
            owner_uid: self.observed.service_account.as_deref(),
            table_json: &self.document,
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

    /// When the time of the next capture ends.
    pub(crate) fn capture_ends(&self, now: Timestamp) -> Option<Timestamp> {
        let captures = self.built.table.endpoints().filter_map(|endpoint| endpoint.capture.as_ref());
        captures.filter(|capture| capture.is_armed(now)).map(|capture| capture.until).min()
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
        let stray = self.observed.ingresses.keys().filter(|name| !wanted.contains(*name));
        stray.map(|name| Gone { kind: GoneKind::Ingress, name: name.clone() }).collect()
    }
}

fn awaits_secret(built: &Built) -> bool {
    built.table.endpoints().any(|endpoint| endpoint.capture.as_ref().is_some_and(|capture| capture.awaited))
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
        tls: class.route.tls_secret_name.is_some(),
        proxies_known: !class.trusted_proxies.is_empty(),
        keeps_nothing: class.store.kind == StoreKind::None,
    }
}

/// The keys with those of deleted Secrets that still count in this class, and when the first of those ends.
fn with_held(world: &World<'_>, class: &Class, endpoints: &[&WebhookEndpoint]) -> (Keys, Option<Timestamp>) {
    // A key that is to be captured anew has gone for good.
    let captured = |name: &str, key: &str| {
        let captures = endpoints.iter().filter_map(|endpoint| endpoint.spec.secret_capture.as_ref());
        captures.into_iter().any(|capture| {
            capture.until > world.now && capture.secret_ref.name == name && capture.secret_ref.key == key
        })
    };
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
            held.values
                .iter()
                .filter(|(key, _)| !captured(&held.name, key))
                .map(|(key, value)| (key.clone(), value.to_vec())),
        );
        until = Some(until.map_or(end, |until: Timestamp| until.min(end)));
    }
    (keys, until)
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
