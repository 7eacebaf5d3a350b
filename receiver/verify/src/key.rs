//! From a secret's text to something that can check a signature.
use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{KeyDecode, Kind, limits::SECRET_BYTES_MAX};

/// One secret as configured: its text and when it counts.
pub struct Secret {
    /// The bytes as the Secret object has them. One trailing line break is dropped: tools that make Secrets from
    /// files leave it there, and no provider's secret ends in one.
    pub text: Zeroizing<Vec<u8>>,
    /// It does not count before.
    pub not_before: Option<Timestamp>,
    /// It does not count from then on.
    pub not_after: Option<Timestamp>,
}

/// A secret ready for use, with the time in which it counts.
pub(crate) struct Key {
    pub(crate) material: Material,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

/// What is kept of a secret.
pub(crate) enum Material {
    /// The keyed state, so that the key schedule is paid once and not per request.
    HmacSha256(Box<Hmac<Sha256>>),
    /// The SHA-256 of a token, which is all that comparing needs, and the token itself for signing.
    Token { digest: [u8; 32], text: Zeroizing<Vec<u8>> },
}

/// Whether a key counts at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Valid,
    NotYet,
    Expired,
}

impl Key {
    /// Decodes. The message says what is wrong, never what the secret is.
    pub(crate) fn new(secret: &Secret, kind: Kind, decode: KeyDecode) -> Result<Self, String> {
        let text = trimmed(&secret.text);
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err("the secret is empty: anybody could sign with it".into());
        }
        if text.len() > SECRET_BYTES_MAX {
            return Err(format!("the secret has more than {SECRET_BYTES_MAX} bytes"));
        }
        let material = match kind {
            Kind::Token => {
                Material::Token { digest: Sha256::digest(text).into(), text: text.to_vec().into() }
            }
            Kind::Hmac => {
                let bytes = decoded(text, decode)?;
                let state = Hmac::new_from_slice(&bytes).map_err(|_| "the secret has an unusable length")?;
                Material::HmacSha256(Box::new(state))
            }
        };
        Ok(Self { material, not_before: secret.not_before, not_after: secret.not_after })
    }

    pub(crate) fn validity(&self, now: Timestamp) -> Validity {
        if self.not_before.is_some_and(|start| now < start) {
            Validity::NotYet
        } else if self.not_after.is_some_and(|end| now >= end) {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

fn decoded(text: &[u8], decode: KeyDecode) -> Result<Zeroizing<Vec<u8>>, String> {
    let encoded = match decode {
        KeyDecode::Utf8 => return Ok(text.to_vec().into()),
        KeyDecode::Base64 => text,
        KeyDecode::PrefixedBase64 => text.strip_prefix(b"whsec_").unwrap_or(text),
    };
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    match GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(encoded) {
        Ok(bytes) if bytes.is_empty() => Err("the secret is empty: anybody could sign with it".into()),
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err("the secret is not base64: copy it from the provider once more, whole".into()),
    }
}
