//! How a signature header is built: read strictly, written for signing.
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Encoding, KeyValue, List,
    limits::{SIGNATURE_HEADER_BYTES_MAX, SIGNATURES_MAX},
};

/// Bytes of a SHA-256 digest.
const DIGEST_BYTES: usize = 32;

/// A grammar, compiled.
pub(crate) enum Form {
    /// A fixed text, which may be empty, then the signature.
    Prefix(Box<str>),
    /// Keys and values.
    KeyValue(KeyValue),
    /// Versions and signatures.
    List(List),
}

/// What a signature header claims.
pub(crate) struct Claims<'h> {
    /// The signatures, any of which may match.
    pub(crate) signatures: Signatures,
    /// The timestamp's text, where the grammar has a key for it.
    pub(crate) timestamp: Option<&'h str>,
}

/// Up to [`SIGNATURES_MAX`] digests, without allocating.
#[derive(Default)]
pub(crate) struct Signatures {
    digests: [[u8; DIGEST_BYTES]; SIGNATURES_MAX],
    count: usize,
}

impl Form {
    /// Reads a header. `None` when it is not of this form: too long, without a single signature that decodes, with
    /// more of them than the limit, or with two different timestamps.
    pub(crate) fn read<'h>(&self, header: &'h str, encoding: Encoding) -> Option<Claims<'h>> {
        if header.len() > SIGNATURE_HEADER_BYTES_MAX {
            return None;
        }
        let mut claims = Claims { signatures: Signatures::default(), timestamp: None };
        match self {
            Self::Prefix(prefix) => claims.add_signature(header.strip_prefix(&**prefix)?, encoding)?,
            Self::KeyValue(grammar) => claims.read_pairs(header, grammar, encoding)?,
            Self::List(grammar) => {
                for element in elements(header, &grammar.separator) {
                    if let Some((tag, text)) = cut(element, &grammar.tag_separator)
                        && tag == grammar.tag
                    {
                        claims.add_signature(text, encoding)?;
                    }
                }
            }
        }
        (claims.signatures.count > 0).then_some(claims)
    }

    /// Writes a header with one signature.
    pub(crate) fn write(
        &self,
        digest: &[u8; DIGEST_BYTES],
        encoding: Encoding,
        timestamp: Option<&str>,
    ) -> String {
        let signature = match encoding {
            Encoding::Hex => hex::encode(digest),
            Encoding::Base64 => STANDARD.encode(digest),
        };
        match self {
            Self::Prefix(prefix) => format!("{prefix}{signature}"),
            Self::KeyValue(KeyValue { separator, signature: key, timestamp: Some(time_key) }) => {
                let timestamp = timestamp.unwrap_or_default();
                format!("{time_key}={timestamp}{separator}{key}={signature}")
            }
            Self::KeyValue(KeyValue { signature: key, timestamp: None, .. }) => format!("{key}={signature}"),
            Self::List(List { tag, tag_separator, .. }) => format!("{tag}{tag_separator}{signature}"),
        }
    }
}

impl<'h> Claims<'h> {
    fn read_pairs(&mut self, header: &'h str, grammar: &KeyValue, encoding: Encoding) -> Option<()> {
        for (key, value) in elements(header, &grammar.separator).filter_map(|pair| pair.split_once('=')) {
            if key == grammar.signature {
                self.add_signature(value, encoding)?;
            } else if Some(key) == grammar.timestamp.as_deref()
                && *self.timestamp.get_or_insert(value) != value
            {
                return None;
            }
        }
        Some(())
    }

    /// Adds a signature; one that does not decode is no match, as providers put other forms beside theirs. `None`
    /// when there are too many.
    fn add_signature(&mut self, text: &str, encoding: Encoding) -> Option<()> {
        let Some(digest) = decode(text, encoding) else { return Some(()) };
        let Signatures { digests, count } = &mut self.signatures;
        *digests.get_mut(*count)? = digest;
        *count += 1;
        Some(())
    }
}

impl Signatures {
    /// The signatures in the header's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8; DIGEST_BYTES]> {
        self.digests.iter().take(self.count)
    }
}

/// The pieces between separators, without the blanks around them.
fn elements<'h>(header: &'h str, separator: &str) -> impl Iterator<Item = &'h str> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, after) =
            cut(text, separator).map_or((text, None), |(element, after)| (element, Some(after)));
        rest = after;
        Some(element.trim_matches([' ', '\t']))
    })
}

/// [`str::split_once`], which is much faster for one character than for a text.
fn cut<'h>(text: &'h str, separator: &str) -> Option<(&'h str, &'h str)> {
    match separator.as_bytes() {
        [byte] => text.split_once(char::from(*byte)),
        _ => text.split_once(separator),
    }
}

