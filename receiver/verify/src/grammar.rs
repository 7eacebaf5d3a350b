//! How a signature's text is built: read strictly, written for signing.
use base64::{
    Engine,
    alphabet::URL_SAFE as URL_ALPHABET,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    },
};
use faster_hex::{hex_decode, hex_string};
use smallvec::SmallVec;

use crate::{
    Encoding, KeyValue, Pairs, Positional,
    limits::{SIGNATURE_HEADER_BYTES_MAX, SIGNATURES_MAX},
};

/// A grammar, compiled.
pub(crate) enum Form {
    /// A fixed text, which may be empty, then the signature.
    Prefix(Box<str>),
    /// Keys and values.
    KeyValue(KeyValue),
    /// Signatures, and their versions where they have some.
    List {
        separator: Box<str>,
        /// The version that counts, and what stands behind it.
        tag: Option<(Box<str>, Box<str>)>,
    },
    /// The timestamp, then signatures.
    Positional(Positional),
    /// Names and signatures.
    Pairs(Pairs),
}

/// What the texts claim.
pub(crate) struct Claims<'h> {
    /// At most [`SIGNATURES_MAX`]; a rotation sends two.
    signatures: SmallVec<[&'h str; 2]>,
    /// The timestamp's text, where the grammar has a place for it.
    pub(crate) timestamp: Option<&'h str>,
}

/// Base64 for URLs: padding optional, canonical.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &URL_ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Form {
    /// Reads the texts. `None` when one is not of this form: too long, without its prefix, with two different timestamps;
    /// and when all together have no signature, or more than the limit.
    pub(crate) fn read<'h>(&self, texts: impl Iterator<Item = &'h str>) -> Option<Claims<'h>> {
        let mut claims = Claims { signatures: SmallVec::new(), timestamp: None };
        for text in texts {
            self.read_one(text, &mut claims)?;
        }
        (!claims.signatures.is_empty()).then_some(claims)
    }

    fn read_one<'h>(&self, text: &'h str, claims: &mut Claims<'h>) -> Option<()> {
        if text.len() > SIGNATURE_HEADER_BYTES_MAX {
            return None;
        }
        match self {
            Self::Prefix(prefix) => claims.add(text.strip_prefix(&**prefix)?)?,
            Self::KeyValue(grammar) => {
                let pairs = elements(text, &grammar.separator).filter_map(|pair| cut(pair, "="));
                for (key, value) in pairs {
                    if key == grammar.signature {
                        claims.add(value)?;
                    } else if Some(key) == grammar.timestamp.as_deref() {
                        claims.set_timestamp(value)?;
                    }
                }
            }
            Self::List { separator, tag: None } => {
                elements(text, separator).try_for_each(|element| claims.add(element))?;
            }
            Self::List { separator, tag: Some((tag, tag_separator)) } => {
                for element in elements(text, separator) {
                    if let Some((version, signature)) = cut(element, tag_separator)
                        && version == &**tag
                    {
                        claims.add(signature)?;
                    }
                }
            }
            Self::Positional(Positional { separator }) => {
                let mut elements = elements(text, separator);
                claims.set_timestamp(elements.next()?)?;
                elements.try_for_each(|element| claims.add(element))?;
            }
            Self::Pairs(Pairs { separator, pair_separator }) => {
                let pairs = elements(text, separator).filter_map(|pair| cut(pair, pair_separator));
                for (_, signature) in pairs {
                    claims.add(signature)?;
                }
            }
        }
        Some(())
    }

    /// Writes a text with one signature.
    pub(crate) fn write(&self, signature: &[u8], encoding: Encoding, timestamp: Option<&str>) -> String {
        let signature = match encoding {
            Encoding::Hex => hex_string(signature),
            Encoding::Base64 => STANDARD.encode(signature),
            Encoding::Base64url => URL_SAFE_NO_PAD.encode(signature),
        };
        let timestamp = timestamp.unwrap_or_default();
        match self {
            Self::Prefix(prefix) => format!("{prefix}{signature}"),
            Self::KeyValue(KeyValue { separator, signature: key, timestamp: Some(time_key) }) => {
                format!("{time_key}={timestamp}{separator}{key}={signature}")
            }
            Self::KeyValue(KeyValue { signature: key, timestamp: None, .. }) => format!("{key}={signature}"),
            Self::List { tag: Some((tag, tag_separator)), .. } => format!("{tag}{tag_separator}{signature}"),
            Self::List { tag: None, .. } => signature,
            Self::Positional(Positional { separator }) => format!("{timestamp}{separator}{signature}"),
            Self::Pairs(Pairs { pair_separator, .. }) => format!("key{pair_separator}{signature}"),
        }
    }
}

impl<'h> Claims<'h> {
    /// The signatures' texts in their order.
    pub(crate) fn signatures(&self) -> impl Iterator<Item = &'h str> {
        self.signatures.iter().copied()
    }

    /// An empty signature is none; `None` when there are too many.
    fn add(&mut self, text: &'h str) -> Option<()> {
        if text.is_empty() {
            return Some(());
        }
        if self.signatures.len() == SIGNATURES_MAX {
            return None;
        }
        self.signatures.push(text);
        Some(())
    }

    /// `None` when another one was there before.
    fn set_timestamp(&mut self, text: &'h str) -> Option<()> {
        (*self.timestamp.get_or_insert(text) == text).then_some(())
    }
}

