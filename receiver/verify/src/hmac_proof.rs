//! Proof by a keyed digest (HMAC, RFC 2104) over parts of the request.
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::{
    Diagnosis, Encoding, RawRequest,
    grammar::Form,
    key::{self, Dated},
    limits::SIGNED_PARTS_MAX,
    timestamp::Clock,
    verifier::Proven,
};

/// A scheme of kind `hmac`, compiled.
pub(crate) struct HmacProof {
    pub(crate) form: Form,
    pub(crate) encoding: Encoding,
    /// At most [`SIGNED_PARTS_MAX`].
    pub(crate) signed: Vec<SignedPart>,
    pub(crate) clock: Option<Clock>,
    pub(crate) keys: Vec<Dated<HmacKey>>,
}

/// The digest's state after the key: cloned per request, so that the key schedule runs once.
pub(crate) struct HmacKey(Hmac<Sha256>);

/// A part of the signed text, compiled.
pub(crate) enum SignedPart {
    Body,
    Timestamp,
    Literal(Box<str>),
    Header(HeaderName),
}

/// The signed text in pieces, borrowed; the unused ones are empty.
type SignedText<'r> = [&'r [u8]; SIGNED_PARTS_MAX];

impl HmacProof {
    /// Signature first, then freshness: the time is not worth a word before it is known who wrote it.
    pub(crate) fn check(
        &self,
        name: &HeaderName,
        header: &str,
        request: &RawRequest,
        now: Timestamp,
    ) -> Result<Proven, Diagnosis> {
        let claims = self
            .form
            .read(header, self.encoding)
            .ok_or_else(|| Diagnosis::SignatureMalformed { header: name.as_str().into() })?;
        let clock = self.clock.as_ref().map(|clock| (clock, clock.text(request, claims.timestamp)));
        let timestamp = clock.as_ref().map(|(_, text)| text.as_ref().copied());
        let text = self.signed_text(request, timestamp.unwrap_or(Err(&Diagnosis::TimestampMissing)))?;
        let secret = key::find(&self.keys, now, |key| {
            let digest = key.digest(&text);
            claims.signatures.iter().fold(Choice::from(0), |any, signature| any | digest.ct_eq(signature))
        })?;
        let signed_at = match clock {
            Some((clock, text)) => clock.check(text, now)?,
            None => None,
        };
        Ok(Proven { secret, signed_at })
    }

    /// Adds the timestamp's header, where there is one, and gives the signature header's value, made with the first
    /// secret.
    pub(crate) fn sign(&self, request: &mut RawRequest, now: Timestamp) -> Result<HeaderValue, Diagnosis> {
        let timestamp = self.clock.as_ref().map(|clock| clock.write(now));
        if let (Some(Clock { header: Some(name), .. }), Some(text)) = (&self.clock, &timestamp) {
            request.headers.insert(name, header_value(text));
        }
        let text = self.signed_text(request, timestamp.as_deref().ok_or(&Diagnosis::TimestampMissing))?;
        let first = self.keys.first().expect("a verifier is not compiled without a secret");
        let digest = first.key.digest(&text);
        Ok(header_value(&self.form.write(&digest, self.encoding, timestamp.as_deref())))
    }

    fn signed_text<'r>(
        &'r self,
        request: &'r RawRequest,
        timestamp: Result<&'r str, &Diagnosis>,
    ) -> Result<SignedText<'r>, Diagnosis> {
        let mut text: SignedText<'r> = [&[]; SIGNED_PARTS_MAX];
        for (piece, part) in text.iter_mut().zip(&self.signed) {
            *piece = match part {
                SignedPart::Body => &request.body,
                SignedPart::Timestamp => timestamp.map_err(Diagnosis::clone)?.as_bytes(),
                SignedPart::Literal(literal) => literal.as_bytes(),
                SignedPart::Header(name) => {
                    let header = || name.as_str().into();
                    let value = request
                        .single(name)
                        .map_err(|_| Diagnosis::HeaderRepeated { header: header() })?
                        .filter(|value| !value.is_empty());
                    value.ok_or_else(|| Diagnosis::SignedHeaderMissing { header: header() })?.as_bytes()
                }
            };
        }
        Ok(text)
    }
}

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn digest(&self, text: &SignedText<'_>) -> [u8; 32] {
        let mut mac = self.0.clone();
        for piece in text {
            mac.update(piece);
        }
        mac.finalize().into_bytes().into()
    }
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("grammars, digests and times are visible ASCII")
}
