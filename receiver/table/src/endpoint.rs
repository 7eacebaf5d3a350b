//! An endpoint as a receiver uses it.
use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use boathook_crds::{
    Events, Limits, Mode, Notice, Reason, SecretRef, Timestamp, Verification, WebhookEndpointSpec,
};
use boathook_event::{Attributes, ObjectName, Reading, ReadingSpec, Retention, UidFrom};
use boathook_verify::{
    AnswerType, Handshakes, Kind as Proof, Scheme, SchemeError, TimestampRule, Verifier,
    limits::TOLERANCE_DEFAULT, nearest, preset,
};
use ipnet::IpNet;

use crate::{
    Acknowledge, Capture, Input, Kind, Problem, Sink, Written, attributes,
    capture::capture,
    checks::{self, Checked, Checks, checks},
    choosing::Choosing,
    keeping,
    limits::{
        BODY_BYTES_DEFAULT, BODY_BYTES_MAX, DEDUPE_WINDOW_DEFAULT, DEDUPE_WINDOW_MAX, HOST_BYTES_MAX,
        RATE_PER_MINUTE_MAX,
    },
    problem::Problems,
    retention::retention,
    routes::{Routes, SinkRoute},
};

/// Receives what one provider sends.
#[derive(Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: ObjectName,
    /// The generation of the spec that this is.
    pub generation: i64,
    /// The host that it is called by, in lower case; `None` = any.
    pub host: Option<String>,
    /// The path that it is called by.
    pub path: String,
    /// Checks requests.
    pub verifier: Verifier,
    /// Answers handshakes.
    pub handshakes: Handshakes,
    /// The secret that it takes from its provider.
    pub capture: Option<Capture>,
    /// The SHA-256 of each secret's text.
    secrets: Vec<[u8; 32]>,
    /// Where each secret is, and when it ends, in the order of the verifier.
    pub secret_places: Vec<(SecretRef, Option<Timestamp>)>,
    /// Makes events of genuine requests.
    pub reading: Reading,
    /// Constants for the templates of sinks.
    pub attributes: Arc<Attributes>,
    /// What the provider wants to hear.
    pub profile: Profile,
    /// Addresses that may call; empty = all.
    pub allowed_sources: Vec<IpNet>,
    /// Bytes of a body.
    pub body_bytes_max: usize,
    /// Genuine requests a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Requests a minute from one address.
    pub per_source_per_minute: Option<NonZeroU32>,
    /// Genuine requests a minute with events of one tenant.
    pub per_tenant_per_minute: Option<NonZeroU32>,
    /// When a delivery is acknowledged.
    pub acknowledge: Acknowledge,
    /// How long an event is remembered.
    pub dedupe_window: Duration,
    /// How long an event is kept.
    pub retention: Retention,
    /// It takes nothing: 503.
    pub paused: bool,
    /// Where its events go.
    pub sinks: Vec<SinkRoute>,
    /// What a person should know of it.
    pub notices: Vec<Notice>,
    pub(crate) choosing: Choosing,
}

/// What a provider wants to hear: HTTP statuses by outcome, and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Accepted or ignored.
    pub success: u16,
    /// Seen before.
    pub duplicate: u16,
    /// Not genuine.
    pub refused: u16,
    /// Our own failure.
    pub unavailable: u16,
    /// The body of the answer to what was taken; `None` = JSON about its first event.
    pub text: Option<Box<str>>,
    /// The content type of that text.
    pub text_type: AnswerType,
}

impl Profile {
    fn of(scheme: &Scheme) -> Self {
        let answer = scheme.answer.clone().unwrap_or_default();
        let success = answer.success.unwrap_or(200);
        Self {
            success,
            duplicate: answer.duplicate.unwrap_or(success),
            refused: answer.refused.unwrap_or(401),
            unavailable: answer.unavailable.unwrap_or(503),
            text: answer.text.map(Into::into),
            text_type: answer.content_type.unwrap_or_default(),
        }
    }
}

impl Endpoint {
    /// Whether this text is one of its secrets, but for a line end.
    pub fn has_secret(&self, text: &[u8]) -> bool {
        self.secrets.contains(&checks::digest(text))
    }
}

