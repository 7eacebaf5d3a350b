//! The examples, as a user would bring them to a cluster.
use std::{fs, path::Path};

/// A file of the examples.
pub(crate) struct Example {
    /// Its name.
    pub(crate) name: String,
    /// Its text, as it is written.
    pub(crate) text: String,
}

/// The files of a folder of `crds/examples`, by name.
pub(crate) fn examples(folder: &str) -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/examples").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| Example { name: name(file), text: fs::read_to_string(file).unwrap() }).collect()
}

impl Example {
    /// Its text for a namespace: that stands where another is written, and variables have their defaults, as they get
    /// from an `envsubst` that knows defaults.
    pub(crate) fn placed(&self, namespace: &str) -> String {
        let field = "namespace: ";
        let mut parts = self.text.split(field);
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            text.push_str(&format!("{field}{namespace}"));
            text.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-'));
        }
        with_defaults(&text)
    }
}

fn with_defaults(text: &str) -> String {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let variable = part.split_once('}').and_then(|(name, rest)| Some((name.split_once(":-")?.1, rest)));
        match variable {
            Some((default, rest)) => filled.extend([default, rest]),
            // Without a default it is text to a cluster.
            None => filled.extend(["${", part]),
        }
    }
    filled
}
