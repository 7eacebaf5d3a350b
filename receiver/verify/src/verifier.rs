//! A scheme compiled with its secrets: checks requests.
use std::fmt;

use http::HeaderName;
use jiff::Timestamp;

use crate::{
    Diagnosis, Duration, RawRequest, Rejection, Scheme, Secret, compile, hmac_proof::HmacProof,
    token_proof::TokenProof,
};

/// Checks requests of one endpoint.
pub struct Verifier {
    /// The signature's header and its alternatives; the first that is present counts. Never empty.
    headers: Vec<HeaderName>,
    proof: Proof,
}

/// A scheme's kind with what it needs.
pub(crate) enum Proof {
    /// A keyed digest.
    Hmac(HmacProof),
    /// A header that equals the secret.
    Token(TokenProof),
}

/// What a proof has shown.
pub(crate) struct Proven {
    /// 0-based place of the secret that matched.
    pub(crate) secret: usize,
    /// The provider's timestamp.
    pub(crate) signed_at: Option<Timestamp>,
}

/// A request that was found genuine. Only a [`Verifier`] makes it.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'r> {
    request: &'r RawRequest,
    secret: usize,
    signed_at: Option<Timestamp>,
}

/// A rule of a scheme that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SchemeError {
    /// The member, as a path from the scheme such as `signature.grammar` or `secrets[0]`.
    pub field: String,
    /// What is wrong and what to write.
    pub message: String,
}

impl Verifier {
    /// Compiles. `tolerance` overrides the scheme's. Templates are not looked at, nor are
    /// [`Handshakes`](crate::Handshakes).
    ///
    /// # Errors
    /// Every broken rule, not just the first; an empty or undecodable secret is one (`secrets[N]`).
    pub fn compile(
        scheme: &Scheme,
        secrets: &[Secret],
        tolerance: Option<Duration>,
    ) -> Result<Verifier, Vec<SchemeError>> {
        compile::verifier(scheme, secrets, tolerance)
    }

    pub(crate) fn new(headers: Vec<HeaderName>, proof: Proof) -> Self {
        Self { headers, proof }
    }

    /// Whether the request is genuine: signature first (401), then freshness (401). The time taken depends on the
    /// request's size and the number of secrets, not on what they are or which of them matches.
    ///
    /// # Errors
    /// The code for the sender and the diagnosis for the people who run the endpoint.
    pub fn verify<'r>(&self, request: &'r RawRequest, now: Timestamp) -> Result<Verified<'r>, Rejection> {
        let (name, header) = self.signature_header(request)?;
        let Proven { secret, signed_at } = match &self.proof {
            Proof::Hmac(proof) => proof.check(name, header, request, now)?,
            Proof::Token(proof) => proof.check(name, header, now)?,
        };
        Ok(Verified { request, secret, signed_at })
    }

    /// The headers a provider would send for this request: for tests, samples and our own outgoing signatures. Adds
    /// the signature header (and the timestamp, where the scheme has one) to `request`, made with the first secret,
    /// whether or not it is valid at this time.
    ///
    /// # Errors
    /// A header that the signature covers is not there yet, or twice; no signature is added then.
    pub fn sign(&self, request: &mut RawRequest, now: Timestamp) -> Result<(), Rejection> {
        let value = match &self.proof {
            Proof::Hmac(proof) => proof.sign(request, now)?,
            Proof::Token(proof) => proof.sign(),
        };
        for name in &self.headers {
            request.headers.remove(name);
        }
        let name = self.headers.first().expect("a scheme that names no header is not compiled");
        request.headers.insert(name, value);
        Ok(())
    }

    /// The header that carries the secret itself (kind `token`): never to be stored, shown or forwarded.
    pub fn credential_header(&self) -> Option<&HeaderName> {
        match &self.proof {
            Proof::Hmac(_) => None,
            Proof::Token(_) => self.headers.first(),
        }
    }

    /// How many secrets are tried, whether or not they are valid at this time.
    pub fn secrets_len(&self) -> usize {
        match &self.proof {
            Proof::Hmac(proof) => proof.keys.len(),
            Proof::Token(proof) => proof.secrets_len(),
        }
    }

    fn signature_header<'a>(
        &'a self,
        request: &'a RawRequest,
    ) -> Result<(&'a HeaderName, &'a str), Diagnosis> {
        for name in &self.headers {
            let header = || name.as_str().into();
            let value = request.single(name).map_err(|_| Diagnosis::HeaderRepeated { header: header() })?;
            let Some(value) = value else { continue };
            let text = value.to_str().map_err(|_| Diagnosis::SignatureMalformed { header: header() })?;
            if text.trim().is_empty() {
                return Err(Diagnosis::SignatureMissing { header: header() });
            }
            return Ok((name, text));
        }
        let header = self.headers.first().map_or("", HeaderName::as_str).into();
        Err(Diagnosis::SignatureMissing { header })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("headers", &self.headers)
            .field("secrets", &self.secrets_len())
            .finish_non_exhaustive()
    }
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
