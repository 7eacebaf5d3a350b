//! From a scheme and its secrets to a verifier: every rule across members, every broken one told.
mod coverage;
mod credential;
mod form;
mod jwt;
mod keys;
mod place;
mod signature;

use std::ops::RangeInclusive;

use boathook_template::Pointers;
use http::{HeaderName, HeaderValue};

use crate::{
    Answer, Kind, Scheme, SchemeError, Setup, TimestampFrom, Verifier,
    limits::{CANDIDATES_MAX, HEADER_NAME_BYTES_MAX, LITERAL_BYTES_MAX, REQUIREMENTS_MAX},
    schemes::CodedProof,
    verifier::Proof,
};

/// See [`Verifier::compile`]. The steps below return what they can and collect what is broken; a verifier comes out only
/// when nothing is.
pub(crate) fn verifier(scheme: &Scheme, setup: &Setup<'_>) -> Result<Verifier, Vec<SchemeError>> {
    let mut broken = Broken::default();
    let mut pointers = Pointers::default();
    let proof = match scheme.kind {
        Kind::Hmac | Kind::Hash | Kind::PublicKey => {
            signature::signature(scheme, setup, &mut pointers, &mut broken).map(Proof::Signature)
        }
        Kind::Jwt => jwt::jwt(scheme, setup, &mut pointers, &mut broken).map(Proof::Jwt),
        Kind::Token | Kind::Basic | Kind::BodyToken | Kind::QueryToken => {
            credential::credential(scheme, setup.secrets, &mut pointers, &mut broken).map(Proof::Credential)
        }
        Kind::Code => coded(scheme, setup, &mut broken).map(Proof::Coded),
        Kind::None => {
            nothing(scheme, setup, &mut broken);
            Some(Proof::Nothing)
        }
    };
    broken.unless(scheme.kind == Kind::Jwt || scheme.jwt.is_none(), "jwt", "is for kind jwt: leave it out");
    broken.unless(
        scheme.kind == Kind::Code || scheme.code.is_none(),
        "code",
        "is for kind code: leave it out",
    );
    let required = requirements(scheme, &mut broken);
    outside_verification(scheme, &mut broken);
    match proof {
        Some(proof) if broken.0.is_empty() => Ok(Verifier::new(required, pointers, proof)),
        _ => Err(broken.0),
    }
}

fn coded(scheme: &Scheme, setup: &Setup<'_>, broken: &mut Broken) -> Option<Box<dyn CodedProof>> {
    let Some(code) = scheme.code else {
        broken.add("code", "is missing: it names the scheme");
        return None;
    };
    broken.unless(
        scheme.body_protected == code.protects_body(),
        "bodyProtected",
        format!("must be {}: so it is with this code", code.protects_body()),
    );
    without_proof_members(scheme, broken, "is part of the code");
    let keys = keys::keys(setup.secrets, code.decode(), broken, |key| {
        code.check_secret(key)?;
        Ok(key.clone())
    });
    Some(code.proof(&keys))
}

/// Members by which other kinds say how they prove.
fn without_proof_members(scheme: &Scheme, broken: &mut Broken, why: &str) {
    for (given, field) in [
        (scheme.algorithm.is_some(), "algorithm"),
        (scheme.key.is_some(), "key"),
        (scheme.signature.is_some(), "signature"),
        (!scheme.signed.is_empty(), "signed"),
        (scheme.timestamp.is_some(), "timestamp"),
    ] {
        broken.unless(!given, field, format!("{why}: leave it out"));
    }
}

/// Who believes everybody must say so, and must not think that a secret counts.
fn nothing(scheme: &Scheme, setup: &Setup<'_>, broken: &mut Broken) {
    broken.unless(!scheme.body_protected, "bodyProtected", "must be set to false: nothing is proved");
    broken.unless(setup.secrets.is_empty(), "secrets", "do not count for kind none: leave them out");
    without_proof_members(scheme, broken, "proves nothing for kind none");
}

