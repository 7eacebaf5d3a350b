//! From text to a compiled template.
use crate::{
    Error, Pointers, Slot,
    limits::{ALTERNATIVES_MAX, PARTS_MAX, TEMPLATE_BYTES_MAX},
};

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
    /// `{tenant}`: the account that the event belongs to.
    Tenant,
    /// `{endpoint}`: the endpoint's name.
    Endpoint,
    /// `{namespace}`: the endpoint's namespace.
    Namespace,
    /// `{receivedAt}`: RFC 3339, UTC.
    ReceivedAt,
    /// `{now}`: RFC 3339, UTC; the time of rendering.
    Now,
    /// `{index}`: 0-based place in a batch; empty for a delivery that is none.
    Index,
    /// `{body}`: the event's bytes as text.
    Body,
    /// `{attr:NAME}`: a constant of the endpoint.
    Attr(Box<str>),
    /// `{header:NAME}`, the name in lower case.
    Header(Box<str>),
    /// `{query:NAME}`: a parameter of the request's query.
    Query(Box<str>),
    /// `{/json/pointer}` (RFC 6901).
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
    /// Read from the request itself (id, type, tenant, answers): nothing that is known only later.
    Request,
    /// Read from an event (`events.key`): also `{uid} {id} {type} {tenant}`, but not `{key}`.
    Event,
    /// Read from a delivery, in sinks: everything.
    Delivery,
}

/// A compiled template.
#[derive(Debug, Clone)]
pub struct Template {
    pub(crate) parts: Box<[Part]>,
}

/// A literal, or a hole with its alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(Box<str>),
    Hole(Box<[Alternative]>),
}

/// One alternative of a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alternative {
    Value(Hole),
    Quoted(Box<str>),
}

/// The names of holes without an argument, and the first place that may use each.
const NAMES: [(&str, Hole, Place); 15] = [
    ("uid", Hole::Uid, Place::Event),
    ("id", Hole::Id, Place::Event),
    ("type", Hole::Type, Place::Event),
    ("key", Hole::Key, Place::Delivery),
    ("tenant", Hole::Tenant, Place::Event),
    ("endpoint", Hole::Endpoint, Place::Request),
    ("namespace", Hole::Namespace, Place::Request),
    ("receivedAt", Hole::ReceivedAt, Place::Request),
    ("now", Hole::Now, Place::Delivery),
    ("index", Hole::Index, Place::Request),
    ("body", Hole::Body, Place::Request),
    ("status", Hole::Status, Place::Delivery),
    ("error", Hole::Error, Place::Delivery),
    ("processedAt", Hole::ProcessedAt, Place::Delivery),
    ("attempt", Hole::Attempt, Place::Delivery),
];

impl Template {
    /// Compiles `text`, adding its pointers to `pointers`.
    ///
    /// # Errors
    /// The first mistake, with its place and what to write.
    pub fn parse(text: &str, place: Place, pointers: &mut Pointers) -> Result<Template, Error> {
        Parser { text, at: 0, place, pointers }.template()
    }

    /// The text of a template without holes.
    pub fn constant(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The pointer of a template that is one pointer hole and nothing else: its value may keep its JSON type.
    pub fn lone_pointer(&self) -> Option<Slot> {
        match &*self.parts {
            [Part::Hole(alternatives)] => match &**alternatives {
                [Alternative::Value(Hole::Pointer(slot))] => Some(*slot),
                _ => None,
            },
            _ => None,
        }
    }

    /// Every hole, in the order of the text.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Hole(alternatives) => Some(alternatives),
                Part::Literal(_) => None,
            })
            .flatten()
            .filter_map(|alternative| match alternative {
                Alternative::Value(hole) => Some(hole),
                Alternative::Quoted(_) => None,
            })
    }
}

/// Walks the text once; `at` is the byte offset of what comes next.
struct Parser<'t, 'p> {
    text: &'t str,
    at: usize,
    place: Place,
    pointers: &'p mut Pointers,
}

