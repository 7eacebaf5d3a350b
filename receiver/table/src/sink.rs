//! A sink as a receiver uses it.
use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use boathook_crds::{HttpHeader, HttpSink, Jitter, Reason, Retry, WebhookSinkSpec, WhenSuspended};
use boathook_event::{Filter, ObjectName, RetryPolicy, TypePatterns};
use boathook_template::{Place, Pointers, Template};
use zeroize::Zeroizing;

use crate::{
    Body, Keys, Kind, Problem,
    attributes::{Needed, needed},
    filter,
    limits::{
        BACKLOG_BYTES_MAX, CONCURRENCY_DEFAULT, RATE_PER_MINUTE_MAX, RETRY_AGE_MAX, RETRY_DELAY_MAX,
        SENT_BYTES_DEFAULT, SENT_BYTES_MAX, TIMEOUT_DEFAULT, TIMEOUT_MAX, TYPE_PATTERNS_MAX,
    },
    problem::Problems,
    sink_body::body,
};

/// A place that takes events.
#[derive(Debug, Clone, PartialEq)]
pub struct Sink {
    /// Its name.
    pub name: ObjectName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it is.
    pub target: Target,
    /// What it gets.
    pub body: Body,
    /// The types that it wants.
    pub types: TypePatterns,
    /// What it wants of these.
    pub filter: Option<Arc<Filter>>,
    /// When a failed delivery is tried again.
    pub retry: RetryPolicy,
    /// Deliveries under way at once.
    pub concurrency: usize,
    /// Attempts a minute; `None` = no limit.
    pub attempts_per_minute: Option<NonZeroU32>,
    /// The same for each tenant.
    pub attempts_per_tenant_per_minute: Option<NonZeroU32>,
    /// Bytes of bodies that may wait for it; `None` = no bound.
    pub backlog_bytes_max: Option<u64>,
    /// Nothing is delivered.
    pub suspend: bool,
    /// While it is suspended, deliveries are left out; else they wait.
    pub skip_when_suspended: bool,
    /// What endpoints must have for its templates.
    pub(crate) needed: Vec<Needed>,
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An HTTP server.
    Http {
        /// Where to POST.
        url: String,
        /// Headers to add.
        headers: Vec<Header>,
        /// One attempt.
        timeout: Duration,
        /// Bytes of a body.
        body_bytes_max: usize,
    },
    /// Standard output.
    Log,
}

/// A header to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub content: HeaderContent,
}

/// Where a header's value comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum HeaderContent {
    /// A template over the event.
    Template(String),
    /// A Secret's value.
    Secret(Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for HeaderContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Template(text) => f.debug_tuple("Template").field(text).finish(),
            Self::Secret(_) => f.write_str("Secret"),
        }
    }
}

/// Compiles one sink.
pub(crate) fn compile(
    name: &ObjectName,
    labels: Option<&BTreeMap<String, String>>,
    spec: &WebhookSinkSpec,
    keys: &Keys,
) -> Result<Sink, Vec<Problem>> {
    let mut problems = Problems { kind: Kind::Sink, object: name, found: Vec::new() };
    let target = match (&spec.http, &spec.log) {
        (Some(http), None) => Some(http_target(http, keys, &mut problems)),
        (None, Some(_)) => Some(Target::Log),
        _ => {
            problems.add("spec", Reason::InvalidValue, "exactly one of http and log must be set");
            None
        }
    };
    problems.at_most("spec.types", spec.types.len(), TYPE_PATTERNS_MAX);
    let sink = Sink {
        name: name.clone(),
        labels: labels.cloned().unwrap_or_default(),
        target: target.unwrap_or(Target::Log),
        body: body(spec, &mut problems),
        types: TypePatterns::new(&spec.types),
        filter: filter::compile(spec.filter.as_ref(), "spec.filter", &mut problems).map(Arc::new),
        retry: retry(spec.retry.as_ref().unwrap_or(&Retry::default()), &mut problems),
        concurrency: concurrency(spec.concurrency, &mut problems),
        attempts_per_minute: attempts_per_minute(spec, &mut problems),
        attempts_per_tenant_per_minute: attempts_per_tenant_per_minute(spec, &mut problems),
        backlog_bytes_max: backlog_bytes_max(spec, &mut problems),
        suspend: spec.suspend,
        skip_when_suspended: spec.when_suspended == Some(WhenSuspended::Skip),
        needed: needed(spec),
    };
    if problems.found.is_empty() { Ok(sink) } else { Err(problems.found) }
}

