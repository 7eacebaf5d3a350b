//! `providers`: which there are, and what each needs.
use boathook_crds::{provider_page, provider_proof};
use boathook_verify::{Scheme, limits::TOLERANCE_DEFAULT, presets};
use clap::Args;
use serde_json::{Value, json};

use crate::{Ended, Mistake, Output, call::pretty, sender, table::table};

/// List the providers, or say how one is set up and what is checked of it.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// How the result is written; json has the whole scheme.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// One provider, by its id.
    #[arg(value_name = "ID")]
    id: Option<String>,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let output = match (&flags.id, flags.output) {
        (None, Output::Text) => {
            table(["ID", "PROVIDER", "PROOF", "COVERS BODY", "FRESH"], presets().map(row))
        }
        (None, Output::Json) => {
            pretty(&presets().map(|(id, scheme)| with_id(id, &scheme)).collect::<Value>())
        }
        (Some(id), output) => {
            let scheme = sender::known(id)?;
            match output {
                Output::Text => provider_page(id).unwrap_or_default(),
                Output::Json => pretty(&with_id(id, &scheme)),
            }
        }
    };
    Ok(Ended::good(output))
}

fn row((id, scheme): (&'static str, Scheme)) -> [String; 5] {
    let covers = if scheme.body_protected { "yes" } else { "no" };
    let title = scheme.title.clone().unwrap_or_else(|| id.to_owned());
    [id.to_owned(), title, provider_proof(&scheme), covers.to_owned(), fresh(&scheme)]
}

/// How far the time may be from our clock.
fn fresh(scheme: &Scheme) -> String {
    match (&scheme.timestamp, &scheme.jwt) {
        (Some(rule), _) if rule.enforce => {
            let tolerance = rule.tolerance.unwrap_or(TOLERANCE_DEFAULT);
            if rule.signed { tolerance.to_string() } else { format!("{tolerance}, not signed") }
        }
        (_, Some(rule)) if rule.expires || rule.age_max.is_some() => "by the token".into(),
        _ => "no".into(),
    }
}

/// The scheme beside its id: it has a member `id` of its own.
fn with_id(id: &str, scheme: &Scheme) -> Value {
    json!({ "id": id, "scheme": scheme })
}
