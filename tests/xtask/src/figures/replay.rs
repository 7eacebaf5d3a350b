//! Live traffic beside a replay.
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use serde_json::Value;

use super::{
    Figure, grouped,
    live::{self, Times},
    rig::Rig,
    sink::Sink,
};

/// Events that are delivered again.
pub(super) const EVENTS: u32 = 100_000;
/// At this rate.
pub(super) const PER_MINUTE: u32 = 120_000;
/// Events of one request that brings them.
const BATCH: u32 = 500;
/// How long live traffic is measured before the replay, and after it.
const IDLE: Duration = Duration::from_secs(25);
/// How often it is asked how far the replay is.
const POLL: Duration = Duration::from_millis(500);
/// How many times as long live requests may take.
const RATIO_MAX: f64 = 2.0;

/// Measures.
///
/// # Errors
/// See [`super::run`].
pub(super) fn measure(program: &Path) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start()?;
    let rig = Rig::start(program, sink.address)?;
    rig.fill(EVENTS, BATCH)?;
    rig.until("delivered", EVENTS.into())?;
    let for_a_while = || {
        let begun = Instant::now();
        move || begun.elapsed() < IDLE
    };
    let receiver = rig.addresses.public;
    // Connections are made, and caches warm.
    drop(live::run(receiver, &sink, "warm", for_a_while())?);
    let before = live::run(receiver, &sink, "before", for_a_while())?;
    let beside = beside_replay(&rig, &sink)?;
    let after = live::run(receiver, &sink, "after", for_a_while())?;
    let idle = before.and(after);
    let figure = |what: &str, of: fn(&Times) -> &[Duration]| {
        let (idle, beside) = (p99(of(&idle)), p99(of(&beside)));
        let ratio = beside.as_secs_f64() / idle.as_secs_f64().max(f64::EPSILON);
        let [idle, beside] = [idle, beside].map(|time| time.as_secs_f64() * 1_000.0);
        Figure {
            what: format!("p99 {what} of live requests beside a replay of {}", grouped(EVENTS)),
            measured: format!("{beside:.1} ms, {ratio:.2} × the {idle:.1} ms without"),
            bound: format!("{RATIO_MAX} ×"),
            kept: ratio <= RATIO_MAX,
        }
    };
    Ok(vec![
        figure("until acknowledged", |times| &times.acknowledged),
        figure("until delivered", |times| &times.delivered),
    ])
}

/// Live traffic from the begin of the replay until all of it is delivered.
fn beside_replay(rig: &Rig, sink: &Sink) -> anyhow::Result<Times> {
    let done = AtomicBool::new(false);
    let request = format!(r#"{{"endpoint":"default/batches","state":"delivered","perMinute":{PER_MINUTE}}}"#);
    let replay = rig.call("POST", "/v1/replays", &request)?;
    let path = format!("/v1/replays/{}", text(&replay, "id").unwrap_or_default());
    thread::scope(|scope| {
        let traffic = scope.spawn(|| live::run(rig.addresses.public, sink, "beside", || !done.load(Relaxed)));
        let ended = until_ended(rig, &path);
        done.store(true, Relaxed);
        let times = traffic.join().unwrap_or_else(|_| bail!("the live traffic broke"));
        ended.and(times)
    })
}

fn until_ended(rig: &Rig, path: &str) -> anyhow::Result<()> {
    loop {
        let replay = rig.call("GET", path, "")?;
        let deliveries = replay.get("deliveries").and_then(Value::as_u64);
        match text(&replay, "state") {
            Some("running") => thread::sleep(POLL),
            Some("done") if deliveries == Some(EVENTS.into()) => return Ok(()),
            _ => bail!("the replay ended otherwise: {replay}"),
        }
    }
}

fn text<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    value.get(member).and_then(Value::as_str)
}

/// The time that 99 of 100 do not exceed.
fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(rank).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_times_the_99th_is_the_p99() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(p99(&times), Duration::from_millis(99));
        assert_eq!(p99(&[]), Duration::ZERO);
    }
}
