//! `explain`: what happened to an event, or how an endpoint is, in sentences that end with what to do next.
use std::fmt::Write as _;

use boathook_api::{
    Delivery, DeliveryState, Endpoint, Endpoints, Event, EventQuery, EventSummary, FailedAttempt, Rejection,
    RejectionPage, RejectionQuery,
};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::{
    Ended, Mistake, Output,
    call::{Api, ApiFlags, pretty},
    events::list,
    limits::{EXPLAINED_EVENTS_MAX, EXPLAINED_REJECTIONS_MAX},
    rendered::{rendered, text},
    status::of_endpoint,
    table::plain,
};

/// Say what happened to an event, or how an endpoint is, and what to do next.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    /// Of an event also what each sink would get of it now, which is then not sent. Needs the operate token.
    #[arg(long)]
    rendered: bool,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// An event by its uid or by the provider's id, or an endpoint by its name.
    #[arg(value_name = "EVENT|ENDPOINT")]
    what: String,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let Flags { api: place, rendered, output, what } = flags;
    let api = place.api()?;
    // A provider's id may be a UUID, too.
    if Uuid::try_parse(what).is_ok()
        && let Some(event) = api.find::<Event>(&format!("/v1/events/{what}"))?
    {
        return of_events(&api, &[event.summary], *rendered, *output);
    }
    let Endpoints { endpoints } = api.read("/v1/endpoints", &())?;
    let name = place.named(what);
    if let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.name == name) {
        return of_one_endpoint(&api, endpoint, *output);
    }
    let query = EventQuery { id: Some(what.clone()), ..EventQuery::default() };
    let (events, _) = list(&api, query, EXPLAINED_EVENTS_MAX)?;
    if events.is_empty() {
        return Err(Mistake(format!(
            "there is no endpoint `{name}`, and no event with the id `{}` is stored: it did not come, was refused \
             (`boathook rejections`), is of a type that nobody wants, or its retention is over",
            plain(what)
        )));
    }
    of_events(&api, &events, *rendered, *output)
}

fn of_events(api: &Api, events: &[EventSummary], render: bool, output: Output) -> Result<Ended, Mistake> {
    let rendered = events.iter().filter(|_| render).map(|event| rendered(api, &event.uid));
    let rendered = rendered.collect::<Result<Vec<_>, _>>()?;
    let good = events.iter().flat_map(last).all(|delivery| delivery.state != DeliveryState::Parked);
    let output = match output {
        Output::Json if render => pretty(&json!({ "events": events, "rendered": rendered })),
        Output::Json => pretty(&json!({ "events": events })),
        Output::Text => {
            let parts = events.iter().map(of_event).chain(rendered.iter().map(text));
            parts.collect::<Vec<_>>().join("\n")
        }
    };
    Ok(Ended { good, output, notes: Vec::new() })
}

fn of_event(event: &EventSummary) -> String {
    let id = event.id.as_deref().map_or_else(String::new, |id| format!(" {}", plain(id)));
    let kind = event.event_type.as_deref().map_or_else(String::new, |kind| format!(", {}", plain(kind)));
    let key = event.key.as_deref().map_or_else(String::new, |key| format!(", key {}", plain(key)));
    let EventSummary { uid, endpoint, received_at, bytes, deliveries, .. } = event;
    let mut text = format!(
        "event{id}{kind}{key}\nuid {uid}\ngenuine, received {received_at} by {endpoint}, {bytes} bytes, stored\n"
    );
    if deliveries.is_empty() {
        text.push_str("no sink wants it: see the endpoint's `delivery` and the sinks' `types`\n");
    }
    for delivery in deliveries {
        let _ = writeln!(text, "{}", of_delivery(delivery));
    }
    if last(event).any(|delivery| delivery.state == DeliveryState::Parked) {
        let _ = writeln!(text, "next: mend the sink, then `boathook replay {uid}`");
    }
    text
}

/// Of each sink the last delivery.
fn last(event: &EventSummary) -> impl Iterator<Item = &Delivery> {
    let later = |one: &Delivery, other: &Delivery| other.sink == one.sink && other.replay > one.replay;
    event.deliveries.iter().filter(move |one| !event.deliveries.iter().any(|other| later(one, other)))
}

