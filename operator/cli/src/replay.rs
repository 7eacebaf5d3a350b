//! `replay`: delivers again what was parked or delivered.
use std::{thread, time::Instant};

use boathook_api::{Armed, Event, EventQuery, EventReplay, JobState, Replay, ReplayRequest};
use clap::Args;
use http::Method;
use serde_json::json;
use uuid::Uuid;

use crate::{
    Ended, Mistake, Output,
    call::{Api, ApiFlags, pretty},
    events::{FilterFlags, list},
    limits::{EXPLAINED_EVENTS_MAX, JOB_POLL, JOB_WAIT_MAX},
    moment::Moment,
    table::plain,
};

/// Deliver events again: those that are named, or those that a filter finds.
///
/// A parked or skipped delivery starts anew; one that the sink has taken is delivered again under an idempotency key of its
/// own. Live traffic goes first. By filter, parked deliveries are meant unless --state says otherwise.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    #[command(flatten)]
    filter: FilterFlags,
    /// To this sink instead.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Count only.
    #[arg(long)]
    dry_run: bool,
    /// Deliveries a minute at most.
    #[arg(long, value_name = "NUMBER")]
    per_minute: Option<u32>,
    /// Begin, and do not wait until all is on its way.
    #[arg(long)]
    no_wait: bool,
    /// Say how far the replay with this id is.
    #[arg(long, value_name = "ID", conflicts_with_all = ["cancel", "events"])]
    show: Option<String>,
    /// Cancel the replay with this id.
    #[arg(long, value_name = "ID", conflicts_with = "events")]
    cancel: Option<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// Events by their uids or the provider's ids; without any, the filter counts.
    #[arg(value_name = "EVENT", conflicts_with_all = ["endpoint", "type", "key", "since", "until", "dry_run", "per_minute"])]
    events: Vec<String>,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let api = flags.api.api()?;
    let of = |id: &str| format!("/v1/replays/{id}");
    let replay = match (&flags.show, &flags.cancel) {
        (Some(id), _) => api.read(&of(id), &())?,
        (_, Some(id)) => api.act(Method::DELETE, &of(id), &json!({}))?,
        _ if !flags.events.is_empty() => return named(flags, &api),
        _ => by_filter(flags, &api)?,
    };
    let output = match flags.output {
        Output::Json => pretty(&replay),
        Output::Text => text(&replay),
    };
    let good = matches!(replay.state, JobState::Running | JobState::Done)
        || (flags.cancel.is_some() && replay.state == JobState::Cancelled);
    let running = replay.state == JobState::Running;
    let note = running.then(|| format!("it goes on: ask with `replay --show {}`", replay.id));
    Ok(Ended { good, output, notes: note.into_iter().collect() })
}

fn by_filter(flags: &Flags, api: &Api) -> Result<Replay, Mistake> {
    let Flags { api: place, filter, to, dry_run, per_minute, no_wait, .. } = flags;
    let named = |name: &Option<String>| name.as_deref().map(|name| place.named(name));
    let request = ReplayRequest {
        endpoint: named(&filter.endpoint),
        sink: named(&filter.sink),
        state: filter.state.map(Into::into),
        event_type: filter.r#type.clone(),
        key: filter.key.clone(),
        since: filter.since.map(Moment::time),
        until: filter.until.map(Moment::time),
        to: named(to),
        dry_run: *dry_run,
        per_minute: *per_minute,
    };
    let mut replay: Replay = api.act(Method::POST, "/v1/replays", &request)?;
    let begun = Instant::now();
    while !*no_wait && replay.state == JobState::Running && begun.elapsed() < JOB_WAIT_MAX {
        thread::sleep(JOB_POLL);
        replay = api.read(&format!("/v1/replays/{}", replay.id), &())?;
    }
    Ok(replay)
}

fn text(replay: &Replay) -> String {
    let Replay { id, state, request, events, deliveries, already_pending, error, .. } = replay;
    let state = match state {
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
    };
    let verb = if request.dry_run { "would go out again" } else { "go out again" };
    let pending = match already_pending {
        0 => String::new(),
        pending => format!(", {pending} were on their way already"),
    };
    let error = error.as_deref().map_or_else(String::new, |error| format!(": {}", plain(error)));
    format!("replay {id} {state}{error}: {deliveries} deliveries of {events} events {verb}{pending}\n")
}

/// Those that are named, one by one.
fn named(flags: &Flags, api: &Api) -> Result<Ended, Mistake> {
    let Flags { api: place, filter, to, output, events, .. } = flags;
    let request = EventReplay {
        sink: filter.sink.as_deref().map(|name| place.named(name)),
        state: filter.state.map(Into::into),
        to: to.as_deref().map(|name| place.named(name)),
    };
    let mut told = Vec::new();
    for event in events {
        let uid = uid(api, event)?;
        let armed: Armed = api.act(Method::POST, &format!("/v1/events/{uid}/replay"), &request)?;
        told.push((uid, armed));
    }
    let output = match output {
        Output::Json => {
            pretty(&told.iter().map(|(uid, armed)| json!({ "uid": uid, "armed": armed })).collect::<Vec<_>>())
        }
        Output::Text => told.iter().map(|(uid, armed)| line(uid, armed)).collect(),
    };
    Ok(Ended::good(output))
}

fn line(uid: &str, armed: &Armed) -> String {
    let Armed { deliveries, already_pending } = armed;
    match (deliveries, already_pending) {
        (0, 0) => format!("{uid}: nothing is meant by that: see `boathook explain {uid}`\n"),
        (0, _) => format!("{uid}: on its way already\n"),
        (deliveries, _) => format!("{uid}: {deliveries} deliveries go out again\n"),
    }
}

/// An event's uid: it is one, or the provider's id of one event.
pub(crate) fn uid(api: &Api, text: &str) -> Result<String, Mistake> {
    if Uuid::try_parse(text).is_ok() && api.find::<Event>(&format!("/v1/events/{text}"))?.is_some() {
        return Ok(text.to_owned());
    }
    let query = EventQuery { id: Some(text.to_owned()), ..EventQuery::default() };
    let (found, _) = list(api, query, EXPLAINED_EVENTS_MAX)?;
    match &*found {
        [] => {
            Err(Mistake(format!("no event with the id `{}` is stored: see `boathook events`", plain(text))))
        }
        [event] => Ok(event.uid.clone()),
        several => {
            let uids = several.iter().map(|event| &*event.uid).collect::<Vec<_>>().join(", ");
            Err(Mistake(format!("several events have the id `{}`: name one of {uids}", plain(text))))
        }
    }
}