/// Strict: one digest has one text (hex: one per case), so that a changed character is never the same signature.
fn decode(text: &str, encoding: Encoding) -> Option<[u8; DIGEST_BYTES]> {
    match encoding {
        Encoding::Hex => {
            let mut digest = [0; DIGEST_BYTES];
            hex::decode_to_slice(text, &mut digest).ok()?;
            Some(digest)
        }
        Encoding::Base64 => {
            // The decoder wants room for the padding, too.
            let mut room = [0; DIGEST_BYTES + 1];
            let length = STANDARD.decode_slice(text, &mut room).ok()?;
            room.first_chunk().copied().filter(|_| length == DIGEST_BYTES)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_value() -> Form {
        let (separator, signature) = (",".into(), "v1".into());
        Form::KeyValue(KeyValue { separator, signature, timestamp: Some("t".into()) })
    }

    fn list() -> Form {
        Form::List(List { separator: " ".into(), tag: "v1".into(), tag_separator: ",".into() })
    }

    /// First bytes of the signatures, and the timestamp.
    fn read(form: &Form, header: &str, encoding: Encoding) -> Option<(Vec<u8>, Option<String>)> {
        let Claims { signatures, timestamp } = form.read(header, encoding)?;
        Some((signatures.iter().map(|digest| digest[0]).collect(), timestamp.map(str::to_owned)))
    }

    fn hex_of(byte: u8) -> String {
        hex::encode([byte; DIGEST_BYTES])
    }

    fn base64_of(byte: u8) -> String {
        STANDARD.encode([byte; DIGEST_BYTES])
    }

    #[test]
    fn prefixes_are_exact() {
        let form = Form::Prefix("sha256=".into());
        let good = format!("sha256={}", hex_of(7));
        assert_eq!(read(&form, &good, Encoding::Hex), Some((vec![7], None)));
        for bad in [hex_of(7), good.replace("sha", "SHA"), good.replace('=', "= "), "sha256=".into()] {
            assert_eq!(read(&form, &bad, Encoding::Hex), None, "{bad}");
        }
    }

    #[test]
    fn signatures_are_decoded_strictly() {
        let bare = Form::Prefix("".into());
        let upper = hex_of(0xab).to_uppercase();
        assert_eq!(read(&bare, &upper, Encoding::Hex), Some((vec![0xab], None)));
        let base64 = base64_of(0);
        assert_eq!(read(&bare, &base64, Encoding::Base64), Some((vec![0], None)));
        let (other_bits, unpadded) = (base64.replace("A=", "B="), base64.replace('=', ""));
        for bad in [&other_bits, &unpadded, &format!("{base64}="), &base64[4..], &format!("{base64}AAAA")] {
            assert_eq!(read(&bare, bad, Encoding::Base64), None, "{bad}");
        }
        for bad in [&upper[1..], &upper[2..], &format!("{upper}00"), &upper.replace('A', "g"), ""] {
            assert_eq!(read(&bare, bad, Encoding::Hex), None, "{bad}");
        }
    }

    #[test]
    fn keys_and_values_take_every_signature_and_the_first_timestamp() {
        let header = format!(" t=12 ,v1={}, v0={},x,v1=zz,=,v1={}", hex_of(1), hex_of(2), hex_of(3));
        assert_eq!(read(&key_value(), &header, Encoding::Hex), Some((vec![1, 3], Some("12".into()))));
        let repeated = format!("t=12,t=12,v1={}", hex_of(1));
        assert_eq!(read(&key_value(), &repeated, Encoding::Hex), Some((vec![1], Some("12".into()))));
        let contradicting = format!("t=12,t=13,v1={}", hex_of(1));
        assert_eq!(read(&key_value(), &contradicting, Encoding::Hex), None);
    }

    #[test]
    fn lists_take_the_elements_of_their_version() {
        let header = format!("v1,{}  v1a,{} v1,broken v1,{}", base64_of(1), base64_of(2), base64_of(3));
        assert_eq!(read(&list(), &header, Encoding::Base64), Some((vec![1, 3], None)));
        for nothing in ["v1", "v1,", "v1a,AAAA", ",", " "] {
            assert_eq!(read(&list(), nothing, Encoding::Base64), None, "{nothing}");
        }
    }

    #[test]
    fn separators_may_be_longer_than_one_character() {
        let form = Form::List(List { separator: "; ".into(), tag: "v1".into(), tag_separator: "::".into() });
        let header = format!("v1::{}; v2::x;v1::y; v1::{}", hex_of(1), hex_of(2));
        assert_eq!(read(&form, &header, Encoding::Hex), Some((vec![1, 2], None)));
    }

    #[test]
    fn headers_with_more_signatures_or_bytes_than_the_limits_are_malformed() {
        let most = vec![format!("v1,{}", base64_of(1)); SIGNATURES_MAX].join(" ");
        assert!(read(&list(), &most, Encoding::Base64).is_some());
        let too_many = format!("{most} v1,{}", base64_of(1));
        assert!(read(&list(), &too_many, Encoding::Base64).is_none());
        let too_long = format!("{most}{}", " ".repeat(SIGNATURE_HEADER_BYTES_MAX));
        assert!(read(&list(), &too_long, Encoding::Base64).is_none());
    }
}
