//! The operator and its receivers over a real API server, each with the rights that it has in a cluster and no others.
//!
//! There is no node: a test makes the Deployment's pod ready by hand, and runs the receiver itself, as the Deployment says.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
mod capture;
mod operator;
#[expect(dead_code, reason = "shared with the pipeline's tests, which use more of it")]
#[path = "../../../receiver/tests/pipeline/program.rs"]
mod program;
#[expect(dead_code, reason = "shared with the pipeline's tests, which use more of it")]
#[path = "../../../receiver/tests/pipeline/sink.rs"]
mod sink;
mod team;

use std::time::Duration;

use serde_json::json;

use self::{
    operator::{own_cluster, receiver_program},
    program::until,
    sink::Server,
    team::{Team, github},
};

#[test]
fn from_apply_to_healthy() {
    let server = Server::start();
    let team = Team::new();
    team.secret("hook", "one");
    team.sink("out", &json!({ "http": { "url": format!("http://{}/take", server.address) } }));
    team.endpoint("github", &github(json!({})));
    let pending = team.until("it to be accepted", "github", |status| status["url"].is_string());
    assert_eq!(pending["health"], "Pending");
    let receiver = team.receiver();
    let idle = team.until("it to be programmed", "github", |status| Team::holds(status, "Ready"));
    assert_eq!((&idle["health"], &idle["url"]), (&"Idle".into(), &team.url("github").into()));
    assert_eq!(team.send(&receiver, "github", "one", "d-1").status, 200);
    let got = until("the delivery", || server.got().pop());
    assert_eq!((got.header("boathook-event-id"), &got.body[..]), (Some("d-1"), &b"{}"[..]));
    let healthy = team.until("it to be healthy", "github", |status| status["health"] == "Healthy");
    assert!(healthy["lastEventTime"].is_string() && Team::holds(&healthy, "Receiving"), "{healthy}");
    team.until("its delivery to be told", "github", |status| {
        Team::holds(status, "Delivering") && status["events"]["accepted"] == 1
    });
    let table = team.kubectl(&["get", "webhookendpoints"]);
    assert!(table.contains("Healthy") && table.contains(&team.url("github")), "{table}");
}

#[test]
fn the_objects_of_a_class_are_made_once_and_belong_to_its_account() {
    let team = Team::new();
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    team.endpoint("github", &github(json!({})));
    team.until("it to be accepted", "github", |status| Team::holds(status, "Accepted"));
    let owner = until("the account", || team.object("serviceaccount", "boathook-default"));
    for kind in ["deployment", "service", "rolebinding", "secret"] {
        let object = until(kind, || team.object(kind, "boathook-default"));
        assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], owner["metadata"]["uid"], "{kind}");
    }
    let claim = until("the claim", || team.object("persistentvolumeclaim", "boathook-default"));
    assert!(claim["metadata"]["ownerReferences"].is_null());
    let routes = until("the route", || team.list("ingress").pop());
    let rule = &routes["spec"]["rules"][0];
    assert_eq!(rule["host"], "hooks.example.com");
    let path = format!("/{}/github", team.namespace);
    assert_eq!(rule["http"]["paths"][0]["path"], path, "{rule}");
    let version =
        |kind: &str| team.object(kind, "boathook-default").unwrap()["metadata"]["generation"].clone();
    let before = version("deployment");
    team.endpoint("another", &github(json!({})));
    team.until("the second one", "another", |status| Team::holds(status, "Accepted"));
    assert_eq!(version("deployment"), before, "another endpoint changes no Deployment");
}

#[test]
fn a_changed_secret_counts_without_a_restart() {
    let team = Team::new();
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    team.endpoint("github", &github(json!({})));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "github", "one", "1").status, 200);
    team.secret("hook", "two");
    until("the new secret", || (team.send(&receiver, "github", "two", "2").status == 200).then_some(()));
    assert_eq!(team.send(&receiver, "github", "one", "3").status, 401);
}

