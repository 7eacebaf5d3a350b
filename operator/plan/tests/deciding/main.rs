//! What is decided on a namespace: statuses, what goes, what is held.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
mod capturing;
mod sharing;

use std::collections::BTreeMap;

use boathook_crds::{Breaker, Condition, Health, WebhookEndpoint, WebhookEndpointStatus, WebhookSink};
use boathook_event::ObjectName;
use boathook_plan::{
    Configuration, Gone, GoneKind, Held, Observed, ObservedClass, Plan, Pod, World, names, plan,
};
use boathook_table::{Accepted, Keys, OpenKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const TEAM: &str = "team";
/// Two minutes before the present of [`Place::whole`].
const RECENT: &str = "2027-01-15T07:58:00Z";
/// Of the key that opens captured secrets.
const SEED: [u8; 32] = [7; 32];

/// A namespace, to be changed by a test.
struct Place {
    configuration: Configuration,
    endpoints: Vec<WebhookEndpoint>,
    sinks: Vec<WebhookSink>,
    keys: Keys,
    held: Vec<Held>,
    accepted: BTreeMap<String, Accepted>,
    observed: Observed,
    captures_failed: BTreeMap<ObjectName, String>,
    now: Timestamp,
}

fn keys() -> Keys {
    let mut keys = Keys::default();
    keys.insert(
        TEAM,
        "hook",
        [("secret".to_owned(), b"one".to_vec()), ("other".to_owned(), b"unused".to_vec())],
    );
    keys
}

fn endpoint(name: &str, generation: i64, more: Value, status: &Value) -> WebhookEndpoint {
    let mut spec = json!({
        "provider": "github",
        "secrets": [{ "name": "hook", "key": "secret" }],
        "delivery": { "sinks": [{ "name": "out" }] },
    });
    if let Value::Object(more) = more {
        spec.as_object_mut().unwrap().extend(more);
    }
    let metadata = json!({ "name": name, "namespace": TEAM, "generation": generation });
    let whole = json!({
        "apiVersion": "boathook.dev/v1alpha1",
        "kind": "WebhookEndpoint",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    });
    serde_json::from_value(whole).unwrap()
}

fn time(day: i8) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::Time {
    serde_json::from_value(json!(format!("2026-01-{day:02}T00:00:00Z"))).unwrap()
}

fn report(pod: &str, serving: i64, more: Value) -> Value {
    let mut report = json!({ "pod": pod, "generation": serving, "serving": serving, "reportTime": "2026-01-01T00:00:00Z" });
    if let Value::Object(more) = more {
        report.as_object_mut().unwrap().extend(more);
    }
    json!({ "receivers": [report] })
}

impl Place {
    /// One endpoint, its sink and key, a ready receiver, a route.
    fn whole() -> Self {
        let file = "
            image: example/receiver:1
            classes: [{ name: default, route: { kind: Ingress, host: hooks.example.com, tlsSecretName: tls } }]";
        let sink = json!({
            "apiVersion": "boathook.dev/v1alpha1",
            "kind": "WebhookSink",
            "metadata": { "name": "out", "namespace": TEAM, "generation": 1 },
            "spec": { "log": {} },
        });
        let class = ObservedClass {
            service_account: Some("uid-of-account".into()),
            ingresses: [(names::ingress("default", "hooks.example.com"), false)].into(),
            pods: vec![Pod { name: "pod-1".into(), ready: true }],
            failure: None,
            pending: None,
        };
        Self {
            configuration: serde_saphyr::from_str(file).unwrap(),
            endpoints: vec![endpoint("github", 1, json!({}), &report("pod-1", 1, json!({})))],
            sinks: vec![serde_json::from_value(sink).unwrap()],
            keys: keys(),
            held: Vec::new(),
            accepted: BTreeMap::new(),
            observed: Observed { classes: [("default".to_owned(), class)].into() },
            captures_failed: BTreeMap::new(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    fn class(&mut self) -> &mut ObservedClass {
        self.observed.classes.get_mut("default").unwrap()
    }

    fn plan(&self) -> Plan {
        plan(&World {
            seal_key: OpenKey::new(&SEED.into()).seal_key(),
            captures_failed: &self.captures_failed,
            namespace: TEAM,
            configuration: &self.configuration,
            endpoints: &self.endpoints,
            sinks: &self.sinks,
            keys: &self.keys,
            held: &self.held,
            accepted: &self.accepted,
            observed: &self.observed,
            now: self.now,
        })
    }

    fn status(&self) -> WebhookEndpointStatus {
        self.plan().endpoints.remove(0).1
    }
}

fn condition<'s>(status: &'s WebhookEndpointStatus, kind: &str) -> &'s Condition {
    status.conditions.iter().find(|condition| condition.type_ == kind).unwrap()
}

/// Status and reason of a condition.
fn told(status: &WebhookEndpointStatus, kind: &str) -> (String, String) {
    let condition = condition(status, kind);
    (condition.status.clone(), condition.reason.clone())
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.into(), reason.into())
}

/// The keys in the document that receivers get.
fn compiled(plan: &Plan) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let secret = plan.objects.iter().find(|object| object["kind"] == "Secret").unwrap();
    String::from_utf8(STANDARD.decode(secret["data"][names::TABLE_KEY].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn all_conditions_are_there_with_their_generation() {
    let status = Place::whole().status();
    let types: Vec<&str> = status.conditions.iter().map(|condition| &*condition.type_).collect();
    assert_eq!(types, ["Accepted", "Programmed", "Receiving", "Delivering", "Ready", "Stalled"]);
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(1)));
    assert_eq!(status.url.as_deref(), Some("https://hooks.example.com/team/github"));
    assert_eq!(told(&status, "Ready"), pair("True", "Ready"));
}

#[test]
fn health_follows_what_receivers_say() {
    let and = |more: Value| {
        let mut event = json!({ "lastEventTime": RECENT });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for (more, expected) in [
        (json!({}), Health::Idle),
        (and(json!({})), Health::Healthy),
        (and(json!({ "consecutiveFailures": 10 })), Health::Failed),
        (and(json!({ "signedRefused": true })), Health::Failed),
        (and(json!({ "refusedOften": true })), Health::Degraded),
        (and(json!({ "oldestPendingTime": RECENT })), Health::Degraded),
        (and(json!({ "keysSinceTime": RECENT })), Health::Degraded),
        (and(json!({ "keysSinceTime": "2025-12-15T00:00:00Z" })), Health::Healthy),
        (json!({ "lastEventTime": "2026-12-15T00:00:00Z" }), Health::Idle),
        (json!({ "lastEventTime": "2026-12-15T00:00:00Z", "usualGapSeconds": 30 * 86_400 }), Health::Healthy),
    ] {
        let mut place = Place::whole();
        place.endpoints = vec![endpoint("github", 1, json!({}), &report("pod-1", 1, more.clone()))];
        assert_eq!(place.status().health, Some(expected), "{more}");
    }
    let mut unready = Place::whole();
    unready.class().pods[0].ready = false;
    assert_eq!(unready.status().health, Some(Health::Pending));
    let mut refused = Place::whole();
    refused.endpoints = vec![endpoint("github", 1, json!({ "provider": "gihtub" }), &json!({}))];
    assert_eq!(refused.status().health, Some(Health::Failed));
}

#[test]
fn a_status_says_what_a_person_should_do_next() {
    let mut place = Place::whole();
    let reported = json!({ "lastEventTime": RECENT, "signedRefused": true, "oldestPendingTime": RECENT });
    place.endpoints = vec![endpoint("github", 1, json!({}), &report("pod-1", 1, reported))];
    let sink = json!({ "receivers": [{ "pod": "pod-1", "generation": 1, "breaker": "Open" }] });
    place.sinks[0].status = Some(serde_json::from_value(sink).unwrap());
    let status = place.status();
    assert_eq!(told(&status, "Receiving"), pair("False", "SignedRefused"));
    let recommendations = &*status.recommendations;
    let begins = ["all that the provider has signed", "the sink out fails", "a delivery has waited"];
    assert_eq!(recommendations.len(), begins.len(), "{recommendations:?}");
    for (sentence, begin) in recommendations.iter().zip(begins) {
        assert!(sentence.starts_with(begin), "{sentence}");
    }
}

#[test]
fn silence_is_told_when_its_time_comes_and_lasts_over_a_restart_of_the_receiver() {
    let mut place = Place::whole();
    let reported = json!({ "lastEventTime": RECENT, "usualGapSeconds": 86_400 });
    place.endpoints = vec![endpoint("github", 1, json!({}), &report("pod-1", 1, reported))];
    let plan = place.plan();
    let silent_at = RECENT.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(3 * 24);
    assert_eq!(plan.look_again, Some(silent_at));
    let mut before = plan.endpoints[0].1.clone();
    assert_eq!(before.usual_gap_seconds, Some(86_400));
    // A new pod knows nothing of what came before it.
    before.receivers = serde_json::from_value(report("pod-1", 1, json!({}))["receivers"].clone()).unwrap();
    place.endpoints = vec![endpoint("github", 1, json!({}), &serde_json::to_value(before).unwrap())];
    place.now = silent_at;
    let status = place.status();
    assert_eq!(status.health, Some(Health::Idle));
    assert_eq!(told(&status, "Receiving"), pair("False", "Silent"));
}

#[test]
fn a_secret_that_is_not_used_any_more_is_told() {
    let mut place = Place::whole();
    let names =
        json!({ "secrets": [{ "name": "hook", "key": "secret" }, { "name": "hook", "key": "other" }] });
    let secret = |key: &str, at: &str| json!({ "name": "hook", "key": key, "lastMatchTime": at });
    let mut status =
        report("pod-1", 1, json!({ "lastEventTime": RECENT, "secrets": [secret("other", RECENT)] }));
    status["secrets"] =
        json!([secret("secret", "2027-01-01T00:00:00Z"), secret("other", "2027-01-02T00:00:00Z")]);
    place.endpoints = vec![endpoint("github", 1, names, &status)];
    let status = place.status();
    assert_eq!(status.health, Some(Health::Healthy));
    let [told] = &*status.recommendations else { panic!("{:?}", status.recommendations) };
    assert!(told.starts_with("the secret hook, key secret, was last used at 2027-01-01"), "{told}");
    assert_eq!(status.secrets[1].last_match_time, RECENT.parse().ok());
}

#[test]
fn programmed_waits_for_every_ready_receiver_and_the_route() {
    let mut place = Place::whole();
    place.class().pods.push(Pod { name: "pod-2".into(), ready: true });
    assert_eq!(told(&place.status(), "Programmed"), pair("False", "Loading"));
    place.class().pods[1].ready = false;
    assert_eq!(told(&place.status(), "Programmed"), pair("True", "Programmed"));
    place.configuration.classes[0].route.require_address = true;
    assert_eq!(told(&place.status(), "Programmed"), pair("False", "RoutePending"));
    place.class().ingresses.values_mut().for_each(|has_address| *has_address = true);
    assert_eq!(told(&place.status(), "Programmed"), pair("True", "Programmed"));
    place.class().ingresses.clear();
    assert_eq!(told(&place.status(), "Programmed"), pair("False", "RoutePending"));
    place.class().failure = Some("exceeded quota: pods=0".into());
    let status = place.status();
    assert_eq!(told(&status, "Programmed"), pair("False", "ReceiversFail"));
    assert!(condition(&status, "Programmed").message.contains("exceeded quota"));
    place.class().failure = None;
    place.class().pods.clear();
    assert_eq!(told(&place.status(), "Programmed"), pair("False", "ReceiversPending"));
}

#[test]
fn a_mistake_stalls_what_is_missing_does_not_and_what_was_accepted_is_in_the_document() {
    let mut place = Place::whole();
    place.accepted = place.plan().accepted;
    assert!(!compiled(&place.plan()).contains("\"generation\""), "nothing is held back");
    place.endpoints =
        vec![endpoint("github", 2, json!({ "provider": "gihtub" }), &report("pod-1", 1, json!({})))];
    let status = place.status();
    assert_eq!(told(&status, "Accepted"), pair("False", "UnknownProvider"));
    assert_eq!(told(&status, "Stalled"), pair("True", "UnknownProvider"));
    assert!(condition(&status, "Accepted").message.contains("Generation 1 goes on being served"));
    assert!(compiled(&place.plan()).contains("\"generation\":1"));
    place.endpoints =
        vec![endpoint("github", 3, json!({ "secrets": [{ "name": "late", "key": "k" }] }), &json!({}))];
    assert_eq!(told(&place.status(), "Stalled"), pair("False", "NotStalled"));
}

#[test]
fn only_values_that_are_named_leave_a_secret() {
    let document = compiled(&Place::whole().plan());
    assert!(document.contains("b25l") && !document.contains("dW51c2Vk"), "one, and not unused");
}

#[test]
fn keys_that_do_not_fit_are_those_of_the_newest_endpoint_and_what_is_accepted_stays() {
    let mut place = Place::whole();
    let add = |place: &mut Place, name: &str, day: i8| {
        let key = |place: usize| format!("key-{place}");
        place.keys.insert(TEAM, name, (0..8).map(|place| (key(place), vec![b'k'; 8_000])));
        let secrets: Vec<Value> = (0..8).map(|place| json!({ "name": name, "key": key(place) })).collect();
        let mut endpoint = endpoint(name, 1, json!({ "secrets": secrets }), &json!({}));
        endpoint.metadata.creation_timestamp = Some(time(day));
        place.endpoints.push(endpoint);
    };
    let refused = |plan: &Plan| -> Vec<String> {
        let statuses = plan.endpoints.iter().filter(|(_, status)| told(status, "Accepted").0 != "True");
        let full = statuses.inspect(|(_, status)| assert_eq!(told(status, "Accepted").1, "KeysFull"));
        full.map(|(name, _)| name.name().to_owned()).collect()
    };
    for (name, day) in (5..).take(10).map(|day| (format!("hook-{day}"), day)) {
        add(&mut place, &name, day);
    }
    assert!(refused(&place.plan()).is_empty());
    add(&mut place, "oldest", 1);
    let full = place.plan();
    assert_eq!(refused(&full), ["hook-14"], "nothing is accepted yet: the newest");
    assert!(compiled(&full).len() < 900 * 1024);
    assert_eq!(told(&full.endpoints[10].1, "Stalled"), pair("False", "NotStalled"));
    // The same with ten that are accepted, whoever decides.
    let oldest = place.endpoints.pop().unwrap();
    let told = place.plan().endpoints;
    for (endpoint, (_, status)) in place.endpoints.iter_mut().zip(told) {
        endpoint.status = Some(status);
    }
    place.endpoints.push(oldest);
    assert_eq!(refused(&place.plan()), ["oldest"]);
}

#[test]
fn keys_that_endpoints_share_are_left_out_with_the_last_of_them() {
    let mut place = Place::whole();
    let key = |place: usize| format!("key-{place}");
    for pair in 0..12 {
        let secret = format!("secret-{pair}");
        place.keys.insert(TEAM, &secret, (0..8).map(|place| (key(place), vec![b'k'; 8_000])));
        let secrets: Vec<Value> = (0..8).map(|place| json!({ "name": secret, "key": key(place) })).collect();
        for (twin, day) in [("a", 2 * pair + 2), ("b", 2 * pair + 3)] {
            let spec = json!({ "secrets": secrets });
            let mut endpoint = endpoint(&format!("hook-{pair:02}-{twin}"), 1, spec, &json!({}));
            endpoint.metadata.creation_timestamp = Some(time(day));
            place.endpoints.push(endpoint);
        }
    }
    let plan = place.plan();
    let full = plan.endpoints.iter().filter(|(_, status)| told(status, "Accepted").1 == "KeysFull");
    let full: Vec<&str> = full.map(|(name, _)| name.name()).collect();
    assert_eq!(full, ["hook-10-a", "hook-10-b", "hook-11-a", "hook-11-b"]);
    assert!(compiled(&plan).len() < 900 * 1024);
}

#[test]
fn a_deleted_secret_counts_a_while_and_is_told_at_once() {
    let mut place = Place::whole();
    place.accepted = place.plan().accepted;
    place.keys = Keys::default();
    let values = vec![("secret".to_owned(), b"one".to_vec().into())];
    place.held = vec![Held { name: "hook".into(), values, since: place.now }];
    let held = place.plan();
    assert_eq!(told(&held.endpoints[0].1, "Accepted"), pair("False", "SecretMissing"));
    assert!(compiled(&held).contains("b25l"));
    assert_eq!(held.look_again, Some(place.now + SignedDuration::from_secs(60)));
    place.now += SignedDuration::from_secs(60);
    let ended = place.plan();
    assert!(!compiled(&ended).contains("b25l"));
    assert_eq!(ended.look_again, None);
}

#[test]
fn a_condition_keeps_its_time_until_it_changes() {
    let mut place = Place::whole();
    let first = place.status();
    let mut before = serde_json::to_value(&first).unwrap();
    before["receivers"] = report("pod-1", 1, json!({}))["receivers"].clone();
    place.endpoints = vec![endpoint("github", 1, json!({}), &before)];
    place.now += SignedDuration::from_secs(100);
    let mut again = place.plan();
    let (_, status) = again.endpoints.remove(0);
    assert_eq!(status, first, "nothing is written while nothing changes");
    assert!(again.notices.is_empty());
    place.class().pods.clear();
    let changed = place.plan();
    let programmed = condition(&changed.endpoints[0].1, "Programmed");
    assert_eq!(programmed.last_transition_time.0, place.now);
    assert_eq!(
        changed.notices.iter().map(|notice| &*notice.reason).collect::<Vec<_>>(),
        ["ReceiversPending"]
    );
}

#[test]
fn without_endpoints_a_class_goes_only_when_nothing_waits() {
    let mut place = Place::whole();
    place.endpoints.clear();
    for waits in [None, Some(3)] {
        place.class().pending = waits;
        let plan = place.plan();
        let route = names::ingress("default", "hooks.example.com");
        assert_eq!(plan.gone, [Gone { kind: GoneKind::Ingress, name: route }], "the route goes at once");
        assert!(!compiled(&plan).contains("b25l"), "and so does the key");
        assert!(plan.draining.contains("default"));
    }
    place.class().pending = Some(0);
    let plan = place.plan();
    assert!(plan.gone.contains(&Gone { kind: GoneKind::ServiceAccount, name: "boathook-default".into() }));
    assert!(plan.objects.is_empty() && plan.draining.is_empty());
}

#[test]
fn an_endpoint_of_an_unknown_class_is_told_and_nothing_is_made() {
    let mut place = Place::whole();
    place.observed = Observed::default();
    place.endpoints = vec![endpoint("github", 1, json!({ "receiverClassName": "nowhere" }), &json!({}))];
    let plan = place.plan();
    assert_eq!(told(&plan.endpoints[0].1, "Accepted"), pair("False", "ClassNotFound"));
    assert!(plan.objects.is_empty());
}

#[test]
fn entries_of_pods_that_are_gone_are_named_from_the_last_to_the_first() {
    let mut place = Place::whole();
    let entry = |pod: &str| json!({ "pod": pod, "generation": 1 });
    let receivers = json!({ "receivers": [entry("old-1"), entry("pod-1"), entry("old-2")] });
    place.endpoints = vec![endpoint("github", 1, json!({}), &receivers)];
    let dead: Vec<(usize, String)> =
        place.plan().dead.into_iter().map(|entry| (entry.index, entry.pod)).collect();
    assert_eq!(dead, [(2, "old-2".to_owned()), (0, "old-1".to_owned())]);
}

#[test]
fn a_sink_that_is_left_alone_says_so() {
    let told_of = |report: Value| {
        let mut place = Place::whole();
        let mut sink = serde_json::to_value(&place.sinks[0]).unwrap();
        sink["status"] = json!({ "receivers": [report] });
        place.sinks = vec![serde_json::from_value(sink).unwrap()];
        let status = place.plan().sinks.remove(0).1;
        let delivering = status.conditions.iter().find(|condition| condition.type_ == "Delivering").unwrap();
        (delivering.reason.clone(), delivering.message.clone(), status.breaker)
    };
    let report = |failures: i64, breaker: &str| {
        json!({ "pod": "pod-1", "generation": 1, "reportTime": "2026-01-01T00:00:00Z", "consecutiveFailures": failures,
                "lastError": "refused: 503", "breaker": breaker })
    };
    let (reason, message, breaker) = told_of(report(1, "Open"));
    assert_eq!((&*reason, breaker), ("SinkPaused", Some(Breaker::Open)));
    assert!(message.contains("refused: 503") && message.contains("is kept"), "{message}");
    let (reason, message, _) = told_of(report(12, "HalfOpen"));
    assert_eq!(reason, "SinkFails");
    assert!(message.contains("12 attempts") && message.contains("is kept"), "{message}");
    assert_eq!(told_of(report(1, "Closed")).0, "NothingDelivered");
}
