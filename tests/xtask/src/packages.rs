//! What tests need of the system: installed where we may, else named in one line.
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::bail;

use crate::steps;

/// PostgreSQL's server, by the name of its package; its programs are where [`boathook_testbed::postgres_programs`] says.
pub(crate) const POSTGRES: &str = "postgresql";
/// What moves a program's clock, by the name of its package; see [`faketime`].
pub(crate) const FAKETIME: &str = "libfaketime";
/// Where a package of PostgreSQL is told not to start a server by itself.
const CLUSTERS: &str = "/etc/postgresql-common/createcluster.d";

/// Makes sure that these programs are there. Debian's packages have their names.
///
/// # Errors
/// When one is missing and cannot be installed; the message names the packages.
pub(crate) fn ensure(programs: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let may_install =
        is_there("apt-get") && Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !may_install {
        bail!(
            "these tests need packages, install them first: {}; `cargo xtask test unit` needs none",
            missing.join(" ")
        );
    }
    if missing.contains(&POSTGRES) {
        // Tests start servers of their own. Installing the package would start one for everybody.
        fs::create_dir_all(CLUSTERS)?;
        fs::write(format!("{CLUSTERS}/boathook.conf"), "create_main_cluster = false\n")?;
    }
    steps::run("package lists", "apt-get", &["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&missing);
    steps::run("packages", "apt-get", &install)
}

/// The library that is loaded before a program to move its clock.
pub(crate) fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let library = |folder: fs::DirEntry| folder.path().join("faketime/libfaketime.so.1");
    folders.filter_map(Result::ok).map(library).find(|library| library.is_file())
}

fn is_there(program: &str) -> bool {
    match program {
        POSTGRES => return boathook_testbed::postgres_programs().is_some(),
        FAKETIME => return faketime().is_some(),
        _ => {}
    }
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok()
}
