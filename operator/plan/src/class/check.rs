//! What is wrong with a configuration: every mistake, with its field and what to do next.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use boathook_verify::Duration;

use super::{
    Class, Configuration, HostGrant, Resources, Route, RouteKind, Store, StoreKind,
    text::{is_data_key, is_key, is_label, is_subdomain, quantity},
};
use crate::{
    limits::{
        ANNOTATIONS_BYTES_MAX, CLASS_NAME_BYTES_MAX, CLASSES_MAX, DRAIN_DELAY_MAX, HOSTS_MAX,
        IMAGE_BYTES_MAX, KEY_HOLD_MAX, REPLICAS_MAX, TRUSTED_PROXIES_MAX,
    },
    names::OUR_PREFIX,
};

impl Configuration {
    /// Every mistake, as `field: what is wrong: what to do`; none means that it can be rendered.
    pub fn check(&self) -> Vec<String> {
        let Self { classes, image: default_image } = self;
        let mut mistakes = Mistakes(Vec::new());
        if classes.is_empty() {
            mistakes.add("classes", "there is none: write one, such as `- name: default`");
        }
        mistakes.at_most("classes", classes.len(), CLASSES_MAX, "classes");
        image("image", default_image, &mut mistakes);
        let mut names = BTreeSet::new();
        for (index, one) in classes.iter().enumerate() {
            let at = format!("classes[{index}]");
            if !names.insert(&one.name) {
                mistakes
                    .add(format!("{at}.name"), format!("`{}` stands twice: rename or remove one", one.name));
            }
            class(&at, one, &mut mistakes);
        }
        grants(classes, &mut mistakes);
        mistakes.0
    }
}

fn class(at: &str, class: &Class, mistakes: &mut Mistakes) {
    let Class {
        name,
        store: kept,
        route: way,
        hosts: _,
        allow_insecure,
        trusted_proxies,
        key_hold,
        drain_delay,
        replicas,
        resources: asked,
        image: own_image,
    } = class;
    if !is_label(name) || name.len() > CLASS_NAME_BYTES_MAX {
        let next = format!("write at most {CLASS_NAME_BYTES_MAX} lower-case letters, digits and inner `-`");
        mistakes.add(format!("{at}.name"), format!("`{name}` is no name of a class: {next}"));
    }
    store(&format!("{at}.store"), kept, mistakes);
    let replicas_max = if kept.kind == StoreKind::Local { 1 } else { REPLICAS_MAX };
    if !(1..=replicas_max).contains(replicas) {
        let next = match kept.kind {
            StoreKind::Local => {
                "a local store has one receiver: write 1, or a store that receivers share".into()
            }
            StoreKind::Postgres | StoreKind::None => format!("write 1 to {REPLICAS_MAX}"),
        };
        mistakes.add(format!("{at}.replicas"), format!("{replicas} is no number of receivers: {next}"));
    }
    route(&format!("{at}.route"), way, *allow_insecure, mistakes);
    mistakes.at_most(
        format!("{at}.trustedProxies"),
        trusted_proxies.len(),
        TRUSTED_PROXIES_MAX,
        "networks: write larger ones",
    );
    mistakes.not_longer(format!("{at}.keyHold"), *key_hold, KEY_HOLD_MAX);
    mistakes.not_longer(format!("{at}.drainDelay"), *drain_delay, DRAIN_DELAY_MAX);
    if let Some(asked) = asked {
        resources(&format!("{at}.resources"), asked, mistakes);
    }
    if let Some(own_image) = own_image {
        image(&format!("{at}.image"), own_image, mistakes);
    }
}

fn store(at: &str, store: &Store, mistakes: &mut Mistakes) {
    let Store { kind, size, storage_class_name, secret_name, secret_key } = store;
    if !quantity(store.size()).is_some_and(|bytes| bytes > 0.0) {
        mistakes.add(format!("{at}.size"), format!("`{}` is no size: write 1Gi or 500Mi", store.size()));
    }
    // An empty name has a meaning of its own there: a volume that somebody has made.
    let class_name = storage_class_name.as_deref().filter(|name| !name.is_empty());
    mistakes.name(format!("{at}.storageClassName"), class_name);
    mistakes.name(format!("{at}.secretName"), secret_name.as_deref());
    if let Some(key) = secret_key.as_deref().filter(|key| !is_data_key(key)) {
        mistakes.add(
            format!("{at}.secretKey"),
            format!("`{key}` is no key: write letters, digits, `-`, `_` and `.`"),
        );
    }
    let is_set = [
        (StoreKind::Local, "size", size.is_some()),
        (StoreKind::Local, "storageClassName", storage_class_name.is_some()),
        (StoreKind::Postgres, "secretName", secret_name.is_some()),
        (StoreKind::Postgres, "secretKey", secret_key.is_some()),
    ];
    for (_, field, _) in is_set.into_iter().filter(|(of, _, is_set)| of != kind && *is_set) {
        let kind = kind.as_str();
        mistakes.add(format!("{at}.{field}"), format!("it has no effect where kind is {kind}: remove it"));
    }
    if *kind == StoreKind::Postgres && secret_name.is_none() {
        mistakes.add(format!("{at}.secretName"), "a database needs one: write the Secret that has its URL");
    }
}

