//! How an endpoint is, from what is known of its traffic: one word, and what a person should do.
//!
//! Whoever knows a URL can send requests to it. So only what the provider has signed, and what sinks answer, makes an
//! endpoint [`Health::Failed`]; requests that nothing proves make it [`Health::Degraded`] at most.
use core::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::limits::{
    BEHIND_AFTER, FAILURES_ARE_FAILED, RECOMMENDATIONS_MAX, SECRET_EXPIRY_TOLD, SECRET_UNUSED_AFTER,
    SILENCE_MIN, SILENT_GAPS,
};

/// In one word, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Events come and go on.
    Healthy,
    /// Nothing has come yet, or nothing comes any more.
    Idle,
    /// Events come, and something is not as it should be.
    Degraded,
    /// Nothing goes on.
    Failed,
}

impl Health {
    /// As statuses and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Idle => "Idle",
            Self::Degraded => "Degraded",
            Self::Failed => "Failed",
        }
    }
}

/// What is known of one endpoint's traffic.
#[derive(Debug, Clone, Default)]
pub struct Vitals<'v> {
    /// When a genuine event last came.
    pub last_event: Option<Timestamp>,
    /// The usual time between two of them; `None` = not known yet.
    pub usual_gap: Option<Duration>,
    /// More than the usual share of the last hour's requests was refused ([`crate::Hour`]).
    pub refused_often: bool,
    /// All that the provider has signed in the last hour was refused ([`crate::Hour`]).
    pub signed_refused: bool,
    /// Since when its oldest delivery waits.
    pub oldest_pending: Option<Timestamp>,
    /// How long it should know a repetition.
    pub dedupe_window: Duration,
    /// Since when repetitions are known, where older keys were forgotten before their windows were over.
    pub keys_since: Option<Timestamp>,
    /// Failed attempts since a sink last took an event of it.
    pub consecutive_failures: u64,
    /// Those of its sinks that are left alone, or fail again and again.
    pub failing_sinks: Vec<&'v str>,
    /// Its secrets.
    pub secrets: Vec<SecretUse<'v>>,
}

/// One secret of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretUse<'s> {
    /// The Secret's name, and the key in it.
    pub place: (&'s str, &'s str),
    /// It does not count from then on.
    pub not_after: Option<Timestamp>,
    /// When it last matched.
    pub last_match: Option<Timestamp>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Attempts to deliver fail, one after the other.
    DeliveriesFail,
    /// What the provider has signed is refused.
    SignedRefused,
    /// One of its sinks fails.
    SinkFails {
        /// Its name.
        sink: Box<str>,
    },
    /// A delivery waits for longer than it should.
    Behind,
    /// Many requests are refused.
    RefusedOften,
    /// Repetitions are not known for as long as they should be.
    KeysForgotten {
        /// Since when they are.
        since: Timestamp,
    },
    /// Nothing comes any more.
    Silent {
        /// Since when.
        since: Timestamp,
    },
    /// A secret ends, and none is there to follow it.
    SecretExpires {
        /// Which.
        place: Box<str>,
        /// When.
        at: Timestamp,
    },
    /// A secret is not used any more, while another is.
    SecretUnused {
        /// Which.
        place: Box<str>,
        /// When it last matched.
        since: Timestamp,
    },
}

/// How an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// In one word.
    pub health: Health,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// When time alone may change that.
    pub look_again: Option<Timestamp>,
}

impl Checkup {
    /// What a person should do: a sentence each.
    pub fn recommendations(&self) -> Vec<String> {
        self.findings.iter().take(RECOMMENDATIONS_MAX).map(Finding::to_string).collect()
    }
}

