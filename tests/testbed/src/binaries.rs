//! The programs of a control plane: found, or built once and kept.
use std::{
    env::consts::ARCH,
    path::{Path, PathBuf, absolute},
};

use anyhow::{Context, bail};

use crate::{cache::Cache, go::Go, modules, variable};

const ASSETS: &str = "KUBEBUILDER_ASSETS";
const KUBECONFIG: &str = "BOATHOOK_TESTBED_KUBECONFIG";

/// What a control plane is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// `kubectl`.
    pub kubectl: PathBuf,
    /// Where the API comes from.
    pub servers: Servers,
}

/// Where the API comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    /// Programs to start.
    Programs {
        /// `etcd`.
        etcd: PathBuf,
        /// `kube-apiserver`.
        api_server: PathBuf,
        /// `kube-controller-manager`; without it nothing is garbage collected and no namespace gets its account.
        controller_manager: Option<PathBuf>,
    },
    /// A cluster that runs already, by its kubeconfig.
    Running(PathBuf),
}

impl Binaries {
    /// Takes what the environment names, else what an earlier call has built, else builds: minutes, once.
    ///
    /// # Errors
    /// When the environment names what is not there, or the programs cannot be built.
    pub fn ensure(progress: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let assets = variable(ASSETS);
        if let Some(kubeconfig) = variable(KUBECONFIG) {
            return Self::for_running(&kubeconfig, assets.as_deref());
        }
        if let Some(folder) = assets {
            return Self::from_assets(&folder);
        }
        let cache = Cache::open()?;
        let name = format!("{ARCH}-{}", modules::key(&modules::ALL));
        let folder = cache.folder(&name, progress, |folder| {
            progress("the Kubernetes programs are built from source: 5 to 7 minutes on 2 cores, once");
            let go = Go::find(&cache, progress)?;
            modules::ALL.iter().try_for_each(|module| go.build(module, folder, progress))
        })?;
        Self::in_folder(&folder).context("remove that folder, and its programs are built again")
    }

    fn for_running(kubeconfig: &Path, assets: Option<&Path>) -> anyhow::Result<Self> {
        if !kubeconfig.is_file() {
            bail!("{KUBECONFIG}: there is no file {}", kubeconfig.display());
        }
        let kubectl = assets.map(|folder| folder.join("kubectl")).filter(|kubectl| kubectl.is_file());
        Ok(Self {
            kubectl: kubectl.unwrap_or_else(|| PathBuf::from("kubectl")),
            servers: Servers::Running(absolute(kubeconfig)?),
        })
    }

    fn from_assets(folder: &Path) -> anyhow::Result<Self> {
        Self::in_folder(folder).with_context(|| format!("correct {ASSETS}, or unset it to have them built"))
    }

    fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let folder = absolute(folder)?;
        let program = |name: &str| Some(folder.join(name)).filter(|program| program.is_file());
        let needed = |name: &str| program(name).with_context(|| format!("no {name} in {}", folder.display()));
        let servers = Servers::Programs {
            etcd: needed("etcd")?,
            api_server: needed("kube-apiserver")?,
            controller_manager: program("kube-controller-manager"),
        };
        Ok(Self { kubectl: needed("kubectl")?, servers })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_of_programs_may_lack_the_controller_manager_alone() {
        let folder = tempfile::tempdir().unwrap();
        for program in ["kube-apiserver", "etcd", "kubectl"] {
            let refusal = format!("{:#}", Binaries::from_assets(folder.path()).unwrap_err());
            assert!(refusal.contains(ASSETS) && refusal.contains(": no "), "{refusal}");
            fs::write(folder.path().join(program), "").unwrap();
        }
        let binaries = Binaries::from_assets(folder.path()).unwrap();
        assert_eq!(binaries.kubectl, folder.path().join("kubectl"));
        assert!(matches!(binaries.servers, Servers::Programs { controller_manager: None, .. }));
    }

    #[test]
    fn a_cluster_of_ones_own_needs_its_kubeconfig_and_kubectl_alone() {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        let refusal = Binaries::for_running(&kubeconfig, None).unwrap_err().to_string();
        assert!(refusal.contains(KUBECONFIG), "{refusal}");
        fs::write(&kubeconfig, "").unwrap();
        let binaries = Binaries::for_running(&kubeconfig, Some(folder.path())).unwrap();
        assert_eq!(binaries, Binaries { kubectl: "kubectl".into(), servers: Servers::Running(kubeconfig) });
    }
}
