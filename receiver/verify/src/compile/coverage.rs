//! The rules of what is signed, and of the timestamp: what a scheme says about its coverage is what it does.
use boathook_template::Pointers;
use http::HeaderName;

use super::{Broken, place::slot};
use crate::{
    Duration, Kind, Part, Scheme, TimestampFrom, TimestampRule,
    grammar::Form,
    limits::{FIELD_NAME_BYTES_MAX, LITERAL_BYTES_MAX, SIGNED_PARTS_MAX, TOLERANCE_DEFAULT},
    signed_text::{SignedPart, SignedText},
    timestamp::{Clock, ClockFrom},
    url::{PublicUrl, UrlForm},
};

/// The signed parts of a scheme; without any it is the body.
fn parts(scheme: &Scheme) -> &[Part] {
    if scheme.signed.is_empty() { &[Part::Body] } else { &scheme.signed }
}

pub(super) fn signed_text(
    scheme: &Scheme,
    headers: &[HeaderName],
    public_url: Option<&str>,
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> SignedText {
    let parts = parts(scheme);
    broken.unless(
        parts.len() <= SIGNED_PARTS_MAX,
        "signed",
        format!("must have at most {SIGNED_PARTS_MAX} parts"),
    );
    let mut compiler = Parts { scheme, headers, pointers, broken };
    let signed = parts.iter().enumerate().filter_map(|(place, part)| compiler.part(place, part)).collect();
    let url = scheme.signs_url().then(|| self::public_url(public_url, broken)).flatten();
    let covers_body = parts.iter().any(covers_body);
    broken.unless(
        scheme.body_protected == covers_body,
        "bodyProtected",
        if covers_body {
            "must be true: the body is among the signed parts"
        } else {
            "must be set to false: the body is not among the signed parts"
        },
    );
    let secrets = parts.iter().filter(|part| **part == Part::Secret).count();
    broken.unless(
        scheme.kind != Kind::Hash || secrets == 1,
        "signed",
        "must have the part `secret` once for kind hash: else anybody could make the digest",
    );
    SignedText::new(signed, url)
}

/// A form field that is signed may be the whole body that counts; whether it is, only the scheme's author knows.
fn covers_body(part: &Part) -> bool {
    match part {
        Part::Body | Part::BodySha256 | Part::BodySha256Hex => true,
        Part::FormSorted(form) => form.digest_query.is_some(),
        _ => false,
    }
}

pub(super) fn public_url(text: Option<&str>, broken: &mut Broken) -> Option<PublicUrl> {
    let Some(text) = text else {
        broken.add(
            "publicURL",
            "is missing: this provider signs the URL that it calls, so write it as it is registered there",
        );
        return None;
    };
    PublicUrl::parse(text).map_err(|message| broken.add("publicURL", message)).ok()
}

/// Compiles parts of the signed text.
struct Parts<'s, 'b> {
    scheme: &'s Scheme,
    /// Those of the signature.
    headers: &'s [HeaderName],
    pointers: &'b mut Pointers,
    broken: &'b mut Broken,
}

impl Parts<'_, '_> {
    fn part(&mut self, place: usize, part: &Part) -> Option<SignedPart> {
        let field = |member: &str| format!("signed[{place}]{member}");
        match part {
            Part::Body => Some(SignedPart::Body),
            Part::Timestamp => {
                let given = self.scheme.timestamp.is_some();
                self.broken.unless(given, field(""), "needs `timestamp`, which says where it is");
                Some(SignedPart::Timestamp)
            }
            Part::Method => Some(SignedPart::Method),
            Part::Url => Some(SignedPart::Url(UrlForm::AsIs)),
            Part::UrlUnescaped => Some(SignedPart::Url(UrlForm::Unescaped)),
            Part::UrlEitherPort => Some(SignedPart::Url(UrlForm::EitherPort)),
            Part::QuerySorted => Some(SignedPart::QuerySorted),
            Part::BodySha256 => Some(SignedPart::BodySha256),
            Part::BodySha256Hex => Some(SignedPart::BodySha256Hex),
            Part::Secret => {
                self.broken.unless(self.scheme.kind == Kind::Hash, field(""), "is for kind hash alone");
                Some(SignedPart::Secret)
            }
            Part::Literal(text) => {
                self.broken.unless(
                    (1..=LITERAL_BYTES_MAX).contains(&text.len()),
                    field(".literal"),
                    format!("must have 1 to {LITERAL_BYTES_MAX} bytes"),
                );
                Some(SignedPart::Literal(text.as_str().into()))
            }
            Part::Header(name) => self.header(&field(".header"), name),
            Part::Query(name) => self.name(field(".query"), name).map(SignedPart::Query),
            Part::Form(name) => self.name(field(".form"), name).map(SignedPart::Form),
            Part::Pointer(pointer) => {
                let slot = slot(self.pointers, &field(".pointer"), pointer, self.broken)?;
                Some(SignedPart::Pointer(slot, pointer.as_str().into()))
            }
            Part::FormSorted(form) => {
                let parameter = form.digest_query.as_deref();
                let digest_query = match parameter {
                    Some(name) => Some(self.name(field(".formSorted.digestQuery"), name)?),
                    None => None,
                };
                Some(SignedPart::FormSorted { digest_query })
            }
        }
    }

    fn header(&mut self, field: &str, name: &str) -> Option<SignedPart> {
        let header = self.broken.header(field, name);
        let in_header = |rule: &TimestampRule| matches!(&rule.from, TimestampFrom::Header(time) if time.eq_ignore_ascii_case(name));
        if self.scheme.timestamp.as_ref().is_some_and(in_header) {
            self.broken.add(field, "is where the timestamp is: write `timestamp` instead");
        }
        if header.as_ref().is_some_and(|header| self.headers.contains(header)) {
            self.broken.add(field, "is the signature's own header, which it cannot cover");
        }
        header.map(SignedPart::Header)
    }

    fn name(&mut self, field: String, name: &str) -> Option<Box<str>> {
        let fits = (1..=FIELD_NAME_BYTES_MAX).contains(&name.len());
        self.broken.unless(fits, field, format!("must have 1 to {FIELD_NAME_BYTES_MAX} bytes"));
        fits.then(|| name.into())
    }
}

pub(super) fn clock(
    scheme: &Scheme,
    headers: &[HeaderName],
    form: &Form,
    tolerance: Option<Duration>,
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> Option<Clock> {
    let rule = scheme.timestamp.as_ref();
    in_signature(rule, form, broken);
    let rule = rule?;
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
    let covered = covers_time(parts(scheme), &rule.from);
    broken.unless(
        rule.signed == covered,
        "timestamp.signed",
        if covered {
            "must be true: the timestamp is among the signed parts"
        } else {
            "must be set to false: `timestamp` is not among the signed parts"
        },
    );
    let from = clock_from(&rule.from, headers, pointers, broken)?;
    let tolerance = tolerance.or(rule.tolerance).unwrap_or(TOLERANCE_DEFAULT);
    Some(Clock { from, formats: formats.to_vec(), tolerance, enforce: rule.enforce })
}

/// A timestamp in the signature's text needs a grammar with a place for it, and the reverse.
fn in_signature(rule: Option<&TimestampRule>, form: &Form, broken: &mut Broken) {
    let from_signature = rule.is_some_and(|rule| rule.from == TimestampFrom::Signature);
    let (has_place, field) = match form {
        Form::KeyValue(grammar) => (grammar.timestamp.is_some(), "signature.grammar.keyValue.timestamp"),
        Form::Positional(_) => (true, "signature.grammar.positional"),
        _ => (false, ""),
    };
    if from_signature && !has_place {
        broken.add("timestamp.from", "needs signature.grammar.keyValue with a timestamp key, or positional");
    }
    if !from_signature && has_place {
        broken.add(field, "needs timestamp.from: signature, or leave it out");
    }
}

/// Whether the signature covers the timestamp: as a part, or inside one.
fn covers_time(parts: &[Part], from: &TimestampFrom) -> bool {
    parts.iter().any(|part| match (part, from) {
        (Part::Timestamp, _) => true,
        (part, TimestampFrom::Pointer(pointer)) => {
            covers_body(part) || matches!(part, Part::Pointer(signed) if signed == pointer)
        }
        (part, TimestampFrom::Form(name)) => {
            covers_body(part) || matches!(part, Part::Form(signed) if signed == name)
        }
        _ => false,
    })
}

fn clock_from(
    from: &TimestampFrom,
    headers: &[HeaderName],
    pointers: &mut Pointers,
    broken: &mut Broken,
) -> Option<ClockFrom> {
    match from {
        TimestampFrom::Signature => Some(ClockFrom::Signature),
        TimestampFrom::Header(name) => {
            let header = broken.header("timestamp.from.header", name)?;
            if headers.contains(&header) {
                broken.add(
                    "timestamp.from.header",
                    "is the signature's header: write timestamp.from: signature",
                );
            }
            Some(ClockFrom::Header(header))
        }
        TimestampFrom::Pointer(pointer) => {
            slot(pointers, "timestamp.from.pointer", pointer, broken).map(ClockFrom::Pointer)
        }
        TimestampFrom::Form(name) => Some(ClockFrom::Form(name.as_str().into())),
    }
}
