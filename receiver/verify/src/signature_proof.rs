//! Proof by a signature over parts of the request.
use boathook_template::Pointers;
use http::HeaderValue;
use jiff::Timestamp;
use subtle::Choice;

use crate::{
    Diagnosis, Encoding, RawRequest,
    digest::{DigestKey, Digests},
    grammar::{Claims, Form},
    key::{self, Dated},
    limits::{CHALLENGE_BYTES_MAX, CHALLENGE_BYTES_MIN, PUBLIC_SIGNATURES_MAX},
    parsed::Parsed,
    place::Place,
    proven::Proven,
    public_key::{self, PublicKey},
    signed_text::{Piece, Pieces, SignedText},
    timestamp::{Clock, ClockFrom},
};

/// A scheme of kind `hmac`, `hash` or `publicKey`, compiled.
pub(crate) struct SignatureProof {
    pub(crate) place: Place,
    pub(crate) form: Form,
    pub(crate) encoding: Encoding,
    pub(crate) signed: SignedText,
    pub(crate) clock: Option<Clock>,
    pub(crate) keys: Keys,
    /// Challenges are signed for whoever asks ([`is_challenge`]): what looks like one is no delivery.
    pub(crate) signs_challenges: bool,
}

/// What the signature is checked with. Empty only while the first secret is to come.
pub(crate) enum Keys {
    Digest(Vec<Dated<DigestKey>>),
    Public(Vec<Dated<PublicKey>>),
}

impl SignatureProof {
    /// Signature first, then freshness: the time is not worth a word before it is known who wrote it.
    pub(crate) fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let found = self.place.find(parsed)?;
        let malformed = || Diagnosis::SignatureMalformed { place: found.place.words() };
        let claims = self.form.read(found.texts()).ok_or_else(malformed)?;
        let clock =
            self.clock.as_ref().map(|clock| (clock, clock.in_time(&self.signed, parsed, claims.timestamp)));
        let timestamp = match &clock {
            Some((_, Some(text))) if self.signed.has_timestamp() => {
                Some(&**text.as_ref().map_err(Diagnosis::clone)?)
            }
            _ => None,
        };
        let secret = self.matching(parsed, &claims, timestamp, now).unwrap_or_else(|| Err(malformed()))?;
        let signed_at = match clock {
            Some((clock, text)) => {
                let text = text.unwrap_or_else(|| clock.text(parsed, None));
                clock.check(text.as_deref().map_err(Diagnosis::clone), now)?
            }
            None => None,
        };
        Ok(Proven { secret: Some(secret), signed_at })
    }

    /// Place of the secret that makes one of the signatures; `None` where none of them can be decoded.
    fn matching(
        &self,
        parsed: &Parsed<'_>,
        claims: &Claims<'_>,
        timestamp: Option<&str>,
        now: Timestamp,
    ) -> Option<Result<usize, Diagnosis>> {
        let mut text = Pieces::new();
        match &self.keys {
            Keys::Digest(keys) => {
                let mut digests = Digests::default();
                digests.decode(claims.signatures(), self.encoding)?;
                let mut told = Err(Diagnosis::NoSecretMatches);
                for variant in 0..self.signed.variants() {
                    if let Err(missing) = self.signed.write(&mut text, parsed, timestamp, variant) {
                        return Some(Err(missing));
                    }
                    if self.signs_challenges && matches!(&*text, [Piece::Bytes(text)] if is_challenge(text)) {
                        return Some(Err(Diagnosis::ChallengeAsDelivery));
                    }
                    let found = key::find(keys, now, |key| digests.contain(&key.digest(&text)));
                    // Every variant is tried, whatever the others say; what says most is told.
                    if matches!(told, Err(Diagnosis::NoSecretMatches)) {
                        told = found;
                    }
                }
                Some(told)
            }
            Keys::Public(keys) => {
                let signatures = claims.signatures();
                let signatures: Vec<Vec<u8>> =
                    signatures.filter_map(|text| public_key::decoded(text, self.encoding)).collect();
                if signatures.is_empty() || signatures.len() > PUBLIC_SIGNATURES_MAX {
                    return None;
                }
                if let Err(missing) = self.signed.write(&mut text, parsed, timestamp, 0) {
                    return Some(Err(missing));
                }
                let text = public_key::joined(&text);
                let signed = |key: &PublicKey| Choice::from(u8::from(key.signed(&text, &signatures)));
                Some(key::find(keys, now, signed))
            }
        }
    }

    /// Adds the timestamp's header, where there is one, and the signature's, made with the first secret.
    pub(crate) fn sign(
        &self,
        request: &mut RawRequest,
        pointers: &Pointers,
        now: Timestamp,
    ) -> Result<(), Diagnosis> {
        let (Some(name), Keys::Digest(keys)) = (self.place.headers().first(), &self.keys) else {
            return Err(Diagnosis::NotSignedByUs);
        };
        let written = self.clock.as_ref().map(|clock| clock.write(now));
        if let (Some(Clock { from: ClockFrom::Header(name), .. }), Some(text)) = (&self.clock, &written) {
            request.headers.insert(name, header_value(text));
        }
        let text = {
            let parsed = Parsed::new(request, pointers);
            // A time in the body is its author's.
            let in_body = match &self.clock {
                Some(clock @ Clock { from: ClockFrom::Pointer(_) | ClockFrom::Form(_), .. }) => {
                    Some(clock.text(&parsed, None)?)
                }
                _ => None,
            };
            let timestamp = in_body.as_deref().or(written.as_deref());
            let mut text = Pieces::new();
            self.signed.write(&mut text, &parsed, timestamp, 0)?;
            let first = keys.first().ok_or(Diagnosis::SecretAwaited)?;
            self.form.write(first.key.digest(&text).bytes(), self.encoding, written.as_deref())
        };
        self.place.headers().iter().for_each(|name| drop(request.headers.remove(name)));
        request.headers.insert(name, header_value(&text));
        Ok(())
    }

    /// Whether [`SignatureProof::sign`] can.
    pub(crate) fn can_sign(&self) -> bool {
        !self.place.headers().is_empty() && matches!(self.keys, Keys::Digest(_))
    }

    pub(crate) fn secrets_len(&self) -> usize {
        match &self.keys {
            Keys::Digest(keys) => keys.len(),
            Keys::Public(keys) => keys.len(),
        }
    }
}

/// Whether it is a text that a handshake has signed as deliveries are.
pub(crate) fn is_challenge(text: &[u8]) -> bool {
    (CHALLENGE_BYTES_MIN..=CHALLENGE_BYTES_MAX).contains(&text.len())
        && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("grammars, digests and times are visible ASCII")
}
