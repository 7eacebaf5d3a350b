//! The repository as it lies on disk: its root, its files, its packages, and what a build of it draws in.
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// Folders that are no part of the repository, where git is not there to say so.
const IGNORED: [&str; 3] = [".git", "target", ".boathook"];

/// The checkout that the tests run in.
pub(crate) struct Repository {
    root: PathBuf,
    /// Relative to the root, sorted.
    files: Vec<String>,
}

impl Repository {
    /// Looks from the current folder upwards, so that a built test follows a tree that was moved.
    pub(crate) fn open() -> Self {
        let here = env::current_dir().expect("the test runs in a folder");
        let is_root = |folder: &&Path| {
            fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]\n"))
        };
        let root = here.ancestors().find(is_root).expect("run inside the repository: no [workspace] above");
        let mut files = tracked(root).unwrap_or_else(|| walk(root, root));
        // What is tracked may have been deleted.
        files.retain(|file| root.join(file).exists());
        files.sort();
        Self { root: root.to_owned(), files }
    }

    /// The files with such an end, with their texts; without one where they are no text.
    pub(crate) fn texts(&self, end: &str) -> impl Iterator<Item = (&str, String)> {
        let files = self.files.iter().map(String::as_str).filter(move |file| file.ends_with(end));
        files.map(|file| (file, self.text(file)))
    }

    /// The text of a file; empty where there is none.
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_default()
    }

    /// Where a link leads that stands in a file, if anywhere.
    pub(crate) fn has(&self, file: &str, link: &str) -> bool {
        self.root.join(file).parent().is_some_and(|folder| folder.join(link).exists())
    }

    /// Our packages, their manifests and folders relative to the root.
    pub(crate) fn packages(&self) -> Vec<Package> {
        let output = self.cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
        let output = output.replace(&format!("{}/", self.root.display()), "");
        let metadata: Metadata = serde_json::from_str(&output).expect("cargo's JSON has what is documented");
        metadata.packages
    }

    /// What builds and tests draw in on this platform, optional features too: a crate a line, its depth first.
    pub(crate) fn tree(&self) -> String {
        let format = ["--prefix", "depth", "--format", " {p}"];
        self.cargo(&[&["tree", "--workspace", "--all-features", "--locked"], format.as_slice()].concat())
    }

    fn cargo(&self, arguments: &[&str]) -> String {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo).args(arguments).current_dir(&self.root).output();
        let output = output.expect("cargo can be started");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {}: {message}", arguments.join(" "));
        String::from_utf8(output.stdout).expect("cargo writes UTF-8")
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// One of our packages.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    #[serde(rename = "manifest_path")]
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
}

impl Package {
    /// Its folder.
    pub(crate) fn folder(&self) -> &str {
        self.manifest.strip_suffix("/Cargo.toml").unwrap_or_default()
    }

    /// The folder's own name: what a crate is called among us.
    pub(crate) fn name(&self) -> &str {
        last(self.folder())
    }
}

/// One entry of a manifest.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The folder of one of ours.
    pub(crate) path: Option<String>,
    /// `dev`, `build` or nothing.
    pub(crate) kind: Option<String>,
    pub(crate) uses_default_features: bool,
    pub(crate) features: Vec<String>,
}

impl Dependency {
    /// The name of one of ours.
    pub(crate) fn our_name(&self) -> Option<&str> {
        self.path.as_deref().map(last)
    }

    /// Whether only tests see it.
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What git tracks, or would if asked to add everything; nothing where this is no checkout.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let names = String::from_utf8(output.stdout).ok().filter(|names| !names.is_empty())?;
    Some(names.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(root: &Path, folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the repository can be read").map_while(Result::ok);
    let entries = entries.filter(|entry| !IGNORED.iter().any(|ignored| entry.file_name() == *ignored));
    let files = |path: PathBuf| match path.strip_prefix(root) {
        _ if path.is_dir() => walk(root, &path),
        relative => relative.iter().map(|relative| relative.display().to_string()).collect(),
    };
    entries.map(|entry| entry.path()).flat_map(files).collect()
}

#[test]
fn without_git_no_file_is_missed() {
    let repository = Repository::open();
    let walked = walk(&repository.root, &repository.root);
    assert!(repository.files.iter().all(|file| walked.contains(file)));
}
