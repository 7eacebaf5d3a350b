//! Secrets: from the text as configured to keys that are valid for a time.
use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::Timestamp;
use sha1::{Digest as _, Sha1};
use subtle::Choice;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::{Diagnosis, KeyDecode, limits::SECRET_BYTES_MAX};

/// One secret as configured: its text and when it counts.
pub struct Secret {
    /// The secret's bytes as the Secret object has them. One trailing line end (`\n` or `\r\n`) is dropped: `kubectl
    /// create secret --from-file` puts there the one with which an editor ends the file.
    pub text: Zeroizing<Vec<u8>>,
    /// It does not count before.
    pub not_before: Option<Timestamp>,
    /// It does not count from then on.
    pub not_after: Option<Timestamp>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text: _, not_before, not_after } = self;
        f.debug_struct("Secret")
            .field("not_before", not_before)
            .field("not_after", not_after)
            .finish_non_exhaustive()
    }
}

/// A key and when it counts.
#[derive(Clone)]
pub(crate) struct Dated<K> {
    pub(crate) key: K,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
}

impl<K> Dated<K> {
    /// The same dates with what is made of the key.
    pub(crate) fn map<L>(&self, make: impl FnOnce(&K) -> L) -> Dated<L> {
        Dated { key: make(&self.key), not_before: self.not_before, not_after: self.not_after }
    }
}

/// Place of the first valid key that matches. Every key is tried, whatever the others say, so that the time taken
/// tells nothing about them.
pub(crate) fn find<K>(
    keys: &[Dated<K>],
    now: Timestamp,
    matches: impl Fn(&K) -> Choice,
) -> Result<usize, Diagnosis> {
    let mut valid = None;
    let mut invalid = Diagnosis::NoSecretMatches;
    for (place, Dated { key, not_before, not_after }) in keys.iter().enumerate() {
        if !bool::from(matches(key)) || valid.is_some() {
            continue;
        }
        let expired = not_after.is_some_and(|end| now >= end);
        let early = not_before.is_some_and(|start| now < start);
        if expired || early {
            invalid = Diagnosis::SecretOutOfValidity { expired };
        } else {
            valid = Some(place);
        }
    }
    valid.ok_or(invalid)
}

/// With which Standard Webhooks marks a secret, and a public key.
const PREFIXES: [&[u8]; 2] = [b"whsec_", b"whpk_"];

/// For secrets: padding optional, as people lose it, and unused bits ignored, as the providers' libraries ignore them.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The key's bytes of a secret's text, never empty: an HMAC under an empty key is computable by anybody. HMAC pads keys
/// with zero bytes, so a key of nothing else is an empty one. The error says what to write and tells nothing of the
/// secret.
pub(crate) fn decode(text: &[u8], how: KeyDecode) -> Result<Zeroizing<Vec<u8>>, String> {
    if text.len() > SECRET_BYTES_MAX {
        return Err(format!("is longer than {SECRET_BYTES_MAX} bytes: is it the right key of the Secret?"));
    }
    let text = without_line_end(text);
    let key = match how {
        KeyDecode::Utf8 => Zeroizing::new(text.to_vec()),
        KeyDecode::Base64 => base64(text)?,
        KeyDecode::PrefixedBase64 => base64(without_prefix(text))?,
        KeyDecode::Hex => hex(text)?,
        KeyDecode::Sha1OfUtf8 => Zeroizing::new(Sha1::digest(text).to_vec()),
        KeyDecode::NfkdUtf8 => nfkd(text)?,
        KeyDecode::Spki => spki(text)?,
    };
    let blank = PREFIXES.contains(&text) || text.iter().all(u8::is_ascii_whitespace);
    if blank || key.iter().all(|byte| *byte == 0) {
        Err("is empty: copy the provider's secret into it".into())
    } else {
        Ok(key)
    }
}

fn without_line_end(text: &[u8]) -> &[u8] {
    let text_only = text.strip_suffix(b"\n").unwrap_or(text);
    if text_only.len() == text.len() { text } else { text_only.strip_suffix(b"\r").unwrap_or(text_only) }
}

fn without_prefix(text: &[u8]) -> &[u8] {
    PREFIXES.iter().find_map(|prefix| text.strip_prefix(*prefix)).unwrap_or(text)
}

fn hex(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut key = Zeroizing::new(vec![0; text.len() / 2]);
    let wrong = "is not hex (RFC 4648 § 8), which this scheme wants: copy the secret whole";
    faster_hex::hex_decode(text, &mut key).map_err(|_| wrong)?;
    Ok(key)
}

fn nfkd(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "is no text (UTF-8), which this scheme wants")?;
    let mut key = Zeroizing::new(Vec::with_capacity(text.len() * 4));
    for character in text.nfkd() {
        key.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(key)
}

