//! What a JSON Web Token must say here, as flags say it or else as the request's file does.
use boathook_verify::Expected;
use clap::Args;
use serde::Deserialize;

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
}

impl TokenFlags {
    /// Each as it is here, or else as it is there.
    pub(crate) fn expected_or<'e>(&'e self, other: &'e Self) -> Expected<'e> {
        let Self { issuer, audience, email } = self;
        Expected {
            issuer: issuer.as_deref().or(other.issuer.as_deref()),
            audience: audience.as_deref().or(other.audience.as_deref()),
            email: email.as_deref().or(other.email.as_deref()),
            ..Expected::default()
        }
    }
}
