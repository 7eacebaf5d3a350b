//! The rules of what is signed, and of the timestamp: what a scheme says about its coverage is what it does.
use http::HeaderName;

use super::Broken;
use crate::{
    Duration, Part, Scheme, TimestampFrom,
    hmac_proof::SignedPart,
    limits::{LITERAL_BYTES_MAX, SIGNED_PARTS_MAX},
    timestamp::Clock,
};

/// How far a timestamp may be from our clock where nobody says.
const TOLERANCE: Duration = Duration::from_secs(300);

pub(super) fn signed_parts(scheme: &Scheme, headers: &[HeaderName], broken: &mut Broken) -> Vec<SignedPart> {
    let parts = if scheme.signed.is_empty() { &[Part::Body] } else { &*scheme.signed };
    broken.unless(
        parts.len() <= SIGNED_PARTS_MAX,
        "signed",
        format!("must have at most {SIGNED_PARTS_MAX} parts"),
    );
    let time_header = scheme.timestamp.as_ref().and_then(|rule| match &rule.from {
        TimestampFrom::Signature => None,
        TimestampFrom::Header(name) => Some(name),
    });
    let mut signed = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let field = |member: &str| format!("signed[{place}]{member}");
        signed.extend(match part {
            Part::Body => Some(SignedPart::Body),
            Part::Timestamp => {
                broken.unless(
                    scheme.timestamp.is_some(),
                    field(""),
                    "needs `timestamp`, which says where it is",
                );
                Some(SignedPart::Timestamp)
            }
            Part::Literal(text) => {
                broken.unless(
                    (1..=LITERAL_BYTES_MAX).contains(&text.len()),
                    field(".literal"),
                    format!("must have 1 to {LITERAL_BYTES_MAX} bytes"),
                );
                Some(SignedPart::Literal(text.as_str().into()))
            }
            Part::Header(name) => {
                let header = broken.header(field(".header"), name);
                if time_header.is_some_and(|time| time.eq_ignore_ascii_case(name)) {
                    broken.add(field(".header"), "is where the timestamp is: write `timestamp` instead");
                }
                if header.as_ref().is_some_and(|header| headers.contains(header)) {
                    broken.add(field(".header"), "is the signature's own header, which it cannot cover");
                }
                header.map(SignedPart::Header)
            }
        });
    }
    let covers_body = parts.contains(&Part::Body);
    broken.unless(
        scheme.body_protected == covers_body,
        "bodyProtected",
        if covers_body {
            "must be true: `body` is among the signed parts"
        } else {
            "must be set to false: `body` is not among the signed parts"
        },
    );
    signed
}

pub(super) fn clock(
    scheme: &Scheme,
    headers: &[HeaderName],
    signed: &[SignedPart],
    tolerance: Option<Duration>,
    broken: &mut Broken,
) -> Option<Clock> {
    let key = scheme
        .signature
        .grammar
        .as_ref()
        .and_then(|grammar| grammar.key_value.as_ref())
        .and_then(|grammar| grammar.timestamp.as_ref());
    let rule = scheme.timestamp.as_ref();
    let from_signature = rule.is_some_and(|rule| rule.from == TimestampFrom::Signature);
    if from_signature && key.is_none() {
        broken.add("timestamp.from", "needs signature.grammar.keyValue with a timestamp key");
    }
    if !from_signature && key.is_some() {
        broken
            .add("signature.grammar.keyValue.timestamp", "needs timestamp.from: signature, or leave it out");
    }
    let rule = rule?;
    let header = match &rule.from {
        TimestampFrom::Signature => None,
        TimestampFrom::Header(name) => broken.header("timestamp.from.header", name),
    };
    if header.as_ref().is_some_and(|header| headers.contains(header)) {
        broken.add("timestamp.from.header", "is the signature's header: write timestamp.from: signature");
    }
    let formats = rule.format.as_slice();
    let repeated = formats
        .iter()
        .enumerate()
        .any(|(place, format)| formats.iter().skip(place + 1).any(|other| other == format));
    broken.unless(
        !formats.is_empty() && !repeated,
        "timestamp.format",
        "must be one format or several different ones",
    );
    let covered = signed.iter().any(|part| matches!(part, SignedPart::Timestamp));
    broken.unless(
        rule.signed == covered,
        "timestamp.signed",
        if covered {
            "must be true: `timestamp` is among the signed parts"
        } else {
            "must be set to false: `timestamp` is not among the signed parts"
        },
    );
    let tolerance = tolerance.or(rule.tolerance).unwrap_or(TOLERANCE);
    Some(Clock { header, formats: formats.to_vec(), tolerance, enforce: rule.enforce })
}
