//! Checking a scheme's rules across its members, and making a [`Verifier`] of it.
use http::HeaderName;

use crate::{
    Algorithm, Duration, Encoding, Key as KeyRule, KeyDecode, Kind, Part, Scheme, Secret, TimestampFrom,
    TimestampRule, Verifier,
    grammar::Form,
    key::Key,
    limits::{CANDIDATES_MAX, HANDSHAKES_MAX, SECRETS_MAX, SIGNED_PARTS_MAX},
    verifier::{Clock, ClockSource, SignedPart},
};

/// A rule of a scheme that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SchemeError {
    /// The member, as a path from the scheme such as `signature.grammar` or `secrets[0]`.
    pub field: String,
    /// What is wrong and what to write.
    pub message: String,
}

/// Tolerance of a scheme that names none.
const TOLERANCE_DEFAULT: Duration = Duration::from_secs(300);

impl Verifier {
    /// Compiles. `tolerance` overrides the scheme's.
    ///
    /// # Errors
    /// Every broken rule, not just the first; an empty or undecodable secret is one (`secrets[N]`).
    pub fn compile(
        scheme: &Scheme,
        secrets: &[Secret],
        tolerance: Option<Duration>,
    ) -> Result<Verifier, Vec<SchemeError>> {
        let mut check = Check::default();
        check.bounds(scheme, secrets);
        check.members_of_the_kind(scheme);
        check.coverage(scheme);
        let headers = check.headers(scheme);
        let form = Form::compile(scheme.signature.grammar.as_ref());
        if form.is_none() {
            check
                .fail("signature.grammar", "write exactly one of prefix, keyValue and list, or leave it out");
        }
        let clock = scheme.timestamp.as_ref().and_then(|rule| check.clock(scheme, rule, tolerance));
        let signed = check.signed(scheme);
        let keys = check.keys(scheme, secrets);
        match form {
            Some(form) if check.errors.is_empty() => Ok(Verifier {
                kind: scheme.kind,
                headers,
                form,
                encoding: scheme.signature.encoding.unwrap_or(Encoding::Hex),
                signed,
                clock,
                keys,
            }),
            _ => Err(check.errors),
        }
    }
}

/// Collects what is wrong.
#[derive(Default)]
struct Check {
    errors: Vec<SchemeError>,
}

impl Check {
    fn fail(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(SchemeError { field: field.into(), message: message.into() });
    }

    fn bounds(&mut self, scheme: &Scheme, secrets: &[Secret]) {
        for (field, length, max) in [
            ("secrets", secrets.len(), SECRETS_MAX),
            ("signed", scheme.signed.len(), SIGNED_PARTS_MAX),
            ("handshakes", scheme.handshakes.len(), HANDSHAKES_MAX),
            ("id", scheme.id.len(), CANDIDATES_MAX),
            ("type", scheme.event_type.len(), CANDIDATES_MAX),
        ] {
            if length > max {
                self.fail(field, format!("at most {max} are possible, here are {length}"));
            }
        }
    }

    fn members_of_the_kind(&mut self, scheme: &Scheme) {
        if scheme.kind == Kind::Hmac {
            return;
        }
        let grammar = scheme.signature.grammar.as_ref();
        for (field, present) in [
            ("algorithm", scheme.algorithm == Some(Algorithm::Sha256)),
            ("key", scheme.key.is_some()),
            ("signature.encoding", scheme.signature.encoding.is_some()),
            ("signature.grammar.keyValue", grammar.is_some_and(|grammar| grammar.key_value.is_some())),
            ("signature.grammar.list", grammar.is_some_and(|grammar| grammar.list.is_some())),
            ("signed", !scheme.signed.is_empty()),
        ] {
            if present {
                self.fail(field, "kind token compares a header with the secret: leave this out");
            }
        }
    }

