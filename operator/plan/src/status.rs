//! What a status says: conditions, health and totals, from what was decided and what receivers report.
use boathook_crds::{
    ConditionType, EndpointReport, Health, Reason, SecretRef, WebhookEndpoint, WebhookEndpointStatus,
};
use boathook_event::{Checkup, Finding, ObjectName, check_up};
use boathook_table::{Capture, Problem};
use jiff::Timestamp;

use crate::{
    Plan, World,
    class::StoreKind,
    conditions::{Conditions, State},
    decided::Decided,
    folded,
    limits::{FAILURES_ARE_FAILED, PROBLEMS_TOLD_MAX},
    names::name_of,
    vitals,
    world::{Captured, Notice},
};

/// Decides on one endpoint's status.
pub(crate) fn endpoint(world: &World<'_>, decided: &Decided<'_>, object: &WebhookEndpoint, plan: &mut Plan) {
    let name = name_of(&object.metadata);
    let facts = Facts::of(world, decided, object, &name);
    let before = object.status.clone().unwrap_or_default();
    let checkup = facts.check_up(world);
    plan.look_again = plan.look_again.into_iter().chain(checkup.look_again).min();
    let mut conditions = Conditions::new(&before.conditions, object.metadata.generation, world.now);
    conditions.add(ConditionType::Accepted, facts.accepted());
    conditions.add(ConditionType::Programmed, facts.programmed());
    conditions.add(ConditionType::Receiving, facts.receiving(world, &checkup));
    conditions.add(ConditionType::Delivering, facts.delivering());
    conditions.add(ConditionType::Ready, facts.ready());
    conditions.add(ConditionType::Stalled, facts.stalled());
    plan.captured.extend(facts.captured());
    let report = facts.latest.as_ref();
    let status = WebhookEndpointStatus {
        observed_generation: object.metadata.generation,
        url: facts.url(),
        health: Some(facts.health(&checkup)),
        recommendations: checkup.recommendations(),
        oldest_pending_seconds: report.map(vitals::waited_seconds).or(before.oldest_pending_seconds),
        usual_gap_seconds: vitals::usual_gap(report, &before),
        secrets: vitals::secrets(object, report),
        last_event_time: report.and_then(|report| report.last_event_time).or(before.last_event_time),
        last_rejected_time: report.and_then(|report| report.last_rejected_time).or(before.last_rejected_time),
        last_delivered_time: report
            .and_then(|report| report.last_delivered_time)
            .or(before.last_delivered_time),
        events: report.and_then(|report| report.events).or(before.events),
        consecutive_failures: report
            .map(|report| report.consecutive_failures)
            .or(before.consecutive_failures),
        conditions: conditions.finish(),
        receivers: Vec::new(),
    };
    plan.notices.extend(notices(&name, &before, &status));
    plan.endpoints.push((name, status));
}

/// The status of an endpoint whose class nobody has configured: nothing that runs is touched.
pub(crate) fn without_class(world: &World<'_>, object: &WebhookEndpoint, plan: &mut Plan) {
    let name = name_of(&object.metadata);
    let before = object.status.clone().unwrap_or_default();
    let classes: Vec<&str> = world.configuration.classes.iter().map(|class| &*class.name).collect();
    let message = format!(
        "the class {} is not configured (there are: {}): whoever runs the operator adds it, or make the endpoint anew with \
         another receiverClassName",
        object.spec.receiver_class_name,
        classes.join(", ")
    );
    let mut conditions = Conditions::new(&before.conditions, object.metadata.generation, world.now);
    let refused = State::no("ClassNotFound", message);
    conditions.add(ConditionType::Accepted, refused.clone());
    for unknown in [ConditionType::Programmed, ConditionType::Receiving, ConditionType::Delivering] {
        conditions.add(unknown, State::unknown("Pending", "not looked at: the class is not configured"));
    }
    conditions.add(ConditionType::Ready, refused.clone());
    conditions.add(ConditionType::Stalled, State::yes("ClassNotFound", refused.message));
    let status = WebhookEndpointStatus {
        observed_generation: object.metadata.generation,
        health: Some(Health::Failed),
        conditions: conditions.finish(),
        receivers: Vec::new(),
        ..before.clone()
    };
    plan.notices.extend(notices(&name, &before, &status));
    plan.endpoints.push((name, status));
}