/// Compiles one endpoint against the sinks that are there.
pub(crate) fn compile(
    name: &ObjectName,
    written: &Written<WebhookEndpointSpec>,
    input: &Input<'_>,
    sinks: &BTreeMap<ObjectName, Sink>,
) -> Result<Endpoint, Vec<Problem>> {
    let Written { generation, spec } = written;
    let class = input.class;
    let mut problems = Problems { kind: Kind::Endpoint, object: name, found: Vec::new() };
    let Some((scheme, at)) = scheme(spec, &mut problems) else { return Err(problems.found) };
    let verification = spec.verification.clone().unwrap_or_default();
    let events = spec.events.clone().unwrap_or_default();
    let limits = spec.limits.clone().unwrap_or_default();
    let path = path(name, spec, &mut problems);
    class.into_iter().for_each(|class| class.check(spec, &path, &mut problems));
    let capture = capture(spec, &scheme, input.keys, &mut problems);
    let written = Checked {
        spec,
        scheme: &scheme,
        verification: &verification,
        path: &path,
        capture: capture.as_ref(),
    };
    let checks = checks(&written, input, at, &mut problems);
    let attributes = attributes::attributes(spec, &mut problems);
    let uid_from = if input.keeps_nothing { UidFrom::Key } else { UidFrom::Chance };
    let reading = reading((name, uid_from), &scheme, &events, &attributes, at, &mut problems);
    let body_bytes_max = check_limits(&limits, &mut problems);
    let choosing = Choosing::compile(&events, &scheme, spec.mode, &mut problems);
    host(spec, &mut problems);
    let routes = Routes::of(spec, sinks, &mut problems);
    let acknowledge = Acknowledge::compile(spec, &mut problems);
    if input.keeps_nothing {
        keeping::check(spec, &mut problems);
    }
    let allowed_sources = sources(&verification, &mut problems);
    let dedupe_window = window(spec, &scheme, &mut problems);
    let retention = retention(spec, &mut problems);
    let host = class.map_or(spec.host.as_deref(), |class| class.host_of(spec));
    let (Some(Checks { verifier, handshakes, secrets, secret_places }), Some(reading)) = (checks, reading)
    else {
        return Err(problems.found);
    };
    if !problems.found.is_empty() {
        return Err(problems.found);
    }
    Ok(Endpoint {
        generation: *generation,
        host: host.map(str::to_ascii_lowercase),
        path,
        notices: notices(&scheme, &routes, capture.as_ref(), spec.mode, input.keeps_nothing),
        profile: Profile::of(&scheme),
        allowed_sources,
        body_bytes_max,
        requests_per_minute: per_minute(&limits, |limits| limits.requests_per_minute),
        per_source_per_minute: per_minute(&limits, |limits| limits.per_source_per_minute),
        per_tenant_per_minute: per_minute(&limits, |limits| limits.per_tenant_per_minute),
        acknowledge,
        dedupe_window,
        retention,
        paused: spec.mode == Mode::Paused,
        sinks: routes.sinks,
        choosing,
        name: name.clone(),
        verifier,
        handshakes,
        capture,
        secrets,
        secret_places,
        reading,
        attributes: attributes.into(),
    })
}

/// The scheme, and the field under which its members are found.
fn scheme(spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) -> Option<(Scheme, &'static str)> {
    match (&spec.provider, &spec.scheme) {
        (None, Some(scheme)) => Some(((**scheme).clone(), "spec.scheme")),
        (Some(id), None) => match preset(id) {
            Some(scheme) => Some((scheme, "spec.provider")),
            None => {
                let near = nearest(id).map_or(String::new(), |near| format!(": did you mean {near}?"));
                problems.add(
                    "spec.provider",
                    Reason::UnknownProvider,
                    format!("unknown provider {id}{near}"),
                );
                None
            }
        },
        _ => {
            problems.add("spec", Reason::InvalidScheme, "exactly one of provider and scheme must be set");
            None
        }
    }
}

fn reading(
    (name, uid_from): (&ObjectName, UidFrom),
    scheme: &Scheme,
    events: &Events,
    attributes: &Attributes,
    at: &str,
    problems: &mut Problems<'_>,
) -> Option<Reading> {
    let compiled = Reading::compile(ReadingSpec {
        endpoint: name.clone(),
        scheme,
        id: events.id.as_deref(),
        event_type: events.event_type.as_deref(),
        tenant: events.tenant.as_deref(),
        key: events.key.as_deref(),
        attributes,
        uid_from,
    });
    kept(compiled, Reason::InvalidTemplate, at, problems)
}

/// The value; or its errors become problems, under `spec` for the endpoint's own fields and under `at` for the scheme's.
fn kept<T>(
    result: Result<T, Vec<SchemeError>>,
    reason: Reason,
    at: &str,
    problems: &mut Problems<'_>,
) -> Option<T> {
    let errors = match result {
        Ok(value) => return Some(value),
        Err(errors) => errors,
    };
    for SchemeError { field, message } in errors {
        let root = if field.starts_with("events.") { "spec" } else { at };
        problems.add(format!("{root}.{field}"), reason, message);
    }
    None
}