fn of_delivery(delivery: &Delivery) -> String {
    let Delivery { sink, replay, state, parked_for, attempts, next_attempt_at, completed_at, failures } =
        delivery;
    let again = if *replay > 0 { format!(" (replay {replay})") } else { String::new() };
    let at = completed_at.map_or_else(String::new, |at| format!(" {at}"));
    let times = if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
    let failure = failures.last().map(of_failure).unwrap_or_default();
    match state {
        DeliveryState::Delivered => format!("{sink}{again}: delivered{at} after {times}"),
        DeliveryState::Parked => {
            let why = parked_for.as_deref().unwrap_or("no reason is kept");
            format!("{sink}{again}: parked{at} after {times} ({why}){failure}")
        }
        DeliveryState::Skipped => format!("{sink}{again}: skipped{at}, while the sink was suspended"),
        DeliveryState::Pending if *attempts == 0 => {
            format!("{sink}{again}: pending, not tried yet: is the sink suspended, left alone, or behind?")
        }
        DeliveryState::Pending => {
            let next = next_attempt_at.map_or_else(String::new, |at| format!(", next not before {at}"));
            format!("{sink}{again}: pending after {times}{next}{failure}")
        }
    }
}

fn of_failure(failure: &FailedAttempt) -> String {
    let status = failure.response_status.map_or_else(String::new, |status| format!("{status}, "));
    format!("; last: {status}{}: {}", failure.kind, plain(&failure.error))
}

fn of_one_endpoint(api: &Api, endpoint: &Endpoint, output: Output) -> Result<Ended, Mistake> {
    let query = RejectionQuery {
        endpoint: Some(endpoint.name.clone()),
        limit: Some(EXPLAINED_REJECTIONS_MAX),
        cursor: None,
    };
    let RejectionPage { rejections, .. } = api.read("/v1/rejections", &query)?;
    let query = EventQuery {
        endpoint: Some(endpoint.name.clone()),
        state: Some(DeliveryState::Parked),
        ..EventQuery::default()
    };
    let (parked, _) = list(api, query, EXPLAINED_EVENTS_MAX)?;
    let state = of_endpoint(endpoint);
    let good = ["Healthy", "Idle"].contains(&state);
    let output = match output {
        Output::Json => pretty(&json!({ "endpoint": endpoint, "rejections": rejections, "parked": parked })),
        Output::Text => endpoint_text(endpoint, state, &rejections, &parked),
    };
    Ok(Ended { good, output, notes: Vec::new() })
}

fn endpoint_text(
    endpoint: &Endpoint,
    state: &str,
    rejections: &[Rejection],
    parked: &[EventSummary],
) -> String {
    let number = |word: &str| endpoint.events.get(word).copied().unwrap_or(0);
    let mut text = format!("endpoint {} at {}: {state}\n", endpoint.name, endpoint.path);
    let _ = writeln!(
        text,
        "events: {} accepted, {} duplicate, {} ignored, {} rejected",
        number("accepted"),
        number("duplicate"),
        number("ignored"),
        number("rejected")
    );
    let _ = writeln!(
        text,
        "deliveries: {} delivered, {} pending, {} parked",
        number("delivered"),
        number("pending"),
        number("parked")
    );
    match endpoint.last_event_time {
        Some(time) => drop(writeln!(text, "last event: {time}")),
        None => text.push_str("last event: none since this receiver started\n"),
    }
    for recommendation in &endpoint.recommendations {
        let _ = writeln!(text, "next: {}", plain(recommendation));
    }
    for notice in &endpoint.notices {
        let _ = writeln!(text, "note: {}", plain(notice));
    }
    if !rejections.is_empty() {
        text.push_str("refused lately:\n");
        for Rejection { received_at, status, code, source, diagnosis, .. } in rejections {
            let _ = writeln!(text, "  {received_at} from {source}: {status} {code}: {}", plain(diagnosis));
        }
    }
    if let Some(first) = parked.first() {
        let failures = last(first).flat_map(|delivery| delivery.failures.last());
        text.push_str("parked, the newest:\n");
        let _ = writeln!(text, "  {}{}", first.uid, failures.map(of_failure).collect::<String>());
        let _ = writeln!(
            text,
            "next: mend the sink, then `boathook replay --endpoint {} --dry-run`, and without --dry-run",
            endpoint.name
        );
    }
    text
}