fn requirements(scheme: &Scheme, broken: &mut Broken) -> Vec<(HeaderName, HeaderValue)> {
    broken.unless(
        scheme.require.len() <= REQUIREMENTS_MAX,
        "require",
        format!("must have at most {REQUIREMENTS_MAX} headers"),
    );
    let mut required: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(scheme.require.len());
    for (place, requirement) in scheme.require.iter().enumerate() {
        let field = format!("require[{place}].header");
        let name = broken.header(&*field, &requirement.header);
        if name.as_ref().is_some_and(|name| has_a_meaning(scheme, name)) {
            broken.add(&*field, "is where the signature or the timestamp is, and cannot always be the same");
        }
        if required.iter().any(|(known, _)| Some(known) == name.as_ref()) {
            broken.add(field, "is demanded twice: leave one out");
        }
        let value = HeaderValue::from_str(&requirement.equals).ok();
        let value = value.filter(|value| (1..=LITERAL_BYTES_MAX).contains(&value.len()));
        broken.unless(
            value.is_some(),
            format!("require[{place}].equals"),
            format!("must be 1 to {LITERAL_BYTES_MAX} visible ASCII characters"),
        );
        required.extend(name.zip(value));
    }
    required
}

/// The rules that do not hold.
#[derive(Default)]
struct Broken(Vec<SchemeError>);

impl Broken {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(SchemeError { field: field.into(), message: message.into() });
    }

    /// Adds the error unless the rule holds.
    fn unless(&mut self, holds: bool, field: impl Into<String>, message: impl Into<String>) {
        if !holds {
            self.add(field, message);
        }
    }

    fn header(&mut self, field: impl Into<String>, name: &str) -> Option<HeaderName> {
        let name = (name.len() <= HEADER_NAME_BYTES_MAX).then(|| name.parse().ok()).flatten();
        self.unless(
            name.is_some(),
            field,
            format!("must be a header's name (RFC 9110 § 5.1) of at most {HEADER_NAME_BYTES_MAX} characters"),
        );
        name
    }
}

/// Whether the header is one of the signature's or the timestamp's.
fn has_a_meaning(scheme: &Scheme, name: &HeaderName) -> bool {
    let from = scheme.signature.as_ref().map(|signature| &signature.from);
    let of_signature = from.into_iter().flat_map(|from| from.headers.iter().chain(&from.every_header));
    let of_time = scheme.timestamp.iter().filter_map(|rule| match &rule.from {
        TimestampFrom::Header(name) => Some(name),
        _ => None,
    });
    of_signature.chain(of_time).any(|own| own.eq_ignore_ascii_case(name.as_str()))
}

/// What does not concern the proof, but must hold before anybody uses the scheme.
fn outside_verification(scheme: &Scheme, broken: &mut Broken) {
    if let Some(Err(error)) = scheme.batch.as_deref().map(|pointer| Pointers::default().slot(pointer)) {
        broken.add("batch", error.to_string());
    }
    for (field, templates) in [("id", &scheme.id), ("type", &scheme.event_type)] {
        broken.unless(
            templates.len() <= CANDIDATES_MAX,
            field,
            format!("must have at most {CANDIDATES_MAX} candidates"),
        );
    }
    let Answer { success, duplicate, refused, unavailable, body: _, text: _ } =
        scheme.answer.clone().unwrap_or_default();
    let statuses: [(&str, Option<u16>, RangeInclusive<u16>); 4] = [
        ("answer.success", success, 200..=299),
        ("answer.duplicate", duplicate, 200..=499),
        ("answer.refused", refused, 400..=499),
        ("answer.unavailable", unavailable, 500..=599),
    ];
    for (field, status, range) in statuses {
        broken.unless(
            status.is_none_or(|status| range.contains(&status)),
            field,
            format!("must be a status from {} to {}", range.start(), range.end()),
        );
    }
}
