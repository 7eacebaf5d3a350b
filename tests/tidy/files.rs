//! Rules about single files: budgets, names, words, bounds, links.
use crate::rust::{self, budgeted_lines, words};

/// Looks at one file, by its path and text: each finding says where, what, and what to do next.
pub(crate) type Rule = fn(&str, &str) -> Vec<String>;

/// Lines of a file of code, without the tests at its end.
const CODE_LINES_MAX: usize = 500;
/// Lines of a file of tests.
const TEST_LINES_MAX: usize = 700;

/// Names that say nothing about what is inside.
const VAGUE: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "manager", "core", "misc"];

/// What does not stay, and what to do instead.
const LEFTOVERS: [(&str, &str); 6] = [
    ("#[ignore", "find the cause, or delete the test"),
    ("todo!", "write it, or leave it out"),
    ("unimplemented!", "write it, or leave it out"),
    ("dbg!", "delete it"),
    ("#[allow(", "write #[expect(…, reason = …)], which says when it is no longer needed"),
    ("#![allow(", "write #![expect(…, reason = …)], which says when it is no longer needed"),
];

/// All that may stand in the root.
const TOP: &str = ".cargo .ci .gitignore ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md Cargo.lock Cargo.toml LICENSE \
    README.md SECURITY.md charts clippy-pure.toml clippy.toml crds deny.toml e2e operator receiver \
    rust-toolchain.toml rustfmt.toml tests";

/// Whether a Rust file holds tests only.
fn is_test(file: &str) -> bool {
    let has = |name: &str| file.split('/').any(|folder| folder == name);
    (has("tests") || has("e2e")) && !has("src")
}

/// A file that is too long.
pub(crate) fn over_budget(file: &str, text: &str) -> Vec<String> {
    let (lines, max) = match is_test(file) {
        true => (text.lines().count(), TEST_LINES_MAX),
        false => (budgeted_lines(text), CODE_LINES_MAX),
    };
    let finding = || format!("{file}:{lines}: {lines} lines, at most {max}; split it by idea");
    (lines > max).then(finding).into_iter().collect()
}

/// A file that does not open with its module's doc comment.
pub(crate) fn undocumented(file: &str, text: &str) -> Vec<String> {
    let finding = || format!("{file}:1: no `//!` at the top; say in one sentence what the file is for");
    (!text.starts_with("//! ")).then(finding).into_iter().collect()
}

/// Words that only stand in code for a while.
pub(crate) fn leftovers(file: &str, text: &str) -> Vec<String> {
    let code = rust::code(text);
    let found =
        LEFTOVERS.iter().flat_map(|entry| words(&code, entry.0).into_iter().map(move |line| (line, entry)));
    found.map(|(line, (word, next))| format!("{file}:{line}: `{word}`; {next}")).collect()
}

/// A file or folder whose name says nothing.
pub(crate) fn vague_name(file: &str, _: &str) -> Vec<String> {
    let is_vague = |part: &&str| VAGUE.iter().any(|vague| part.split('.').next() == Some(vague));
    let finding = |part| format!("{file}:1: `{part}` says nothing; name it after the idea inside");
    file.split('/').filter(is_vague).map(finding).collect()
}

/// Functions whose names begin by saying that they return something or test something.
pub(crate) fn vague_function(file: &str, text: &str) -> Vec<String> {
    let is_vague = |(_, name): &(usize, String)| name.starts_with("get_") || name.starts_with("test_");
    let next = "leave `get_` out; the name of a test is a sentence";
    let functions = rust::functions(&rust::code(text)).into_iter().filter(is_vague);
    functions.map(|(line, name)| format!("{file}:{line}: fn {name}; {next}")).collect()
}

/// Bounds of the data plane outside `limits.rs`, and those inside that do not say why.
pub(crate) fn stray_bound(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut is_documented = false;
    let code = rust::product(&rust::code(text));
    let lines = text.lines().zip(code.lines()).zip(1..);
    for ((line, code), at) in lines.filter(|_| file.starts_with("receiver/") && !is_test(file)) {
        let constant = code.split_once("const ").and_then(|(_, rest)| rest.split_once(':'));
        let name = constant.map(|(name, _)| name).unwrap_or_default();
        if file.ends_with("/limits.rs") {
            if code.starts_with("pub const ") && !is_documented {
                findings.push(format!(
                    "{file}:{at}: {name} has no doc comment; say what it bounds, and why there"
                ));
            }
        } else if name.ends_with("_MAX") || name.ends_with("_MIN") {
            findings.push(format!("{file}:{at}: {name} is a bound; move it to limits.rs of its crate"));
        }
        is_documented = line.starts_with("///") || (is_documented && line.starts_with("#["));
    }
    findings
}

/// A file whose place in the root is not foreseen.
pub(crate) fn strange_on_top(file: &str, _: &str) -> Vec<String> {
    let finding =
        |top| format!("{file}:1: `{top}` has no place in the root; put it in one of the folders there");
    file.split('/').take(1).filter(|top| !TOP.split(' ').any(|name| name == *top)).map(finding).collect()
}

