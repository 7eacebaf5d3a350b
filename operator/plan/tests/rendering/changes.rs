//! What a change of a need changes.
use boathook_plan::{
    class::RouteKind,
    is_within,
    names::{RENDERED_ANNOTATION, ingress},
};
use boathook_verify::Duration;
use serde_json::Value;

use crate::cases::{self, Case};

/// Kinds of the objects that would be applied anew.
fn changed(before: &Case, after: &Case) -> Vec<String> {
    let before = before.objects();
    let is_there = |object: &Value| before.iter().any(|before| is_within(object, before));
    let new = after.objects().into_iter().filter(|object| !is_there(object));
    new.map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_same_need_asks_for_no_apply() {
    for (name, case) in cases::all() {
        assert_eq!(changed(&case, &case), [""; 0], "{name}");
    }
}

#[test]
fn another_document_changes_the_secrets_data_and_nothing_else() {
    let before = Case::named("full");
    let after = Case { table: "another".into(), ..before.clone() };
    assert_eq!(changed(&before, &after), ["Secret"]);
    let mark = |case: &Case| -> Vec<Value> {
        let objects = case.objects();
        objects.iter().map(|object| object["metadata"]["annotations"][RENDERED_ANNOTATION].clone()).collect()
    };
    assert_eq!(mark(&before), mark(&after), "a digest of secrets outside the Secret's data");
}

#[test]
fn what_a_class_says_no_longer_is_noticed() {
    for (what, kinds, edit) in [
        (
            "annotations",
            &["Ingress", "Ingress"][..],
            (|case| case.class_mut().route.annotations.clear()) as fn(&mut Case),
        ),
        ("TLS", &["Ingress", "Ingress"], |case| case.class_mut().route.tls_secret_name = None),
        ("Ingress class", &["Ingress", "Ingress"], |case| case.class_mut().route.ingress_class_name = None),
        ("resources", &["Deployment"], |case| case.class_mut().resources = None),
        ("proxies", &["Deployment"], |case| case.class_mut().trusted_proxies.clear()),
        ("image", &["Deployment"], |case| case.class_mut().image = None),
        ("a path", &["Ingress"], |case| drop(case.routes.get_mut("hooks.example.com").unwrap().pop_first())),
        ("keyHold", &[], |case| case.class_mut().key_hold = Duration::from_secs(9)),
    ] {
        let before = Case::named("full");
        let mut after = before.clone();
        edit(&mut after);
        assert_eq!(changed(&before, &after), kinds, "{what}");
    }
}

#[test]
fn without_a_route_there_is_no_ingress_and_a_host_without_paths_has_none() {
    let names = |case: &Case| -> Vec<String> {
        let ingresses = case.objects().into_iter().filter(|object| object["kind"] == "Ingress");
        ingresses.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut case = Case::named("two-hosts");
    let expected = ["hooks.example.com", "hooks.team-a.example"].map(|host| ingress("default", host));
    assert_eq!(names(&case), expected);
    case.class_mut().route.kind = RouteKind::None;
    assert_eq!(names(&case), [""; 0]);
}

#[test]
fn the_grace_period_covers_the_drain_delay_and_what_follows() {
    let mut case = Case::named("minimal");
    for (millis, seconds) in [(0, 60), (15_000, 60), (15_001, 61), (300_000, 345)] {
        case.class_mut().drain_delay = Duration::from_millis(millis);
        let objects = case.objects();
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["terminationGracePeriodSeconds"], seconds, "{millis} ms");
    }
}
