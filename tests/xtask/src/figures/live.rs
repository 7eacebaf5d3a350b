//! Live traffic: how long acknowledgements take, and how long deliveries.
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use super::{
    rig::{LIVE, SECRET},
    sink::Sink,
};
use crate::{delivery::signature, http};

/// Requests a second, over all connections.
pub(super) const PER_SECOND: u32 = 200;
const CONNECTIONS: u32 = 4;
/// The fractions of its multiples are spread over what lies between two numbers as evenly as can be.
const GOLDEN_RATIO: f64 = 1.618_033_988_749_895;
/// How long the last deliveries may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Times of one stretch of traffic.
#[derive(Default)]
pub(super) struct Times {
    /// From the moment a request was due to its answer.
    pub(super) acknowledged: Vec<Duration>,
    /// From that moment to the sink.
    pub(super) delivered: Vec<Duration>,
}

impl Times {
    /// Those of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.acknowledged.extend(other.acknowledged);
        self.delivered.extend(other.delivered);
        self
    }
}

/// Sends for as long as `goes_on` says so, and waits for the deliveries. Ids begin with `name`.
///
/// # Errors
/// When a request is not taken, or not delivered.
pub(super) fn run(
    receiver: SocketAddr,
    sink: &Sink,
    name: &str,
    goes_on: impl Fn() -> bool + Sync,
) -> anyhow::Result<Times> {
    let begun = Instant::now();
    let sent = thread::scope(|scope| {
        let goes_on = &goes_on;
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || send(receiver, begun, number, name, goes_on)))
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap_or_else(|_| bail!("a sender broke"))).collect()
    });
    let sent: Vec<Vec<Sent>> = Result::from_iter::<Vec<anyhow::Result<Vec<Sent>>>>(sent)?;
    let mut times = Times::default();
    for Sent { id, due, answered } in sent.into_iter().flatten() {
        times.acknowledged.push(answered - due);
        times.delivered.push(arrival(sink, &id)?.saturating_duration_since(due));
    }
    Ok(times)
}

struct Sent {
    id: String,
    due: Instant,
    answered: Instant,
}

fn send(
    receiver: SocketAddr,
    begun: Instant,
    number: u32,
    name: &str,
    goes_on: impl Fn() -> bool,
) -> anyhow::Result<Vec<Sent>> {
    let mut connection = http::Connection::open(receiver)?;
    let pause = Duration::from_secs(1) * CONNECTIONS / PER_SECOND;
    let first = begun + pause * number / CONNECTIONS;
    let mut sent = Vec::new();
    while goes_on() {
        let before = f64::from(u32::try_from(sent.len())?);
        // Not a beat: it would meet every slice of a replay at the same moment, or none.
        let due = first + pause.mul_f64(before + (before * GOLDEN_RATIO).fract());
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let id = format!("{name}-{number}-{}", sent.len());
        let body = format!(r#"{{"key":"{id}","text":"{}"}}"#, "x".repeat(1_000));
        let signature = signature(SECRET, &body);
        let headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", &*id),
            ("X-Hub-Signature-256", &*signature),
        ];
        let answer = connection.post(LIVE, &headers, &body)?;
        if answer.status != 200 {
            bail!("a live request was answered {}: {}", answer.status, answer.body);
        }
        sent.push(Sent { id, due, answered: Instant::now() });
    }
    Ok(sent)
}

fn arrival(sink: &Sink, id: &str) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(came) = sink.came().get(id) {
            return Ok(*came);
        }
        if Instant::now() > deadline {
            return Err(anyhow::anyhow!("the sink has not got it in {PATIENCE:?}")).context(id.to_owned());
        }
        thread::sleep(POLL);
    }
}