/// A manifest that does not take over the workspace's lints, or a workspace whose lints let unsafe code through.
pub(crate) fn without_lints(file: &str, text: &str) -> Vec<String> {
    let (section, wanted) = match file {
        "Cargo.toml" => ("[workspace.lints.rust]", "unsafe_code = \"forbid\""),
        _ => ("[lints]", "workspace = true"),
    };
    let lines = text.lines().skip_while(|line| *line != section).skip(1);
    let has = lines.take_while(|line| !line.starts_with('[')).any(|line| line == wanted);
    (!has).then(|| format!("{file}:1: no `{wanted}` in `{section}`; add it")).into_iter().collect()
}

/// The relative links of a document, each with its line.
pub(crate) fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut is_example = false;
    for (line, at) in text.lines().zip(1..) {
        is_example ^= line.trim_start().starts_with("```");
        let ends = line.split("](").skip(1).filter(|_| !is_example);
        let paths = ends.filter_map(|rest| rest.split([')', '#']).next().filter(|path| !path.is_empty()));
        links.extend(paths.filter(|path| !path.contains(':')).map(|path| (at, path)));
    }
    links
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    let lines = |count: usize| "x\n".repeat(count);
    let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n}}\n", lines(500));
    let cases: [(Rule, &str, &str, usize); 34] = [
        (over_budget, "receiver/src/a.rs", &lines(500), 0),
        (over_budget, "receiver/src/a.rs", &with_tests, 0),
        (over_budget, "receiver/src/a.rs", &lines(501), 1),
        (over_budget, "tests/xtask/src/a.rs", &lines(501), 1),
        (over_budget, "receiver/tests/a.rs", &lines(700), 0),
        (over_budget, "receiver/tests/a.rs", &lines(701), 1),
        (undocumented, "a.rs", "//! A.\nuse b;", 0),
        (undocumented, "a.rs", "// A.\nuse b;", 1),
        (undocumented, "a.rs", "", 1),
        (leftovers, "a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}", 1),
        (leftovers, "a.rs", "#[ignore]\nfn a() { todo!() }\nfn b() { dbg!(unimplemented!()) }", 4),
        (leftovers, "a.rs", "#![allow(a)]\n#[allow(b)]\nfn c() {}", 2),
        (leftovers, "a.rs", "//! No `todo!`.\n#[expect(a, reason = \"#[ignore]\")]\nfn a() {}", 0),
        (vague_name, "receiver/src/utils.rs", "", 1),
        (vague_name, "tests/common/mod.rs", "", 1),
        (vague_name, "crds/core/misc.tar.gz", "", 2),
        (vague_name, "charts/boathook/templates/_helpers.tpl", "", 0),
        (vague_function, "a.rs", "pub fn get_name() {}\nasync fn test_name() {}", 2),
        (vague_function, "a.rs", "fn name() { self.get_name() }\nfn target() {}", 0),
        (stray_bound, "receiver/a/src/lib.rs", "/// Why.\nconst A_MAX: u8 = 1;", 1),
        (stray_bound, "receiver/a/tests/a.rs", "const A_MAX: u8 = 1;", 0),
        (stray_bound, "receiver/a/src/lib.rs", "#[cfg(test)]\nmod tests {\n    const A_MAX: u8 = 1;\n}", 0),
        (stray_bound, "receiver/a/src/limits.rs", "/// Why.\n#[cfg(a)]\npub const A_MAX: u8 = 1;", 0),
        (stray_bound, "receiver/a/src/limits.rs", "/// Why.\npub const A: u8 = 1;\npub const B: u8 = 1;", 1),
        (strange_on_top, "receiver/src/lib.rs", "", 0),
        (strange_on_top, "deny.toml", "", 0),
        (strange_on_top, "docs/index.md", "", 1),
        (strange_on_top, "notes.txt", "", 1),
        (without_lints, "a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n", 0),
        (without_lints, "a/Cargo.toml", "[lints]\n\n[other]\nworkspace = true\n", 1),
        (without_lints, "a/Cargo.toml", "[package]\n", 1),
        (without_lints, "Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n", 0),
        (without_lints, "Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"deny\"\n", 1),
        (without_lints, "Cargo.toml", "[workspace]\n", 1),
    ];
    for (at, (rule, file, text, count)) in cases.iter().enumerate() {
        let found = rule(file, text);
        assert_eq!(found.len(), *count, "case {at}, {file}: {found:?}");
    }
}

#[test]
fn relative_links_are_found_outside_examples() {
    let text = "[a](a.md), [b](../b.md#part) and [c](https://c)\n[d](#d)\n```\n[e](e)\n```\n[f](f/)";
    assert_eq!(links(text), [(1, "a.md"), (1, "../b.md"), (6, "f/")]);
}
