//! `statistics`: what happened hour by hour.
use std::collections::BTreeMap;

use boathook_api::{
    Ended as Numbers, EndpointStatistics, Latency, SinkStatistics, Statistics, StatisticsQuery,
};
use clap::Args;

use crate::{
    Ended, Mistake, Output,
    call::{ApiFlags, pretty},
    moment::Moment,
    table::{plain, table},
};

/// Say what happened at endpoints and sinks: counts by outcome and type, success rates, how long sinks took.
///
/// Of all, over the last 24 hours; of one that is named also hour by hour. The last eight days are kept.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    /// This endpoint alone, and hour by hour.
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// This sink alone, and hour by hour.
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// From this hour on: a time (RFC 3339), or how long ago.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Up to this hour.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let Flags { api: place, endpoint, sink, since, until, output } = flags;
    let query = StatisticsQuery {
        endpoint: endpoint.as_deref().map(|name| place.named(name)),
        sink: sink.as_deref().map(|name| place.named(name)),
        since: since.map(Moment::time),
        until: until.map(Moment::time),
    };
    let statistics: Statistics = place.api()?.read("/v1/statistics", &query)?;
    Ok(Ended::good(match output {
        Output::Json => pretty(&statistics),
        Output::Text => text(&statistics),
    }))
}

fn text(statistics: &Statistics) -> String {
    let Statistics { since, until, endpoints, sinks } = statistics;
    let mut parts = vec![format!("from {since} to {until}\n")];
    if endpoints.is_empty() && sinks.is_empty() {
        parts.push("nothing happened\n".into());
    }
    if !endpoints.is_empty() {
        parts.push(of_endpoints(endpoints));
        parts.extend(endpoints.iter().filter_map(types));
        parts.extend(endpoints.iter().filter(|endpoint| !endpoint.hours.is_empty()).map(endpoint_hours));
    }
    if !sinks.is_empty() {
        parts.push(of_sinks(sinks));
        parts.extend(sinks.iter().filter(|sink| !sink.hours.is_empty()).map(sink_hours));
    }
    parts.join("\n")
}

fn of_endpoints(endpoints: &[EndpointStatistics]) -> String {
    let rows = endpoints.iter().map(|endpoint| {
        let sum = endpoint.deliveries.iter().fold(Numbers::default(), |sum, share| sum.and(&share.ended));
        row(&endpoint.name, &endpoint.events, &sum.rated())
    });
    endpoint_table("ENDPOINT", rows)
}

fn endpoint_hours(endpoint: &EndpointStatistics) -> String {
    let rows = endpoint.hours.iter().map(|hour| row(&hour.hour.to_string(), &hour.events, &hour.ended));
    endpoint_table("HOUR", rows)
}

fn endpoint_table(first: &str, rows: impl Iterator<Item = [String; 9]>) -> String {
    let columns =
        [first, "ACCEPTED", "DUPLICATE", "IGNORED", "REJECTED", "DELIVERED", "PARKED", "SKIPPED", "SUCCESS"];
    table(columns, rows)
}

fn row(first: &str, events: &BTreeMap<String, u64>, ended: &Numbers) -> [String; 9] {
    let number = |word: &str| events.get(word).copied().unwrap_or(0).to_string();
    [
        first.to_owned(),
        number("accepted"),
        number("duplicate"),
        number("ignored"),
        number("rejected"),
        ended.delivered.to_string(),
        ended.parked.to_string(),
        ended.skipped.to_string(),
        success(ended),
    ]
}

/// Which types came, the most frequent first; nothing where there is nothing to tell apart.
fn types(endpoint: &EndpointStatistics) -> Option<String> {
    let EndpointStatistics { name, types, other_types, without_type, .. } = endpoint;
    let named = types.iter().map(|(event_type, number)| (plain(event_type), *number));
    let rest = [("(others)".to_owned(), *other_types), ("(no type)".to_owned(), *without_type)];
    let mut rows: Vec<(String, u64)> =
        named.chain(rest.into_iter().filter(|(_, number)| *number > 0)).collect();
    rows.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    let rows = rows.into_iter().map(|(event_type, number)| [name.clone(), event_type, number.to_string()]);
    (!types.is_empty()).then(|| table(["ENDPOINT", "TYPE", "ACCEPTED"], rows))
}

fn of_sinks(sinks: &[SinkStatistics]) -> String {
    let rows = sinks.iter().map(|sink| sink_row(&sink.name, &sink.ended, sink.latency.as_ref()));
    sink_table("SINK", rows)
}

fn sink_hours(sink: &SinkStatistics) -> String {
    let rows =
        sink.hours.iter().map(|hour| sink_row(&hour.hour.to_string(), &hour.ended, hour.latency.as_ref()));
    sink_table("HOUR", rows)
}

fn sink_table(first: &str, rows: impl Iterator<Item = [String; 11]>) -> String {
    let columns = [
        first,
        "DELIVERED",
        "PARKED",
        "SKIPPED",
        "FAILED-ATTEMPTS",
        "SUCCESS",
        "MEAN",
        "P50",
        "P95",
        "P99",
        "MAX",
    ];
    table(columns, rows)
}

fn sink_row(first: &str, ended: &Numbers, latency: Option<&Latency>) -> [String; 11] {
    let time =
        |of: fn(&Latency) -> u32| latency.map_or_else(|| "-".into(), |latency| format!("{} ms", of(latency)));
    [
        first.to_owned(),
        ended.delivered.to_string(),
        ended.parked.to_string(),
        ended.skipped.to_string(),
        ended.failed_attempts.to_string(),
        success(ended),
        time(|of| of.mean_ms),
        time(|of| of.p50_ms),
        time(|of| of.p95_ms),
        time(|of| of.p99_ms),
        time(|of| of.max_ms),
    ]
}

fn success(ended: &Numbers) -> String {
    ended.success_rate.map_or_else(|| "-".into(), |rate| format!("{:.1}%", rate * 100.0))
}
