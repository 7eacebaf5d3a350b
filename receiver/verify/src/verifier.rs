//! A scheme compiled with its secrets: checks requests.
use std::{fmt, sync::Arc};

use boathook_template::Pointers;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::{
    Diagnosis, Duration, RawRequest, Rejection, Scheme, Secret,
    certificates::Certificates,
    compile,
    credential_proof::CredentialProof,
    jwt_proof::JwtProof,
    key_slot::{KeyFormat, KeySlot},
    parsed::Parsed,
    proven::Proven,
    schemes::CodedProof,
    signature_proof::SignatureProof,
};

/// Checks requests of one endpoint.
pub struct Verifier {
    /// Headers that must have a certain value.
    required: Vec<(HeaderName, HeaderValue)>,
    /// What is read of a JSON body before it is known to be genuine: nothing, for most schemes.
    pointers: Pointers,
    proof: Proof,
    awaits_secret: bool,
}

/// What an endpoint adds to its provider's scheme.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup<'s> {
    /// The secrets, any of which may match; the first is used where one must be chosen.
    pub secrets: &'s [Secret],
    /// How far a timestamp may be from our clock; `None` = as the scheme says.
    pub tolerance: Option<Duration>,
    /// The URL as it is registered at the provider, for schemes that sign it ([`Scheme::signs_url`]).
    pub public_url: Option<&'s str>,
    /// What tokens of kind `jwt` must say.
    pub jwt: Option<&'s Expected<'s>>,
    /// For handshakes that ask for one ([`Scheme::needs_verify_token`]).
    pub verify_token: Option<&'s Secret>,
    /// A secret is still to come, in a handshake ([`Scheme::brings_secret`]): until it is there nothing that no other secret
    /// has made can be judged.
    pub awaits_secret: bool,
}

/// What a JSON Web Token must say here; what is absent is as the scheme says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'e> {
    /// The claim `iss`.
    pub issuer: Option<&'e str>,
    /// What the claim `aud` names.
    pub audience: Option<&'e str>,
    /// The claim `email`, with `email_verified`.
    pub email: Option<&'e str>,
    /// Where the issuer publishes its keys; then there are no secrets.
    pub jwks_url: Option<&'e str>,
}

/// A scheme's kind with what it needs.
pub(crate) enum Proof {
    /// A signature over parts of the request.
    Signature(SignatureProof),
    /// A JSON Web Token.
    Jwt(JwtProof),
    /// The secret itself.
    Credential(CredentialProof),
    /// What only code can say.
    Coded(Box<dyn CodedProof>),
    /// Everybody is believed.
    Nothing,
}

