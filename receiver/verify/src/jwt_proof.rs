//! Proof by a JSON Web Token: its signature first, then what it claims, then its times.
use std::sync::Arc;

use faster_hex::hex_string;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::{
    Diagnosis, JwtAlgorithm,
    digest::DigestKey,
    jws::Jws,
    key::{self, Dated},
    key_slot::{KeyDocument, KeySlot},
    parsed::Parsed,
    place::Place,
    proven::Proven,
    public_key::PublicKey,
    qsh,
    url::{PublicUrl, UrlForm},
};

/// A scheme of kind `jwt`, compiled.
pub(crate) struct JwtProof {
    pub(crate) place: Place,
    /// Before the token, such as `Bearer `; may be empty.
    pub(crate) prefix: Box<str>,
    pub(crate) keys: TokenKeys,
    /// Any of them; empty = any at all.
    pub(crate) issuers: Vec<Box<str>>,
    pub(crate) audience: Option<Box<str>>,
    pub(crate) email: Option<Box<str>>,
    pub(crate) expires: bool,
    pub(crate) age_max: Option<SignedDuration>,
    pub(crate) leeway: SignedDuration,
    pub(crate) body_sha256_claim: Option<Box<str>>,
    pub(crate) qsh_claim: Option<Box<str>>,
    pub(crate) url_sha256_claim: Option<(Box<str>, PublicUrl)>,
}

/// What a token's signature is checked with.
pub(crate) enum TokenKeys {
    /// For each secret a key for each algorithm that is accepted.
    Secrets(Vec<Dated<JwtKeys>>),
    /// What the issuer publishes, under these algorithms.
    Published(Arc<KeySlot>, Vec<JwtAlgorithm>),
}

/// The keys of one secret, by algorithm.
pub(crate) type JwtKeys = Vec<(JwtAlgorithm, JwtKey)>;

/// One key.
pub(crate) enum JwtKey {
    Shared(DigestKey),
    Public(PublicKey),
}

type Claims = Map<String, Value>;

impl JwtProof {
    pub(crate) fn check(&self, parsed: &Parsed<'_>, now: Timestamp) -> Result<Proven, Diagnosis> {
        let found = self.place.find(parsed)?;
        let malformed = || Diagnosis::SignatureMalformed { place: found.place.words() };
        let text = found.texts().next().unwrap_or_default();
        let token = text.strip_prefix(&*self.prefix).and_then(Jws::read).ok_or_else(malformed)?;
        let secret = self.keys.check(&token, now)?;
        let claims = token.claims().ok_or_else(malformed)?;
        self.check_parties(&claims)?;
        self.check_hashes(&claims, parsed)?;
        let signed_at = self.check_times(&claims, now)?;
        Ok(Proven { secret, signed_at })
    }

    /// The place of what the issuer publishes, where that counts.
    pub(crate) fn key_slot(&self) -> Option<&Arc<KeySlot>> {
        match &self.keys {
            TokenKeys::Published(slot, _) => Some(slot),
            TokenKeys::Secrets(_) => None,
        }
    }

    /// See [`Verifier::lacks_key`](crate::Verifier::lacks_key).
    pub(crate) fn lacks_key(&self, parsed: &Parsed<'_>) -> Option<&Arc<KeySlot>> {
        let TokenKeys::Published(slot, accepted) = &self.keys else { return None };
        let found = self.place.find(parsed).ok()?;
        let token = Jws::read(found.texts().next()?.strip_prefix(&*self.prefix)?)?;
        let algorithm = token.algorithm.filter(|algorithm| accepted.contains(algorithm))?;
        let document = slot.document();
        let known = match document.as_deref() {
            Some(KeyDocument::KeySet(keys)) => keys.of(token.key_id.as_deref(), algorithm).next().is_some(),
            _ => false,
        };
        (!known).then_some(slot)
    }