impl<'t> Parser<'t, '_> {
    fn template(mut self) -> Result<Template, Error> {
        if self.text.len() > TEMPLATE_BYTES_MAX {
            return Err(self.error(0, format!("a template has at most {TEMPLATE_BYTES_MAX} bytes")));
        }
        let mut parts = Vec::new();
        while let Some(next) = self.rest().chars().next() {
            let part = match next {
                '{' => self.hole()?,
                '}' => {
                    return Err(self.error(self.at, "a `}` without its `{`; a literal one is written {'}'}"));
                }
                _ => Part::Literal(self.take_until(['{', '}']).into()),
            };
            parts.push(part);
            if parts.len() > PARTS_MAX {
                return Err(self.error(self.at, format!("a template has at most {PARTS_MAX} parts")));
            }
        }
        Ok(Template { parts: parts.into() })
    }

    /// `{` alternative (`|` alternative)* `}`
    fn hole(&mut self) -> Result<Part, Error> {
        let open = self.at;
        self.at += 1;
        let mut alternatives = Vec::new();
        loop {
            alternatives.push(self.alternative(open)?);
            if alternatives.len() > ALTERNATIVES_MAX {
                return Err(self.error(open, format!("a hole has at most {ALTERNATIVES_MAX} alternatives")));
            }
            match self.rest().chars().next() {
                Some('|') => self.at += 1,
                Some('}') => {
                    self.at += 1;
                    return Ok(Part::Hole(alternatives.into()));
                }
                _ => return Err(self.error(open, "this hole is not closed: write `}` behind it")),
            }
        }
    }

    fn alternative(&mut self, open: usize) -> Result<Alternative, Error> {
        if self.rest().starts_with('\'') {
            return self.quoted(open).map(Alternative::Quoted);
        }
        let at = self.at;
        let name = self.take_until(['|', '}']);
        self.value(name, at).map(Alternative::Value)
    }

    /// `'text'`; two quotes in a row are one.
    fn quoted(&mut self, open: usize) -> Result<Box<str>, Error> {
        let mut text = String::new();
        self.at += 1;
        loop {
            text.push_str(self.take_until(['\'']));
            if self.rest().is_empty() {
                return Err(self.error(open, "this quoted text is not closed: write `'` behind it"));
            }
            self.at += 1;
            if !self.rest().starts_with('\'') {
                return Ok(text.into());
            }
            self.at += 1;
            text.push('\'');
        }
    }

    fn value(&mut self, name: &str, at: usize) -> Result<Hole, Error> {
        if name.starts_with('/') {
            let slot = self.pointers.slot(name).map_err(|error| self.error(at, error.message))?;
            return Ok(Hole::Pointer(slot));
        }
        if let Some((prefix, argument)) = name.split_once(':') {
            return self.named(prefix, argument, at);
        }
        let Some((_, hole, first)) = NAMES.iter().find(|(known, _, _)| *known == name) else {
            return Err(self.error(at, unknown(name)));
        };
        let allowed = match first {
            Place::Request => true,
            Place::Event => self.place != Place::Request,
            Place::Delivery => self.place == Place::Delivery,
        };
        if allowed {
            Ok(hole.clone())
        } else {
            Err(self.error(at, format!("{{{name}}} is not known at this place")))
        }
    }

    fn named(&self, prefix: &str, argument: &str, at: usize) -> Result<Hole, Error> {
        if argument.is_empty() {
            return Err(self.error(at, format!("write a name behind `{prefix}:`")));
        }
        match prefix {
            "attr" => Ok(Hole::Attr(argument.into())),
            "query" => Ok(Hole::Query(argument.into())),
            "header" if argument.bytes().all(is_header_byte) => {
                Ok(Hole::Header(argument.to_ascii_lowercase().into()))
            }
            "header" => Err(self.error(at, format!("`{argument}` is no header name"))),
            _ => Err(self.error(at, format!("`{prefix}:` is not known: write attr:, header: or query:"))),
        }
    }

    fn take_until<const N: usize>(&mut self, stops: [char; N]) -> &'t str {
        let rest = self.rest();
        let (taken, _) = rest.split_at(rest.find(stops).unwrap_or(rest.len()));
        self.at += taken.len();
        taken
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn error(&self, at: usize, message: impl Into<Box<str>>) -> Error {
        Error { text: self.text.chars().take(128).collect(), at, message: message.into() }
    }
}

/// A token character of RFC 9110 § 5.6.2.
fn is_header_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn unknown(name: &str) -> String {
    if name.is_empty() {
        return "an empty hole: write a name, a /json/pointer or a 'quoted text' in it".into();
    }
    let near = NAMES.iter().map(|(known, _, _)| *known).find(|known| known.eq_ignore_ascii_case(name));
    match near {
        Some(known) => format!("{{{name}}} is not known: did you mean {{{known}}}?"),
        None => {
            let names: Vec<&str> = NAMES.iter().map(|(known, _, _)| *known).collect();
            format!(
                "{{{name}}} is not known: write one of {}, or attr:NAME, header:NAME, query:NAME, /json/pointer",
                names.join(" ")
            )
        }
    }
}
