//! Configurations as people write them: what is read, what is left to defaults, and what each mistake is told as.
#![expect(clippy::panic, reason = "a test that cannot go on fails")]
use boathook_plan::{
    Configuration,
    class::{Route, Store, StoreKind},
    limits::ANNOTATIONS_BYTES_MAX,
};
use boathook_verify::Duration;

/// A class without mistakes; what a case writes follows it.
const CLASS: &str = "image: r.example.com/b:1\nclasses:\n  - name: default\n";

fn read(text: &str) -> Result<Configuration, String> {
    serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())
}

/// The mistakes of the class with these lines added to it.
fn mistakes(lines: &str) -> Vec<String> {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("{CLASS}{lines}");
    read(&text).unwrap_or_else(|error| panic!("{error}\n{text}")).check()
}

#[test]
fn a_class_needs_no_more_than_its_name() {
    let configuration = read(CLASS).unwrap();
    assert_eq!(configuration.check(), [""; 0]);
    let class = configuration.class("default").unwrap();
    assert_eq!(class.store, Store::default());
    assert_eq!((class.store.kind, class.store.size(), class.replicas), (StoreKind::Local, "1Gi", 1));
    assert_eq!(class.route, Route::default());
    assert_eq!((class.key_hold, class.drain_delay), (Duration::from_secs(60), Duration::from_secs(15)));
    assert_eq!(configuration.image_of(class), "r.example.com/b:1");
    assert_eq!(configuration.class("other"), None);
}

#[test]
fn quantities_may_be_written_as_numbers() {
    let text = format!("{CLASS}    resources: {{ requests: {{ cpu: 1 }}, limits: {{ cpu: 1.5 }} }}\n");
    let configuration = read(&text).unwrap();
    let resources = configuration.class("default").unwrap().resources.clone().unwrap();
    assert_eq!((&*resources.requests["cpu"], &*resources.limits["cpu"]), ("1", "1.5"));
    assert_eq!(configuration.check(), [""; 0]);
}

#[test]
fn what_is_no_field_or_no_value_is_refused_while_reading() {
    for (lines, told) in [
        ("replica: 2", "unknown field `replica`"),
        ("store: { kind: redis }", "unknown variant `redis`"),
        ("store: { path: /data }", "unknown field `path`"),
        ("route: { host: hooks.example.com }", "missing field `kind`"),
        ("route: { kind: HTTPRoute }", "unknown variant `HTTPRoute`"),
        ("hosts: [{ host: a.example.com }]", "missing field `namespace`"),
        ("trustedProxies: [proxy]", "`proxy` is no network: write 192.0.2.0/24"),
        ("keyHold: 5", "`5` is not a duration"),
    ] {
        let error = read(&format!("{CLASS}    {lines}\n")).expect_err(lines);
        assert!(error.contains(told), "{lines}: {error}");
    }
}

#[test]
fn a_store_has_what_its_kind_needs_and_nothing_else() {
    for (lines, fields) in [
        ("store: { secretName: database }", &["classes[0].store.secretName"][..]),
        ("store: { kind: postgres, secretName: database, secretKey: uri }\nreplicas: 64", &[]),
        ("store: { kind: postgres }", &["classes[0].store.secretName"]),
        (
            "store: { kind: postgres, secretName: Database, secretKey: a/b, size: 1Gi, storageClassName: fast }",
            &[
                "classes[0].store.secretName",
                "classes[0].store.secretKey",
                "classes[0].store.size",
                "classes[0].store.storageClassName",
            ],
        ),
        ("store: { kind: postgres, secretName: database }\nreplicas: 65", &["classes[0].replicas"]),
        ("store: { kind: postgres, secretName: database }\nreplicas: 0", &["classes[0].replicas"]),
        ("replicas: 2", &["classes[0].replicas"]),
        ("store: { kind: none }\nreplicas: 64", &[]),
        (
            "store: { kind: none, size: 1Gi, secretName: database }\nreplicas: 65",
            &["classes[0].store.size", "classes[0].store.secretName", "classes[0].replicas"],
        ),
    ] {
        let found = mistakes(lines);
        let told: Vec<&str> = found.iter().filter_map(|mistake| Some(mistake.split_once(": ")?.0)).collect();
        assert_eq!(told, fields, "{lines}: {found:?}");
    }
}