/// A request that was found genuine. Only a [`Verifier`] makes it.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'r> {
    request: &'r RawRequest,
    secret: Option<usize>,
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
    /// Compiles. Templates are not looked at, nor are [`Handshakes`](crate::Handshakes).
    ///
    /// # Errors
    /// Every broken rule, not just the first; an empty or undecodable secret is one (`secrets[N]`), a missing or unreadable
    /// URL another (`publicURL`).
    pub fn compile(scheme: &Scheme, setup: &Setup<'_>) -> Result<Verifier, Vec<SchemeError>> {
        compile::verifier(scheme, setup)
    }

    pub(crate) fn new(
        required: Vec<(HeaderName, HeaderValue)>,
        pointers: Pointers,
        proof: Proof,
        awaits_secret: bool,
    ) -> Self {
        Self { required, pointers, proof, awaits_secret }
    }

    /// Whether the request is genuine: signature first (401), then freshness (401). The time taken depends on the
    /// request's size and the number of secrets, not on what they are or which of them matches.
    ///
    /// # Errors
    /// The code for the sender and the diagnosis for the people who run the endpoint.
    pub fn verify<'r>(&self, request: &'r RawRequest, now: Timestamp) -> Result<Verified<'r>, Rejection> {
        let parsed = Parsed::new(request, &self.pointers);
        let proven = match &self.proof {
            Proof::Signature(proof) => proof.check(&parsed, now),
            Proof::Jwt(proof) => proof.check(&parsed, now),
            Proof::Credential(proof) => proof.check(&parsed, now),
            Proof::Coded(proof) => proof.check(&parsed, now),
            Proof::Nothing => Ok(Proven { secret: None, signed_at: None }),
        };
        let Proven { secret, signed_at } = match proven {
            // It may have been made with the one that is to come.
            Err(Diagnosis::NoSecretMatches) if self.awaits_secret => {
                return Err(Diagnosis::SecretAwaited.into());
            }
            proven => proven?,
        };
        self.check_required(request)?;
        Ok(Verified { request, secret, signed_at })
    }

    /// The headers a provider would send for this request: for tests, samples and our own outgoing signatures. Adds
    /// the signature (and the timestamp, where the scheme has one) to `request`, made with the first secret, whether or
    /// not it is valid at this time.
    ///
    /// # Errors
    /// A part that the signature covers is not there yet, or twice, or [`Verifier::can_sign`] is false; no signature is
    /// added then.
    pub fn sign(&self, request: &mut RawRequest, now: Timestamp) -> Result<(), Rejection> {
        for (name, value) in &self.required {
            request.headers.insert(name, value.clone());
        }
        match &self.proof {
            Proof::Signature(proof) => proof.sign(request, &self.pointers, now)?,
            Proof::Jwt(_) | Proof::Coded(_) => return Err(Diagnosis::NotSignedByUs.into()),
            Proof::Credential(proof) => proof.sign(request)?,
            Proof::Nothing => {}
        }
        Ok(())
    }

    /// Whether [`Verifier::sign`] can: not with a public key, and not where the signature stands in the body.
    pub fn can_sign(&self) -> bool {
        match &self.proof {
            Proof::Signature(proof) => proof.can_sign(),
            Proof::Jwt(_) | Proof::Coded(_) => false,
            Proof::Credential(proof) => proof.can_sign(),
            Proof::Nothing => true,
        }
    }

    /// How published keys are written, where requests are checked with such.
    pub fn key_format(&self) -> Option<KeyFormat> {
        match &self.proof {
            Proof::Jwt(proof) => proof.key_slot().map(|slot| slot.source().format()),
            Proof::Coded(proof) => proof.certificates().map(|_| KeyFormat::Certificate),
            _ => None,
        }
    }

    /// The places of published keys: to be filled by whoever can fetch them, and kept filled. What is published at a URL that
    /// is configured has one from the start, and what is published at URLs that requests name, once
    /// [`Verifier::lacks_key`] has said so. While one is empty, whatever it would check is refused as
    /// [`Code::Unavailable`](crate::Code::Unavailable).
    pub fn key_slots(&self) -> Vec<Arc<KeySlot>> {
        match &self.proof {
            Proof::Jwt(proof) => proof.key_slot().cloned().into_iter().collect(),
            Proof::Coded(proof) => proof.certificates().map(Certificates::slots).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The place of a key that a refused request names and that is not there: it may be published by now. `None` also where
    /// there is no room for one more, since requests have named too many of late.
    pub fn lacks_key(&self, request: &RawRequest, now: Timestamp) -> Option<Arc<KeySlot>> {
        let parsed = Parsed::new(request, &self.pointers);
        match &self.proof {
            Proof::Jwt(proof) => proof.lacks_key(&parsed).cloned(),
            Proof::Coded(proof) => proof.certificates()?.lacking(&proof.certificate_url(&parsed, now)?, now),
            _ => None,
        }
    }

    /// Goes on with the certificates that have proved requests to the same endpoint under an earlier configuration: else whoever
    /// makes up URLs could take their places at each change.
    pub fn take_over(&self, before: &Self) {
        if let (Proof::Coded(own), Proof::Coded(earlier)) = (&self.proof, &before.proof) {
            own.certificates()
                .zip(earlier.certificates())
                .into_iter()
                .for_each(|(own, earlier)| own.take_over(earlier));
        }
    }

    /// How many secrets are tried, whether or not they are valid at this time.
    pub fn secrets_len(&self) -> usize {
        match &self.proof {
            Proof::Signature(proof) => proof.secrets_len(),
            Proof::Jwt(proof) => proof.secrets_len(),
            Proof::Coded(proof) => proof.secrets_len(),
            Proof::Credential(proof) => proof.secrets_len(),
            Proof::Nothing => 0,
        }
    }

    /// The headers in which the proof is looked for.
    pub(crate) fn headers(&self) -> &[HeaderName] {
        match &self.proof {
            Proof::Signature(proof) => proof.place.headers(),
            Proof::Jwt(proof) => proof.place.headers(),
            Proof::Credential(proof) => proof.headers(),
            Proof::Coded(proof) => proof.headers(),
            Proof::Nothing => &[],
        }
    }

    fn check_required(&self, request: &RawRequest) -> Result<(), Diagnosis> {
        for (name, wanted) in &self.required {
            if !matches!(request.single(name), Ok(Some(value)) if value == wanted) {
                let (header, wanted) = (name.as_str().into(), wanted.to_str().unwrap_or_default().into());
                return Err(Diagnosis::RequirementBroken { header, wanted });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("required", &self.required)
            .field("secrets", &self.secrets_len())
            .finish_non_exhaustive()
    }
}

impl<'r> Verified<'r> {
    /// The request.
    pub fn request(&self) -> &'r RawRequest {
        self.request
    }

    /// 0-based place of the secret that matched; `None` where nothing is proved.
    pub fn secret(&self) -> Option<usize> {
        self.secret
    }

    /// The provider's timestamp, where the scheme has one.
    pub fn signed_at(&self) -> Option<Timestamp> {
        self.signed_at
    }
}
