//! `events`: what was received, and what became of it.
use boathook_api::{Delivery, DeliveryState, EventPage, EventQuery, EventSummary, Order};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    Ended, Mistake, Output,
    call::{Api, ApiFlags, pretty},
    moment::Moment,
    rendered::{rendered, text},
    table::{or_dash, plain, table},
};

/// List the events that a receiver has stored, newest first.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    #[command(flatten)]
    filter: FilterFlags,
    /// With this id of the provider's.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
    /// The first that was stored first.
    #[arg(long)]
    oldest_first: bool,
    /// What each sink would get of each event now, which is then not sent. Needs the operate token.
    #[arg(long)]
    rendered: bool,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

/// Which events: those of which all that is given is true.
#[derive(Debug, Args)]
pub(crate) struct FilterFlags {
    /// Received by this endpoint.
    #[arg(long, value_name = "NAME")]
    pub(crate) endpoint: Option<String>,
    /// With a delivery to this sink.
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: Option<String>,
    /// With a delivery that stands so.
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<State>,
    /// Of this type.
    #[arg(long, value_name = "TYPE")]
    pub(crate) r#type: Option<String>,
    /// With this ordering key.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Received at this time or later: RFC 3339, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Received before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Pending,
    Delivered,
    Parked,
    Skipped,
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Delivered => Self::Delivered,
            State::Parked => Self::Parked,
            State::Skipped => Self::Skipped,
        }
    }
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let Flags { api: place, filter, id, limit, oldest_first, rendered: render, output } = flags;
    let named = |name: &Option<String>| name.as_deref().map(|name| place.named(name));
    let api = place.api()?;
    let order = if *oldest_first { Order::OldestFirst } else { Order::NewestFirst };
    let query = EventQuery {
        endpoint: named(&filter.endpoint),
        sink: named(&filter.sink),
        state: filter.state.map(Into::into),
        event_type: filter.r#type.clone(),
        id: id.clone(),
        key: filter.key.clone(),
        since: filter.since.map(Moment::time),
        until: filter.until.map(Moment::time),
        order: Some(order),
        limit: None,
        cursor: None,
    };
    let (events, more) = list(&api, query, *limit)?;
    let notes = more.then(|| format!("there are more: --limit is {limit}, or narrow it with the filters"));
    let rendered = events.iter().filter(|_| *render).map(|event| rendered(&api, &event.uid));
    let rendered = rendered.collect::<Result<Vec<_>, _>>()?;
    let output = match output {
        Output::Text if *render => rendered.iter().map(text).collect::<Vec<_>>().join("\n"),
        Output::Json if *render => pretty(&json!({ "events": events, "rendered": rendered })),
        Output::Text => table(
            ["RECEIVED", "UID", "ID", "TYPE", "ENDPOINT", "DELIVERIES"],
            events.iter().map(|event| {
                let time = event.received_at.round(jiff::Unit::Second).unwrap_or(event.received_at);
                [
                    time.to_string(),
                    event.uid.clone(),
                    or_dash(event.id.as_deref()),
                    or_dash(event.event_type.as_deref()),
                    event.endpoint.clone(),
                    or_dash(Some(&event.deliveries.iter().map(delivery).collect::<Vec<_>>().join(", "))),
                ]
            }),
        ),
        Output::Json => pretty(&EventPage { events, next: None }),
    };
    Ok(Ended { good: true, output, notes: notes.into_iter().collect() })
}

/// So many of them, over as many pages as it takes; and whether there are more.
pub(crate) fn list(
    api: &Api,
    mut query: EventQuery,
    limit: usize,
) -> Result<(Vec<EventSummary>, bool), Mistake> {
    let mut events = Vec::new();
    loop {
        query.limit = Some((limit - events.len()).clamp(1, 1_000));
        let EventPage { events: mut page, next } = api.read("/v1/events", &query)?;
        events.append(&mut page);
        if next.is_none() || events.len() >= limit {
            return Ok((events, next.is_some()));
        }
        query.cursor = next;
    }
}

/// One delivery in a few words.
fn delivery(delivery: &Delivery) -> String {
    let Delivery { sink, replay, state, attempts, .. } = delivery;
    let again = if *replay > 0 { format!(" r{replay}") } else { String::new() };
    let state = match state {
        DeliveryState::Pending if *attempts > 0 => format!("pending after {attempts}"),
        DeliveryState::Pending => "pending".into(),
        DeliveryState::Delivered => "delivered".into(),
        DeliveryState::Parked => format!("parked after {attempts}"),
        DeliveryState::Skipped => "skipped".into(),
    };
    plain(&format!("{}{again} {state}", sink.split_once('/').map_or(&**sink, |(_, name)| name)))
}
