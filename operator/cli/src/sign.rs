//! `sign`: the headers that a provider would send.
use std::{fmt::Write as _, io::Read, path::PathBuf};

use clap::Args;
use http::Method;
use jiff::Timestamp;

use crate::{
    Ended, Mistake, at, demands, input, limits::REQUEST_BYTES_MAX, outgoing::OutgoingFlags, target,
    target::Target,
};

/// Print the headers that the provider would send with a request, one a line.
///
/// They can be given to `curl -H @FILE`. Where the secret itself is what is sent, it is not printed: use `send`.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    outgoing: OutgoingFlags,
    /// The URL as it is registered at the provider, where that is signed.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// When it is signed: a time in RFC 3339, or `now`.
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = at::time)]
    at: Timestamp,
    /// The request's method.
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    method: Method,
    /// The request's path, with its query.
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = target::read)]
    path: Target,
    /// A file with the body; `-` is standard input. Default: none.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
}

pub(crate) fn run(flags: &Flags, stdin: &mut dyn Read) -> Result<Ended, Mistake> {
    let Flags { outgoing, public_url, at, method, path, body } = flags;
    let body = match body {
        Some(file) => input::read(file, stdin, REQUEST_BYTES_MAX)?,
        None => Vec::new(),
    };
    let mut outgoing = outgoing.outgoing(method.clone(), path.clone(), body)?;
    if demands::shows_secret(&outgoing.sender.scheme) {
        return Err(Mistake(format!(
            "{}: the provider sends the secret itself, which is not printed: use `send`, which puts it into the request",
            outgoing.sender.name
        )));
    }
    outgoing.sign(public_url.as_deref(), *at)?;
    let mut output = String::new();
    for (name, value) in outgoing.spelt_headers() {
        let _ = writeln!(output, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    Ok(Ended::good(output))
}
