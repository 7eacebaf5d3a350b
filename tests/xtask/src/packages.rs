//! What the whole of the tests needs of the system: installed where we may, else named in one line.
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::steps;

/// Programs that tests run, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 1] = [("strace", "strace")];

/// Makes sure that every program is there.
///
/// # Errors
/// When one is missing and cannot be installed; the message names the packages.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(program, _)| !is_there(program)).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let may_install =
        is_there("apt-get") && Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !may_install {
        bail!(
            "all the tests need these packages, install them first: {}; `cargo xtask test unit` needs none",
            missing.join(" ")
        );
    }
    steps::run("package lists", "apt-get", &["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&missing);
    steps::run("packages", "apt-get", &install)
}

fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok()
}