fn sources(verification: &Verification, problems: &mut Problems<'_>) -> Vec<IpNet> {
    let mut sources = Vec::with_capacity(verification.allowed_sources.len());
    for (index, text) in verification.allowed_sources.iter().enumerate() {
        match text.parse::<IpNet>().or_else(|_| text.parse::<core::net::IpAddr>().map(IpNet::from)) {
            Ok(block) => sources.push(block),
            Err(_) => {
                let message = format!("`{text}` is no address block: write 192.0.2.0/24 or 2001:db8::/32");
                let field = format!("spec.verification.allowedSources[{index}]");
                problems.add(field, Reason::InvalidValue, message);
            }
        }
    }
    sources
}

fn window(spec: &WebhookEndpointSpec, scheme: &Scheme, problems: &mut Problems<'_>) -> Duration {
    let written = spec.dedupe.as_ref().and_then(|dedupe| dedupe.window);
    let horizon = scheme.retry.map_or(DEDUPE_WINDOW_DEFAULT, |retry| retry.horizon.std());
    let default = horizon.max(replayable(spec, scheme));
    let window = written.map_or(default, |window| window.std());
    problems.at_most("spec.dedupe.window", window, DEDUPE_WINDOW_MAX)
}

/// For how long a recorded delivery would be taken again, were it not remembered: while its time is fresh, and for good where
/// none is signed.
fn replayable(spec: &WebhookEndpointSpec, scheme: &Scheme) -> Duration {
    let rule = scheme.timestamp.as_ref().filter(|rule| rule.signed && rule.enforce);
    let own = spec.verification.as_ref().and_then(|verification| verification.tolerance);
    // A time may be as far ahead as behind.
    let fresh =
        |rule: &TimestampRule| own.or(rule.tolerance).unwrap_or(TOLERANCE_DEFAULT).std().saturating_mul(2);
    rule.map_or(DEDUPE_WINDOW_DEFAULT, fresh)
}

/// A name or an address, as a request's Host says it without its port.
fn host(spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) {
    let Some(host) = &spec.host else { return };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(plain) {
        let message = format!("`{host}` is no host name: write it without scheme, port and path");
        problems.add("spec.host", Reason::InvalidValue, message);
    }
}

fn path(name: &ObjectName, spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) -> String {
    let path = spec.path.clone().unwrap_or_else(|| format!("/{}", name.as_str()));
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    if !path.starts_with('/') || !plain {
        let message = format!("`{path}` is no path: it starts with `/` and has no blank, `?` or `#`");
        problems.add("spec.path", Reason::InvalidValue, message);
    }
    path
}

/// Checks rates, and gives the bytes of a body.
fn check_limits(limits: &Limits, problems: &mut Problems<'_>) -> usize {
    for (field, rate) in [
        ("spec.limits.requestsPerMinute", limits.requests_per_minute),
        ("spec.limits.perSourcePerMinute", limits.per_source_per_minute),
        ("spec.limits.perTenantPerMinute", limits.per_tenant_per_minute),
    ] {
        rate.into_iter().for_each(|rate| problems.within(field, rate, 1..=RATE_PER_MINUTE_MAX));
    }
    let bytes = limits.body_bytes_max.unwrap_or(BODY_BYTES_DEFAULT);
    problems.within("spec.limits.bodyBytesMax", bytes, 1..=BODY_BYTES_MAX);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn per_minute(limits: &Limits, which: impl Fn(&Limits) -> Option<u32>) -> Option<NonZeroU32> {
    which(limits).and_then(NonZeroU32::new)
}

fn notices(
    scheme: &Scheme,
    routes: &Routes,
    capture: Option<&Capture>,
    mode: Mode,
    keeps_nothing: bool,
) -> Vec<Notice> {
    let clock = scheme.timestamp.as_ref();
    let identified = (!scheme.id.is_empty() && scheme.id_stable) || scheme.body_unique;
    let fresh = clock.is_some_and(|rule| rule.signed && rule.enforce);
    let mut notices = Vec::new();
    let proved = scheme.kind != Proof::None;
    notices.extend((!proved).then_some(Notice::NothingProved));
    notices.extend((proved && !scheme.body_protected).then_some(Notice::BodyNotProtected));
    notices.extend(clock.is_some_and(|rule| !rule.signed).then_some(Notice::TimestampNotSigned));
    notices.extend((identified && !fresh && keeps_nothing).then_some(Notice::RepetitionsForgotten));
    notices.extend((!identified && !fresh).then_some(Notice::NoReplayGuard));
    let awaited = capture.is_some_and(|capture| capture.awaited);
    notices.extend(awaited.then_some(Notice::SecretAwaited));
    notices.extend((mode == Mode::Shadow).then_some(Notice::Shadow));
    notices.extend(routes.left_out.then_some(Notice::SinksLeftOut));
    notices.extend(routes.sinks.is_empty().then_some(Notice::NoSink));
    notices
}