#[test]
fn a_mistake_is_told_and_what_was_accepted_goes_on() {
    let team = Team::new();
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    team.endpoint("github", &github(json!({})));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "github", "one", "1").status, 200);
    team.endpoint("github", &github(json!({ "provider": "gihtub" })));
    let refused = team.until("it to be refused", "github", |status| {
        status["observedGeneration"] == 2 && Team::fails(status, "Accepted")
    });
    let accepted = Team::condition(&refused, "Accepted");
    assert_eq!(accepted["reason"], "UnknownProvider");
    let message = accepted["message"].as_str().unwrap();
    assert!(
        message.contains("did you mean github?") && message.contains("Generation 1 goes on"),
        "{message}"
    );
    assert!(Team::holds(&refused, "Stalled") && Team::fails(&refused, "Ready"));
    assert_eq!(team.send(&receiver, "github", "one", "2").status, 200);
    // A receiver that starts anew serves it, too.
    drop(receiver);
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "github", "one", "3").status, 200);
    let events =
        team.kubectl(&["get", "events", "--field-selector", "reason=UnknownProvider", "--output", "name"]);
    assert!(!events.trim().is_empty());
}

#[test]
fn of_two_endpoints_on_one_path_the_older_is_served_and_both_are_told() {
    let team = Team::new();
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    let path = json!({ "path": format!("/{}/same", team.namespace) });
    team.endpoint("older", &github(path.clone()));
    team.until("the older one", "older", |status| Team::holds(status, "Accepted"));
    // Creation times have whole seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    team.endpoint("younger", &github(path));
    let refused =
        team.until("the younger one to be refused", "younger", |status| Team::fails(status, "Accepted"));
    assert_eq!(Team::condition(&refused, "Accepted")["reason"], "PathConflict");
    team.until("the older one to be told", "older", |status| {
        let accepted = Team::condition(status, "Accepted");
        accepted["status"] == "True"
            && accepted["message"].as_str().is_some_and(|text| text.contains("younger"))
    });
}

#[test]
fn what_is_missing_is_named_and_heals_when_it_comes() {
    let team = Team::new();
    team.endpoint("github", &github(json!({})));
    let missing = team.until("it to be refused", "github", |status| Team::fails(status, "Accepted"));
    let accepted = Team::condition(&missing, "Accepted");
    assert!(accepted["message"].as_str().unwrap().contains("there is no Secret"), "{accepted}");
    assert!(Team::fails(&missing, "Stalled"), "it may come");
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    team.until("it to be accepted", "github", |status| Team::holds(status, "Accepted"));
    team.endpoint("elsewhere", &github(json!({ "receiverClassName": "nowhere" })));
    let unknown = team.until("the class to be missed", "elsewhere", |status| Team::fails(status, "Accepted"));
    assert_eq!(Team::condition(&unknown, "Accepted")["reason"], "ClassNotFound");
}

#[test]
fn a_deleted_endpoint_loses_route_and_key_at_once_and_its_receiver_when_nothing_waits() {
    let team = Team::new();
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    team.endpoint("github", &github(json!({})));
    team.until("it to be accepted", "github", |status| Team::holds(status, "Accepted"));
    until("the route", || team.list("ingress").pop());
    let receiver = team.receiver_at_home();
    team.kubectl(&["delete", "webhookendpoint", "github"]);
    until("the route to be gone", || team.list("ingress").is_empty().then_some(()));
    until("the key to be gone", || (!team.compiled().contains("b25l")).then_some(()));
    until("the Deployment to be gone", || {
        team.object("deployment", "boathook-default").is_none().then_some(())
    });
    assert!(team.object("persistentvolumeclaim", "boathook-default").is_some(), "events are not thrown away");
    drop(receiver);
}

