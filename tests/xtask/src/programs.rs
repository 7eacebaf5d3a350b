//! Building programs of this workspace.
use std::{path::PathBuf, process::Stdio, time::Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::steps;

/// The receiver's program, and its package.
pub(crate) const RECEIVER: &str = "boathook-receiver";
/// The operator's.
pub(crate) const OPERATOR: &str = "boathook-operator";

/// Builds programs, each of the package with its name, with a profile of cargo's (`dev`, `release`); their paths.
///
/// # Errors
/// When one cannot be built.
pub(crate) fn build<const N: usize>(names: [&str; N], profile: &str) -> anyhow::Result<[PathBuf; N]> {
    let started = Instant::now();
    let mut arguments = vec!["build", "--locked", "--profile", profile];
    arguments.extend(names.iter().flat_map(|name| ["--package", name]));
    eprintln!("» programs: cargo {}", arguments.join(" "));
    // The messages on standard output say where a program is; progress and errors stay on standard error.
    arguments.extend(["--message-format", "json-render-diagnostics"]);
    let output = steps::command("cargo", &arguments)?.stderr(Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{} cannot be built ({}); the output above says why", names.join(" and "), output.status);
    }
    eprintln!("» programs: done in {} s", started.elapsed().as_secs());
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut paths = names.map(|_| PathBuf::new());
    for (path, name) in paths.iter_mut().zip(names) {
        let found = messages.lines().find_map(|message| program(message, name));
        *path = found.with_context(|| format!("package {name} has no program {name}"))?;
    }
    Ok(paths)
}

/// The program of this name, where one of cargo's messages speaks of it.
fn program(message: &str, name: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_it = message.pointer("/target/name")?.as_str()? == name;
    message.get("executable")?.as_str().filter(|_| is_it).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_where_cargo_says_it_is() {
        let it =
            r#"{"reason":"compiler-artifact","target":{"name":"boathook-receiver"},"executable":"/t/b"}"#;
        assert_eq!(program(it, RECEIVER), Some(PathBuf::from("/t/b")));
        for other in [
            r#"{"reason":"compiler-artifact","target":{"name":"boathook_receiver"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "no message",
        ] {
            assert_eq!(program(other, RECEIVER), None, "{other}");
        }
    }
}
