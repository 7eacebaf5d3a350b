//! Rules about crates: the arrows between ours, what pure ones may reach, and what nobody may draw in.
use crate::{
    repository::{Dependency, Package},
    rust,
};

/// A crate of ours: its folder, whether it is pure, and the crates that it may use.
type Room = (&'static str, bool, &'static [&'static str]);

/// The house. Arrows go down only; what is not built yet has its place already.
const ROOMS: [Room; 16] = [
    ("template", true, &[]),
    ("verify", true, &["template"]),
    ("event", true, &["verify", "template"]),
    ("dispatch", true, &["event"]),
    ("table", true, &["crds", "event", "verify", "template"]),
    ("plan", true, &["table", "crds", "event", "verify"]),
    ("crds", false, &["verify", "template"]),
    ("store", false, &["event", "testbed"]),
    ("sinks", false, &["event", "template"]),
    ("api", false, &[]),
    (
        "receiver",
        false,
        &["api", "table", "dispatch", "store", "sinks", "event", "verify", "crds", "testbed"],
    ),
    ("operator", false, &["plan", "table", "crds", "event", "verify", "testbed"]),
    ("cli", false, &["api", "verify", "crds"]),
    ("tests", false, &[]),
    ("testbed", false, &[]),
    ("xtask", false, &["testbed", "plan"]),
];

/// Crates that a pure one may use: data and arithmetic. kube, for its object types, is looked at by its features.
const PURE_DEPENDENCIES: &str = "aws-lc-rs base64 bytes cel crc32fast faster-hex hmac hpke http ipnet jiff jsonschema \
    quick-xml regex schemars serde serde-saphyr serde_json sha1 sha2 smallvec subtle thiserror unicode-normalization uuid x509-cert zeroize";

/// What pure code may not say.
const EDGE: &str = "std::env std::fs std::net std::process std::thread Instant::now SystemTime::now Timestamp::now \
    Zoned::now print! println! eprint! eprintln!";

/// Whether a crate of ours is pure.
pub(crate) fn is_pure(name: &str) -> bool {
    ROOMS.iter().any(|(room, pure, _)| *room == name && *pure)
}

/// Arrows of a crate that the house does not have, and a crate that has no place in it.
pub(crate) fn arrows(package: &Package) -> Vec<String> {
    let (name, manifest) = (package.name(), &package.manifest);
    let Some((_, _, below)) = ROOMS.iter().find(|(room, ..)| *room == name) else {
        return vec![format!(
            "{manifest}:1: no place for `{name}`; give it one in ROOMS in tests/tidy/crates.rs"
        )];
    };
    // Tests of the whole use any crate.
    let is_whole = |to: &Dependency| name == "tests" && to.is_dev() && to.our_name() != Some("xtask");
    let dependencies =
        package.dependencies.iter().filter(|to| !is_whole(to)).filter_map(Dependency::our_name);
    let next = "move what is needed down, or change the design and ROOMS in tests/tidy/crates.rs";
    let finding = |to: &str| format!("{manifest}:1: `{name}` may not use `{to}`; {next}");
    dependencies.filter(|to| !below.contains(to)).map(finding).collect()
}

/// Dependencies that a pure crate may not have.
pub(crate) fn impure_dependencies(package: &Package) -> Vec<String> {
    let is_pure = |to: &Dependency| match to.name.as_str() {
        "kube" => package.name() == "table" && to.features == ["derive"] && !to.uses_default_features,
        name => PURE_DEPENDENCIES.split(' ').any(|pure| pure == name),
    };
    let next = "do it at the edge and hand the result in; tests/tidy/crates.rs lists what is data only";
    let finding = |to: &Dependency| format!("{}:1: pure, but uses `{}`; {next}", package.manifest, to.name);
    let others = package.dependencies.iter().filter(|to| to.our_name().is_none() && !to.is_dev());
    others.filter(|to| !is_pure(to)).map(finding).collect()
}

/// What a pure crate's source says of clocks, environment, files, network, threads and output.
pub(crate) fn impure_code(file: &str, text: &str) -> Vec<String> {
    let code = rust::product(&rust::code(text));
    let mut said = Vec::new();
    for edge in EDGE.split(' ') {
        said.extend(rust::words(&code, edge).into_iter().map(|line| (line, edge)));
    }
    for (at, start) in code.match_indices("std::{") {
        let group = code.get(at + start.len()..).unwrap_or_default().split(';').next().unwrap_or_default();
        let modules = EDGE.split(' ').filter_map(|edge| Some((edge, edge.strip_prefix("std::")?)));
        let named = modules.filter(|(_, module)| !rust::words(group, module).is_empty());
        said.extend(named.map(|(edge, _)| (rust::line(&code, at), edge)));
    }
    let next =
        "this crate is pure: do it at the edge and hand the result in (addresses as values: core::net)";
    said.iter().map(|(line, edge)| format!("{file}:{line}: `{edge}`; {next}")).collect()
}

/// A crate that deny.toml bans, and those below which it is let through.
type Ban = (String, Vec<String>);

/// The list `deny` of deny.toml's section `[bans]`: one entry a line.
pub(crate) fn bans(deny: &str) -> Vec<Ban> {
    let section = deny.lines().skip_while(|line| *line != "[bans]").skip(1);
    let entries =
        section.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once("{ crate = "));
    let ban = |(_, entry): (&str, &str)| {
        let mut names = entry.split('"').skip(1).step_by(2).map(str::to_owned);
        Some((names.next()?, names.collect()))
    };
    entries.filter_map(ban).collect()
}

/// Banned crates in what cargo draws in (`0 a`, `1 b` below it, and so on).
pub(crate) fn banned(tree: &str, bans: &[Ban]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut above: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let mut parts = line.split(' ');
        let Some(depth) = parts.next().and_then(|depth| depth.parse().ok()) else { continue };
        let name = parts.next().unwrap_or_default();
        above.truncate(depth);
        let parent = above.last().copied().unwrap_or_default();
        if bans.iter().any(|(ban, wrappers)| ban == name && !wrappers.iter().any(|wrapper| wrapper == parent))
        {
            let next = "switch off the feature that draws it in; deny.toml says why";
            findings.push(format!("Cargo.lock:1: `{parent}` draws in `{name}`; {next}"));
        }
        above.push(name);
    }
    findings
}