/// The DER of a public key: between the lines of a PEM (RFC 7468), or the whole text.
fn spki(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    const PRIVATE: &str = "PRIVATE KEY-----";
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    const END: &str = "-----END PUBLIC KEY-----";
    let text = std::str::from_utf8(text).map_err(|_| "is no PEM, and no Base64 of a public key")?;
    if text.contains(PRIVATE) {
        return Err("is a private key, which is its owner's alone: copy the public one".into());
    }
    let inner = match text.split_once(BEGIN) {
        Some((_, rest)) => rest
            .split_once(END)
            .map(|(inner, _)| inner)
            .ok_or("has no line END PUBLIC KEY: copy the key whole")?,
        None => text,
    };
    let plain: String = inner.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    base64(plain.as_bytes())
}

/// Decodes into memory that is zeroed and never moves.
fn base64(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut key = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = LENIENT
        .decode_slice(text, &mut key)
        .map_err(|_| "is not Base64 (RFC 4648 § 4), which this scheme wants: copy the secret whole")?;
    key.truncate(length);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_decoded_as_the_scheme_says() {
        for (how, text, key) in [
            (KeyDecode::Utf8, "whsec_AQID", &b"whsec_AQID"[..]),
            (KeyDecode::Utf8, " s p ", b" s p "),
            (KeyDecode::Base64, "AQIDBA==", &[1, 2, 3, 4]),
            (KeyDecode::Base64, "AQIDBA", &[1, 2, 3, 4]),
            (KeyDecode::PrefixedBase64, "whsec_AQID", &[1, 2, 3]),
            (KeyDecode::PrefixedBase64, "AQID", &[1, 2, 3]),
            (KeyDecode::PrefixedBase64, "whpk_AQID", &[1, 2, 3]),
            (KeyDecode::Hex, "0102fF", &[1, 2, 255]),
            (KeyDecode::NfkdUtf8, "\u{fb01}é", "fie\u{301}".as_bytes()),
            (KeyDecode::Spki, "-----BEGIN PUBLIC KEY-----\nAQ\nID\n-----END PUBLIC KEY-----", &[1, 2, 3]),
            (KeyDecode::Spki, "AQID", &[1, 2, 3]),
        ] {
            assert_eq!(decode(text.as_bytes(), how).expect(text).as_slice(), key, "{text}");
        }
    }

    #[test]
    fn one_trailing_line_end_is_dropped_and_nothing_else() {
        for (text, key) in
            [("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), ("s\r", "s\r"), ("s ", "s "), ("\ns", "\ns")]
        {
            assert_eq!(
                decode(text.as_bytes(), KeyDecode::Utf8).expect(text).as_slice(),
                key.as_bytes(),
                "{text:?}"
            );
        }
        assert_eq!(decode(b"whsec_AQID\n", KeyDecode::PrefixedBase64).expect("Base64").as_slice(), [1, 2, 3]);
    }

    #[test]
    fn empty_blank_oversized_and_undecodable_secrets_are_refused() {
        let long = "s".repeat(SECRET_BYTES_MAX + 1);
        for (how, text) in [
            (KeyDecode::Utf8, ""),
            (KeyDecode::Utf8, "\n"),
            (KeyDecode::Utf8, " \t\n"),
            (KeyDecode::Utf8, "whsec_"),
            (KeyDecode::Utf8, "\0"),
            (KeyDecode::Utf8, &long),
            (KeyDecode::Base64, ""),
            (KeyDecode::Base64, "AAAA"),
            (KeyDecode::Base64, "===="),
            (KeyDecode::Base64, "A"),
            (KeyDecode::Base64, "AQ ID"),
            (KeyDecode::Base64, "AQ_D"),
            (KeyDecode::Hex, "0"),
            (KeyDecode::Hex, "0g"),
            (KeyDecode::Hex, "0000"),
            (KeyDecode::Sha1OfUtf8, ""),
            (KeyDecode::NfkdUtf8, ""),
            (KeyDecode::Spki, "-----BEGIN PUBLIC KEY-----\nAQID"),
            (KeyDecode::Spki, "?"),
            (KeyDecode::Spki, "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----"),
            (KeyDecode::PrefixedBase64, "whsec_"),
            (KeyDecode::PrefixedBase64, "whsec_\r\n"),
            (KeyDecode::PrefixedBase64, "whsec_whsec_AQID"),
        ] {
            assert!(decode(text.as_bytes(), how).is_err(), "{text:.20?}");
        }
    }

    #[test]
    fn debug_output_of_a_secret_does_not_show_it() {
        let secret = Secret { text: b"hidden".to_vec().into(), not_before: None, not_after: None };
        let shown = format!("{secret:?}");
        assert!(!shown.contains("hidden") && !shown.contains("104"), "{shown}");
    }
}
