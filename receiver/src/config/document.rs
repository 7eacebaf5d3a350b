//! One YAML document: read into a type, with the line and the field of every mistake in it.
use std::collections::HashMap;

use boathook_crds::members;
use serde::de::DeserializeOwned;
use serde_path_to_error::Track;
use serde_saphyr::{Error, Options};

use super::position::Positions;

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// 1-based; 0 = unknown.
    pub(super) line: u64,
    /// Field, what is wrong and what to do.
    pub(super) message: String,
}

/// Whether members that the type does not know are mistakes: those of this kind are.
pub(super) type Strict<'k> = Option<&'k str>;

/// Reads a document. `environment` are the variables that `${VAR}` may name.
pub(super) fn parsed<T: DeserializeOwned>(
    text: &str,
    environment: &HashMap<String, String>,
    strict: Strict<'_>,
) -> Result<T, Vec<Mistake>> {
    let (mut unknown, mut track) = (Vec::new(), Track::new());
    let options = Options::default().with_properties(environment.clone());
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        let deserializer = serde_path_to_error::Deserializer::new(deserializer, &mut track);
        serde_ignored::deserialize(deserializer, |member| {
            let member = member.to_string();
            // The derived types take these two from the outside.
            if member != "apiVersion" && member != "kind" {
                unknown.push(member.replace(".?", ""));
            }
        })
    });
    match (read, strict) {
        (Ok(value), None) => Ok(value),
        (Ok(value), _) if unknown.is_empty() => Ok(value),
        (Ok(_), Some(kind)) => {
            let positions = positions(text);
            let mistake = |field: &String| Mistake {
                line: positions.line(field).unwrap_or(0),
                message: format!("{field}: unknown field{}", known(kind, field)),
            };
            Err(unknown.iter().map(mistake).collect())
        }
        (Err(error), _) => {
            let line = error.location().map_or(0, |location| location.line());
            Err(vec![Mistake { line, message: told(text, line, &error, &track.path().to_string()) }])
        }
    }
}

/// Where each field of a document stands.
pub(super) fn positions(text: &str) -> Positions {
    serde_saphyr::from_str(text).unwrap_or_default()
}

/// The documents of a file, each behind as many empty lines as stand before it, so that positions are those of the file.
pub(super) fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        let marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if marker {
            // What stands behind the marker belongs to the document.
            let rest = line.trim_start_matches('-').trim_start();
            documents.push(format!("{}{rest}\n", "\n".repeat(number)));
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let says_something = |document: &String| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    documents.retain(says_something);
    documents
}

/// What may stand where the unknown field stands.
fn known(kind: &str, field: &str) -> String {
    let known = members(kind, field.rsplit_once('.').map_or("", |(parent, _)| parent));
    if known.is_empty() { String::new() } else { format!("; there are: {}", known.join(", ")) }
}

/// The reader's error in words for people, with the field where it is known.
fn told(text: &str, line: u64, error: &Error, field: &str) -> String {
    let error = error.without_snippet();
    let message = match error {
        Error::UnresolvedProperty { name, .. } => format!(
            "the environment variable {name} is not set: set it, or write ${{{name}:-default}} (quote the value to mean \
             the text)"
        ),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a field");
            format!("{key} stands twice: remove one, or is a line `---` missing between two documents?")
        }
        _ => without_position(&error.to_string()).to_owned(),
    };
    let line = usize::try_from(line).ok().and_then(|line| text.lines().nth(line.checked_sub(1)?));
    let hint = match line {
        Some(line)
            if line.contains("${") && line.contains(['{', '[']) && !message.contains("environment") =>
        {
            "; a ${VAR} cannot stand inside { } or [ ]: write that part over several lines"
        }
        _ => "",
    };
    let field = if field == "." || field.is_empty() { String::new() } else { format!("{field}: ") };
    format!("{field}{message}{hint}")
}

/// The text without the position behind it, which is told before it.
fn without_position(text: &str) -> &str {
    text.split_once(" at line ").map_or(text, |(text, _)| text)
}