#[test]
fn arrows_up_crates_without_a_place_and_impure_dependencies_are_found() {
    let on = |name: &str, kind: Option<&str>, path: Option<&str>, features: &[&str]| Dependency {
        name: name.to_owned(),
        path: path.map(str::to_owned),
        kind: kind.map(str::to_owned),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        uses_default_features: false,
    };
    let our = |path: &str| on("boathook", None, Some(path), &[]);
    let dev = |path: &str| on("boathook", Some("dev"), Some(path), &[]);
    let other = |name: &str, features: &[&str]| on(name, None, None, features);
    for (folder, dependency, wrong_arrows, impure) in [
        ("receiver/verify", our("receiver/template"), 0, 0),
        ("receiver/template", our("receiver/verify"), 1, 0),
        ("receiver/event", dev("receiver/store"), 1, 0),
        ("receiver", our("operator"), 1, 0),
        ("tests", dev("receiver"), 0, 0),
        ("tests", our("receiver"), 1, 0),
        ("crds", dev("tests/xtask"), 1, 0),
        ("receiver/attic", our("crds"), 1, 0),
        ("receiver/event", other("tokio", &[]), 0, 1),
        ("receiver/event", on("tokio", Some("dev"), None, &[]), 0, 0),
        ("receiver/event", other("kube", &["derive"]), 0, 1),
        ("receiver/table", other("kube", &["derive"]), 0, 0),
        ("receiver/table", other("kube", &["derive", "client"]), 0, 1),
    ] {
        let package = Package { manifest: format!("{folder}/Cargo.toml"), dependencies: vec![dependency] };
        let found = (arrows(&package).len(), impure_dependencies(&package).len());
        assert_eq!(found, (wrong_arrows, impure), "{package:?}");
    }
}

#[test]
fn effects_in_pure_code_are_found_and_those_of_tests_are_not() {
    for (text, found) in [
        ("let a = std::env::var(B);", 1),
        ("use std::{\n    collections::BTreeMap,\n    fs::{self, File},\n};", 1),
        ("std::net::TcpStream::connect(a);", 1),
        ("let now = Timestamp::now();", 1),
        ("eprintln!();", 1),
        ("use core::net::IpAddr;\nuse std::{fmt, environment};", 0),
        ("// std::env\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}", 0),
    ] {
        assert_eq!(impure_code("a.rs", text).len(), found, "{text}");
    }
}

#[test]
fn a_banned_crate_is_found_unless_it_stands_below_its_wrapper() {
    let entries = "  # Why.\n  { crate = \"a\" },\n  { crate = \"b\", wrappers = [\"c\", \"d\"] },";
    let bans =
        bans(&format!("{{ crate = \"x\" }}\n[bans]\ndeny = [\n{entries}\n]\n[other]\n{{ crate = \"x\" }}\n"));
    assert_eq!(bans, [("a".to_owned(), vec![]), ("b".to_owned(), vec!["c".to_owned(), "d".to_owned()])]);
    assert_eq!(banned("0 x v1\n1 d v1\n2 b v1\n1 ab v1", &bans), [""; 0]);
    assert_eq!(banned("0 x v1\n1 d v1\n2 e v1\n3 b v1\n\n0 y v1\n1 a v1 (*)", &bans).len(), 2);
}
