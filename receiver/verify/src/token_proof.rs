//! Proof by a token: a header equals the secret.
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    Diagnosis,
    key::{self, Dated},
    limits::SIGNATURE_HEADER_BYTES_MAX,
    verifier::Proven,
};

/// A scheme of kind `token`, compiled.
pub(crate) struct TokenProof {
    /// Before the token, such as `Bearer `; may be empty.
    prefix: Box<str>,
    /// The tokens' digests: comparing them takes the same time however much of a token was guessed, and its length
    /// does not show.
    digests: Vec<Dated<[u8; 32]>>,
    /// The header's value under the first secret, for signing.
    first: Zeroizing<Vec<u8>>,
}

impl TokenProof {
    /// `keys` are the tokens, which are header values of at most [`SIGNATURE_HEADER_BYTES_MAX`] with the prefix.
    pub(crate) fn new(prefix: Box<str>, keys: &[Dated<Zeroizing<Vec<u8>>>]) -> Self {
        let digests = keys.iter().map(|dated| dated.map(|key| Sha256::digest(key).into())).collect();
        let token = keys.first().map_or(&[][..], |first| &first.key);
        let mut first = Zeroizing::new(Vec::with_capacity(prefix.len() + token.len()));
        first.extend_from_slice(prefix.as_bytes());
        first.extend_from_slice(token);
        Self { prefix, digests, first }
    }

    pub(crate) fn check(&self, name: &HeaderName, header: &str, now: Timestamp) -> Result<Proven, Diagnosis> {
        let token = header
            .strip_prefix(&*self.prefix)
            .filter(|token| !token.is_empty() && header.len() <= SIGNATURE_HEADER_BYTES_MAX)
            .ok_or_else(|| Diagnosis::SignatureMalformed { header: name.as_str().into() })?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let secret = key::find(&self.digests, now, |known| known.ct_eq(&digest))?;
        Ok(Proven { secret, signed_at: None })
    }

    /// The header's value under the first secret.
    pub(crate) fn sign(&self) -> HeaderValue {
        let mut value =
            HeaderValue::from_bytes(&self.first).expect("a token is visible ASCII, and so is its prefix");
        value.set_sensitive(true);
        value
    }

    pub(crate) fn secrets_len(&self) -> usize {
        self.digests.len()
    }
}