fn http_target(http: &HttpSink, keys: &Keys, problems: &mut Problems<'_>) -> Target {
    let callable = |url: http::Uri| {
        let plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        plain && url.host().is_some() && matches!(url.scheme_str(), Some("http" | "https"))
    };
    if !http.url.parse::<http::Uri>().is_ok_and(callable) {
        // It is not quoted: such URLs are often secrets.
        let message = "it is no URL that can be called: write http:// or https://, a host and a path, without user and \
                       password";
        problems.add("spec.http.url", Reason::InvalidValue, message);
    }
    let header = |(index, header): (usize, &HttpHeader)| {
        let field = format!("spec.http.headers[{index}]");
        let content = header_content(header, &field, keys, problems)?;
        Some(Header { name: header.name.clone(), content })
    };
    let headers = http.headers.iter().enumerate().filter_map(header).collect();
    let timeout = http.timeout.map_or(TIMEOUT_DEFAULT, |timeout| timeout.std());
    problems.at_most("spec.http.timeout", timeout, TIMEOUT_MAX);
    let body_bytes_max = http.body_bytes_max.unwrap_or(SENT_BYTES_DEFAULT);
    problems.within("spec.http.bodyBytesMax", body_bytes_max, 1..=SENT_BYTES_MAX);
    let body_bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX);
    Target::Http { url: http.url.clone(), headers, timeout, body_bytes_max }
}

fn header_content(
    header: &HttpHeader,
    field: &str,
    keys: &Keys,
    problems: &mut Problems<'_>,
) -> Option<HeaderContent> {
    if header.name.parse::<http::HeaderName>().is_err() {
        let message = format!("`{}` is no header name", header.name);
        problems.add(format!("{field}.name"), Reason::InvalidValue, message);
    }
    match (&header.value, &header.secret_ref) {
        (Some(text), None) => match Template::parse(text, Place::Delivery, &mut Pointers::default()) {
            Ok(_) => Some(HeaderContent::Template(text.clone())),
            Err(error) => {
                problems.add(format!("{field}.value"), Reason::InvalidTemplate, error.to_string());
                None
            }
        },
        (None, Some(secret)) => match keys.value(problems.object.namespace(), &secret.name, &secret.key) {
            Ok(value) => Some(HeaderContent::Secret(value.clone())),
            Err(message) => {
                problems.add(format!("{field}.secretRef"), Reason::SecretMissing, message);
                None
            }
        },
        _ => {
            problems.add(field, Reason::InvalidValue, "exactly one of value and secretRef must be set");
            None
        }
    }
}

fn retry(retry: &Retry, problems: &mut Problems<'_>) -> RetryPolicy {
    let seconds = Duration::from_secs;
    let span = |span: Option<boathook_verify::Duration>, default| span.map_or(default, |span| span.std());
    let multiplier = retry.multiplier.unwrap_or(2.0);
    if !(1.0..=100.0).contains(&multiplier) {
        problems.add("spec.retry.multiplier", Reason::InvalidValue, "it is between 1 and 100");
    }
    let policy = RetryPolicy {
        max_attempts: retry.max_attempts.unwrap_or(0),
        initial_delay: span(retry.initial_delay, seconds(5)),
        multiplier,
        max_delay: span(retry.max_delay, seconds(3_600)),
        max_age: span(retry.max_age, seconds(3 * 86_400)),
        jitter: match retry.jitter {
            Some(Jitter::None) => boathook_event::Jitter::None,
            Some(Jitter::Full) | None => boathook_event::Jitter::Full,
        },
        permanent_statuses: retry.permanent_statuses.clone(),
    };
    problems.at_most("spec.retry.initialDelay", policy.initial_delay, RETRY_DELAY_MAX);
    problems.at_most("spec.retry.maxDelay", policy.max_delay, RETRY_DELAY_MAX);
    problems.at_most("spec.retry.maxAge", policy.max_age, RETRY_AGE_MAX);
    policy
}

fn attempts_per_minute(spec: &WebhookSinkSpec, problems: &mut Problems<'_>) -> Option<NonZeroU32> {
    let written = spec.rate_limit.and_then(|limit| limit.per_minute)?;
    problems.within("spec.rateLimit.perMinute", written, 1..=RATE_PER_MINUTE_MAX);
    NonZeroU32::new(written)
}

fn attempts_per_tenant_per_minute(spec: &WebhookSinkSpec, problems: &mut Problems<'_>) -> Option<NonZeroU32> {
    let written = spec.rate_limit.and_then(|limit| limit.per_tenant_per_minute)?;
    problems.within("spec.rateLimit.perTenantPerMinute", written, 1..=RATE_PER_MINUTE_MAX);
    NonZeroU32::new(written)
}

fn backlog_bytes_max(spec: &WebhookSinkSpec, problems: &mut Problems<'_>) -> Option<u64> {
    let written = spec.backlog_bytes_max?;
    problems.within("spec.backlogBytesMax", written, 1..=BACKLOG_BYTES_MAX);
    u64::try_from(written).ok()
}

fn concurrency(written: Option<u32>, problems: &mut Problems<'_>) -> usize {
    if written == Some(0) {
        problems.add(
            "spec.concurrency",
            Reason::InvalidValue,
            "it is at least 1; `suspend: true` holds deliveries",
        );
    }
    let value = problems.at_most("spec.concurrency", written.unwrap_or(0), 1024);
    usize::try_from(value).ok().filter(|value| *value > 0).unwrap_or(CONCURRENCY_DEFAULT)
}
