//! Checking requests: the signature first, then freshness.
use std::{borrow::Cow, fmt};

use hmac::Mac;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    Code, Diagnosis, Duration, Encoding, Kind, RawRequest, Rejection, TimeFormat,
    grammar::{Form, Parsed},
    key::{Key, Material, Validity},
    limits::SIGNATURE_HEADER_BYTES_MAX,
    timestamp::skew_outside,
};

/// Checks requests of one endpoint. Made by [`Verifier::compile`]; holds what is needed of the secrets, never shows it.
pub struct Verifier {
    pub(crate) kind: Kind,
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) form: Form,
    pub(crate) encoding: Encoding,
    pub(crate) signed: Vec<SignedPart>,
    pub(crate) clock: Option<Clock>,
    pub(crate) keys: Vec<Key>,
}

/// One part of the signed bytes.
pub(crate) enum SignedPart {
    Body,
    Timestamp,
    Literal(Box<[u8]>),
    Header(HeaderName),
}

/// Where the provider's time is and how near it must be.
pub(crate) struct Clock {
    pub(crate) source: ClockSource,
    pub(crate) formats: Box<[TimeFormat]>,
    pub(crate) tolerance: Duration,
    pub(crate) enforce: bool,
}

/// Where the provider's time is.
pub(crate) enum ClockSource {
    Signature,
    Header(HeaderName),
}

/// A request that was found genuine. Only a [`Verifier`] makes it.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'r> {
    request: &'r RawRequest,
    secret: usize,
    signed_at: Option<Timestamp>,
}

impl<'r> Verified<'r> {
    /// The request.
    pub fn request(&self) -> &'r RawRequest {
        self.request
    }

    /// 0-based place of the secret that matched.
    pub fn secret(&self) -> usize {
        self.secret
    }

    /// The provider's timestamp, where the scheme has one.
    pub fn signed_at(&self) -> Option<Timestamp> {
        self.signed_at
    }
}

