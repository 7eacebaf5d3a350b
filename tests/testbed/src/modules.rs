//! What is built: the tool modules, their programs, and the flags that tell these their version.
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Context;

/// All of them, the quickest first.
pub(crate) const ALL: [Module; 2] = [
    Module {
        name: "etcd",
        go_mod: include_str!("../tools/etcd/go.mod"),
        go_sum: include_str!("../tools/etcd/go.sum"),
        programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
    },
    Module {
        name: "kubernetes",
        go_mod: include_str!("../tools/kubernetes/go.mod"),
        go_sum: include_str!("../tools/kubernetes/go.sum"),
        programs: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ],
    },
];

/// A Go module that requires the sources of programs.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Module {
    /// Its folder in `tools`.
    pub(crate) name: &'static str,
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
    /// The programs, with the packages that they are built from.
    pub(crate) programs: &'static [(&'static str, &'static str)],
}

impl Module {
    /// Flags for the linker. Without its version Kubernetes runs, but `kubectl version` and Helm's `kubeVersion` refuse
    /// what the server says it is. A program without these variables is not changed by them.
    ///
    /// # Errors
    /// When `go.mod` requires no version of a program's module.
    pub(crate) fn link_flags(&self) -> anyhow::Result<String> {
        let version = self.programs.iter().find_map(|(_, package)| required(self.go_mod, package));
        let version =
            version.with_context(|| format!("tools/{}/go.mod has not what it builds", self.name))?;
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let stamps = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(|package| {
            format!(
                " -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} \
                 -X {package}.gitTreeState=clean -X {package}.gitCommit=unknown"
            )
        });
        Ok(format!("-s -w{}", stamps.concat()))
    }
}

/// Another one for other sources or flags.
pub(crate) fn key(modules: &[Module]) -> String {
    let mut hasher = DefaultHasher::new();
    for module in modules {
        (module, module.link_flags().ok()).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// The version in which a `go.mod` requires the module of a package.
fn required<'a>(go_mod: &'a str, package: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        let rest = package.strip_prefix(words.next()?)?;
        words.next().filter(|version| (rest.is_empty() || rest.starts_with('/')) && version.starts_with('v'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go;

    #[test]
    fn the_version_of_a_packages_module_is_found_on_a_line_of_its_own_and_in_a_block() {
        let text = "module a\ngo 1.24\ntool b/cmd\nrequire b v1.2.3\nrequire (\n\tc v0.1.0 // indirect\n)\n\
                    replace (\n\td => d v0.2.0\n)\n";
        for (package, version) in
            [("b/cmd/x", Some("v1.2.3")), ("c", Some("v0.1.0")), ("cd", None), ("d", None), ("go", None)]
        {
            assert_eq!(required(text, package), version, "{package}");
        }
    }

    #[test]
    fn kubernetes_is_told_the_version_that_is_required() {
        let flags = ALL[1].link_flags().unwrap();
        assert!(flags.starts_with("-s -w -X k8s.io/component-base/version.gitVersion=v1.34."), "{flags}");
        assert!(flags.contains("gitMajor=1 ") && flags.contains("gitMinor=34 "), "{flags}");
    }

    #[test]
    fn the_key_depends_on_the_files() {
        let mut other = ALL;
        other[0].go_sum = "";
        assert_eq!(key(&ALL), key(&ALL));
        assert_ne!(key(&other), key(&ALL));
    }

    #[test]
    fn the_modules_ask_for_no_newer_go_than_we_look_for() {
        for module in ALL {
            let asked =
                module.go_mod.lines().find_map(|line| go::numbers(line.strip_prefix("go ")?)).unwrap();
            assert!(asked <= go::OLDEST, "{}: {asked:?}", module.name);
        }
    }
}