    /// What the file says about coverage must be what the scheme does.
    fn coverage(&mut self, scheme: &Scheme) {
        let signs = |part: &Part| scheme.kind == Kind::Hmac && scheme.signed.contains(part);
        let body = scheme.kind == Kind::Hmac && (scheme.signed.is_empty() || signs(&Part::Body));
        match (scheme.body_protected, body) {
            (true, false) => self.fail("bodyProtected", "the proof does not cover the body: write false"),
            (false, true) => self.fail("bodyProtected", "the signature covers the body: leave this out"),
            _ => {}
        }
        let Some(rule) = &scheme.timestamp else { return };
        match (rule.signed, signs(&Part::Timestamp)) {
            (true, false) => {
                self.fail("timestamp.signed", "the signature does not cover the timestamp: write false")
            }
            (false, true) => {
                self.fail("timestamp.signed", "the signature covers the timestamp: leave this out")
            }
            _ => {}
        }
    }

    fn headers(&mut self, scheme: &Scheme) -> Vec<HeaderName> {
        let names = &scheme.signature.from.headers;
        if names.is_empty() {
            self.fail("signature.from.headers", "name at least one header");
        }
        let named =
            |(index, name): (usize, &String)| self.header(format!("signature.from.headers[{index}]"), name);
        names.iter().enumerate().filter_map(named).collect()
    }

    fn header(&mut self, field: String, name: &str) -> Option<HeaderName> {
        let parsed = name.parse().ok();
        if parsed.is_none() {
            self.fail(field, format!("`{name}` is no header name"));
        }
        parsed
    }

    fn clock(&mut self, scheme: &Scheme, rule: &TimestampRule, tolerance: Option<Duration>) -> Option<Clock> {
        if rule.format.as_slice().is_empty() {
            self.fail("timestamp.format", "name at least one format");
        }
        let source = match &rule.from {
            TimestampFrom::Header(name) => {
                ClockSource::Header(self.header("timestamp.from.header".into(), name)?)
            }
            TimestampFrom::Signature => {
                let grammar =
                    scheme.signature.grammar.as_ref().and_then(|grammar| grammar.key_value.as_ref());
                if grammar.is_none_or(|key_value| key_value.timestamp.is_none()) {
                    let message = "`signature` needs the grammar keyValue with a timestamp key";
                    self.fail("timestamp.from", message);
                }
                ClockSource::Signature
            }
        };
        Some(Clock {
            source,
            formats: rule.format.as_slice().into(),
            tolerance: tolerance.or(rule.tolerance).unwrap_or(TOLERANCE_DEFAULT),
            enforce: rule.enforce,
        })
    }

    fn signed(&mut self, scheme: &Scheme) -> Vec<SignedPart> {
        if scheme.signed.is_empty() {
            return vec![SignedPart::Body];
        }
        let mut parts = Vec::new();
        for (index, part) in scheme.signed.iter().enumerate() {
            match part {
                Part::Body => parts.push(SignedPart::Body),
                Part::Literal(text) => parts.push(SignedPart::Literal(text.as_bytes().into())),
                Part::Header(name) => {
                    parts
                        .extend(self.header(format!("signed[{index}].header"), name).map(SignedPart::Header));
                }
                Part::Timestamp => {
                    if scheme.timestamp.is_none() {
                        self.fail(format!("signed[{index}]"), "`timestamp` needs the member `timestamp`");
                    }
                    parts.push(SignedPart::Timestamp);
                }
            }
        }
        parts
    }

    fn keys(&mut self, scheme: &Scheme, secrets: &[Secret]) -> Vec<Key> {
        if secrets.is_empty() {
            self.fail("secrets", "name at least one secret");
        }
        let decode = scheme.key.as_ref().map_or(KeyDecode::Utf8, |KeyRule { decode }| *decode);
        let mut keys = Vec::with_capacity(secrets.len());
        for (index, secret) in secrets.iter().enumerate() {
            match Key::new(secret, scheme.kind, decode) {
                Ok(key) => keys.push(key),
                Err(message) => self.fail(format!("secrets[{index}]"), message),
            }
        }
        keys
    }
}
