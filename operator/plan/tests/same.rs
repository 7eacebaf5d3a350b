//! What `is_within` promises, over arbitrary documents.
use boathook_plan::is_within;
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

/// Arbitrary documents; `data`, `kind` and `Secret` are in them at any depth.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has finite numbers", |n| n.is_finite()).prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
        Just(Value::from("Secret")),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let name = prop_oneof!["[a-z]{1,3}", Just("data".to_owned()), Just("kind".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Documents that are objects; every other one is a Secret with data.
fn object() -> impl Strategy<Value = Value> {
    let members = prop::collection::btree_map("[a-z]{1,3}", document(), 1..5);
    (members, any::<bool>(), prop::collection::btree_map("[a-z]{1,3}", document(), 0..3)).prop_map(
        |(mut members, is_secret, data)| {
            if is_secret {
                members.insert("kind".into(), "Secret".into());
                members.insert("data".into(), Value::Object(data.into_iter().collect()));
            }
            Value::Object(members.into_iter().collect())
        },
    )
}

/// Every object in a document, as pointers.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members.iter().for_each(|(name, value)| objects(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| objects(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Every value without parts, as pointers.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| leaves(value, &format!("{at}/{index}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// Whether something beyond `desired` counts there: in the data of a Secret.
fn is_exact(desired: &Value, at: &str) -> bool {
    desired.get("kind").is_some_and(|kind| kind == "Secret") && (at == "/data" || at.starts_with("/data/"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_within_itself(value in document()) {
        prop_assert!(is_within(&value, &value));
    }

    #[test]
    fn what_is_observed_beyond_it_does_not_count_but_for_a_secrets_data(
        desired in object(),
        place in any::<Index>(),
        extra in document(),
    ) {
        let mut places = Vec::new();
        objects(&desired, "", &mut places);
        let at = place.get(&places);
        let mut observed = desired.clone();
        let members = observed.pointer_mut(at).and_then(Value::as_object_mut).unwrap();
        members.insert("a name of its own".into(), extra);
        prop_assert_eq!(is_within(&desired, &observed), !is_exact(&desired, at), "{}", at);
    }

    #[test]
    fn every_value_counts(observed in object(), place in any::<Index>()) {
        let mut places = Vec::new();
        leaves(&observed, "", &mut places);
        prop_assume!(!places.is_empty());
        let mut desired = observed.clone();
        let at: &String = place.get(&places);
        *desired.pointer_mut(at).unwrap() = json!("a text of its own");
        prop_assert!(!is_within(&desired, &observed));
    }

    #[test]
    fn a_member_or_an_element_that_is_missing_counts(
        desired in object(),
        name in "[a-z]{1,3}",
        place in any::<Index>(),
    ) {
        let mut places = Vec::new();
        objects(&desired, "", &mut places);
        let (mut more, at) = (desired.clone(), place.get(&places));
        let members = more.pointer_mut(at).and_then(Value::as_object_mut).unwrap();
        members.insert(format!("{name} of its own"), json!(1));
        prop_assert!(!is_within(&more, &desired));
        let list = |of: &Value| Value::from(vec![of.clone(); 2]);
        prop_assert!(!is_within(&json!([desired]), &list(&desired)));
        prop_assert!(!is_within(&list(&desired), &json!([desired])));
    }
}

#[test]
fn numbers_are_compared_by_value() {
    for (desired, observed, within) in [
        ("1", "1.0", true),
        ("1.0", "1", true),
        ("-0.0", "0", true),
        ("9007199254740993", "9007199254740992", false),
        ("18446744073709551615", "18446744073709551614", false),
        ("1", "2", false),
        ("1", "\"1\"", false),
        ("\"1\"", "\"1000m\"", false),
    ] {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(is_within(&read(desired), &read(observed)), within, "{desired} {observed}");
    }
}

#[test]
fn what_the_api_server_adds_is_no_difference() {
    let desired =
        json!({ "kind": "Service", "metadata": { "name": "a" }, "spec": { "ports": [{ "port": 80 }] } });
    let observed = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "a", "resourceVersion": "7", "managedFields": [{ "manager": "b" }] },
        "spec": { "clusterIP": "10.0.0.1", "ports": [{ "port": 80, "protocol": "TCP" }] },
        "status": {},
    });
    assert!(is_within(&desired, &observed));
    assert!(!is_within(&desired, &Value::Object(Map::new())));
}

#[test]
fn a_secrets_data_is_exactly_ours() {
    let secret = |data: Value| json!({ "kind": "Secret", "data": data });
    let desired = secret(json!({ "table.json": "e30=" }));
    for (observed, within) in [
        (secret(json!({ "table.json": "e30=" })), true),
        (secret(json!({ "table.json": "e31=" })), false),
        (secret(json!({ "table.json": "e30=", "more": "" })), false),
        (json!({ "kind": "Secret" }), false),
    ] {
        assert_eq!(is_within(&desired, &observed), within, "{observed}");
    }
}