fn route(at: &str, route: &Route, allow_insecure: bool, mistakes: &mut Mistakes) {
    let Route { kind, host, ingress_class_name, tls_secret_name, annotations, require_address } = route;
    if let Some(host) = host {
        mistakes.host(format!("{at}.host"), host);
    }
    mistakes.name(format!("{at}.ingressClassName"), ingress_class_name.as_deref());
    mistakes.name(format!("{at}.tlsSecretName"), tls_secret_name.as_deref());
    annotations_of(&format!("{at}.annotations"), annotations, mistakes);
    match kind {
        RouteKind::Ingress => {
            if host.is_none() {
                mistakes
                    .add(format!("{at}.host"), "an Ingress needs one: write the name that providers call");
            }
            if tls_secret_name.is_none() && !allow_insecure {
                let next = "name the Secret with the certificate, or set allowInsecure on the class";
                mistakes.add(format!("{at}.tlsSecretName"), format!("webhooks would come in clear: {next}"));
            }
        }
        RouteKind::None => {
            let idle = [
                ("ingressClassName", ingress_class_name.is_some()),
                ("tlsSecretName", tls_secret_name.is_some()),
                ("annotations", !annotations.is_empty()),
                ("requireAddress", *require_address),
            ];
            for (field, _) in idle.into_iter().filter(|(_, is_set)| *is_set) {
                mistakes.add(format!("{at}.{field}"), "it has no effect where kind is None: remove it");
            }
        }
    }
}

fn annotations_of(at: &str, annotations: &BTreeMap<String, String>, mistakes: &mut Mistakes) {
    for key in annotations.keys() {
        if !is_key(key) {
            mistakes.add(format!("{at}.{key}"), "it is no key: write `name` or `domain/name`");
        }
        if key.starts_with(OUR_PREFIX) {
            mistakes.add(format!("{at}.{key}"), format!("what begins with {OUR_PREFIX} is ours: remove it"));
        }
    }
    let bytes = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    mistakes.at_most(at, bytes, ANNOTATIONS_BYTES_MAX, "bytes");
}

fn resources(at: &str, resources: &Resources, mistakes: &mut Mistakes) {
    let Resources { requests, limits } = resources;
    for (part, asked) in [("requests", requests), ("limits", limits)] {
        for (name, text) in asked {
            let field = format!("{at}.{part}.{name}");
            if !is_key(name) {
                mistakes.add(field, "it is no resource: write cpu or memory");
            } else if quantity(text).is_none() {
                mistakes.add(field, format!("`{text}` is no quantity: write 100m, 1 or 64Mi"));
            }
        }
    }
    for (name, request) in requests {
        let pair = quantity(request).zip(limits.get(name).and_then(|limit| quantity(limit)));
        if pair.is_some_and(|(request, limit)| request > limit) {
            mistakes.add(format!("{at}.requests.{name}"), "it is more than the limit: lower it");
        }
    }
}

fn image(at: &str, image: &str, mistakes: &mut Mistakes) {
    let is_plain = !image.is_empty() && image.chars().all(|c| c.is_ascii_graphic());
    if !is_plain || image.len() > IMAGE_BYTES_MAX {
        mistakes.add(at, format!("`{image}` is no image: write registry/name:tag or registry/name@digest"));
    }
}

/// A host with free paths belongs to one namespace, whichever class grants it: whoever may use any path there could
/// take another's.
fn grants(classes: &[Class], mistakes: &mut Mistakes) {
    let shared: BTreeSet<&str> = classes.iter().filter_map(|class| class.route.host.as_deref()).collect();
    let mut owners = BTreeMap::new();
    for (index, class) in classes.iter().enumerate() {
        let at = format!("classes[{index}].hosts");
        mistakes.at_most(&*at, class.hosts.len(), HOSTS_MAX, "hosts");
        for (position, grant) in class.hosts.iter().enumerate() {
            let HostGrant { host, namespace } = grant;
            let (at, at_host) = (format!("{at}[{position}]"), format!("{at}[{position}].host"));
            mistakes.host(at_host.clone(), host);
            if !is_label(namespace) {
                mistakes.add(format!("{at}.namespace"), format!("`{namespace}` is no namespace"));
            }
            if shared.contains(host.as_str()) {
                let next = "grant another host";
                mistakes
                    .add(at_host, format!("`{host}` is the host that a class's namespaces share: {next}"));
            } else if class.hosts.iter().take(position).any(|before| before == grant) {
                mistakes.add(at, "it stands twice: remove one");
            } else {
                let owner = *owners.entry(host).or_insert(namespace);
                if owner != namespace {
                    let next = "grant it to one namespace, or let namespaces share a class's host";
                    mistakes.add(at_host, format!("`{host}` is granted to {owner} already: {next}"));
                }
            }
        }
    }
}

struct Mistakes(Vec<String>);

impl Mistakes {
    fn add(&mut self, field: impl Display, message: impl Display) {
        self.0.push(format!("{field}: {message}"));
    }

    fn at_most(&mut self, field: impl Display, count: usize, max: usize, what: &str) {
        if count > max {
            self.add(field, format!("{count} are more than {max} {what}"));
        }
    }

    fn not_longer(&mut self, field: impl Display, value: Duration, max: Duration) {
        if value > max {
            self.add(field, format!("{value} is more than {max}: write less"));
        }
    }

    fn name(&mut self, field: impl Display, name: Option<&str>) {
        if let Some(name) = name.filter(|name| !is_subdomain(name)) {
            self.add(field, format!("`{name}` is no name: write lower-case letters, digits, `-` and `.`"));
        }
    }

    fn host(&mut self, field: impl Display, host: &str) {
        if !is_subdomain(host) {
            let next = "write its full name in lower case, such as hooks.example.com";
            self.add(field, format!("`{host}` is no host: {next}"));
        }
    }
}
