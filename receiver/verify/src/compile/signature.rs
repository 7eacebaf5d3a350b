//! The rules of kinds that sign: `hmac`, `hash`, `publicKey`.
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};
use boathook_template::Pointers;
use zeroize::Zeroizing;

use super::{Broken, coverage, form, keys::keys, place};
use crate::{
    Algorithm, Encoding, KeyDecode, Kind, Scheme, Setup,
    digest::{DigestKey, DigestKind},
    public_key::PublicKey,
    signature_proof::{Keys, SignatureProof},
};

pub(super) fn signature(
    scheme: &Scheme,
    setup: &Setup<'_>,
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> Option<SignatureProof> {
    let keys = match scheme.kind {
        Kind::PublicKey => public_keys(scheme, setup, broken),
        _ => digest_keys(scheme, setup, broken),
    };
    let place = place::place(scheme.signature.as_ref(), pointers, broken);
    let written = scheme.signature.as_ref();
    let form = form::form(written.and_then(|signature| signature.grammar.as_ref()), broken);
    let headers = place.as_ref().map_or(&[][..], |place| place.headers());
    let signed = coverage::signed_text(scheme, headers, setup.public_url, pointers, broken);
    let clock = coverage::clock(scheme, headers, &form, setup.tolerance, pointers, broken);
    let encoding = written.and_then(|signature| signature.encoding).unwrap_or(Encoding::Hex);
    let signs_challenges = scheme.signs_challenges();
    Some(SignatureProof { place: place?, form, encoding, signed, clock, keys: keys?, signs_challenges })
}

fn digest_keys(scheme: &Scheme, setup: &Setup<'_>, broken: &mut Broken) -> Option<Keys> {
    let Some(kind) = DigestKind::of(scheme.algorithm) else {
        broken.add("algorithm", "must be sha1, sha256, sha384 or sha512 for this kind");
        return None;
    };
    let decode = scheme.key.as_ref().map_or(KeyDecode::Utf8, |key| key.decode);
    broken.unless(decode != KeyDecode::Spki, "key.decode", "spki is for kind publicKey");
    let make = |key: &Zeroizing<Vec<u8>>| {
        Ok(match scheme.kind {
            Kind::Hash => DigestKey::Hash(kind, key.clone()),
            _ => DigestKey::hmac(kind, key),
        })
    };
    Some(Keys::Digest(keys(setup, decode, broken, make)))
}

fn public_keys(scheme: &Scheme, setup: &Setup<'_>, broken: &mut Broken) -> Option<Keys> {
    let Some(check) = scheme.algorithm.and_then(public_algorithm) else {
        broken.add(
            "algorithm",
            "must be said for kind publicKey: ed25519, ecdsaP256Sha256, rsaPkcs1Sha256, rsaPkcs1Sha512, rsaPssSha256 or \
             rsaPssSha512",
        );
        return None;
    };
    let decode = scheme.key.as_ref().map_or(KeyDecode::Spki, |key| key.decode);
    let raw = matches!(decode, KeyDecode::Hex | KeyDecode::Base64 | KeyDecode::PrefixedBase64);
    broken.unless(
        (raw && scheme.algorithm == Some(Algorithm::Ed25519)) || decode == KeyDecode::Spki,
        "key.decode",
        "must be spki, or for ed25519 hex, base64 or prefixedBase64",
    );
    let make = |key: &Zeroizing<Vec<u8>>| {
        PublicKey::read(check, key)
            .ok_or_else(|| "is no public key of this scheme: copy the provider's public key whole".to_owned())
    };
    Some(Keys::Public(keys(setup, decode, broken, make)))
}

fn public_algorithm(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Ed25519 => Some(&ED25519),
        Algorithm::EcdsaP256Sha256 => Some(&ECDSA_P256_SHA256_ASN1),
        Algorithm::RsaPkcs1Sha256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RsaPkcs1Sha512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::RsaPssSha256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::RsaPssSha512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Sha1 | Algorithm::Sha256 | Algorithm::Sha384 | Algorithm::Sha512 => None,
    }
}
