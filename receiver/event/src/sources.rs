//! Where the holes of an endpoint's templates get their values.
use std::borrow::Cow;

use boathook_template::{Hole, Source, Values};
use boathook_verify::RawRequest;
use jiff::Timestamp;

use crate::{EventParts, ObjectName};

/// A genuine request, or one item of its batch.
pub(crate) struct FromRequest<'r> {
    pub(crate) request: &'r RawRequest,
    pub(crate) endpoint: &'r ObjectName,
    pub(crate) received_at: Timestamp,
    pub(crate) values: &'r Values<'r>,
    pub(crate) body: &'r [u8],
    /// Place in the batch; `None` for a request that is none.
    pub(crate) index: Option<u32>,
}

/// The same, when the event's own values are known.
pub(crate) struct FromEvent<'r> {
    pub(crate) request: &'r FromRequest<'r>,
    pub(crate) parts: &'r EventParts,
}

impl Source for FromRequest<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Pointer(slot) => self.values.text(*slot),
            Hole::Header(name) => self.request.header(name).map(Cow::Borrowed),
            Hole::Query(name) => query_value(self.request.query.as_deref()?, name),
            Hole::Endpoint => Some(self.endpoint.name().into()),
            Hole::Namespace => Some(self.endpoint.namespace().into()),
            Hole::ReceivedAt => Some(self.received_at.to_string().into()),
            Hole::Index => self.index.map(|index| index.to_string().into()),
            Hole::Body => std::str::from_utf8(self.body).ok().map(Cow::Borrowed),
            // Endpoints have no attributes yet, and the rest is known only later.
            _ => None,
        }
    }
}

impl Source for FromEvent<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let text = |value: &'_ Option<Box<str>>| value.clone().map(|text| Cow::Owned(text.into_string()));
        match hole {
            Hole::Uid => Some(self.parts.uid.to_string().into()),
            Hole::Id => text(&self.parts.id),
            Hole::Type => text(&self.parts.event_type),
            Hole::Tenant => text(&self.parts.tenant),
            _ => self.request.value(hole),
        }
    }
}

/// The first value of a query parameter, percent-decoded (`+` is a blank, as forms write it).
fn query_value<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key)? == name).then(|| decoded(value))?
    })
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let (high, low) = (char::from(*high).to_digit(16)?, char::from(*low).to_digit(16)?);
                rest = after;
                u8::try_from(high * 16 + low).ok()?
            }
            (b'%', _) => return None,
            (b'+', _) => b' ',
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_are_found_decoded() {
        for (query, name, expected) in [
            ("a=b&c=d", "c", Some("d")),
            ("a=b%20c", "a", Some("b c")),
            ("a=b+c", "a", Some("b c")),
            ("%61=x", "a", Some("x")),
            ("a", "a", Some("")),
            ("a=%ff", "a", None),
            ("a=%f", "a", None),
            ("a=b", "c", None),
        ] {
            assert_eq!(query_value(query, name).as_deref(), expected, "{query}");
        }
    }
}