/// The bytes of a signature's text, written to the front of `room`; `None` where it is not so encoded, or longer. Strict: one
/// signature has one text (hex: one per case; base64url: one with padding and one without), so that a changed character is
/// never the same signature.
pub(crate) fn decode<'o>(text: &str, encoding: Encoding, room: &'o mut [u8]) -> Option<&'o [u8]> {
    let length = match encoding {
        Encoding::Hex => {
            let length = text.len() / 2;
            hex_decode(text.as_bytes(), room.get_mut(..length)?).ok()?;
            length
        }
        Encoding::Base64 => STANDARD.decode_slice(text, room).ok()?,
        Encoding::Base64url => URL_SAFE.decode_slice(text, room).ok()?,
    };
    room.get(..length)
}

/// The pieces between separators, without the blanks around them.
fn elements<'h>(text: &'h str, separator: &str) -> impl Iterator<Item = &'h str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, after) =
            cut(text, separator).map_or((text, None), |(element, after)| (element, Some(after)));
        rest = after;
        Some(element.trim_matches([' ', '\t']))
    })
}

/// [`str::split_once`], for one byte without the searcher, which takes longer to set up than a header is long.
fn cut<'h>(text: &'h str, separator: &str) -> Option<(&'h str, &'h str)> {
    match separator.as_bytes() {
        [byte] => {
            let place = position(text.as_bytes(), *byte)?;
            text.get(..place).zip(text.get(place + 1..))
        }
        _ => text.split_once(separator),
    }
}

/// Where the byte is first. By blocks, each of which is one comparison: most of a header is a signature, without separators.
fn position(text: &[u8], wanted: u8) -> Option<usize> {
    const BLOCK_BYTES: usize = 16;
    let has = |block: &[u8; BLOCK_BYTES]| block.iter().fold(false, |any, byte| any | (*byte == wanted));
    let skipped = BLOCK_BYTES * text.as_chunks().0.iter().take_while(|block| !has(block)).count();
    let place = text.get(skipped..)?.iter().position(|byte| *byte == wanted)?;
    Some(skipped + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a SHA-256 digest.
    const DIGEST_BYTES: usize = 32;

    fn key_value() -> Form {
        let (separator, signature) = (",".into(), "v1".into());
        Form::KeyValue(KeyValue { separator, signature, timestamp: Some("t".into()) })
    }

    fn list() -> Form {
        Form::List { separator: " ".into(), tag: Some(("v1".into(), ",".into())) }
    }

    /// First bytes of the signatures, and the timestamp.
    fn read(form: &Form, header: &str, encoding: Encoding) -> Option<(Vec<u8>, Option<String>)> {
        let claims = form.read([header].into_iter())?;
        let first = |text: &str| {
            let mut room = [0; DIGEST_BYTES + 3];
            let digest = decode(text, encoding, &mut room).filter(|digest| digest.len() == DIGEST_BYTES);
            digest.and_then(|digest| digest.first().copied())
        };
        let signatures: Vec<u8> = claims.signatures().filter_map(first).collect();
        (!signatures.is_empty()).then(|| (signatures, claims.timestamp.map(str::to_owned)))
    }

    fn hex_of(byte: u8) -> String {
        hex_string(&[byte; DIGEST_BYTES])
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
    fn lists_without_versions_and_pairs_take_every_element() {
        let list = Form::List { separator: ",".into(), tag: None };
        let header = format!("{}, broken,,{}", hex_of(1), hex_of(2));
        assert_eq!(read(&list, &header, Encoding::Hex), Some((vec![1, 2], None)));
        let (separator, pair_separator) = ("&".into(), "|".into());
        let pairs = Form::Pairs(Pairs { separator, pair_separator });
        let text = format!("a|{}&b&c|{}", hex_of(1), hex_of(2));
        assert_eq!(read(&pairs, &text, Encoding::Hex), Some((vec![1, 2], None)));
        assert_eq!(read(&pairs, &hex_of(1), Encoding::Hex), None);
    }

    #[test]
    fn positions_are_the_timestamp_and_then_signatures() {
        let form = Form::Positional(Positional { separator: ",".into() });
        let header = format!("12, {},{}", hex_of(1), hex_of(2));
        assert_eq!(read(&form, &header, Encoding::Hex), Some((vec![1, 2], Some("12".into()))));
        assert_eq!(read(&form, "12", Encoding::Hex), None);
    }

    #[test]
    fn base64_for_urls_may_be_padded_and_is_canonical() {
        let bare = Form::Prefix("".into());
        let unpadded = URL_SAFE_NO_PAD.encode([0xfb; DIGEST_BYTES]);
        let padded = format!("{unpadded}=");
        for good in [&unpadded, &padded] {
            assert_eq!(read(&bare, good, Encoding::Base64url), Some((vec![0xfb], None)), "{good}");
        }
        let other_bits = format!("{}t", &unpadded[..unpadded.len() - 1]);
        for bad in [&other_bits, &STANDARD.encode([0xfb; DIGEST_BYTES]), &format!("{padded}=")] {
            assert_eq!(read(&bare, bad, Encoding::Base64url), None, "{bad}");
        }
    }

    #[test]
    fn separators_may_be_longer_than_one_character() {
        let form = Form::List { separator: "; ".into(), tag: Some(("v1".into(), "::".into())) };
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
