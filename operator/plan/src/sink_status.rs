//! What a sink's status says.
use std::collections::BTreeMap;

use boathook_crds::{
    Breaker, ConditionType, DeliverySpec, SinkReport, SinkSelector, WebhookSink, WebhookSinkStatus,
};
use boathook_event::ObjectName;
use boathook_table::{Accepted, Input, Objects, Problem, build};

use crate::{
    World,
    conditions::{Conditions, State},
    folded,
    limits::{FAILURES_ARE_FAILED, PROBLEMS_TOLD_MAX},
    names::name_of,
    status::sentence,
};

/// The statuses of a namespace's sinks. They belong to no class, and every class compiles them alike.
pub(crate) fn all(world: &World<'_>) -> Vec<(ObjectName, WebhookSinkStatus)> {
    let objects = Objects { endpoints: Vec::new(), sinks: world.sinks.to_vec() };
    let accepted = Accepted::default();
    let input =
        Input { objects: &objects, keys: world.keys, class: None, accepted: &accepted, keeps_nothing: false };
    let mut problems: BTreeMap<ObjectName, Vec<Problem>> = BTreeMap::new();
    for problem in build(&input).problems {
        problems.entry(problem.object.clone()).or_default().push(problem);
    }
    let of = |name: &ObjectName| problems.get(name).map_or(&[][..], |problems| problems);
    world
        .sinks
        .iter()
        .map(|object| {
            let name = name_of(&object.metadata);
            (name.clone(), status(world, object, &name, of(&name)))
        })
        .collect()
}

fn status(
    world: &World<'_>,
    object: &WebhookSink,
    name: &ObjectName,
    problems: &[Problem],
) -> WebhookSinkStatus {
    let before = object.status.clone().unwrap_or_default();
    let report = folded::sink(&before.receivers, |pod| world.counts_alone(pod));
    let report = report.as_ref();
    let failures = report.map_or(0, |report| report.consecutive_failures);
    let delivered = report.and_then(|report| report.last_delivered_time).or(before.last_delivered_time);
    let mut conditions = Conditions::new(&before.conditions, object.metadata.generation, world.now);
    conditions.add(ConditionType::Ready, ready(problems));
    conditions.add(ConditionType::Delivering, delivering(failures, delivered.is_some(), report));
    conditions.add(ConditionType::Stalled, stalled(problems));
    let goes_there = |delivery: &DeliverySpec| {
        let selects = |selector: &SinkSelector| selector.selects(object.metadata.labels.as_ref());
        delivery.sinks.iter().any(|choice| choice.name == name.name())
            || delivery.sink_selector.as_ref().is_some_and(selects)
    };
    let endpoints = world.endpoints.iter().filter(|endpoint| goes_there(&endpoint.spec.delivery)).count();
    WebhookSinkStatus {
        observed_generation: object.metadata.generation,
        conditions: conditions.finish(),
        deliveries: report.and_then(|report| report.deliveries).or(before.deliveries),
        last_delivered_time: delivered,
        last_error_time: report.and_then(|report| report.last_error_time).or(before.last_error_time),
        last_error: report.and_then(|report| report.last_error.clone()).or(before.last_error.clone()),
        breaker: report.and_then(|report| report.breaker).or(before.breaker),
        endpoints: Some(i64::try_from(endpoints).unwrap_or(i64::MAX)),
        receivers: Vec::new(),
    }
}

fn ready(problems: &[Problem]) -> State {
    match problems.first() {
        None => State::yes("Ready", "the spec is sound, and all it names is there"),
        Some(first) => {
            let told = problems.iter().take(PROBLEMS_TOLD_MAX);
            let told: Vec<String> =
                told.map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
            State::no(first.reason.as_str(), sentence(told.join("; ")))
        }
    }
}

fn delivering(failures: i64, delivered: bool, report: Option<&SinkReport>) -> State {
    let error = report.and_then(|report| report.last_error.as_deref()).unwrap_or("see the receivers' logs");
    let is_shut = report.and_then(|report| report.breaker).is_some_and(|breaker| breaker != Breaker::Closed);
    match (failures, delivered) {
        (FAILURES_ARE_FAILED.., _) => {
            let shut =
                if is_shut { "; it is tried once a minute or so, and what waits for it is kept" } else { "" };
            State::no("SinkFails", format!("{failures} attempts in a row have failed: {error}{shut}"))
        }
        _ if is_shut => State::no(
            "SinkPaused",
            format!("it is left alone for a while: {error}; what waits for it is kept"),
        ),
        (_, true) => State::yes("SinkTakes", "it takes events"),
        (_, false) => State::unknown("NothingDelivered", "nothing was to be delivered yet"),
    }
}

fn stalled(problems: &[Problem]) -> State {
    match problems.iter().find(|problem| problem.reason.needs_another_spec()) {
        Some(problem) => State::yes(problem.reason.as_str(), "the spec must be changed: see Ready"),
        None => State::no("NotStalled", "nothing in the spec is in the way"),
    }
}