#[test]
fn an_operator_does_not_start_on_older_kinds_than_its_own() {
    let cluster = own_cluster();
    let older = "boathook.dev/schema-version=0";
    let arguments = ["annotate", "--overwrite", "crd", "webhooksinks.boathook.dev", older];
    cluster.plane.kubectl(&arguments).unwrap().success().unwrap();
    let _operator = cluster.start("early");
    let needed = boathook_crds::SCHEMA_VERSION;
    let told = format!(
        "webhooksinks.boathook.dev has schema version 0, and this operator needs {needed}: upgrade the chart boathook-crds"
    );
    until("it to say so", || cluster.log("early").contains(&told).then_some(()));
}

#[test]
fn when_another_operator_leads_nothing_is_written_twice() {
    let cluster = own_cluster();
    let first = cluster.start("first");
    until("the first to lead", || cluster.log("first").contains("leading").then_some(()));
    let second = cluster.start("second");
    let team = Team::on(cluster);
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    // Events of another type are accepted and go nowhere: the sink has nothing to tell.
    team.endpoint("github", &github(json!({ "events": { "types": ["ping"] } })));
    let receiver = team.receiver();
    team.until("it to be ready", "github", |status| Team::holds(status, "Ready"));
    let settled = settled(&team);
    assert!(!cluster.log("second").contains("leading"));
    drop(first);
    until("the second to lead", || cluster.log("second").contains("leading").then_some(()));
    // It has looked at everything once it brings a new key to the receiver.
    team.secret("hook", "two");
    until("the new secret", || (team.send(&receiver, "github", "two", "1").status == 200).then_some(()));
    let unchanged = |version: &&String| !version.starts_with("WebhookEndpoint/");
    let now = team.versions();
    assert_eq!(
        now.iter().filter(unchanged).collect::<Vec<_>>(),
        settled.iter().filter(unchanged).collect::<Vec<_>>()
    );
    drop(second);
}

#[test]
fn for_five_minutes_without_traffic_and_change_nothing_is_written() {
    let cluster = own_cluster();
    let operator = cluster.start("operator");
    let team = Team::on(cluster);
    team.secret("hook", "one");
    team.sink("out", &json!({ "log": {} }));
    team.endpoint("github", &github(json!({})));
    let receiver = team.receiver();
    assert_eq!(team.send(&receiver, "github", "one", "1").status, 200);
    team.until("it to be healthy", "github", |status| status["health"] == "Healthy");
    // Counters follow once a minute, and then there is nothing more to say.
    std::thread::sleep(Duration::from_secs(70));
    settled(&team);
    let before = writes(cluster);
    std::thread::sleep(Duration::from_secs(300));
    assert_eq!(writes(cluster), before);
    drop((operator, receiver));
}

/// The versions of everything, once they do not change any more.
fn settled(team: &Team) -> Vec<String> {
    until("everything to settle", || {
        let before = team.versions();
        std::thread::sleep(Duration::from_secs(3));
        (team.versions() == before).then_some(before)
    })
}

/// What the API server has counted of writes to all that the operator and the receivers write, but the lease.
fn writes(cluster: &operator::Cluster) -> Vec<String> {
    let metrics = cluster.plane.apiserver_metrics().unwrap();
    let is_write = |line: &&str| {
        ["APPLY", "DELETE", "PATCH", "POST", "PUT"]
            .iter()
            .any(|verb| line.contains(&format!("verb=\"{verb}\"")))
    };
    let ours = [
        "deployments",
        "ingresses",
        "persistentvolumeclaims",
        "rolebindings",
        "secrets",
        "services",
        "webhookendpoints",
        "webhooksinks",
    ];
    let is_ours = |line: &&str| {
        // The controller manager tells of unbound claims again and again, as Events of the older group.
        let event = line.contains("group=\"events.k8s.io\"");
        event || ours.iter().any(|kind| line.contains(&format!("resource=\"{kind}\"")))
    };
    let counts = metrics.lines().filter(|line| line.starts_with("apiserver_request_total{"));
    counts.filter(is_write).filter(is_ours).map(str::to_owned).collect()
}
