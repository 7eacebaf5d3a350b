//! Taking signatures (and the timestamp beside them) out of a header.
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{Encoding, Grammar, KeyValue, List, limits::SIGNATURES_MAX};

/// What a signature header holds: candidates as text, any of which may match, and the timestamp if it is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed<'h> {
    pub(crate) signatures: Vec<&'h str>,
    pub(crate) timestamp: Option<&'h str>,
}

/// A compiled [`Grammar`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    Bare,
    Prefix(String),
    KeyValue(KeyValue),
    List(List),
}

impl Form {
    /// `None` when more than one member is set.
    pub(crate) fn compile(grammar: Option<&Grammar>) -> Option<Self> {
        let Some(Grammar { prefix, key_value, list }) = grammar else { return Some(Self::Bare) };
        match (prefix, key_value, list) {
            (Some(prefix), None, None) => Some(Self::Prefix(prefix.clone())),
            (None, Some(key_value), None) => Some(Self::KeyValue(key_value.clone())),
            (None, None, Some(list)) => Some(Self::List(list.clone())),
            _ => None,
        }
    }

    /// `None` when the header does not have this form, has two different timestamps, or more signatures than
    /// [`SIGNATURES_MAX`].
    pub(crate) fn parse<'h>(&self, header: &'h str) -> Option<Parsed<'h>> {
        let parsed = match self {
            Self::Bare => Parsed { signatures: vec![header.trim()], timestamp: None },
            Self::Prefix(prefix) => {
                Parsed { signatures: vec![header.strip_prefix(&**prefix)?], timestamp: None }
            }
            Self::KeyValue(rule) => key_values(rule, header)?,
            Self::List(rule) => Parsed {
                signatures: header
                    .split(&*rule.separator)
                    .filter_map(|element| element.trim().split_once(&*rule.tag_separator))
                    .filter_map(|(tag, signature)| (tag == rule.tag).then_some(signature))
                    .take(SIGNATURES_MAX + 1)
                    .collect(),
                timestamp: None,
            },
        };
        let usable = parsed.signatures.iter().any(|signature| !signature.is_empty());
        (usable && parsed.signatures.len() <= SIGNATURES_MAX).then_some(parsed)
    }

    /// The header that [`Form::parse`] takes apart again.
    pub(crate) fn write(&self, signature: &str, timestamp: &str) -> String {
        match self {
            Self::Bare => signature.to_owned(),
            Self::Prefix(prefix) => format!("{prefix}{signature}"),
            Self::KeyValue(KeyValue { separator, signature: key, timestamp: Some(time_key) }) => {
                format!("{time_key}={timestamp}{separator}{key}={signature}")
            }
            Self::KeyValue(KeyValue { signature: key, timestamp: None, .. }) => format!("{key}={signature}"),
            Self::List(List { tag, tag_separator, .. }) => format!("{tag}{tag_separator}{signature}"),
        }
    }
}

fn key_values<'h>(rule: &KeyValue, header: &'h str) -> Option<Parsed<'h>> {
    let mut parsed = Parsed::default();
    for element in header.split(&*rule.separator) {
        let Some((key, value)) = element.trim().split_once('=') else { continue };
        if key == rule.signature {
            parsed.signatures.push(value);
        } else if rule.timestamp.as_deref() == Some(key) {
            // Two times in one header leave open which of them was signed.
            if parsed.timestamp.is_some_and(|first| first != value) {
                return None;
            }
            parsed.timestamp = Some(value);
        }
        if parsed.signatures.len() > SIGNATURES_MAX {
            return None;
        }
    }
    Some(parsed)
}

impl Encoding {
    /// Strict: hex of either case, base64 padded with canonical trailing bits.
    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }

    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_value() -> Form {
        Form::KeyValue(KeyValue {
            separator: ",".into(),
            signature: "v1".into(),
            timestamp: Some("t".into()),
        })
    }

    fn list() -> Form {
        Form::List(List { separator: " ".into(), tag: "v1".into(), tag_separator: ",".into() })
    }

    #[test]
    fn headers_are_taken_apart_and_unknown_elements_ignored() {
        let prefix = Form::Prefix("sha256=".into());
        for (form, header, signatures, timestamp) in [
            (&Form::Bare, " ab ", vec!["ab"], None),
            (&prefix, "sha256=ab", vec!["ab"], None),
            (&key_value(), "t=5, v1=ab,v0=cd , v1=ef", vec!["ab", "ef"], Some("5")),
            (&key_value(), "v1=ab,t=5,t=5", vec!["ab"], Some("5")),
            (&list(), "v1,ab v1a,cd  v1,ef", vec!["ab", "ef"], None),
        ] {
            let parsed = form.parse(header).expect(header);
            assert_eq!((parsed.signatures, parsed.timestamp), (signatures, timestamp), "{header}");
        }
    }

    #[test]
    fn headers_of_another_form_are_malformed() {
        let prefix = Form::Prefix("sha256=".into());
        let many = "v1=ab,".repeat(SIGNATURES_MAX + 1);
        for (form, header) in [
            (&Form::Bare, "  "),
            (&prefix, "SHA256=ab"),
            (&prefix, "sha256="),
            (&prefix, "ab"),
            (&key_value(), "t=5"),
            (&key_value(), "t=5,v1="),
            (&key_value(), "t=5,t=6,v1=ab"),
            (&key_value(), &many),
            (&list(), "v2,ab"),
            (&list(), "v1,"),
        ] {
            assert_eq!(form.parse(header), None, "{header}");
        }
    }
}