impl Verifier {
    /// Whether the request is genuine. Costs one digest of the signed bytes for each configured secret, and takes the
    /// same time whichever secret or signature matches.
    ///
    /// # Errors
    /// The code for the sender and the diagnosis for the people who run the endpoint.
    pub fn verify<'r>(&self, request: &'r RawRequest, now: Timestamp) -> Result<Verified<'r>, Rejection> {
        let (name, header) = self.signature_header(request)?;
        let malformed =
            || reject(Code::InvalidSignature, Diagnosis::SignatureMalformed { header: name.as_str().into() });
        let parsed = self.form.parse(header).ok_or_else(malformed)?;
        let time = self.time_text(request, &parsed)?;
        let secret = self.matching_secret(request, &parsed, time, now)?;
        let signed_at = self.fresh(time, now)?;
        Ok(Verified { request, secret, signed_at })
    }

    /// Adds the headers that a provider would send for this request, made with the first secret: for samples and tests.
    ///
    /// # Errors
    /// When a header that the signature covers is not there yet.
    pub fn sign(&self, request: &mut RawRequest, now: Timestamp) -> Result<(), Rejection> {
        let time =
            self.clock.as_ref().and_then(|clock| clock.formats.first().map(|format| format.write(now)));
        if let (Some(Clock { source: ClockSource::Header(name), .. }), Some(text)) = (&self.clock, &time) {
            request.headers.extend(HeaderValue::from_str(text).map(|value| (name.clone(), value)));
        }
        let key = self.keys.first().expect("a verifier is compiled with at least one secret");
        let signature = match &key.material {
            Material::Token { text, .. } => String::from_utf8_lossy(text).into_owned(),
            Material::HmacSha256(state) => {
                let mac = self.digest((**state).clone(), request, time.as_deref())?;
                self.encoding.encode(&mac.finalize().into_bytes())
            }
        };
        let value = HeaderValue::from_str(&self.form.write(&signature, time.as_deref().unwrap_or("")));
        if let (Some(name), Ok(value)) = (self.headers.first(), value) {
            request.headers.insert(name.clone(), value);
        }
        Ok(())
    }

    /// The header that carries the secret itself (kind token): it must be neither stored nor forwarded.
    pub fn credential_header(&self, request: &RawRequest) -> Option<&HeaderName> {
        let present = |name: &&HeaderName| request.headers.contains_key(*name);
        self.headers.iter().filter(|_| self.kind == Kind::Token).find(present)
    }

    fn signature_header<'r>(&self, request: &'r RawRequest) -> Result<(&HeaderName, &'r str), Rejection> {
        let missing = || {
            let header = self.headers.first().map_or("", HeaderName::as_str).into();
            reject(Code::MissingSignature, Diagnosis::SignatureMissing { header })
        };
        let name =
            self.headers.iter().find(|name| request.headers.contains_key(*name)).ok_or_else(missing)?;
        match only(request, name) {
            Some("") => Err(missing()),
            Some(text) if text.len() <= SIGNATURE_HEADER_BYTES_MAX => Ok((name, text)),
            _ => {
                let diagnosis = Diagnosis::SignatureMalformed { header: name.as_str().into() };
                Err(reject(Code::InvalidSignature, diagnosis))
            }
        }
    }

    /// The timestamp's text, verbatim.
    fn time_text<'r>(
        &self,
        request: &'r RawRequest,
        parsed: &Parsed<'r>,
    ) -> Result<Option<&'r str>, Rejection> {
        let Some(clock) = &self.clock else { return Ok(None) };
        let text = match &clock.source {
            ClockSource::Signature => parsed.timestamp,
            ClockSource::Header(name) => only(request, name),
        };
        let is_signed = self.signed.iter().any(|part| matches!(part, SignedPart::Timestamp));
        match text {
            Some(text) if !text.is_empty() => Ok(Some(text)),
            _ if clock.enforce || is_signed => {
                Err(reject(Code::MissingTimestamp, Diagnosis::TimestampMissing))
            }
            _ => Ok(None),
        }
    }

    fn matching_secret(
        &self,
        request: &RawRequest,
        parsed: &Parsed<'_>,
        time: Option<&str>,
        now: Timestamp,
    ) -> Result<usize, Rejection> {
        let (mut valid, mut outside) = (None, None);
        for (index, key) in self.keys.iter().enumerate() {
            if !self.matches(key, request, parsed, time)? {
                continue;
            }
            match key.validity(now) {
                Validity::Valid => valid = valid.or(Some(index)),
                validity => outside = Some(validity == Validity::Expired),
            }
        }
        valid.ok_or_else(|| {
            let diagnosis = match outside {
                Some(expired) => Diagnosis::SecretOutOfValidity { expired },
                None => Diagnosis::NoSecretMatches,
            };
            reject(Code::InvalidSignature, diagnosis)
        })
    }

    fn matches(
        &self,
        key: &Key,
        request: &RawRequest,
        parsed: &Parsed<'_>,
        time: Option<&str>,
    ) -> Result<bool, Rejection> {
        match &key.material {
            Material::Token { digest, .. } => Ok(parsed.signatures.iter().fold(false, |any, candidate| {
                let sent: [u8; 32] = Sha256::digest(candidate.as_bytes()).into();
                bool::from(sent.ct_eq(digest)) | any
            })),
            Material::HmacSha256(state) => {
                let mac = self.digest((**state).clone(), request, time)?;
                let expected = mac.finalize().into_bytes();
                Ok(parsed.signatures.iter().fold(false, |any, candidate| {
                    // An element that does not decode is no match, and the others still count.
                    let sent = self.encoding.decode(candidate).unwrap_or_default();
                    bool::from(sent.ct_eq(&expected)) | any
                }))
            }
        }
    }

    /// Feeds the signed bytes to the keyed state, without copying them together.
    fn digest<M: Mac>(&self, mut mac: M, request: &RawRequest, time: Option<&str>) -> Result<M, Rejection> {
        for part in &self.signed {
            match part {
                SignedPart::Body => mac.update(&request.body),
                SignedPart::Timestamp => mac.update(time.unwrap_or("").as_bytes()),
                SignedPart::Literal(text) => mac.update(text),
                SignedPart::Header(name) => {
                    let value = only(request, name).filter(|value| !value.is_empty()).ok_or_else(|| {
                        let header = name.as_str().into();
                        reject(Code::InvalidSignature, Diagnosis::SignedHeaderMissing { header })
                    })?;
                    mac.update(value.as_bytes());
                }
            }
        }
        Ok(mac)
    }

    fn fresh(&self, text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Rejection> {
        let (Some(clock), Some(text)) = (&self.clock, text) else { return Ok(None) };
        let time = clock.formats.iter().find_map(|format| format.read(text));
        match time {
            _ if !clock.enforce => Ok(time),
            None => Err(reject(Code::InvalidTimestamp, Diagnosis::TimestampUnreadable)),
            Some(time) => match skew_outside(time, now, clock.tolerance) {
                None => Ok(Some(time)),
                Some(skew_millis) => {
                    let tolerance = clock.tolerance;
                    Err(reject(
                        Code::StaleTimestamp,
                        Diagnosis::TimestampOutsideTolerance { skew_millis, tolerance },
                    ))
                }
            },
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<Cow<'_, str>> = self.headers.iter().map(|name| name.as_str().into()).collect();
        f.debug_struct("Verifier")
            .field("kind", &self.kind)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// The header's value when it is sent once: of two, nobody can say which one was meant.
fn only<'r>(request: &'r RawRequest, name: &HeaderName) -> Option<&'r str> {
    let mut values = request.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn reject(code: Code, diagnosis: Diagnosis) -> Rejection {
    Rejection { code, diagnosis }
}