/// Reasons that every start goes through.
const STARTING: [&str; 3] = ["ReceiversPending", "Loading", "RoutePending"];

/// The provider's secret is there, and a person has to do something with it.
const SECRET_CAPTURED: &str = "SecretCaptured";
/// It is there, and cannot be put where it belongs.
const SECRET_NOT_WRITTEN: &str = "SecretNotWritten";
/// It has not come in time.
const SECRET_NOT_SENT: &str = "SecretNotSent";

/// What is known of an endpoint.
struct Facts<'f> {
    decided: &'f Decided<'f>,
    object: &'f WebhookEndpoint,
    name: &'f ObjectName,
    problems: Vec<&'f Problem>,
    /// The endpoint as it is served, whatever is written.
    served: Option<&'f boathook_table::Endpoint>,
    now: Timestamp,
    /// What its receivers report, as one.
    latest: Option<EndpointReport>,
}

impl<'f> Facts<'f> {
    fn of(
        world: &World<'_>,
        decided: &'f Decided<'f>,
        object: &'f WebhookEndpoint,
        name: &'f ObjectName,
    ) -> Self {
        let of_it =
            |problem: &&Problem| problem.kind == boathook_table::Kind::Endpoint && problem.object == *name;
        let reports = object.status.as_ref().map_or(&[][..], |status| &status.receivers);
        Self {
            problems: decided.built.problems.iter().filter(of_it).collect(),
            served: decided
                .built
                .table
                .endpoints()
                .find(|endpoint| endpoint.name == *name)
                .map(|endpoint| &**endpoint),
            latest: folded::endpoint(reports, decided.class.store.kind == StoreKind::None),
            now: world.now,
            decided,
            object,
            name,
        }
    }

    fn accepted(&self) -> State {
        if let Some(first) = self.problems.first() {
            let told: Vec<String> = self
                .problems
                .iter()
                .take(PROBLEMS_TOLD_MAX)
                .map(|problem| format!("{}: {}", problem.field, problem.message))
                .collect();
            let mut message = sentence(told.join("; "));
            if let Some(served) = self.served {
                message.push_str(&format!(" Generation {} goes on being served.", served.generation));
            }
            return State::no(first.reason.as_str(), message);
        }
        let rivals = self.decided.built.conflicts.iter().filter(|conflict| conflict.older == *self.name);
        let rivals: Vec<&str> = rivals.map(|conflict| conflict.younger.name()).collect();
        let awaited = self.awaited();
        if let Some(capture) = awaited.filter(|capture| !capture.is_armed(self.now)) {
            let Capture { secret_ref: SecretRef { name, key }, until, .. } = capture;
            let next = "set secretCapture.until anew and have the provider send it, or create it";
            let message = format!(
                "there is no Secret {name} with the key {key}, and none was sent until {until}: {next}"
            );
            return State::no(Reason::SecretMissing.as_str(), message);
        }
        let mut message = match rivals.is_empty() {
            true if awaited.is_some() => "the spec is sound.".to_owned(),
            true => "the spec is sound, and all it names is there.".to_owned(),
            false => format!("served; {} wants the same URL and is not, being younger.", rivals.join(", ")),
        };
        for notice in self.served.iter().flat_map(|served| &served.notices) {
            message.push_str(&format!(" Mind: {}.", notice.message()));
        }
        State::yes("Accepted", message)
    }

