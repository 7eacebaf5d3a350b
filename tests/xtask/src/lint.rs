//! `cargo xtask lint`: what CI checks besides the tests.
use crate::steps;

/// Checks formatting, lints, dependencies and generated files; the first that fails ends it.
///
/// # Errors
/// When a check fails, or its program cannot be started.
pub(crate) fn run() -> anyhow::Result<()> {
    steps::run("formatting", "cargo", &["fmt", "--all", "--check"])?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    steps::run("lints", "cargo", &clippy)?;
    dependencies()?;
    crate::generate(true)
}

/// `cargo deny`, where it is installed. Offline: advisories need the network, the rest does not.
fn dependencies() -> anyhow::Result<()> {
    let installed =
        steps::command("cargo", &["deny", "--version"])?.output().is_ok_and(|o| o.status.success());
    if installed {
        let deny = ["deny", "--offline", "check", "bans", "licenses", "sources"];
        return steps::run("dependencies", "cargo", &deny);
    }
    eprintln!(
        "» dependencies: the bans are checked by the tidy suite, licences and sources were not checked: for them \
         run `cargo install --locked cargo-deny`"
    );
    Ok(())
}
