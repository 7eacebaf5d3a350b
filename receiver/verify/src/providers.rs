//! The presets: every file of `providers/`, embedded. A preset's id is its file's name.
use crate::{Scheme, limits::PRESET_ID_BYTES_MAX};

// `PROVIDERS`: ids with their texts, sorted by id.
include!(concat!(env!("OUT_DIR"), "/providers.rs"));

/// All ids, sorted.
pub fn preset_ids() -> impl ExactSizeIterator<Item = &'static str> {
    PROVIDERS.iter().map(|(id, _)| *id)
}

/// The preset of this id, read from its embedded text.
pub fn preset(id: &str) -> Option<Scheme> {
    let place = PROVIDERS.binary_search_by_key(&id, |(known, _)| known).ok()?;
    let (_, text) = PROVIDERS.get(place)?;
    Some(serde_saphyr::from_str(text).expect("every preset is read by this crate's tests"))
}

/// All presets with their ids, in the order of these.
pub fn presets() -> impl Iterator<Item = (&'static str, Scheme)> {
    preset_ids().filter_map(|id| Some((id, preset(id)?)))
}

/// The id that looks most like `id`, for "did you mean"; none when nothing is near. Case does not count.
pub fn nearest(id: &str) -> Option<&'static str> {
    if id.len() > PRESET_ID_BYTES_MAX {
        return None;
    }
    let id = id.to_ascii_lowercase();
    let (edits, known) = preset_ids().map(|known| (edits(&id, known), known)).min()?;
    (edits <= 2.max(known.len() / 3)).then_some(known)
}

/// Single-character edits (insert, delete, replace) between two texts: Levenshtein's distance, row by row.
pub(crate) fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let best = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, CodedScheme, Expected, Handshakes, KeyDecode, Kind, Secret, Setup, Verifier};

    /// Whether its tokens are checked with a shared secret.
    fn is_shared(scheme: &Scheme) -> bool {
        scheme.jwt.as_ref().is_some_and(|rule| rule.algorithms.contains(&crate::JwtAlgorithm::HS256))
    }

    /// A secret that can be read as the scheme reads it.
    fn secret_of(scheme: &Scheme) -> Option<&'static str> {
        const EC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==";
        const RSA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmwIDAQAB";
        match (scheme.kind, scheme.key.as_ref().map(|key| key.decode), scheme.algorithm) {
            (Kind::None, ..) => None,
            (Kind::Basic, ..) => Some("user:password"),
            (Kind::Code, ..) => match scheme.code? {
                CodedScheme::AdyenStandard | CodedScheme::PayPal => Some("4d6f6e646179"),
                CodedScheme::AwsSns => Some("arn:aws:sns:eu-west-1:123456789012:topic"),
                CodedScheme::Ebay => Some(EC),
                CodedScheme::SalesforceOutboundMessage => Some("00D3j0000002abCEAQ"),
            },
            (Kind::PublicKey, Some(KeyDecode::Hex), _) => {
                Some("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
            }
            (Kind::PublicKey, Some(KeyDecode::Base64 | KeyDecode::PrefixedBase64), _) => {
                Some("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
            }
            (Kind::PublicKey, _, Some(Algorithm::EcdsaP256Sha256)) => Some(EC),
            (Kind::PublicKey, ..) | (Kind::Jwt, None, _) if !is_shared(scheme) => Some(RSA),
            (_, Some(KeyDecode::Hex), _) => Some("4d6f6e646179"),
            (_, Some(KeyDecode::Base64), _) => Some("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            // Base64 of the usual length, so that it suits every other decoding.
            _ => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        }
    }

    #[test]
    fn every_preset_is_found_and_compiles() {
        for id in preset_ids() {
            let scheme = preset(id).expect(id);
            let secret = |text: &str| Secret {
                text: text.as_bytes().to_vec().into(),
                not_before: None,
                not_after: None,
            };
            let secrets: Vec<Secret> = secret_of(&scheme).into_iter().map(secret).collect();
            let token = secret("token");
            let expected = Expected { audience: Some("us"), email: Some("a@b"), ..Expected::default() };
            let setup = Setup {
                secrets: &secrets,
                public_url: scheme.signs_url().then_some("https://hooks.example.com/hook"),
                verify_token: scheme.needs_verify_token().then_some(&token),
                jwt: Some(&expected).filter(|_| scheme.kind == Kind::Jwt),
                ..Setup::default()
            };
            assert_eq!(Verifier::compile(&scheme, &setup).err(), None, "{id}");
            assert_eq!(Handshakes::compile(&scheme, &setup).err(), None, "{id}");
            assert_eq!(nearest(id), Some(id));
        }
        assert!(preset_ids().is_sorted() && preset_ids().len() > 0);
        assert_eq!(preset("github.yaml"), None);
    }

    #[test]
    fn a_misspelt_id_finds_its_neighbour() {
        for (a, b, distance) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ä", "a", 1)] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
        }
        assert_eq!(nearest("gihtub"), Some("github"));
        assert_eq!(nearest("GitHub"), Some("github"));
        assert_eq!(nearest("somebody-else-entirely"), None);
        assert_eq!(nearest(&"github".repeat(11)), None);
    }
}
