//! `erase`: overwrites and deletes events, those that are named or those in which a value is found.
use std::{thread, time::Instant};

use boathook_api::{Erasure, ErasureRequest, JobState};
use clap::Args;
use http::Method;
use serde_json::{Value, json};

use crate::{
    Ended, Mistake, Output,
    call::{Api, ApiFlags, pretty},
    limits::{JOB_POLL, JOB_WAIT_MAX},
    moment::Moment,
    replay::uid,
    table::plain,
};

/// Overwrite and delete events: those that are named, or those of an endpoint in which a value is found.
///
/// For a person's data: `erase --endpoint shop --template '{/user/email}' --value ann@example.org --dry-run`, then without
/// --dry-run. What was pending or parked of them counts as erased. Repetitions go on being known, by hashes, and what was
/// counted stays counted.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    api: ApiFlags,
    /// Events received by this endpoint; it need not exist any more.
    #[arg(long, value_name = "NAME", requires_all = ["template", "value"])]
    endpoint: Option<String>,
    /// What is looked at, such as {/user/email}, {header:X-Account} or {tenant}.
    #[arg(long, value_name = "TEMPLATE", requires = "endpoint")]
    template: Option<String>,
    /// The text that it must have, whole.
    #[arg(long, value_name = "TEXT", requires = "endpoint")]
    value: Option<String>,
    /// Received at this time or later: RFC 3339, or how long ago, such as 2h.
    #[arg(long, value_name = "TIME", requires = "endpoint")]
    since: Option<Moment>,
    /// Received by this time.
    #[arg(long, value_name = "TIME", requires = "endpoint")]
    until: Option<Moment>,
    /// Count only.
    #[arg(long, requires = "endpoint")]
    dry_run: bool,
    /// Begin, and do not wait until all is erased.
    #[arg(long, requires = "endpoint")]
    no_wait: bool,
    /// Say how far the erasure with this id is.
    #[arg(long, value_name = "ID", conflicts_with_all = ["cancel", "events", "endpoint"])]
    show: Option<String>,
    /// Cancel the erasure with this id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["events", "endpoint"])]
    cancel: Option<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// Events by their uids or the provider's ids.
    #[arg(value_name = "EVENT", conflicts_with = "endpoint", required_unless_present_any = ["endpoint", "show", "cancel"])]
    events: Vec<String>,
}

pub(crate) fn run(flags: &Flags) -> Result<Ended, Mistake> {
    let api = flags.api.api()?;
    let of = |id: &str| format!("/v1/erasures/{id}");
    let erasure = match (&flags.show, &flags.cancel) {
        (Some(id), _) => api.read(&of(id), &())?,
        (_, Some(id)) => api.act(Method::DELETE, &of(id), &json!({}))?,
        _ if !flags.events.is_empty() => return named(flags, &api),
        _ => by_value(flags, &api)?,
    };
    let output = match flags.output {
        Output::Json => pretty(&erasure),
        Output::Text => text(&erasure),
    };
    let good = matches!(erasure.state, JobState::Running | JobState::Done)
        || (flags.cancel.is_some() && erasure.state == JobState::Cancelled);
    let running = erasure.state == JobState::Running;
    let note = running.then(|| format!("it goes on: ask with `erase --show {}`", erasure.id));
    Ok(Ended { good, output, notes: note.into_iter().collect() })
}

fn by_value(flags: &Flags, api: &Api) -> Result<Erasure, Mistake> {
    let Flags { api: place, endpoint, template, value, since, until, dry_run, no_wait, .. } = flags;
    let request = ErasureRequest {
        endpoint: place.named(endpoint.as_deref().unwrap_or_default()),
        template: template.clone().unwrap_or_default(),
        value: value.clone().unwrap_or_default(),
        since: since.map(Moment::time),
        until: until.map(Moment::time),
        dry_run: *dry_run,
    };
    let mut erasure: Erasure = api.act(Method::POST, "/v1/erasures", &request)?;
    let begun = Instant::now();
    while !*no_wait && erasure.state == JobState::Running && begun.elapsed() < JOB_WAIT_MAX {
        thread::sleep(JOB_POLL);
        erasure = api.read(&format!("/v1/erasures/{}", erasure.id), &())?;
    }
    Ok(erasure)
}

fn text(erasure: &Erasure) -> String {
    let Erasure { id, state, endpoint, dry_run, looked_at, events, pending, parked, error, .. } = erasure;
    let state = match state {
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
    };
    let verb = if *dry_run { "would be erased" } else { "are erased" };
    let error = error.as_deref().map_or_else(String::new, |error| format!(": {}", plain(error)));
    format!(
        "erasure {id} {state}{error}: {events} of {looked_at} events of {endpoint} {verb}, with {pending} pending and {parked} \
         parked deliveries\n"
    )
}

/// Those that are named, one by one.
fn named(flags: &Flags, api: &Api) -> Result<Ended, Mistake> {
    let mut erased = Vec::new();
    for event in &flags.events {
        let uid = uid(api, event)?;
        let _: Value = api.act(Method::DELETE, &format!("/v1/events/{uid}"), &json!({}))?;
        erased.push(uid);
    }
    Ok(Ended::good(match flags.output {
        Output::Json => pretty(&json!({ "erased": erased })),
        Output::Text => erased.iter().map(|uid| format!("{uid}: erased\n")).collect(),
    }))
}