    /// Every ready pod, and there is one, has loaded this generation, and the route is there.
    fn programmed(&self) -> State {
        let generation = self.object.metadata.generation.unwrap_or(0);
        if !self.problems.is_empty() {
            return State::no("HeldBack", format!("generation {generation} is not accepted"));
        }
        if let Some(secret) = self.decided.store_missing {
            let next = "create it with the URL of this namespace's database";
            return State::no("StoreSecretMissing", format!("there is no Secret {secret} here: {next}"));
        }
        if let Some(failure) = &self.decided.observed.failure {
            return State::no("ReceiversFail", failure.clone());
        }
        let ready: Vec<&str> =
            self.decided.observed.pods.iter().filter(|pod| pod.ready).map(|pod| &*pod.name).collect();
        if ready.is_empty() {
            let what = format!("deployment/boathook-{}", self.decided.class.name);
            return State::no("ReceiversPending", format!("no receiver is ready yet: see {what}"));
        }
        let reports = || self.object.status.iter().flat_map(|status| &status.receivers);
        let loaded =
            |pod: &str| reports().any(|report| report.pod == pod && report.serving == Some(generation));
        if let Some(pod) = ready.into_iter().find(|pod| !loaded(pod)) {
            return State::no(
                "Loading",
                format!("the receiver {pod} has not loaded generation {generation} yet"),
            );
        }
        let host = self.served.and_then(|served| served.host.as_deref());
        let route = self.decided.route_to(host);
        let observed = route.as_ref().map(|route| self.decided.observed.ingresses.get(route));
        match (route, observed.flatten()) {
            (Some(route), None) => State::no("RoutePending", format!("the Ingress {route} is not there yet")),
            (Some(route), Some(false)) if self.decided.class.route.require_address => {
                let next = "see whether an Ingress controller serves its class";
                State::no("RoutePending", format!("the Ingress {route} has no address yet: {next}"))
            }
            _ => State::yes("Programmed", format!("generation {generation} is served")),
        }
    }

    /// The capture of a secret that is not there yet.
    fn awaited(&self) -> Option<&'f Capture> {
        self.served?.capture.as_ref().filter(|capture| capture.awaited)
    }

    /// The secret that a receiver has captured, while its place is empty.
    fn captured(&self) -> Option<Captured> {
        let capture = self.awaited()?;
        let sealed = self.latest.as_ref()?.captured_secret.clone()?;
        Some(Captured { endpoint: self.name.clone(), secret_ref: capture.secret_ref.clone(), sealed })
    }

    fn check_up(&self, world: &World<'_>) -> Checkup {
        check_up(
            &vitals::of(world, self.object, self.latest.as_ref(), self.last_event(), self.served),
            self.now,
        )
    }

    fn receiving(&self, world: &World<'_>, checkup: &Checkup) -> State {
        let captures = self.served.is_some_and(|served| served.capture.is_some());
        let finding = |wanted: fn(&Finding) -> bool| {
            checkup.findings.iter().find(|finding| wanted(finding)).map(Finding::to_string)
        };
        if let Some(refused) = finding(|finding| matches!(finding, Finding::SignedRefused)) {
            return State::no("SignedRefused", refused);
        }
        if let Some(silent) = finding(|finding| matches!(finding, Finding::Silent { .. })) {
            return State::no("Silent", silent);
        }
        match self.last_event() {
            _ if self.awaited().is_some() => self.capturing(world),
            None if captures => self.capturing(world),
            Some(_) => State::yes("EventsArrive", "genuine events have come"),
            None => State::unknown(
                "NoEventYet",
                "no genuine event has come yet: send one from the provider's console",
            ),
        }
    }

    /// What a person does, while the provider's secret is on its way.
    fn capturing(&self, world: &World<'_>) -> State {
        let Some(capture) = self.served.and_then(|served| served.capture.as_ref()) else {
            return State::unknown("NoEventYet", "no genuine event has come yet");
        };
        let Capture { secret_ref, until, awaited, next } = capture;
        let place = format!("the Secret {}, key {}", secret_ref.name, secret_ref.key);
        if !awaited {
            let next = next.as_deref().unwrap_or("Nothing is left to do with it.");
            let message =
                format!("the provider's secret is in {place}. {next} Then leave secretCapture out.");
            return State::unknown(SECRET_CAPTURED, message);
        }
        if let (Some(_), Some(why)) = (self.captured(), world.captures_failed.get(self.name)) {
            let message = format!("the provider's secret has come and cannot be put into {place}: {why}");
            return State::no(SECRET_NOT_WRITTEN, message);
        }
        if self.captured().is_some() {
            return State::unknown(
                "SecretArrived",
                format!("the provider's secret has come and is put into {place}"),
            );
        }
        if capture.is_armed(self.now) {
            let message =
                format!("waits until {until} for the provider's secret: have the provider send it now");
            return State::unknown("SecretAwaited", message);
        }
        let next = "set secretCapture.until anew and have the provider send it, or put it into";
        State::no(SECRET_NOT_SENT, format!("no secret has come until {until}: {next} {place}"))
    }

    fn delivering(&self) -> State {
        let failures = self.latest.as_ref().map_or(0, |report| report.consecutive_failures);
        let delivered = self.latest.as_ref().and_then(|report| report.last_delivered_time);
        if failures >= FAILURES_ARE_FAILED {
            let message = format!("{failures} attempts in a row have failed: see the statuses of its sinks");
            return State::no("SinksFail", message);
        }
        match delivered {
            Some(_) => State::yes("SinksTake", "its sinks take events"),
            None => State::unknown("NothingDelivered", "nothing was to be delivered yet"),
        }
    }

    fn ready(&self) -> State {
        let (accepted, programmed) = (self.accepted(), self.programmed());
        match (accepted.holds(), programmed.holds()) {
            (true, true) => State::yes("Ready", "accepted and served"),
            (false, _) => accepted,
            (true, false) => programmed,
        }
    }

    fn stalled(&self) -> State {
        match self.problems.iter().find(|problem| problem.reason.needs_another_spec()) {
            Some(problem) => State::yes(problem.reason.as_str(), "the spec must be changed: see Accepted"),
            None => State::no("NotStalled", "nothing in the spec is in the way"),
        }
    }

    fn health(&self, checkup: &Checkup) -> Health {
        let served = self.served.is_some() && self.decided.observed.pods.iter().any(|pod| pod.ready);
        match (self.problems.is_empty(), served) {
            (false, false) => Health::Failed,
            (true, true) if self.accepted().fails() => Health::Failed,
            _ if checkup.health == boathook_event::Health::Failed => Health::Failed,
            (true, false) => Health::Pending,
            (true, true) if !self.programmed().holds() && self.last_event().is_none() => Health::Pending,
            _ => match checkup.health {
                boathook_event::Health::Healthy => Health::Healthy,
                boathook_event::Health::Idle => Health::Idle,
                boathook_event::Health::Degraded => Health::Degraded,
                boathook_event::Health::Failed => Health::Failed,
            },
        }
    }

    fn last_event(&self) -> Option<boathook_crds::Timestamp> {
        let before = self.object.status.as_ref().and_then(|status| status.last_event_time);
        self.latest.as_ref().and_then(|report| report.last_event_time).or(before)
    }

    fn url(&self) -> Option<String> {
        let served = self.served?;
        let host = served.host.as_deref()?;
        let scheme = if self.decided.class.route.tls_secret_name.is_some() { "https" } else { "http" };
        Some(format!("{scheme}://{host}{}", served.path))
    }
}

