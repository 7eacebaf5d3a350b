//! `sink verify`: does a sink take a test?
use std::{io::Read, path::PathBuf};

use boathook_api::{SinkTest, TestOutcome};
use clap::{Args, Subcommand};
use http::Method;

use crate::{
    Ended, Mistake, Output,
    call::{ApiFlags, pretty},
    input,
    limits::CALL_BYTES_MAX,
    table::plain,
};

/// Try a sink.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have the receiver send one test to a sink, signed like live traffic and counted nowhere.
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    api: ApiFlags,
    /// The type of the test. Default: `boathook.test`.
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// A file with the body, JSON; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// The sink.
    #[arg(value_name = "SINK")]
    sink: String,
}

pub(crate) fn run(flags: &Flags, stdin: &mut dyn Read) -> Result<Ended, Mistake> {
    let Flags { command: Command::Verify(Verify { api, r#type, body, output, sink }) } = flags;
    let body = match body {
        Some(file) => {
            let text = input::read(file, stdin, CALL_BYTES_MAX)?;
            let body = serde_json::from_slice(&text);
            Some(body.map_err(|error| Mistake(format!("{} is no JSON: {error}", file.display())))?)
        }
        None => None,
    };
    let test = SinkTest { event_type: r#type.clone(), body };
    let path = format!("/v1/sinks/{}/test", api.named(sink));
    let outcome: TestOutcome = api.api()?.act(Method::POST, &path, &test)?;
    let TestOutcome { delivered, response_status, duration_ms, kind, error, .. } = &outcome;
    let text = || {
        let status = response_status.map(|status| format!(" with {status}")).unwrap_or_default();
        match delivered {
            true => format!("taken{status} in {duration_ms} ms\n"),
            false => {
                let kind = kind.as_deref().unwrap_or("failed");
                let error = plain(error.as_deref().unwrap_or("no reason was given"));
                format!("not taken{status} in {duration_ms} ms: {kind}: {error}\n")
            }
        }
    };
    let output = match output {
        Output::Text => text(),
        Output::Json => pretty(&outcome),
    };
    Ok(Ended { good: *delivered, output, notes: Vec::new() })
}
