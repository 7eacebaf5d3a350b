//! A header as a flag gives it: `Name: value`, its spelling kept.
use std::str::FromStr;

use http::{HeaderName, HeaderValue};

/// One header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenHeader {
    /// The name as it was written.
    pub(crate) spelt: String,
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl GivenHeader {
    /// Reads one line of a head, without its end.
    ///
    /// # Errors
    /// What must be written.
    pub(crate) fn read(line: &[u8]) -> Result<Self, String> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = colon
            .and_then(|colon| Some((line.get(..colon)?, line.get(colon + 1..)?)))
            .ok_or("must be a header such as `Content-Type: application/json`")?;
        let spelt = String::from_utf8_lossy(name).into_owned();
        let name = HeaderName::from_bytes(name)
            .map_err(|_| format!("`{:.64}` is no header's name (RFC 9110 § 5.1)", spelt.escape_debug()))?;
        let value = HeaderValue::from_bytes(value.trim_ascii())
            .map_err(|_| format!("the value of {spelt} has characters that no header may have"))?;
        Ok(Self { spelt, name, value })
    }
}

impl FromStr for GivenHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_a_colon_and_a_value() {
        let header: GivenHeader = "X-Event:  a: b ".parse().unwrap();
        assert_eq!((&*header.spelt, header.name.as_str()), ("X-Event", "x-event"));
        assert_eq!(header.value, "a: b");
        for text in ["X-Event", ": a", "X Event: a", "X-Event: a\nb"] {
            assert!(text.parse::<GivenHeader>().is_err(), "{text}");
        }
    }
}
