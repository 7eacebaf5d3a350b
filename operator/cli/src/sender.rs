//! Who sends: a provider's preset, or a scheme of the caller's own.
use std::path::{Path, PathBuf};

use boathook_verify::{Scheme, nearest, preset};
use clap::Args;
use serde::Deserialize as _;

use crate::{Mistake, input, limits::SCHEME_BYTES_MAX};

#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct SenderFlags {
    /// The provider, by its id; `providers` lists them.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Instead of a provider: a file with a scheme, in YAML or JSON, as `spec.scheme` of an endpoint has it.
    #[arg(long, value_name = "FILE")]
    scheme: Option<PathBuf>,
}

/// A scheme, and the name by which the caller knows it.
pub(crate) struct Sender {
    pub(crate) name: String,
    pub(crate) scheme: Scheme,
}

impl SenderFlags {
    /// The sender that is named, or else `other`.
    pub(crate) fn sender_or(&self, other: Option<Sender>) -> Result<Sender, Mistake> {
        let Self { provider, scheme } = self;
        match (provider, scheme) {
            (Some(id), _) => Ok(Sender { name: id.clone(), scheme: known(id)? }),
            (None, Some(file)) => Ok(Sender { name: file.display().to_string(), scheme: own(file)? }),
            (None, None) => other.ok_or_else(|| {
                Mistake::new(
                    "nothing says who sends: give --provider ID, or --scheme FILE with a scheme of your own",
                )
            }),
        }
    }
}

/// The preset of this id.
pub(crate) fn known(id: &str) -> Result<Scheme, Mistake> {
    preset(id).ok_or_else(|| {
        let next = match nearest(id) {
            Some(near) => format!("did you mean {near}?"),
            None => "`providers` lists those that there are".into(),
        };
        Mistake(format!("no provider has the id `{id}`: {next}"))
    })
}

/// The scheme of a file. A member that no scheme has is a mistake.
fn own(file: &Path) -> Result<Scheme, Mistake> {
    let name = file.display();
    let text = String::from_utf8(input::read_file(file, SCHEME_BYTES_MAX)?)
        .map_err(|_| Mistake(format!("{name}: is no text (UTF-8): write a scheme in YAML or JSON")))?;
    let (mut unknown, mut track) = (Vec::new(), serde_path_to_error::Track::new());
    let options = serde_saphyr::Options::default();
    let read = serde_saphyr::with_deserializer_from_str_with_options(&text, options, |deserializer| {
        let deserializer = serde_path_to_error::Deserializer::new(deserializer, &mut track);
        let ignored = |member: serde_ignored::Path<'_>| unknown.push(member.to_string().replace(".?", ""));
        Scheme::deserialize(serde_ignored::Deserializer::new(deserializer, &mut { ignored }))
    });
    match read {
        Ok(scheme) if unknown.is_empty() => Ok(scheme),
        Ok(_) => {
            Err(Mistake(format!("{name}: no scheme has the member {}: is it misspelt?", unknown.join(", "))))
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            Err(Mistake(format!("{name}:{line}: {}", told(&error, &track.path().to_string()))))
        }
    }
}

/// The reader's error in words for people, with the member where it is known.
fn told(error: &serde_saphyr::Error, member: &str) -> String {
    let error = error.without_snippet();
    let message = match error {
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => {
            format!("{} stands twice: remove one", key.as_deref().unwrap_or("a member"))
        }
        _ => error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
    };
    if [".", "?", ""].contains(&member) { message } else { format!("{member}: {message}") }
}