    fn check_parties(&self, claims: &Claims) -> Result<(), Diagnosis> {
        let names = |claim: &str, wanted: &str| match claims.get(claim) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(items)) => items.iter().any(|item| item == wanted),
            _ => false,
        };
        let issued = self.issuers.is_empty()
            || self.issuers.iter().any(|issuer| claims.get("iss").is_some_and(|iss| *iss == **issuer));
        let addressed = self.audience.as_ref().is_none_or(|audience| names("aud", audience));
        let verified = claims.get("email_verified") == Some(&Value::Bool(true));
        let from = self
            .email
            .as_ref()
            .is_none_or(|email| verified && claims.get("email").is_some_and(|own| *own == **email));
        for (holds, claim) in [(issued, "iss"), (addressed, "aud"), (from, "email")] {
            if !holds {
                return Err(Diagnosis::ClaimDiffers { claim: claim.into() });
            }
        }
        Ok(())
    }

    /// The body and the URL are those that the token was made for.
    fn check_hashes(&self, claims: &Claims, parsed: &Parsed<'_>) -> Result<(), Diagnosis> {
        let request = parsed.request;
        if let Some(claim) = &self.body_sha256_claim {
            match claims.get(&**claim) {
                None if request.body.is_empty() => {}
                Some(Value::String(hash)) if is_sha256(hash, &request.body) => {}
                _ => return Err(Diagnosis::ClaimDiffers { claim: claim.clone() }),
            }
        }
        if let Some(claim) = &self.qsh_claim {
            let sent = claims.get(&**claim).and_then(Value::as_str);
            if sent.is_none() || sent != qsh::digest(request).as_deref() {
                return Err(Diagnosis::ClaimDiffers { claim: claim.clone() });
            }
        }
        if let Some((claim, url)) = &self.url_sha256_claim {
            let url = url.signed(request.query.as_deref(), UrlForm::AsIs, 0);
            if !claims.get(&**claim).and_then(Value::as_str).is_some_and(|hash| is_sha256(hash, &url)) {
                return Err(Diagnosis::ClaimDiffers { claim: claim.clone() });
            }
        }
        Ok(())
    }

    /// When the token was issued, if it says so and is valid now.
    fn check_times(&self, claims: &Claims, now: Timestamp) -> Result<Option<Timestamp>, Diagnosis> {
        let [issued, begins, ends] = [time(claims, "iat")?, time(claims, "nbf")?, time(claims, "exp")?];
        if (self.expires && ends.is_none()) || (self.age_max.is_some() && issued.is_none()) {
            return Err(Diagnosis::TimestampMissing);
        }
        let outside = |claim, at: Timestamp| Diagnosis::TokenOutOfTime {
            claim,
            skew_millis: at.as_millisecond() - now.as_millisecond(),
        };
        let until_now = |at: Timestamp| now.duration_since(at);
        if let Some(ends) = ends.filter(|ends| until_now(*ends) >= self.leeway) {
            return Err(outside("exp", ends));
        }
        if let Some(begins) = begins.filter(|begins| -until_now(*begins) > self.leeway) {
            return Err(outside("nbf", begins));
        }
        if let (Some(age_max), Some(issued)) = (self.age_max, issued) {
            let age = until_now(issued);
            if age > age_max.saturating_add(self.leeway) || -age > self.leeway {
                return Err(outside("iat", issued));
            }
        }
        Ok(issued)
    }

    pub(crate) fn secrets_len(&self) -> usize {
        match &self.keys {
            TokenKeys::Secrets(keys) => keys.len(),
            TokenKeys::Published(..) => 0,
        }
    }
}

impl TokenKeys {
    /// Place of the secret that made the signature; `None` where it is a published key.
    fn check(&self, token: &Jws<'_>, now: Timestamp) -> Result<Option<usize>, Diagnosis> {
        let (slot, accepted) = match self {
            Self::Secrets(keys) => return key::find(keys, now, |keys| signed(keys, token)).map(Some),
            Self::Published(slot, accepted) => (slot, accepted),
        };
        let document = slot.document();
        let Some(KeyDocument::KeySet(known)) = document.as_deref() else {
            return Err(Diagnosis::KeysNotThere);
        };
        let algorithm = token.algorithm.filter(|algorithm| accepted.contains(algorithm));
        let algorithm = algorithm.ok_or(Diagnosis::NoSecretMatches)?;
        let mut keys = known.of(token.key_id.as_deref(), algorithm).peekable();
        if keys.peek().is_none() {
            return Err(Diagnosis::KeyUnknown);
        }
        let holds = keys.any(|key| key.signed(token.signed.as_bytes(), &[&token.signature]));
        if holds { Ok(None) } else { Err(Diagnosis::NoSecretMatches) }
    }
}

/// Whether the token's signature is of one of these keys, under its own algorithm.
fn signed(keys: &[(JwtAlgorithm, JwtKey)], token: &Jws<'_>) -> Choice {
    let of_algorithm = keys.iter().filter(|(algorithm, _)| Some(*algorithm) == token.algorithm);
    of_algorithm.fold(Choice::from(0), |any, (_, key)| {
        any | match key {
            JwtKey::Shared(key) => key.digest_of(token.signed.as_bytes()).bytes().ct_eq(&token.signature),
            JwtKey::Public(key) => {
                Choice::from(u8::from(key.signed(token.signed.as_bytes(), &[&token.signature])))
            }
        }
    })
}

fn is_sha256(hash: &str, bytes: &[u8]) -> bool {
    hex_string(&Sha256::digest(bytes)).as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes()).into()
}

/// A NumericDate (RFC 7519 § 2): seconds, which may have a fraction.
fn time(claims: &Claims, claim: &'static str) -> Result<Option<Timestamp>, Diagnosis> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds =
        value.as_f64().filter(|seconds| seconds.is_finite()).ok_or(Diagnosis::TimestampUnreadable)?;
    let since = SignedDuration::try_from_secs_f64(seconds).map_err(|_| Diagnosis::TimestampUnreadable)?;
    let time = Timestamp::UNIX_EPOCH.checked_add(since).map_err(|_| Diagnosis::TimestampUnreadable)?;
    Ok(Some(time))
}
