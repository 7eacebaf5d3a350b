//! The signed bytes of a request, in pieces.
use std::{borrow::Cow, collections::BTreeMap};

use boathook_template::Slot;
use faster_hex::hex_string;
use http::{HeaderName, header::CONTENT_TYPE};
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;

use crate::{
    Diagnosis,
    limits::SIGNED_PARTS_MAX,
    parsed::Parsed,
    url::{PublicUrl, UrlForm},
};

/// A part of the signed text, compiled.
pub(crate) enum SignedPart {
    Body,
    Timestamp,
    Method,
    Url(UrlForm),
    QuerySorted,
    BodySha256,
    BodySha256Hex,
    Secret,
    Literal(Box<str>),
    Header(HeaderName),
    Query(Box<str>),
    Form(Box<str>),
    Pointer(Slot, Box<str>),
    FormSorted { digest_query: Option<Box<str>> },
}

/// The rule by which a request's signed bytes are put together.
pub(crate) struct SignedText {
    /// At most [`SIGNED_PARTS_MAX`].
    parts: Vec<SignedPart>,
    /// Where a part is a URL.
    url: Option<PublicUrl>,
    variants: usize,
    has_timestamp: bool,
}

/// One piece of the text.
pub(crate) enum Piece<'r> {
    Bytes(Cow<'r, [u8]>),
    /// Where the key's bytes stand.
    Secret,
}

/// The signed text in pieces; as many as most schemes sign do not allocate.
pub(crate) type Pieces<'r> = SmallVec<[Piece<'r>; 6]>;

impl SignedText {
    pub(crate) fn new(parts: Vec<SignedPart>, url: Option<PublicUrl>) -> Self {
        let either = |part: &SignedPart| matches!(part, SignedPart::Url(UrlForm::EitherPort));
        let variants = if parts.iter().any(either) { 2 } else { 1 };
        let has_timestamp = parts.iter().any(|part| matches!(part, SignedPart::Timestamp));
        Self { parts, url, variants, has_timestamp }
    }

    /// How many texts may be signed: a URL may be written in two ways.
    pub(crate) fn variants(&self) -> usize {
        self.variants
    }

    /// Whether the timestamp's text is a part.
    pub(crate) fn has_timestamp(&self) -> bool {
        self.has_timestamp
    }

    /// Writes the text, in the `variant`-th way, into `pieces`, in place of what is there: to give it back would be to move
    /// it, which costs more than writing it.
    ///
    /// # Errors
    /// A part that is missing or ambiguous.
    pub(crate) fn write<'t, 'r: 't>(
        &'t self,
        pieces: &mut Pieces<'t>,
        parsed: &Parsed<'r>,
        timestamp: Option<&'t str>,
        variant: usize,
    ) -> Result<(), Diagnosis> {
        pieces.clear();
        for part in self.parts.iter().take(SIGNED_PARTS_MAX) {
            pieces.push(match part {
                SignedPart::Secret => Piece::Secret,
                _ => Piece::Bytes(self.piece(part, parsed, timestamp, variant)?),
            });
        }
        Ok(())
    }

    fn piece<'t, 'r: 't>(
        &'t self,
        part: &'t SignedPart,
        parsed: &Parsed<'r>,
        timestamp: Option<&'t str>,
        variant: usize,
    ) -> Result<Cow<'t, [u8]>, Diagnosis> {
        let request = parsed.request;
        let borrowed = |bytes: &'t [u8]| Ok(Cow::Borrowed(bytes));
        let text = |text: Option<Cow<'t, str>>, place: &dyn Fn() -> String| {
            text.map(into_bytes).ok_or_else(|| Diagnosis::SignedPartMissing { place: place().into() })
        };
        match part {
            SignedPart::Body => borrowed(&request.body),
            SignedPart::Timestamp => borrowed(timestamp.ok_or(Diagnosis::TimestampMissing)?.as_bytes()),
            SignedPart::Method => borrowed(request.method.as_str().as_bytes()),
            SignedPart::Url(form) => {
                let url = self.url.as_ref().map(|url| url.signed(request.query.as_deref(), *form, variant));
                Ok(url.unwrap_or_default())
            }
            SignedPart::QuerySorted => Ok(Cow::Owned(sorted(request.query.as_deref().unwrap_or("")))),
            SignedPart::BodySha256 => Ok(Cow::Owned(Sha256::digest(&request.body).to_vec())),
            SignedPart::BodySha256Hex => Ok(Cow::Owned(hex_string(&Sha256::digest(&request.body)).into())),
            SignedPart::Secret => Ok(Cow::Borrowed(&[])),
            SignedPart::Literal(literal) => borrowed(literal.as_bytes()),
            SignedPart::Header(name) => {
                let place = || format!("header {name}").into();
                let value = request.single(name).map_err(|_| Diagnosis::Repeated { place: place() })?;
                let value = value.filter(|value| !value.is_empty());
                value
                    .map(|value| Cow::Borrowed(value.as_bytes()))
                    .ok_or_else(|| Diagnosis::SignedPartMissing { place: place() })
            }
            SignedPart::Query(name) => text(parsed.parameter(name)?, &|| format!("query parameter {name}")),
            SignedPart::Form(name) => text(parsed.field(name)?, &|| format!("form field {name}")),
            SignedPart::Pointer(slot, pointer) => {
                text(parsed.pointed(*slot)?, &|| format!("body's {pointer}"))
            }
            SignedPart::FormSorted { digest_query } => form_sorted(parsed, digest_query.as_deref()),
        }
    }
}

/// The parameters as received, in the order of their names.
fn sorted(query: &str) -> Vec<u8> {
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_by_key(|pair| pair.split('=').next());
    pairs.join("&").into_bytes()
}

/// A form's fields, sorted, each value once. Another body must be the one whose digest the URL has.
fn form_sorted<'r>(parsed: &Parsed<'r>, digest_query: Option<&str>) -> Result<Cow<'r, [u8]>, Diagnosis> {
    let request = parsed.request;
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let mut fields: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in parsed.form()? {
            fields.entry(name).or_default().push(value);
        }
        let mut text = Vec::with_capacity(request.body.len());
        for (name, mut values) in fields {
            values.sort_unstable();
            values.dedup();
            for value in values {
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(value.as_bytes());
            }
        }
        return Ok(Cow::Owned(text));
    }
    let Some(parameter) = digest_query else { return Ok(Cow::Borrowed(&[])) };
    let sent = parsed.parameter(parameter)?;
    let is_it = |sent: &str| sent.eq_ignore_ascii_case(&hex_string(&Sha256::digest(&request.body)));
    match sent.as_deref() {
        None if request.body.is_empty() => Ok(Cow::Borrowed(&[])),
        Some(sent) if is_it(sent) => Ok(Cow::Borrowed(&[])),
        _ => Err(Diagnosis::BodyDigestDiffers { parameter: parameter.into() }),
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
