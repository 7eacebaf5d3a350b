//! The repository's own rules: what readers, builds and reviews rely on and no compiler checks.
//!
//! A rule is a function from text to findings, with a seeded test that shows it can fail; the tests of this file hold
//! the rules against the checkout they run in.
#[path = "tidy/crates.rs"]
mod crates;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/repository.rs"]
mod repository;
#[path = "tidy/rust.rs"]
mod rust;

use files::Rule;
use repository::Repository;

/// Fails with every finding.
#[track_caller]
fn none(findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), findings.join("\n"));
}

/// Holds a rule against every file with such an end.
#[track_caller]
fn none_in(end: &str, rule: Rule) {
    none(Repository::open().texts(end).flat_map(|(file, text)| rule(file, &text)));
}

#[test]
fn arrows_between_crates_go_down_only() {
    none(Repository::open().packages().iter().flat_map(crates::arrows));
}

#[test]
fn pure_crates_can_reach_no_effect() {
    let repository = Repository::open();
    let bans = repository.text("clippy-pure.toml");
    let mut findings = Vec::new();
    for package in repository.packages().iter().filter(|package| crates::is_pure(package.name())) {
        findings.extend(crates::impure_dependencies(package));
        let folder = package.folder();
        if repository.text(&format!("{folder}/clippy.toml")) != bans {
            findings.push(format!(
                "{folder}/clippy.toml:1: not clippy-pure.toml; link it as other pure crates do"
            ));
        }
        let source = format!("{folder}/src/");
        let texts = repository.texts(".rs").filter(|(file, _)| file.starts_with(&source));
        findings.extend(texts.flat_map(|(file, text)| crates::impure_code(file, &text)));
    }
    none(findings);
}

#[test]
fn what_deny_toml_bans_is_not_drawn_in() {
    let repository = Repository::open();
    let bans = crates::bans(&repository.text("deny.toml"));
    assert!(!bans.is_empty(), "deny.toml:1: no ban was found; write `{{ crate = \"…\" }}`, one a line");
    none(crates::banned(&repository.tree(), &bans));
}

#[test]
fn every_package_inherits_the_lints_which_forbid_unsafe_code() {
    none_in("Cargo.toml", files::without_lints);
}

#[test]
fn files_keep_their_budgets() {
    none_in(".rs", files::over_budget);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    none_in(".rs", files::undocumented);
}

#[test]
fn no_test_is_switched_off_and_nothing_is_left_undone() {
    none_in(".rs", files::leftovers);
}

#[test]
fn files_and_folders_are_named_after_what_is_inside() {
    none_in("", files::vague_name);
}

#[test]
fn functions_are_named_after_what_they_do() {
    none_in(".rs", files::vague_function);
}

#[test]
fn every_bound_stands_in_the_limits_of_its_crate_with_its_reason() {
    none_in(".rs", files::stray_bound);
}

#[test]
fn the_top_level_stays_as_it_is() {
    none_in("", files::strange_on_top);
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let repository = Repository::open();
    let next = "links are relative to the file they stand in";
    none(repository.texts(".md").flat_map(|(file, text)| {
        let dead = files::links(&text).into_iter().filter(|(_, link)| !repository.has(file, link));
        dead.map(|(line, link)| format!("{file}:{line}: `{link}` leads nowhere; {next}")).collect::<Vec<_>>()
    }));
}
