//! `status`: how endpoints and sinks stand.
use boathook_api::{Endpoint, Endpoints, Sink, Sinks};
use clap::Args;
use serde_json::json;

use crate::{
    Ended, Mistake, Output,
    call::{ApiFlags, pretty},
    limits::FAILED_AFTER,
    table::{or_dash, table},
};

/// Say how a receiver's endpoints and sinks stand.
///
/// With --unhealthy the exit status is 1 if there is one.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    /// Only those that somebody should look at.
    #[arg(long)]
    unhealthy: bool,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let Flags { api, unhealthy, output } = flags;
    let api = api.api()?;
    let Endpoints { mut endpoints } = api.read("/v1/endpoints", &())?;
    let Sinks { mut sinks } = api.read("/v1/sinks", &())?;
    if *unhealthy {
        endpoints.retain(|endpoint| !["Healthy", "Idle"].contains(&of_endpoint(endpoint)));
        sinks.retain(|sink| of_sink(sink) != "Healthy");
    }
    let good = !*unhealthy || (endpoints.is_empty() && sinks.is_empty());
    let output = match output {
        Output::Json => pretty(&json!({ "endpoints": endpoints, "sinks": sinks })),
        Output::Text if *unhealthy && good => "all endpoints and sinks are healthy\n".into(),
        Output::Text => tables(&endpoints, &sinks),
    };
    Ok(Ended { good, output, notes: Vec::new() })
}

fn tables(endpoints: &[Endpoint], sinks: &[Sink]) -> String {
    let endpoints = table(
        ["ENDPOINT", "STATE", "ACCEPTED", "REJECTED", "DELIVERED", "PENDING", "PARKED", "LAST-EVENT", "PATH"],
        endpoints.iter().map(|endpoint| {
            let number = |word: &str| endpoint.events.get(word).copied().unwrap_or(0).to_string();
            let last = endpoint.last_event_time.map(|time| time.to_string());
            [
                endpoint.name.clone(),
                of_endpoint(endpoint).to_owned(),
                number("accepted"),
                number("rejected"),
                number("delivered"),
                number("pending"),
                number("parked"),
                or_dash(last.as_deref()),
                endpoint.path.clone(),
            ]
        }),
    );
    let sinks = table(
        ["SINK", "STATE", "DELIVERED", "PENDING", "PARKED", "SUCCESS", "LAST-ERROR"],
        sinks.iter().map(|sink| {
            [
                sink.name.clone(),
                of_sink(sink).to_owned(),
                sink.delivered.to_string(),
                sink.pending.to_string(),
                sink.parked.to_string(),
                sink.success_rate.map_or_else(|| "-".into(), |rate| format!("{:.1}%", rate * 100.0)),
                or_dash(sink.last_error.as_deref()),
            ]
        }),
    );
    format!("{endpoints}\n{sinks}")
}

/// How the endpoint stands, in one word.
pub(crate) fn of_endpoint(endpoint: &Endpoint) -> &str {
    if endpoint.paused { "Paused" } else { &endpoint.health }
}

/// How the sink stands, in one word.
pub(crate) fn of_sink(sink: &Sink) -> &'static str {
    match sink {
        Sink { configured: false, pending: 1.., .. } => "Gone",
        Sink { suspended: true, .. } => "Suspended",
        Sink { breaker, .. } if breaker != "Closed" => "Failed",
        Sink { consecutive_failures: FAILED_AFTER.., .. } => "Failed",
        Sink { consecutive_failures: 1.., .. } | Sink { parked: 1.., .. } => "Degraded",
        _ => "Healthy",
    }
}
