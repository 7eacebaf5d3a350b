//! What a person may do about a refused request: looked for once it is refused, and never a reason to accept it.
use std::sync::LazyLock;

use http::HeaderName;
use jiff::Timestamp;

use crate::{
    Code, Diagnosis, RawRequest, Rejection, Scheme, Verifier,
    limits::{HEADER_NAME_BYTES_MAX, HINT_BODY_BYTES_MAX, HINT_HEADERS_MAX},
    presets,
    providers::edits,
};

/// Something that would explain a refusal; never told to the sender, never secret or payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hint {
    /// The body was re-written on its way.
    #[error(
        "the signature fits the body without the blanks between its JSON tokens: something on the way re-formats it"
    )]
    BodyReformatted,
    /// Something on the way, or a test, has added line ends.
    #[error("the signature fits the body without its trailing line end: send the bytes as they were signed")]
    LineEndAdded,
    /// A header that looks like the one that is missing.
    #[error("there is a header {header}: is it meant to be {wanted}?")]
    SimilarHeader {
        /// The one that came.
        header: Box<str>,
        /// The one that is looked for.
        wanted: Box<str>,
    },
    /// The header of another preset.
    #[error("there is a header {header}, as {} send: is this endpoint's provider the right one?", providers.join(", "))]
    OtherProvider {
        /// It.
        header: Box<str>,
        /// The presets that look at it.
        providers: Vec<&'static str>,
    },
    /// A genuine timestamp from the future.
    #[error("the signature is genuine, and nobody sends from the future: does this machine's clock lag?")]
    ClockLags,
}

impl Hint {
    /// Whether a known secret has made it all the same.
    pub fn is_signed(&self) -> bool {
        match self {
            Self::BodyReformatted | Self::LineEndAdded | Self::ClockLags => true,
            Self::SimilarHeader { .. } | Self::OtherProvider { .. } => false,
        }
    }
}

/// The headers in which presets look for signatures.
static PRESET_HEADERS: LazyLock<Vec<(HeaderName, &'static str)>> = LazyLock::new(|| {
    let headers = |(id, scheme): (&'static str, Scheme)| {
        let from = scheme.signature?.from;
        let names = from.headers.into_iter().chain(from.every_header);
        Some(names.filter_map(move |name| Some((name.parse().ok()?, id))))
    };
    presets().filter_map(headers).flatten().collect()
});

impl Verifier {
    /// What would explain that the request was refused, if anything does. It costs up to three more checks: not for every
    /// request of a flood.
    pub fn hint(&self, request: &RawRequest, rejection: &Rejection, now: Timestamp) -> Option<Hint> {
        match &rejection.diagnosis {
            Diagnosis::SignatureMissing { .. } => {
                self.similar(request).or_else(|| self.other_provider(request))
            }
            Diagnosis::SignatureMalformed { .. } | Diagnosis::NoSecretMatches => {
                self.changed_body(request, now)
            }
            Diagnosis::TimestampOutsideTolerance { skew_millis, .. } => {
                (*skew_millis > 0).then_some(Hint::ClockLags)
            }
            _ => None,
        }
    }

    fn changed_body(&self, request: &RawRequest, now: Timestamp) -> Option<Hint> {
        let body =
            std::str::from_utf8(&request.body).ok().filter(|body| body.len() <= HINT_BODY_BYTES_MAX)?;
        let fits = |changed: &str| {
            let request = RawRequest { body: changed.to_owned().into(), ..request.clone() };
            match self.verify(&request, now) {
                Ok(_) => true,
                Err(rejection) => rejection.code == Code::StaleTimestamp,
            }
        };
        let trimmed = body.trim_end_matches(['\r', '\n']);
        if trimmed.len() < body.len() && fits(trimmed) {
            return Some(Hint::LineEndAdded);
        }
        let compact = compact(body);
        (compact.len() < body.len() && fits(&compact)).then_some(Hint::BodyReformatted)
    }

    /// A header that differs from a wanted one by a letter or two, or by `X-` in front.
    fn similar(&self, request: &RawRequest) -> Option<Hint> {
        let bare = |name: &str| name.strip_prefix("x-").unwrap_or(name).replace('_', "-");
        let near = |sent: &str, wanted: &str| {
            let (sent, wanted) = (bare(sent), bare(wanted));
            sent == wanted || (wanted.len() >= 8 && edits(&sent, &wanted) <= 2)
        };
        let wanted = self.headers();
        let sent = request.headers.keys().take(HINT_HEADERS_MAX).filter(|name| !wanted.contains(name));
        let sent = sent.filter(|name| name.as_str().len() <= HEADER_NAME_BYTES_MAX);
        sent.into_iter().find_map(|name| {
            let wanted = wanted.iter().find(|wanted| near(name.as_str(), wanted.as_str()))?;
            Some(Hint::SimilarHeader { header: name.as_str().into(), wanted: wanted.as_str().into() })
        })
    }

    fn other_provider(&self, request: &RawRequest) -> Option<Hint> {
        // Others send these for reasons of their own.
        let common = |name: &HeaderName| *name == http::header::AUTHORIZATION;
        let wanted = self.headers();
        let (header, _) = PRESET_HEADERS.iter().find(|(name, _)| {
            request.headers.contains_key(name) && !common(name) && !wanted.contains(name)
        })?;
        let of_header = PRESET_HEADERS.iter().filter(|(name, _)| name == header);
        let providers = of_header.map(|(_, id)| *id).collect();
        Some(Hint::OtherProvider { header: header.as_str().into(), providers })
    }
}

/// The text without the blanks between JSON's tokens.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if !in_string && matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        compact.push(character);
    }
    compact
}