impl Finding {
    /// What it makes of an endpoint to which events come.
    pub fn health(&self) -> Health {
        match self {
            Self::DeliveriesFail | Self::SignedRefused => Health::Failed,
            Self::SinkFails { .. } | Self::Behind | Self::RefusedOften | Self::KeysForgotten { .. } => {
                Health::Degraded
            }
            Self::Silent { .. } => Health::Idle,
            Self::SecretExpires { .. } | Self::SecretUnused { .. } => Health::Healthy,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeliveriesFail => write!(
                f,
                "{FAILURES_ARE_FAILED} attempts to deliver or more have failed in a row: see the statuses of its sinks"
            ),
            Self::SignedRefused => f.write_str(
                "all that the provider has signed in the last hour was refused: the receiver's log says why (a clock, \
                 a secret that has expired, a body that something changes on its way)",
            ),
            Self::SinkFails { sink } => write!(f, "the sink {sink} fails: see its status"),
            Self::Behind => write!(
                f,
                "a delivery has waited for more than {} s: see the statuses of its sinks",
                BEHIND_AFTER.as_secs()
            ),
            Self::RefusedOften => f.write_str(
                "more than one in a hundred requests of the last hour was refused: the receiver's log names the reasons",
            ),
            Self::KeysForgotten { since } => write!(
                f,
                "repetitions are known since {since} only, which is shorter than the window: more keys have come than the \
                 receiver has room for (--dedupe-bytes-max): raise that, or shorten spec.dedupe.window"
            ),
            Self::Silent { since } => {
                write!(f, "nothing genuine has come since {since}: is the webhook still there at the provider?")
            }
            Self::SecretExpires { place, at } => write!(
                f,
                "the secret {place} ends at {at}, and none is there to follow it: name the next one in spec.secrets and \
                 give it to the provider"
            ),
            Self::SecretUnused { place, since } => write!(
                f,
                "the secret {place} was last used at {since}, and another one since: leave it out of spec.secrets"
            ),
        }
    }
}

/// Whether a sink fails: its attempts do, one after the other, or it is left alone for that.
pub fn sink_fails(consecutive_failures: u64, left_alone: bool) -> bool {
    left_alone || consecutive_failures >= FAILURES_ARE_FAILED
}

/// Looks at one endpoint.
pub fn check_up(vitals: &Vitals<'_>, now: Timestamp) -> Checkup {
    let mut findings = Vec::new();
    let mut times = Vec::new();
    findings.extend((vitals.consecutive_failures >= FAILURES_ARE_FAILED).then_some(Finding::DeliveriesFail));
    findings.extend(vitals.signed_refused.then_some(Finding::SignedRefused));
    findings.extend(vitals.failing_sinks.iter().map(|sink| Finding::SinkFails { sink: (*sink).into() }));
    let behind = vitals.oldest_pending.map(|since| later(since, BEHIND_AFTER));
    findings.extend(behind.filter(|at| *at <= now).map(|_| Finding::Behind));
    findings.extend(vitals.refused_often.then_some(Finding::RefusedOften));
    let remembered = vitals.keys_since.map(|since| (since, later(since, vitals.dedupe_window)));
    let forgotten = remembered.filter(|(_, whole)| *whole > now);
    findings.extend(forgotten.map(|(since, _)| Finding::KeysForgotten { since }));
    times.extend(remembered.map(|(_, whole)| whole));
    let silent = vitals.last_event.map(|since| (since, silent_at(since, vitals.usual_gap)));
    let silence = silent.filter(|(_, at)| *at <= now);
    findings.extend(silence.map(|(since, _)| Finding::Silent { since }));
    times.extend(behind.into_iter().chain(silent.map(|(_, at)| at)));
    secrets(&vitals.secrets, now, &mut findings, &mut times);
    let nothing_yet = vitals.last_event.is_none().then_some(Health::Idle);
    let health = findings.iter().map(Finding::health).chain(nothing_yet).max();
    Checkup {
        health: health.unwrap_or(Health::Healthy),
        findings,
        look_again: times.into_iter().filter(|at| *at > now).min(),
    }
}

/// When nothing has come for so long that it is told.
fn silent_at(since: Timestamp, usual_gap: Option<Duration>) -> Timestamp {
    let usual = usual_gap.unwrap_or_default().saturating_mul(SILENT_GAPS);
    later(since, usual.max(SILENCE_MIN))
}

fn secrets(
    secrets: &[SecretUse<'_>],
    now: Timestamp,
    findings: &mut Vec<Finding>,
    times: &mut Vec<Timestamp>,
) {
    let place = |secret: &SecretUse<'_>| format!("{}, key {},", secret.place.0, secret.place.1).into();
    for secret in secrets {
        let outlived = |end: Timestamp| {
            secrets.iter().any(|other| other.not_after.is_none_or(|not_after| not_after > end))
        };
        // Its end is told as long as it is ahead; afterwards refusals tell it.
        if let Some(at) = secret.not_after.filter(|at| *at > now && !outlived(*at)) {
            let told = earlier(at, SECRET_EXPIRY_TOLD);
            findings.extend((told <= now).then(|| Finding::SecretExpires { place: place(secret), at }));
            times.extend([told, at]);
        }
        let Some(since) = secret.last_match else { continue };
        let told = later(since, SECRET_UNUSED_AFTER);
        if secrets.iter().any(|other| other.last_match.is_some_and(|at| at >= told)) {
            findings.push(Finding::SecretUnused { place: place(secret), since });
        }
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}
