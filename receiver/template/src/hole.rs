//! What a hole may ask for, how it is spelled, and where it is known.
use crate::Slot;

/// What a hole asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hole {
    /// `{uid}`: our own id of the event.
    Uid,
    /// `{id}`: the provider's id.
    Id,
    /// `{type}`: the event's type.
    Type,
    /// `{key}`: the ordering key.
    Key,
    /// `{tenant}`
    Tenant,
    /// `{endpoint}`: the endpoint's name.
    Endpoint,
    /// `{namespace}`: the endpoint's namespace.
    Namespace,
    /// `{receivedAt}`: RFC 3339, UTC.
    ReceivedAt,
    /// `{now}`: RFC 3339, UTC; the time of rendering.
    Now,
    /// `{index}`: 0-based place in a batch.
    Index,
    /// `{body}`: the event's bytes as text.
    Body,
    /// `{attr:NAME}`: a constant of the endpoint.
    Attr(Box<str>),
    /// `{header:NAME}`, the name in lower case.
    Header(Box<str>),
    /// `{query:NAME}`
    Query(Box<str>),
    /// `{/json/pointer}`
    Pointer(Slot),
    /// `{status}` of a delivery.
    Status,
    /// `{error}` of a delivery.
    Error,
    /// `{processedAt}` of a delivery.
    ProcessedAt,
    /// `{attempt}` of a delivery, 1-based.
    Attempt,
}

/// Where a template stands, which decides what holes it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Read from the request itself (`events.id`, `type`, `tenant`, answers): no `{uid} {id} {type} {key} {tenant}
    /// {now}` and nothing of a delivery.
    Request,
    /// Read from an event (`events.key`): also `{uid} {id} {type} {tenant}`, but not `{key}`.
    Event,
    /// Read from a delivery, in sinks: everything.
    Delivery,
}

/// The holes that are one word.
static WORDS: [(&str, Hole); 15] = [
    ("uid", Hole::Uid),
    ("id", Hole::Id),
    ("type", Hole::Type),
    ("key", Hole::Key),
    ("tenant", Hole::Tenant),
    ("endpoint", Hole::Endpoint),
    ("namespace", Hole::Namespace),
    ("receivedAt", Hole::ReceivedAt),
    ("now", Hole::Now),
    ("index", Hole::Index),
    ("body", Hole::Body),
    ("status", Hole::Status),
    ("error", Hole::Error),
    ("processedAt", Hole::ProcessedAt),
    ("attempt", Hole::Attempt),
];

/// The holes that take a name after a colon.
const NAMED: [&str; 3] = ["attr", "header", "query"];

impl Hole {
    /// The hole that `text` spells, pointers aside; else what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Hole, String> {
        if text.trim() != text {
            return Err(format!("spaces are not allowed beside a hole's name: write `{{{}}}`", text.trim()));
        }
        match text.split_once(':') {
            Some(("attr", name)) => named("attr", name, Hole::Attr),
            Some(("query", name)) => named("query", name, Hole::Query),
            Some(("header", name)) => header(name),
            Some((word, _)) if WORDS.iter().any(|(known, _)| *known == word) => {
                Err(format!("`{word}` takes no name: write `{{{word}}}`"))
            }
            None if NAMED.contains(&text) => Err(format!("the name is missing: write `{{{text}:NAME}}`")),
            None => WORDS
                .iter()
                .find(|(known, _)| *known == text)
                .map(|(_, hole)| hole.clone())
                .ok_or_else(|| unknown(text)),
            Some(_) => Err(unknown(text)),
        }
    }

    /// Whether a template that stands in `place` may have this hole.
    pub(crate) fn is_known_in(&self, place: Place) -> bool {
        match self {
            Hole::Key | Hole::Now | Hole::Status | Hole::Error | Hole::ProcessedAt | Hole::Attempt => {
                place == Place::Delivery
            }
            Hole::Uid | Hole::Id | Hole::Type | Hole::Tenant => place != Place::Request,
            Hole::Endpoint | Hole::Namespace | Hole::ReceivedAt | Hole::Index | Hole::Body => true,
            Hole::Attr(_) | Hole::Header(_) | Hole::Query(_) | Hole::Pointer(_) => true,
        }
    }
}

impl Place {
    /// What may be written in this place instead of a hole that is not known here.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Place::Request => {
                "only the request is known here: write `{header:NAME}`, `{query:NAME}`, `{attr:NAME}` or \
                 `{/json/pointer}`"
            }
            Place::Event => {
                "only the event is known here: write `{id}`, `{type}`, `{tenant}`, `{header:NAME}`, \
                 `{attr:NAME}` or `{/json/pointer}`"
            }
            Place::Delivery => "write another hole",
        }
    }
}

fn named(kind: &str, name: &str, hole: fn(Box<str>) -> Hole) -> Result<Hole, String> {
    if name.is_empty() || name.trim() != name {
        return Err(format!("no name, or spaces beside it: write `{{{kind}:NAME}}`"));
    }
    Ok(hole(name.into()))
}

/// A header's name is a token (RFC 9110 section 5.6.2; its `|` ends an alternative here).
fn header(name: &str) -> Result<Hole, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`~".contains(&byte);
    match name.chars().find(|c| !u8::try_from(*c).is_ok_and(is_token)) {
        Some(c) => {
            Err(format!("a header's name cannot hold {c:?}: write it as in `{{header:X-Request-Id}}`"))
        }
        None => named("header", &name.to_ascii_lowercase(), Hole::Header),
    }
}

fn unknown(text: &str) -> String {
    let (word, name) = text.split_once(':').map_or((text, None), |(word, name)| (word, Some(name)));
    if let (Some(kind), Some(name)) = (nearest(word, NAMED.into_iter()), name) {
        return format!("unknown hole `{{{text}}}`: did you mean `{{{kind}:{name}}}`?");
    }
    if let (Some(word), None) = (nearest(word, WORDS.iter().map(|(known, _)| *known)), name) {
        return format!("unknown hole `{{{text}}}`: did you mean `{{{word}}}`?");
    }
    let path = text.strip_prefix("$.").or_else(|| text.strip_prefix("body.")).unwrap_or(text);
    if path.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-')) {
        let pointer = path.replace('.', "/");
        return format!("unknown hole `{{{text}}}`: for a value of the body, write `{{/{pointer}}}`");
    }
    format!(
        "unknown hole `{{{text}}}`: write a value of the body as `{{/json/pointer}}`, a header as `{{header:NAME}}`"
    )
}

/// The known word that `word` was probably meant to be: at most a third of its letters differ.
fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    known
        .map(|known| (distance(&word, &known.to_ascii_lowercase()), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.chars()) {
            let cost = (diagonal + usize::from(left != right)).min(before + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            before = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
