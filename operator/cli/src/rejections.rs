//! `rejections`: which requests were refused, and what would explain it.
use boathook_api::{RejectionPage, RejectionQuery};
use clap::Args;

use crate::{
    Ended, Mistake, Output,
    call::{ApiFlags, pretty},
    table::{plain, table},
};

/// List the requests that a receiver has refused, newest first, with what would explain it.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    /// By this endpoint.
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// How many at most; up to 1000.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let Flags { api, endpoint, limit, output } = flags;
    let endpoint = endpoint.as_deref().map(|name| api.named(name));
    let query = RejectionQuery { endpoint, limit: Some(*limit), cursor: None };
    let page: RejectionPage = api.api()?.read("/v1/rejections", &query)?;
    Ok(Ended::good(match output {
        Output::Json => pretty(&page),
        Output::Text => table(
            ["RECEIVED", "ENDPOINT", "STATUS", "CODE", "SOURCE", "DIAGNOSIS"],
            page.rejections.iter().map(|rejection| {
                let at = rejection.received_at;
                [
                    at.round(jiff::Unit::Second).unwrap_or(at).to_string(),
                    rejection.endpoint.clone(),
                    rejection.status.to_string(),
                    rejection.code.clone(),
                    rejection.source.clone(),
                    plain(&rejection.diagnosis),
                ]
            }),
        ),
    }))
}
