//! Handshakes: requests by which a provider makes sure that the URL is ours, answered at once and not delivered.
mod answer;
mod brought;
mod compile;

use std::{borrow::Cow, fmt};

use boathook_template::{Hole, Pointers, Slot, Source, Template, Values};
use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

pub use self::brought::BroughtSecret;
use self::{answer::Answer, brought::Capture};
use crate::{Diagnosis, RawRequest, Rejection, Scheme, SchemeError, Setup, Verified};

/// A scheme's handshakes, compiled.
#[derive(Debug, Default)]
pub struct Handshakes {
    pointers: Pointers,
    rules: Vec<Rule>,
}

/// What is answered to a handshake. Its headers and body may have a secret in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// Headers, the content type of a body among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; may be empty.
    pub body: String,
    /// The secret that the request brings: to be kept before this is sent.
    pub secret: Option<BroughtSecret>,
    /// The URL that must be visited first, with a status of 200 to 299: else it is not to be answered so. It is of a host that
    /// the provider's scheme names.
    pub visit: Option<Box<str>>,
}

/// One handshake, compiled.
#[derive(Debug)]
struct Rule {
    method: Method,
    subject: Option<Subject>,
    equals: Option<Box<str>>,
    /// The request must be genuine.
    gated: bool,
    /// A template, and the digest of the text that its value must be.
    verify_token: Option<(Template, TokenDigest)>,
    /// It counts only while a secret is awaited, and brings one.
    capture: Option<Capture>,
    answer: Answer,
}

/// The SHA-256 of a verify token.
struct TokenDigest([u8; 32]);

/// The value by which a handshake is known.
#[derive(Debug)]
enum Subject {
    Pointer(Slot),
    Header(HeaderName),
    Query(Box<str>),
}

impl Handshakes {
    /// Compiles.
    ///
    /// # Errors
    /// Every broken pointer, text or template (`handshakes[0].match.pointer`).
    pub fn compile(scheme: &Scheme, setup: &Setup<'_>) -> Result<Self, Vec<SchemeError>> {
        compile::handshakes(scheme, setup)
    }

    /// Whether requests of this method may be handshakes.
    pub fn take(&self, method: &Method) -> bool {
        self.rules.iter().any(|rule| rule.method == *method)
    }

    /// The answer to a handshake that needs no proof: providers ask before they have a secret. Only where `armed` may it be
    /// one that brings a secret: whoever knows the URL can send that.
    ///
    /// # Errors
    /// It is one, and its verify token is not ours.
    pub fn before_proof(&self, request: &RawRequest, armed: bool) -> Option<Result<Answered, Rejection>> {
        self.answer(request, |rule| !rule.gated && (armed || rule.capture.is_none()))
    }

    /// The answer to a genuine request that is a handshake.
    pub fn after_proof(&self, verified: &Verified<'_>) -> Option<Answered> {
        self.answer(verified.request(), |rule| rule.gated)?.ok()
    }

    fn answer(
        &self,
        request: &RawRequest,
        counts: impl Fn(&Rule) -> bool,
    ) -> Option<Result<Answered, Rejection>> {
        let mut rules = self.rules.iter().filter(|rule| counts(rule) && rule.may_be(request)).peekable();
        rules.peek()?;
        let values = match self.pointers.is_empty() {
            true => Values::none(),
            false => self.pointers.scan(&request.body).unwrap_or_else(|_| Values::none()),
        };
        let source = Request { request, values: &values };
        rules.find_map(|rule| rule.answer(&source))
    }
}

impl Rule {
    /// Whether it is worth a scan of the body: ordinary deliveries seldom hold the text.
    fn may_be(&self, request: &RawRequest) -> bool {
        self.method == request.method
            && match (&self.subject, &self.equals) {
                (Some(Subject::Pointer(_)), Some(equals)) => may_hold(&request.body, equals),
                _ => true,
            }
    }

    fn answer(&self, source: &Request<'_>) -> Option<Result<Answered, Rejection>> {
        let fits = match &self.subject {
            None => true,
            Some(subject) => {
                let value = source.subject(subject).filter(|value| !value.is_empty())?;
                self.equals.as_ref().is_none_or(|equals| value == **equals)
            }
        };
        if !fits {
            return None;
        }
        if let Some((template, digest)) = &self.verify_token {
            let sent: [u8; 32] =
                Sha256::digest(template.render(source).unwrap_or_default().as_bytes()).into();
            if !bool::from(sent.ct_eq(&digest.0)) {
                return Some(Err(Diagnosis::VerifyTokenDiffers.into()));
            }
        }
        let secret = match &self.capture {
            Some(capture) => Some(capture.secret(source)?),
            None => None,
        };
        self.answer.render(source).map(|answered| Ok(Answered { secret, ..answered }))
    }
}

/// Whether a scan of this body can find the text. Looks for the text's longest run of characters that no writer of JSON
/// escapes.
fn may_hold(body: &[u8], text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let run = text.split(|c| !plain(c)).max_by_key(|run| run.len()).unwrap_or_default();
    std::str::from_utf8(body).is_ok_and(|body| body.contains(run))
}

/// What templates may ask for.
struct Request<'a> {
    request: &'a RawRequest,
    values: &'a Values<'a>,
}

impl Request<'_> {
    fn subject(&self, subject: &Subject) -> Option<Cow<'_, str>> {
        match subject {
            Subject::Pointer(slot) => self.values.text(*slot),
            Subject::Header(name) => self.request.header(name.as_str()).map(Cow::Borrowed),
            Subject::Query(name) => self.request.parameter(name),
        }
    }
}

impl Source for Request<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Pointer(slot) => self.values.text(*slot),
            Hole::Header(name) => self.request.header(name).map(Cow::Borrowed),
            Hole::Query(name) => self.request.parameter(name),
            _ => None,
        }
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Answered {
    /// The content type of the body.
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.headers.iter().find(|(name, _)| *name == CONTENT_TYPE).map(|(_, value)| value)
    }
}
