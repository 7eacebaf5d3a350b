//! What happened hour by hour, as the API tells it.
use std::collections::BTreeMap;

use boathook_api as api;
use boathook_event::{Latencies, ObjectName};
use boathook_store::traits::{Ended, Hour, HourType, Series, Span};
use jiff::{SignedDuration, Timestamp};

use super::{Answered, Parts, away, call::Call, invalid, json, object};
use crate::limits::STATISTICS_DEFAULT;

impl Parts {
    pub(super) async fn statistics(&self, call: &Call) -> Answered {
        let api::StatisticsQuery { endpoint, sink, since, until } = call.query()?;
        let named = |member, text: Option<String>| text.map(|text| object(member, &text)).transpose();
        let (endpoint, sink) = (named("endpoint", endpoint)?, named("sink", sink)?);
        let now = Timestamp::now();
        let until = until.map_or(now, |until| until.min(now));
        let since = since.unwrap_or_else(|| until.saturating_sub(STATISTICS_DEFAULT).unwrap_or(until));
        if since > until {
            return Err(invalid(
                "`since` is after `until`",
                "write an earlier time, or leave one of them out",
            ));
        }
        let first = Hour::of(since).max(Hour::of(now).first_kept());
        let last = Hour::of(until).max(first);
        let apart = endpoint.is_some() || sink.is_some();
        let span = Span { endpoint, sink, first, last, apart };
        let series = self.reader.series(span.clone()).await.map_err(|error| away(&error.to_string()))?;
        json(&told(&span, &series))
    }
}

fn told(span: &Span, series: &Series) -> api::Statistics {
    let Span { endpoint, sink, first, last, apart } = span;
    let hour = SignedDuration::from_hours(1);
    let of_endpoints = endpoint.is_some() || sink.is_none();
    let of_sinks = sink.is_some() || endpoint.is_none();
    api::Statistics {
        since: first.begins(),
        until: last.begins().saturating_add(hour).unwrap_or(Timestamp::MAX),
        endpoints: if of_endpoints { endpoints(series, *apart) } else { Vec::new() },
        sinks: if of_sinks { sinks(series, *apart) } else { Vec::new() },
    }
}

/// Numbers by word.
type Words = BTreeMap<String, u64>;

fn endpoints(series: &Series, apart: bool) -> Vec<api::EndpointStatistics> {
    let mut all: BTreeMap<&ObjectName, api::EndpointStatistics> = BTreeMap::new();
    let mut hours: BTreeMap<(&ObjectName, Hour), (Words, api::Ended)> = BTreeMap::new();
    let mut shares: BTreeMap<(&ObjectName, &ObjectName), api::Ended> = BTreeMap::new();
    for ((name, hour), words) in &series.words {
        let told = all.entry(name).or_default();
        for (word, number) in words {
            *told.events.entry(word.as_str().to_owned()).or_default() += number;
            let (words, _) = hours.entry((name, *hour)).or_default();
            words.insert(word.as_str().to_owned(), *number);
        }
    }
    for (name, types) in &series.types {
        let told = all.entry(name).or_default();
        for (event_type, number) in types {
            match event_type {
                HourType::Named(event_type) => drop(told.types.insert(event_type.to_string(), *number)),
                HourType::Missing => told.without_type = *number,
                HourType::Other => told.other_types = *number,
            }
        }
    }
    for ((name, sink, hour), ended) in &series.ended {
        all.entry(name).or_default();
        add(shares.entry((name, sink)).or_default(), *ended);
        add(&mut hours.entry((name, *hour)).or_default().1, *ended);
    }
    for ((name, sink), sum) in shares {
        let share = api::SinkShare { sink: sink.to_string(), ended: sum.rated() };
        all.entry(name).or_default().deliveries.push(share);
    }
    for ((name, hour), (events, sum)) in hours.into_iter().filter(|_| apart) {
        let told = api::EndpointHour { hour: hour.begins(), events, ended: sum.rated() };
        all.entry(name).or_default().hours.push(told);
    }
    let named = |(name, told): (&ObjectName, _)| api::EndpointStatistics { name: name.to_string(), ..told };
    all.into_iter().map(named).collect()
}

fn sinks(series: &Series, apart: bool) -> Vec<api::SinkStatistics> {
    let mut all: BTreeMap<&ObjectName, (api::Ended, Latencies)> = BTreeMap::new();
    let mut hours: BTreeMap<(&ObjectName, Hour), (api::Ended, Latencies)> = BTreeMap::new();
    for ((_, sink, hour), ended) in &series.ended {
        add(&mut all.entry(sink).or_default().0, *ended);
        add(&mut hours.entry((sink, *hour)).or_default().0, *ended);
    }
    for ((sink, hour), latencies) in &series.latencies {
        all.entry(sink).or_default().1.add_all(latencies);
        hours.entry((sink, *hour)).or_default().1.add_all(latencies);
    }
    let mut told: BTreeMap<&ObjectName, api::SinkStatistics> = BTreeMap::new();
    for (name, (sum, latencies)) in all {
        let (ended, latency) = (sum.rated(), latency(&latencies));
        let sink = api::SinkStatistics { name: name.to_string(), ended, latency, hours: Vec::new() };
        told.insert(name, sink);
    }
    for ((name, hour), (sum, latencies)) in hours.into_iter().filter(|_| apart) {
        let (ended, latency) = (sum.rated(), latency(&latencies));
        let hour = api::SinkHour { hour: hour.begins(), ended, latency };
        told.entry(name).or_default().hours.push(hour);
    }
    told.into_values().collect()
}

fn add(sum: &mut api::Ended, ended: Ended) {
    let Ended { delivered, parked, skipped, failed_attempts } = ended;
    *sum = sum.and(&api::Ended { delivered, parked, skipped, failed_attempts, success_rate: None });
}

fn latency(latencies: &Latencies) -> Option<api::Latency> {
    Some(api::Latency {
        count: latencies.count(),
        mean_ms: latencies.mean()?,
        p50_ms: latencies.per_mille(500)?,
        p90_ms: latencies.per_mille(900)?,
        p95_ms: latencies.per_mille(950)?,
        p99_ms: latencies.per_mille(990)?,
        max_ms: latencies.per_mille(1_000)?,
    })
}
