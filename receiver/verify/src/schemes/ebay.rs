//! eBay's notifications: an ECDSA signature over the body, in a header that is the Base64 of JSON.
//! <https://developer.ebay.com/api-docs/commerce/notification/overview.html>
use aws_lc_rs::signature::{ECDSA_P256_SHA1_ASN1, VerificationAlgorithm};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderName;
use jiff::Timestamp;
use serde::Deserialize;
use subtle::Choice;
use zeroize::Zeroizing;

use super::CodedProof;
use crate::{
    Diagnosis, Encoding,
    key::{self, Dated},
    limits::SIGNATURE_HEADER_BYTES_MAX,
    parsed::Parsed,
    place::Place,
    proven::Proven,
    public_key::{self, PublicKey},
};

const HEADER: HeaderName = HeaderName::from_static("x-ebay-signature");
/// SHA-1 is eBay's choice. Who wants to forge needs a second body to one that eBay has written, which nobody can make; two
/// of one's own with the same digest, which can be made, are signed by nobody.
const ALGORITHM: &dyn VerificationAlgorithm = &ECDSA_P256_SHA1_ASN1;

pub(super) struct Ebay {
    place: Place,
    keys: Vec<Dated<PublicKey>>,
}

/// What the header says. The `kid` beside it names a key at eBay; keys of Secrets have no such names.
#[derive(Deserialize)]
struct Envelope {
    alg: String,
    digest: String,
    signature: String,
}

impl Ebay {
    pub(super) fn new(keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        let read = |key: &Zeroizing<Vec<u8>>| read(key).expect("the key was read before it was taken");
        Self { place: Place::Headers(vec![HEADER]), keys: keys.iter().map(|dated| dated.map(read)).collect() }
    }
}

impl CodedProof for Ebay {
    fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let found = self.place.find(parsed)?;
        let malformed = || Diagnosis::SignatureMalformed { place: found.place.words() };
        let signature = found.texts().next().and_then(signature).ok_or_else(malformed)?;
        let signed = |key: &PublicKey| key.signed(&parsed.request.body, &[&signature]);
        let secret = key::find(&self.keys, now, |key| Choice::from(u8::from(signed(key))))?;
        Ok(Proven { secret: Some(secret), signed_at: None })
    }

    fn headers(&self) -> &[HeaderName] {
        self.place.headers()
    }

    fn secrets_len(&self) -> usize {
        self.keys.len()
    }
}

/// The key of a Secret: as it is taken.
pub(super) fn key(der: &Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, String> {
    match read(der) {
        Some(_) => Ok(der.clone()),
        None => Err("is no public key over P-256: copy the member `key` of what getPublicKey answers".into()),
    }
}

fn read(der: &[u8]) -> Option<PublicKey> {
    PublicKey::read(ALGORITHM, der)
}

/// The signature, where the header names the one algorithm that is taken.
fn signature(header: &str) -> Option<Vec<u8>> {
    if header.len() > SIGNATURE_HEADER_BYTES_MAX {
        return None;
    }
    let Envelope { alg, digest, signature } = serde_json::from_slice(&STANDARD.decode(header).ok()?).ok()?;
    let ours = alg.eq_ignore_ascii_case("ecdsa") && digest.eq_ignore_ascii_case("sha1");
    ours.then(|| public_key::decoded(&signature, Encoding::Base64)).flatten()
}
