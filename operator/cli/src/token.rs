//! What a JSON Web Token must say here, as flags say it or else as the request's file does, and the keys of its issuer.
use std::{path::PathBuf, sync::Arc};

use boathook_verify::{Expected, KeySet, Verifier, limits::KEY_SET_BYTES_MAX};
use clap::Args;
use serde::Deserialize;

use crate::{Mistake, input};

/// What is absent is as the scheme says.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TokenFlags {
    /// For providers that send a JSON Web Token: what its claim `iss` must be. Default: as the scheme says.
    #[arg(long = "jwt-issuer", value_name = "TEXT")]
    issuer: Option<String>,
    /// What its claim `aud` must name.
    #[arg(long = "jwt-audience", value_name = "TEXT")]
    audience: Option<String>,
    /// What its claim `email` must be.
    #[arg(long = "jwt-email", value_name = "TEXT")]
    email: Option<String>,
    /// A file with the keys that the token's issuer publishes (JWKS), instead of --secret-file.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    jwks_file: Option<PathBuf>,
}

impl TokenFlags {
    /// Each as it is here, or else as it is there.
    pub(crate) fn expected_or<'e>(&'e self, other: &'e Self) -> Expected<'e> {
        let Self { issuer, audience, email, jwks_file: _ } = self;
        Expected {
            issuer: issuer.as_deref().or(other.issuer.as_deref()),
            audience: audience.as_deref().or(other.audience.as_deref()),
            email: email.as_deref().or(other.email.as_deref()),
            ..Expected::default()
        }
    }

    /// Gives the verifier the issuer's keys, where it needs them.
    pub(crate) fn fill(&self, verifier: &Verifier) -> Result<(), Mistake> {
        match (verifier.key_slot(), &self.jwks_file) {
            (None, None) => Ok(()),
            (None, Some(_)) => {
                Err(Mistake::new("--jwks-file: the keys are those of --secret-file: leave one of them out"))
            }
            (Some(slot), None) => Err(Mistake(format!(
                "--jwks-file: is missing: save what is at {}, and name the file",
                slot.url()
            ))),
            (Some(slot), Some(file)) => {
                let keys = KeySet::parse(&input::read_file(file, KEY_SET_BYTES_MAX)?);
                let keys = keys.map_err(|message| {
                    Mistake(format!("{}: {message}: save what is at {}", file.display(), slot.url()))
                })?;
                slot.fill(Arc::new(keys));
                Ok(())
            }
        }
    }
}
