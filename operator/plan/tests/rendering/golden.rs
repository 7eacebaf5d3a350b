//! The objects of each case are those in its golden file.
use std::{env, fs};

use serde_json::Value;

use crate::cases::{self, Case};

const END: &str = ".objects.yaml";
const COMMAND: &str = "BOATHOOK_GOLDEN=write cargo test -p boathook-plan";

#[test]
fn every_case_renders_as_its_golden_file_says() {
    let mut differences = Vec::new();
    for (name, case) in cases::all() {
        let (file, made) = (cases::folder().join(format!("{name}{END}")), text(&name, &case));
        if env::var("BOATHOOK_GOLDEN").is_ok_and(|what| what == "write") {
            fs::write(&file, &made).unwrap();
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        differences.extend(difference(&golden, &made).map(|found| format!("{name}{END}:{found}")));
    }
    let all = differences.join("\n");
    assert!(differences.is_empty(), "rendered otherwise:\n{all}\nIf it is meant, run: {COMMAND}");
}

#[test]
fn every_golden_file_has_a_case_without_mistakes() {
    let needs = cases::names(".need.yaml");
    assert!(needs.len() >= 5, "{needs:?}");
    assert_eq!(cases::names(END), needs);
    for (name, case) in cases::all() {
        assert_eq!(case.configuration.check(), [""; 0], "{name}");
    }
}

/// The file of a case: a YAML document for each object.
fn text(name: &str, case: &Case) -> String {
    let document = |object: &Value| format!("---\n{}", serde_yaml::to_string(object).unwrap());
    let head = format!("# Made from {name}.need.yaml by: {COMMAND}\n");
    head + &case.objects().iter().map(document).collect::<String>()
}

/// The first line that differs.
fn difference(golden: &str, made: &str) -> Option<String> {
    let (mut golden, mut made) = (golden.lines(), made.lines());
    (1..).map(|at| (at, golden.next(), made.next())).find_map(|(at, golden, made)| {
        let end = "(end of file)";
        let found = || format!("{at}: `{}` is now `{}`", golden.unwrap_or(end), made.unwrap_or(end));
        if golden.is_none() && made.is_none() {
            return Some(None);
        }
        (golden != made).then(|| Some(found()))
    })?
}
