//! The secrets of a command, each with the words by which the caller knows it.
use std::path::{Path, PathBuf};

use boathook_verify::{SchemeError, Secret, limits::SECRET_BYTES_MAX};

use crate::{Mistake, input};

/// Secrets, the first of which signs.
pub(crate) struct Keys {
    pub(crate) secrets: Vec<Secret>,
    names: Vec<String>,
}

impl Keys {
    /// One secret of each file.
    pub(crate) fn of_files<'f>(files: impl IntoIterator<Item = &'f PathBuf>) -> Result<Self, Mistake> {
        let mut keys = Self { secrets: Vec::new(), names: Vec::new() };
        for file in files {
            keys.secrets.push(secret(file)?);
            keys.names.push(file.display().to_string());
        }
        Ok(keys)
    }

    /// Those that stand in a vector.
    pub(crate) fn of_vector(secrets: Vec<Secret>) -> Self {
        let names =
            (0..secrets.len()).map(|place| format!("secrets[{place}] of the request's file")).collect();
        Self { secrets, names }
    }

    /// The secret of this place, in the caller's words.
    pub(crate) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// Whether one counts for a time only.
    pub(crate) fn are_dated(&self) -> bool {
        self.secrets.iter().any(|secret| secret.not_before.or(secret.not_after).is_some())
    }

    /// What is wrong with a scheme or its secrets, as flags and files of the caller.
    pub(crate) fn mistake(&self, sender: &str, errors: &[SchemeError]) -> Mistake {
        let told = |SchemeError { field, message }: &SchemeError| {
            let place = field.strip_prefix("secrets[").and_then(|rest| rest.strip_suffix(']'));
            match (field.as_str(), place.and_then(|place| self.names.get(place.parse::<usize>().ok()?))) {
                (_, Some(name)) => format!("{name}: {message}"),
                ("secrets", _) if self.secrets.is_empty() => {
                    "--secret-file: is missing: name the file that has the secret".into()
                }
                ("secrets", _) => format!("--secret-file: {message}"),
                ("jwt.audience", _) => format!("--jwt-audience: {message}"),
                ("jwt.email", _) => format!("--jwt-email: {message}"),
                ("publicURL", _) => format!("--public-url: {message}"),
                ("verifyToken", _) => format!("--verify-token-file: {message}"),
                (field, _) => format!("{sender}: {field}: {message}"),
            }
        };
        Mistake(errors.iter().map(told).collect::<Vec<_>>().join("\n"))
    }
}

/// The secret of a file.
pub(crate) fn secret(file: &Path) -> Result<Secret, Mistake> {
    let text = input::read_secret(file, SECRET_BYTES_MAX)?;
    Ok(Secret { text, not_before: None, not_after: None })
}
