//! A JSON Web Signature in its compact form (RFC 7515 § 7.1), read strictly.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{JwtAlgorithm, limits::JWT_BYTES_MAX};

/// A token, taken apart; nothing in it is believed yet.
pub(crate) struct Jws<'t> {
    /// What is signed: header and payload as they stand in the token.
    pub(crate) signed: &'t str,
    pub(crate) signature: Vec<u8>,
    /// The algorithm that the token names; `None` = one that we do not know, such as `none`.
    pub(crate) algorithm: Option<JwtAlgorithm>,
    /// The id of the key, where the token names one.
    pub(crate) key_id: Option<String>,
    payload: Vec<u8>,
}

/// The members of the header that count. Keys that the token brings along (`jwk`, `jku`, `x5c`) never do.
#[derive(Deserialize)]
struct Header<'h> {
    #[serde(borrow)]
    alg: std::borrow::Cow<'h, str>,
    kid: Option<String>,
    /// Extensions that must be understood: we understand none.
    crit: Option<serde::de::IgnoredAny>,
}

impl<'t> Jws<'t> {
    /// `None` where it is no token, is longer than [`JWT_BYTES_MAX`], or has critical extensions.
    pub(crate) fn read(token: &'t str) -> Option<Self> {
        if token.len() > JWT_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header = decoded(header)?;
        let Header { alg, kid, crit } = serde_json::from_slice(&header).ok()?;
        if crit.is_some() {
            return None;
        }
        let algorithm = serde_json::from_value(Value::from(alg.into_owned())).ok();
        let (signature, payload) = (decoded(signature)?, decoded(payload)?);
        Some(Self { signed, signature, algorithm, key_id: kid, payload })
    }

    /// The claims (RFC 7519 § 4): to be asked for once the signature holds.
    pub(crate) fn claims(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// Unpadded, canonical Base64 for URLs (RFC 7515 § 2).
fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