#[test]
fn every_mistake_is_told_with_its_field() {
    let ingress = "route: { kind: Ingress, host: hooks.example.com, tlsSecretName: tls";
    for (lines, fields) in [
        ("store: { size: 1GB }", &["classes[0].store.size"][..]),
        ("store: { size: 0 }", &["classes[0].store.size"]),
        ("store: { storageClassName: Fast }", &["classes[0].store.storageClassName"]),
        ("store: { storageClassName: '' }", &[]),
        ("route: { kind: Ingress, tlsSecretName: tls }", &["classes[0].route.host"]),
        ("route: { kind: Ingress, host: hooks.example.com }", &["classes[0].route.tlsSecretName"]),
        ("route: { kind: Ingress, host: hooks.example.com }\nallowInsecure: true", &[]),
        ("route: { kind: Ingress }", &["classes[0].route.host", "classes[0].route.tlsSecretName"]),
        ("route: { kind: None, host: hooks.example.com }", &[]),
        (
            "route: { kind: None, ingressClassName: nginx, tlsSecretName: tls, annotations: { a: b } }",
            &[
                "classes[0].route.ingressClassName",
                "classes[0].route.tlsSecretName",
                "classes[0].route.annotations",
            ],
        ),
        ("route: { kind: None, host: '*.example.com' }", &["classes[0].route.host"]),
        ("route: { kind: None, host: Hooks.example.com }", &["classes[0].route.host"]),
        (&format!("{ingress} }}"), &[]),
        (&format!("{ingress}, ingressClassName: a_b }}"), &["classes[0].route.ingressClassName"]),
        (&format!("{ingress}, annotations: {{ a b: c }} }}"), &["classes[0].route.annotations.a b"]),
        (
            &format!("{ingress}, annotations: {{ boathook.dev/rendered: c }} }}"),
            &["classes[0].route.annotations.boathook.dev/rendered"],
        ),
        (
            &format!("{ingress}, annotations: {{ a: {} }} }}", "b".repeat(ANNOTATIONS_BYTES_MAX)),
            &["classes[0].route.annotations"],
        ),
        ("hosts: [{ host: a.example.com, namespace: team-a }]", &[]),
        (
            "hosts: [{ host: a b, namespace: Team }]",
            &["classes[0].hosts[0].host", "classes[0].hosts[0].namespace"],
        ),
        (
            "hosts:\n- { host: a.example.com, namespace: team-a }\n- { host: a.example.com, namespace: team-a }",
            &["classes[0].hosts[1]"],
        ),
        (
            "hosts:\n- { host: a.example.com, namespace: team-a }\n- { host: a.example.com, namespace: team-b }",
            &["classes[0].hosts[1].host"],
        ),
        (
            "route: { kind: None, host: a.example.com }\nhosts: [{ host: a.example.com, namespace: team-a }]",
            &["classes[0].hosts[0].host"],
        ),
        (
            &format!("trustedProxies: [{}10.0.0.0/8]", "10.0.0.0/8, ".repeat(64)),
            &["classes[0].trustedProxies"],
        ),
        ("keyHold: 0s\ndrainDelay: 0s", &[]),
        ("keyHold: 61m", &["classes[0].keyHold"]),
        ("drainDelay: 301s", &["classes[0].drainDelay"]),
        ("resources: { requests: { cpu: 1 core } }", &["classes[0].resources.requests.cpu"]),
        ("resources: { limits: { 'a b': 1 } }", &["classes[0].resources.limits.a b"]),
        (
            "resources: { requests: { memory: 1Gi }, limits: { memory: 512Mi } }",
            &["classes[0].resources.requests.memory"],
        ),
        ("image: ''", &["classes[0].image"]),
        ("image: a b", &["classes[0].image"]),
    ] {
        let found = mistakes(lines);
        let told: Vec<&str> = found.iter().filter_map(|mistake| Some(mistake.split_once(": ")?.0)).collect();
        assert_eq!(told, fields, "{lines}: {found:?}");
    }
}

#[test]
fn names_of_classes_are_short_labels_and_stand_once() {
    let named = |names: &[&str]| {
        let classes: Vec<String> = names.iter().map(|name| format!("{{ name: '{name}' }}")).collect();
        read(&format!("image: b\nclasses: [{}]\n", classes.join(", "))).unwrap().check()
    };
    assert_eq!(named(&["default", "edge", &"a".repeat(40)]), [""; 0]);
    for name in ["", "Default", "a.b", "a-", &"a".repeat(41)] {
        let found = named(&[name]);
        assert!(found.len() == 1 && found.concat().contains("is no name of a class"), "{found:?}");
    }
    let twice = "classes[1].name: `a` stands twice: rename or remove one";
    assert_eq!(named(&["a", "a"]), [twice]);
    assert!(named(&[]).concat().starts_with("classes: there is none"));
}

#[test]
fn a_host_belongs_to_one_namespace_whichever_class_grants_it() {
    let granted = |first: &str, second: &str| {
        let class = |name: &str, lines: &str| format!("  - name: {name}\n    {lines}\n");
        read(&format!("image: b\nclasses:\n{}{}", class("a", first), class("b", second))).unwrap().check()
    };
    let to = |namespace: &str| format!("hosts: [{{ host: x.example.com, namespace: {namespace} }}]");
    assert_eq!(granted(&to("team-a"), &to("team-a")), [""; 0]);
    let found = granted(&to("team-a"), &to("team-b")).concat();
    assert!(
        found.starts_with("classes[1].hosts[0].host: `x.example.com` is granted to team-a already"),
        "{found}"
    );
    let found = granted(&to("team-a"), "route: { kind: None, host: x.example.com }").concat();
    assert!(found.starts_with("classes[0].hosts[0].host: `x.example.com` is the host that"), "{found}");
}
