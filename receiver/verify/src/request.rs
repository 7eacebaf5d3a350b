//! A request as it came in: nothing in it is believed yet.
use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::form;

/// Method, target, headers and the raw body, before anything is checked.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// The HTTP method.
    pub method: Method,
    /// The path, percent-encoding kept.
    pub path: Box<str>,
    /// The query without `?`, percent-encoding kept.
    pub query: Option<Box<str>>,
    /// All headers; names in lower case.
    pub headers: HeaderMap,
    /// The body's bytes as received.
    pub body: Bytes,
}

/// A header that came more than once.
pub(crate) struct Repeated;

/// A header's text, when it is visible ASCII: what [`HeaderValue::to_str`] gives, without a look at each byte by itself.
pub(crate) fn text(value: &HeaderValue) -> Option<&str> {
    value.as_bytes().is_ascii().then(|| std::str::from_utf8(value.as_bytes()).ok()).flatten()
}

impl RawRequest {
    /// The header's first value, when it is there and is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(text)
    }

    /// The first value of a query parameter, percent-decoded (`+` is a blank, as forms write it).
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        form::form_value(self.query.as_deref()?, name)
    }

    /// The header's only value. What is signed or signs must be unambiguous: of two values, a proxy or a consumer
    /// might read the one that we did not check.
    pub(crate) fn single(&self, name: &HeaderName) -> Result<Option<&HeaderValue>, Repeated> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() { Err(Repeated) } else { Ok(first) }
    }
}
