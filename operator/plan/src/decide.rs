//! From a namespace as it is to what is to be done in it.
use std::collections::{BTreeMap, BTreeSet};

use boathook_crds::{WebhookEndpoint, WebhookSink};
use boathook_table::Accepted;

use crate::{
    Class, Configuration, Plan, World,
    decided::Decided,
    names::{self, name_of},
    room, sink_status, status,
    world::{DeadEntry, Gone, GoneKind, ObservedClass},
};

/// Decides. The same world always gives the same plan.
pub fn plan(world: &World<'_>) -> Plan {
    let mut plan = Plan::default();
    let nothing = ObservedClass::default();
    for class in &world.configuration.classes {
        let observed = world.observed.classes.get(&class.name).unwrap_or(&nothing);
        let endpoints = of_class(world.endpoints, &class.name);
        if endpoints.is_empty() && observed.service_account.is_none() {
            continue;
        }
        let decided = Decided::of(world, class, observed, &endpoints);
        plan.gone.extend(decided.stray_routes());
        // Without endpoints it goes when nothing waits in its store any more; until then it delivers.
        if endpoints.is_empty() && observed.pending == Some(0) {
            let name = names::object(&class.name);
            plan.gone.push(Gone { kind: GoneKind::ServiceAccount, name });
            continue;
        }
        if endpoints.is_empty() {
            plan.draining.insert(class.name.clone());
        }
        plan.objects.extend(decided.objects(world));
        let ends = [plan.look_again, decided.held_until, decided.capture_ends(world.now)];
        plan.look_again = ends.into_iter().flatten().min();
        for endpoint in &endpoints {
            status::endpoint(world, &decided, endpoint, &mut plan);
        }
        plan.accepted.insert(class.name.clone(), decided.built.accepted);
    }
    let known: BTreeSet<&str> = world.configuration.classes.iter().map(|class| &*class.name).collect();
    for endpoint in
        world.endpoints.iter().filter(|endpoint| !known.contains(&*endpoint.spec.receiver_class_name))
    {
        status::without_class(world, endpoint, &mut plan);
    }
    plan.sinks = sink_status::all(world);
    plan.dead = dead(world);
    plan
}

/// The Secrets that the objects and their classes name, as they are written and as they were accepted.
pub fn references(
    configuration: &Configuration,
    endpoints: &[WebhookEndpoint],
    sinks: &[WebhookSink],
    accepted: &BTreeMap<String, Accepted>,
) -> BTreeSet<String> {
    let written = endpoints.iter().map(|endpoint| &endpoint.spec);
    let before =
        accepted.values().flat_map(|accepted| accepted.endpoints.values().map(|written| &written.spec));
    let of_endpoints = written.chain(before).flat_map(room::of_endpoint);
    let written = sinks.iter().map(|sink| &sink.spec);
    let before = accepted.values().flat_map(|accepted| accepted.sinks.values().map(|written| &written.spec));
    let of_sinks = written.chain(before).flat_map(room::of_sink);
    let in_use = |class: &&Class| !of_class(endpoints, &class.name).is_empty();
    let of_classes = configuration.classes.iter().filter(in_use).filter_map(|class| class.store.database());
    of_endpoints.chain(of_sinks).chain(of_classes).map(|(secret, _)| secret.to_owned()).collect()
}

fn of_class<'e>(endpoints: &'e [WebhookEndpoint], class: &str) -> Vec<&'e WebhookEndpoint> {
    endpoints.iter().filter(|endpoint| endpoint.spec.receiver_class_name == class).collect()
}

/// Entries of pods that are not there any more, the last in each list first: so that places stay what they are.
fn dead(world: &World<'_>) -> Vec<DeadEntry> {
    let pods: BTreeSet<&str> =
        world.observed.classes.values().flat_map(|class| &class.pods).map(|pod| &*pod.name).collect();
    let mut dead = Vec::new();
    let mut add = |of_sink, metadata, entries: Vec<&str>| {
        for (index, pod) in entries.into_iter().enumerate().rev().filter(|(_, pod)| !pods.contains(pod)) {
            dead.push(DeadEntry { of_sink, object: name_of(metadata), index, pod: pod.to_owned() });
        }
    };
    for endpoint in world.endpoints {
        let entries = endpoint.status.iter().flat_map(|status| &status.receivers);
        add(false, &endpoint.metadata, entries.map(|entry| &*entry.pod).collect());
    }
    for sink in world.sinks {
        let entries = sink.status.iter().flat_map(|status| &status.receivers);
        add(true, &sink.metadata, entries.map(|entry| &*entry.pod).collect());
    }
    dead
}
