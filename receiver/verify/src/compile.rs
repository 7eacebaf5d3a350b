//! From a scheme and its secrets to a verifier: every rule across members, every broken one told.
mod coverage;
mod form;

use std::ops::RangeInclusive;

use boathook_template::Pointers;
use http::HeaderName;
use zeroize::Zeroizing;

use crate::{
    Answer, Duration, Encoding, KeyDecode, Kind, Scheme, SchemeError, Secret, Verifier,
    grammar::Form,
    hmac_proof::{HmacKey, HmacProof},
    key::{self, Dated},
    limits::{
        CANDIDATES_MAX, HEADER_NAME_BYTES_MAX, SECRETS_MAX, SIGNATURE_HEADER_BYTES_MAX, SIGNATURE_HEADERS_MAX,
    },
    token_proof::TokenProof,
    verifier::Proof,
};

/// See [`Verifier::compile`]. The steps below return what they can and collect what is broken; a verifier comes out only
/// when nothing is.
pub(crate) fn verifier(
    scheme: &Scheme,
    secrets: &[Secret],
    tolerance: Option<Duration>,
) -> Result<Verifier, Vec<SchemeError>> {
    let mut broken = Broken::default();
    let headers = signature_headers(scheme, &mut broken);
    let form = form::form(scheme.signature.grammar.as_ref(), &mut broken);
    let proof = match scheme.kind {
        Kind::Hmac => Proof::Hmac(hmac(scheme, &headers, form, secrets, tolerance, &mut broken)),
        Kind::Token => Proof::Token(token(scheme, form, secrets, &mut broken)),
    };
    outside_verification(scheme, &mut broken);
    if broken.0.is_empty() { Ok(Verifier::new(headers, proof)) } else { Err(broken.0) }
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

fn signature_headers(scheme: &Scheme, broken: &mut Broken) -> Vec<HeaderName> {
    const FIELD: &str = "signature.from.headers";
    let names = &scheme.signature.from.headers;
    broken.unless(
        (1..=SIGNATURE_HEADERS_MAX).contains(&names.len()),
        FIELD,
        format!("must name 1 to {SIGNATURE_HEADERS_MAX} headers"),
    );
    // Else the credential would pass in the other header when the first is not used.
    broken.unless(
        scheme.kind == Kind::Hmac || names.len() < 2,
        FIELD,
        "kind token reads one header: leave one name",
    );
    let mut headers: Vec<HeaderName> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let field = format!("{FIELD}[{place}]");
        match broken.header(&*field, name) {
            Some(header) if headers.contains(&header) => broken.add(field, "is there twice: leave it out"),
            Some(header) => headers.push(header),
            None => {}
        }
    }
    headers
}

/// The keys of those secrets that can be used; `fits` says whether one can be a token.
fn keys(
    secrets: &[Secret],
    decode: KeyDecode,
    broken: &mut Broken,
    fits: impl Fn(&[u8]) -> bool,
) -> Vec<Dated<Zeroizing<Vec<u8>>>> {
    broken.unless(
        (1..=SECRETS_MAX).contains(&secrets.len()),
        "secrets",
        format!("must have 1 to {SECRETS_MAX} secrets"),
    );
    let mut keys = Vec::with_capacity(secrets.len());
    for (place, Secret { text, not_before, not_after }) in secrets.iter().enumerate() {
        let field = format!("secrets[{place}]");
        if let (Some(start), Some(end)) = (not_before, not_after) {
            broken.unless(start < end, &*field, "is never valid: notAfter must be later than notBefore");
        }
        match key::decode(text, decode) {
            Ok(key) if fits(&key) => {
                keys.push(Dated { key, not_before: *not_before, not_after: *not_after });
            }
            Ok(_) => broken.add(
                field,
                format!(
                    "cannot come in a header: a token is visible ASCII without blanks, with its prefix at most \
                     {SIGNATURE_HEADER_BYTES_MAX} bytes"
                ),
            ),
            Err(message) => broken.add(field, message),
        }
    }
    keys
}

fn hmac(
    scheme: &Scheme,
    headers: &[HeaderName],
    form: Form,
    secrets: &[Secret],
    tolerance: Option<Duration>,
    broken: &mut Broken,
) -> HmacProof {
    let decode = scheme.key.as_ref().map_or(KeyDecode::Utf8, |key| key.decode);
    let keys = keys(secrets, decode, broken, |_| true);
    let signed = coverage::signed_parts(scheme, headers, broken);
    let clock = coverage::clock(scheme, headers, &signed, tolerance, broken);
    let encoding = scheme.signature.encoding.unwrap_or(Encoding::Hex);
    let keys = keys.iter().map(|dated| dated.map(|key| HmacKey::new(key))).collect();
    HmacProof { form, encoding, signed, clock, keys }
}

fn token(scheme: &Scheme, form: Form, secrets: &[Secret], broken: &mut Broken) -> TokenProof {
    broken.unless(
        !scheme.body_protected,
        "bodyProtected",
        "must be set to false: a token does not cover the body",
    );
    for (given, field) in [
        (scheme.algorithm.is_some(), "algorithm"),
        (scheme.key.is_some(), "key"),
        (scheme.signature.encoding.is_some(), "signature.encoding"),
        (!scheme.signed.is_empty(), "signed"),
        (scheme.timestamp.is_some(), "timestamp"),
    ] {
        broken.unless(!given, field, "is for kind hmac: leave it out");
    }
    let prefix = if let Form::Prefix(prefix) = form {
        prefix
    } else {
        broken.add("signature.grammar", "kind token takes a prefix or nothing");
        "".into()
    };
    let room = SIGNATURE_HEADER_BYTES_MAX.saturating_sub(prefix.len());
    let keys = keys(secrets, KeyDecode::Utf8, broken, |token| {
        token.len() <= room && token.iter().all(u8::is_ascii_graphic)
    });
    TokenProof::new(prefix, &keys)
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
    let Answer { success, duplicate, refused, unavailable, body: _ } =
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
