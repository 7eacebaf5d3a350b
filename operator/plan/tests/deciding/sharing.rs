//! Several receivers of a class, over one store or none: what they say as one, and what they need.
use boathook_crds::WebhookSinkStatus;
use boathook_plan::{Pod, references};
use serde_json::json;

use super::{Place, RECENT, TEAM, endpoint, pair, report, told};

/// Two receivers over one database.
fn shared() -> Place {
    let file = "
        image: example/receiver:1
        classes: [{ name: default, store: { kind: postgres, secretName: database }, replicas: 2 }]";
    let mut place = Place::whole();
    place.configuration = serde_saphyr::from_str(file).unwrap();
    place.keys.insert(TEAM, "database", [("url".to_owned(), b"postgres://".to_vec())]);
    place
}

#[test]
fn a_database_whose_secret_is_not_there_is_told_and_its_url_stands_in_no_object() {
    let mut place = shared();
    assert_eq!(told(&place.status(), "Programmed"), pair("True", "Programmed"));
    let named = references(&place.configuration, &place.endpoints, &place.sinks, &place.accepted);
    assert!(named.contains("database"));
    assert!(!super::compiled(&place.plan()).contains("postgres://"));
    place.keys = super::keys();
    let status = place.status();
    assert_eq!(told(&status, "Programmed"), pair("False", "StoreSecretMissing"));
    assert_eq!(told(&status, "Ready"), pair("False", "StoreSecretMissing"));
}

#[test]
fn totals_of_a_shared_store_are_taken_from_the_newest_report_and_never_added_up() {
    let totals = |accepted: u64| json!({ "accepted": accepted, "delivered": accepted });
    let mut place = shared();
    let older = json!({ "events": totals(5), "lastEventTime": RECENT, "consecutiveFailures": 3, "signedRefused": true });
    let newer =
        json!({ "events": totals(7), "reportTime": "2026-01-01T00:00:09Z", "lastDeliveredTime": RECENT });
    let mut reports = report("pod-1", 1, older);
    let second = report("pod-2", 1, newer)["receivers"][0].clone();
    reports["receivers"].as_array_mut().unwrap().push(second);
    place.endpoints = vec![endpoint("github", 1, json!({}), &reports)];
    let status = place.status();
    assert_eq!(status.events.map(|events| (events.accepted, events.delivered)), Some((7, 7)));
    // What one of them has seen has happened.
    assert!(status.last_event_time.is_some() && status.last_delivered_time.is_some());
    assert_eq!(status.consecutive_failures, Some(3));
    assert_eq!(told(&status, "Receiving"), pair("False", "SignedRefused"));
    // Where the other takes what is signed, it is no matter of the secret.
    reports["receivers"][1]["lastEventTime"] = RECENT.into();
    place.endpoints = vec![endpoint("github", 1, json!({}), &reports)];
    assert_eq!(told(&place.status(), "Receiving"), pair("True", "EventsArrive"));
}

#[test]
fn a_sink_that_one_receiver_leaves_alone_is_told_with_what_that_one_has_met() {
    let reports = json!({ "receivers": [
        {
            "pod": "pod-1", "generation": 1, "reportTime": "2026-01-01T00:00:00Z", "breaker": "Open",
            "lastErrorTime": "2026-01-01T00:00:00Z", "lastError": "no route", "consecutiveFailures": 12,
        },
        {
            "pod": "pod-2", "generation": 1, "reportTime": "2026-01-01T00:00:09Z", "breaker": "Closed",
            "lastDeliveredTime": "2026-01-01T00:00:08Z", "consecutiveFailures": 0,
        },
    ] });
    let mut place = shared();
    place.sinks[0].status = Some(serde_json::from_value(reports).unwrap());
    let status: WebhookSinkStatus = place.plan().sinks.remove(0).1;
    assert_eq!(status.last_error.as_deref(), Some("no route"));
    assert!(status.last_delivered_time.is_some());
    let delivering = status.conditions.iter().find(|condition| condition.type_ == "Delivering").unwrap();
    assert_eq!((&*delivering.status, &*delivering.reason), ("False", "SinkFails"));
}

#[test]
fn totals_of_receivers_that_keep_nothing_are_added_up() {
    let file = "
        image: example/receiver:1
        classes: [{ name: default, store: { kind: none }, replicas: 2 }]";
    let mut place = Place::whole();
    place.configuration = serde_saphyr::from_str(file).unwrap();
    place.class().pods.push(Pod { name: "pod-2".into(), ready: true });
    let totals =
        |accepted: u64| json!({ "events": { "accepted": accepted, "delivered": accepted, "parked": 1 } });
    let mut reports = report("pod-1", 1, totals(5));
    reports["receivers"][0]["oldestPendingTime"] = "2025-12-31T23:59:00Z".into();
    let second = report("pod-2", 1, totals(7))["receivers"][0].clone();
    reports["receivers"].as_array_mut().unwrap().push(second);
    let acknowledge = json!({ "acknowledge": { "mode": "OnDelivered" } });
    place.endpoints = vec![endpoint("github", 1, acknowledge, &reports)];
    let deliveries = |pod: &str, delivered: u64, time: &str| {
        let totals = json!({ "delivered": delivered, "pending": 1, "failedAttempts": 2 });
        json!({ "pod": pod, "generation": 1, "reportTime": time, "deliveries": totals })
    };
    // The third one is of another class, whose receivers share a store with the fourth.
    let receivers = json!({ "receivers": [
        deliveries("pod-1", 5, "2026-01-01T00:00:00Z"),
        deliveries("pod-2", 7, "2026-01-01T00:00:01Z"),
        deliveries("other-1", 100, "2026-01-01T00:00:02Z"),
        deliveries("other-2", 101, "2026-01-01T00:00:03Z"),
    ] });
    place.sinks[0].status = Some(serde_json::from_value(receivers).unwrap());
    let status = place.status();
    let events = status.events.unwrap();
    assert_eq!((events.accepted, events.delivered, events.parked), (12, 12, 2));
    assert!(status.oldest_pending_seconds.is_some_and(|seconds| seconds > 0));
    let deliveries = place.plan().sinks.remove(0).1.deliveries.unwrap();
    assert_eq!((deliveries.delivered, deliveries.pending, deliveries.failed_attempts), (113, 3, 6));
}

#[test]
fn an_endpoint_that_wants_its_events_kept_is_not_accepted_where_nothing_is() {
    let mut place = Place::whole();
    let file = "
        image: example/receiver:1
        classes: [{ name: default, store: { kind: none } }]";
    place.configuration = serde_saphyr::from_str(file).unwrap();
    let status = place.status();
    assert_eq!(told(&status, "Accepted"), pair("False", "NothingKept"));
    assert_eq!(told(&status, "Stalled"), pair("True", "NothingKept"));
    assert!(super::compiled(&place.plan()).contains("\"keepsNothing\":true"));
}
