//! The cases of `tests/golden`.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use boathook_plan::{Class, Configuration, Need, objects};
use serde::Deserialize;
use serde_json::Value;

/// What a case needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Case {
    pub(crate) configuration: Configuration,
    pub(crate) class: String,
    pub(crate) namespace: String,
    #[serde(default)]
    pub(crate) owner_uid: Option<String>,
    pub(crate) table: String,
    #[serde(default)]
    pub(crate) routes: BTreeMap<String, BTreeSet<String>>,
}

impl Case {
    /// The case of this name.
    pub(crate) fn named(name: &str) -> Self {
        let text = fs::read_to_string(folder().join(format!("{name}.need.yaml"))).expect(name);
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}.need.yaml: {error}"))
    }

    /// The class, to be changed.
    pub(crate) fn class_mut(&mut self) -> &mut Class {
        self.configuration.classes.iter_mut().find(|class| class.name == self.class).unwrap()
    }

    pub(crate) fn class(&self) -> &Class {
        self.configuration.class(&self.class).unwrap()
    }

    pub(crate) fn objects(&self) -> Vec<Value> {
        fn paths(paths: &BTreeSet<String>) -> BTreeSet<&str> {
            paths.iter().map(String::as_str).collect()
        }
        objects(&Need {
            namespace: &self.namespace,
            class: self.class(),
            image: self.configuration.image_of(self.class()),
            owner_uid: self.owner_uid.as_deref(),
            table_json: self.table.as_bytes(),
            routes: self.routes.iter().map(|(host, of_host)| (host.as_str(), paths(of_host))).collect(),
        })
    }
}

/// Where they are.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The names of the files that end so, without the end.
pub(crate) fn names(end: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    files.filter_map(|file| file.strip_suffix(end).map(str::to_owned)).collect()
}

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = (String, Case)> {
    names(".need.yaml").into_iter().map(|name| (name.clone(), Case::named(&name)))
}