/// The text with a mark at its end.
pub(crate) fn sentence(text: String) -> String {
    if text.ends_with(['.', '?', '!']) { text } else { text + "." }
}

/// What people should hear of: whether it is accepted, whether it is served, and what became of a secret that was waited for.
fn notices(name: &ObjectName, before: &WebhookEndpointStatus, now: &WebhookEndpointStatus) -> Vec<Notice> {
    let watched = [ConditionType::Accepted, ConditionType::Programmed, ConditionType::Delivering];
    let mut notices = Vec::new();
    for condition in now.conditions.iter().filter(|condition| {
        watched.iter().any(|kind| kind.as_str() == condition.type_)
            || [SECRET_CAPTURED, SECRET_NOT_SENT, SECRET_NOT_WRITTEN].contains(&&*condition.reason)
    }) {
        let known = before.conditions.iter().find(|known| known.type_ == condition.type_);
        let changed = known
            .is_none_or(|known| (&known.status, &known.reason) != (&condition.status, &condition.reason));
        if changed && (condition.status != "Unknown" || condition.reason == SECRET_CAPTURED) {
            notices.push(Notice {
                object: name.clone(),
                warning: condition.status == "False" && !STARTING.contains(&condition.reason.as_str()),
                reason: condition.reason.clone(),
                message: condition.message.clone(),
            });
        }
    }
    notices
}
