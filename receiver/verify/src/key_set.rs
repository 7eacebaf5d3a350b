//! The public keys of an issuer, as it publishes them (JSON Web Key Set, RFC 7517).
use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    JwtAlgorithm,
    jwt_check::JwtCheck,
    limits::{KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX, RSA_BYTES_MIN},
    public_key::PublicKey,
};

/// Keys by id. Keys of kinds that we do not know are left out.
pub struct KeySet(Vec<Key>);

/// One key of a set.
struct Key {
    id: Option<Box<str>>,
    /// The key for each algorithm that it may be used with.
    uses: Vec<(JwtAlgorithm, PublicKey)>,
}

/// The members of a key that count (RFC 7518 § 6, RFC 8037 § 2).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// It is longer than [`KEY_SET_BYTES_MAX`], no key set, has more than [`KEY_SET_KEYS_MAX`] keys, or none that can be
    /// used.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if json.len() > KEY_SET_BYTES_MAX {
            return Err(format!("it is longer than {KEY_SET_BYTES_MAX} bytes"));
        }
        let Set { keys } =
            serde_json::from_slice(json).map_err(|_| "it is no JSON Web Key Set (RFC 7517)")?;
        if keys.len() > KEY_SET_KEYS_MAX {
            return Err(format!("it has {} keys, more than {KEY_SET_KEYS_MAX}", keys.len()));
        }
        let keys: Vec<Key> =
            keys.into_iter().filter_map(|key| Key::of(serde_json::from_value(key).ok()?)).collect();
        if keys.is_empty() { Err("it has no key that can be used".into()) } else { Ok(Self(keys)) }
    }

    /// The keys that may have made a token: those of its id, and those without one; where it names none, all.
    pub(crate) fn of<'k>(
        &'k self,
        id: Option<&'k str>,
        algorithm: JwtAlgorithm,
    ) -> impl Iterator<Item = &'k PublicKey> {
        let named =
            self.0.iter().filter(move |key| id.is_none() || key.id.is_none() || key.id.as_deref() == id);
        named.flat_map(|key| &key.uses).filter(move |(own, _)| *own == algorithm).map(|(_, key)| key)
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let of_part = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_deref()?).ok();
        let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        let (bytes, algorithms): (Vec<u8>, &[JwtAlgorithm]) = match (&*jwk.kty, jwk.crv.as_deref()) {
            ("RSA", _) => {
                let modulus = of_part(&jwk.n).filter(|modulus| modulus.len() >= RSA_BYTES_MIN)?;
                (rsa(&modulus, &of_part(&jwk.e)?), &RSA)
            }
            ("EC", Some("P-256")) => {
                let point = [&[4][..], &of_part(&jwk.x)?, &of_part(&jwk.y)?].concat();
                (point, &[JwtAlgorithm::ES256])
            }
            ("OKP", Some("Ed25519")) => (of_part(&jwk.x)?, &[JwtAlgorithm::EdDSA]),
            _ => return None,
        };
        // A key that names its algorithm is for no other.
        let named = |algorithm: JwtAlgorithm| {
            jwk.alg.as_ref().is_none_or(|alg| serde_json::to_value(algorithm).is_ok_and(|name| name == **alg))
        };
        let key = |algorithm: JwtAlgorithm| match JwtCheck::of(algorithm) {
            JwtCheck::Public(_, check) => Some((algorithm, PublicKey::read(check, &bytes)?)),
            JwtCheck::Shared(_) => None,
        };
        let uses = algorithms.iter().copied().filter(|algorithm| named(*algorithm));
        let uses: Vec<_> = uses.filter_map(key).collect();
        (signs && !uses.is_empty()).then(|| Self { id: jwk.kid.map(Into::into), uses })
    }
}

/// What an RSA key may be used with.
const RSA: [JwtAlgorithm; 4] =
    [JwtAlgorithm::RS256, JwtAlgorithm::RS384, JwtAlgorithm::RS512, JwtAlgorithm::PS256];

/// An RSAPublicKey in DER (RFC 8017 § A.1.1).
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = [integer(modulus), integer(exponent)].concat();
    element(0x30, &numbers)
}

/// A positive INTEGER: without leading zeros, and with one where the first bit would make it negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = bytes.get(start..).unwrap_or_default();
    let sign: &[u8] = if bytes.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(2, &[sign, bytes].concat())
}

/// Tag, length and content (ITU-T X.690 § 8.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let short = u8::try_from(content.len()).ok().filter(|length| *length < 0x80);
    let head = match short {
        Some(length) => vec![tag, length],
        None => {
            let digits: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            // A length has at most eight bytes.
            let count = u8::try_from(digits.len()).unwrap_or(8);
            [&[tag, 0x80 | count][..], &digits].concat()
        }
    };
    [&head, content].concat()
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_der_wants_them() {
        for (bytes, der) in [
            (&[1, 0, 1][..], &[2, 3, 1, 0, 1][..]),
            (&[0, 0, 5], &[2, 1, 5]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[], &[2, 1, 0]),
        ] {
            assert_eq!(integer(bytes), der, "{bytes:?}");
        }
        assert_eq!(element(4, &[7; 0x7f])[..2], [4, 0x7f]);
        assert_eq!(element(4, &[7; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(element(4, &[7; 0x100])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn a_set_without_a_usable_key_is_refused_and_unknown_keys_are_left_out() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let good = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{x}"}}"#);
        let set = |keys: &str| KeySet::parse(format!(r#"{{"keys":[{keys}]}}"#).as_bytes());
        assert_eq!(set(&good).expect("a key").of(Some("a"), JwtAlgorithm::EdDSA).count(), 1);
        assert_eq!(set(&good).expect("a key").of(None, JwtAlgorithm::EdDSA).count(), 1);
        assert_eq!(set(&good).expect("a key").of(Some("b"), JwtAlgorithm::EdDSA).count(), 0);
        assert_eq!(set(&good).expect("a key").of(Some("a"), JwtAlgorithm::RS256).count(), 0);
        let nameless = set(&good.replace("\"kid\":\"a\",", "")).expect("a key");
        assert_eq!(nameless.of(Some("b"), JwtAlgorithm::EdDSA).count(), 1);
        let unknown = format!(r#"{good},{{"kty":"new"}},7,{{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#);
        assert_eq!(set(&unknown).expect("a key").0.len(), 1);
        for none in [
            "",
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
            &good.replace("\"x\"", "\"y\""),
            &good.replace("\"kid\"", "\"use\":\"enc\",\"kid\""),
            &good.replace("\"kid\"", "\"alg\":\"ES256\",\"kid\""),
        ] {
            assert!(set(none).is_err(), "{none}");
        }
        assert!(KeySet::parse(b"[]").is_err());
        assert!(set(&vec![good.as_str(); KEY_SET_KEYS_MAX + 1].join(",")).is_err());
        assert!(KeySet::parse(&vec![b' '; KEY_SET_BYTES_MAX + 1]).is_err());
    }
}
