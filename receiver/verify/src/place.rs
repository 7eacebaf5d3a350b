//! Where a signature is: its texts, one or several, as the request has them.
use std::borrow::Cow;

use boathook_template::Slot;
use http::HeaderName;
use smallvec::SmallVec;

use crate::{Diagnosis, parsed::Parsed, request};

/// A place, compiled.
pub(crate) enum Place {
    /// The first header that is present counts. Never empty.
    Headers(Vec<HeaderName>),
    /// Each of them may have a signature. Never empty.
    EveryHeader(Vec<HeaderName>),
    /// Read until one is missing. Never empty.
    Numbered(Vec<HeaderName>),
    /// A value of the JSON body, and its pointer.
    Pointer(Slot, Box<str>),
    /// A field of the form body.
    Form(Box<str>),
    /// A query parameter.
    Query(Box<str>),
}

/// What was found: at least one text, none empty.
pub(crate) struct Found<'r> {
    texts: SmallVec<[Cow<'r, str>; 2]>,
    /// Where, for people.
    pub(crate) place: Whereabouts<'r>,
}

/// The name of a place, made into words when they are needed.
#[derive(Clone, Copy)]
pub(crate) enum Whereabouts<'r> {
    Header(&'r HeaderName),
    Pointer(&'r str),
    Form(&'r str),
    Query(&'r str),
}

impl Place {
    /// # Errors
    /// `SignatureMissing`, `Repeated`, `SignatureMalformed` (no text), `BodyUnreadable`.
    pub(crate) fn find<'t, 'r: 't>(&'t self, parsed: &Parsed<'r>) -> Result<Found<'t>, Diagnosis> {
        match self {
            Self::Headers(names) => {
                for name in names {
                    if let Some(text) = header(parsed, name)? {
                        return Found::one(Some(Cow::Borrowed(text)), Whereabouts::Header(name));
                    }
                }
                Found::one(None, Self::first_header(names))
            }
            Self::EveryHeader(names) => Found::several(parsed, names, |_| true),
            Self::Numbered(names) => {
                let mut goes_on = true;
                Found::several(parsed, names, |present| {
                    goes_on &= present;
                    goes_on
                })
            }
            Self::Pointer(slot, pointer) => Found::one(parsed.pointed(*slot)?, Whereabouts::Pointer(pointer)),
            Self::Form(name) => Found::one(parsed.field(name)?, Whereabouts::Form(name)),
            Self::Query(name) => Found::one(parsed.parameter(name)?, Whereabouts::Query(name)),
        }
    }

    /// The headers of the place, the first of which we would send.
    pub(crate) fn headers(&self) -> &[HeaderName] {
        match self {
            Self::Headers(names) | Self::EveryHeader(names) | Self::Numbered(names) => names,
            Self::Pointer(..) | Self::Form(_) | Self::Query(_) => &[],
        }
    }

    fn first_header(names: &[HeaderName]) -> Whereabouts<'_> {
        names.first().map_or(Whereabouts::Pointer(""), Whereabouts::Header)
    }
}

impl<'r> Found<'r> {
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    fn none(place: Whereabouts<'r>) -> Self {
        Self { texts: SmallVec::new(), place }
    }

    fn one(text: Option<Cow<'r, str>>, place: Whereabouts<'r>) -> Result<Self, Diagnosis> {
        let mut found = Self::none(place);
        if let Some(text) = text.filter(|text| !is_blank(text)) {
            found.texts.push(text);
        }
        found.or_missing()
    }

    /// The texts of the headers that count; `counts` is told of each whether it is present.
    fn several<'p: 'r>(
        parsed: &Parsed<'p>,
        names: &'r [HeaderName],
        mut counts: impl FnMut(bool) -> bool,
    ) -> Result<Self, Diagnosis> {
        let mut found = Self::none(Place::first_header(names));
        for name in names {
            let text = header(parsed, name)?.filter(|text| !is_blank(text));
            if counts(text.is_some())
                && let Some(text) = text
            {
                found.texts.push(Cow::Borrowed(text));
            }
        }
        found.or_missing()
    }

    fn or_missing(self) -> Result<Self, Diagnosis> {
        if self.texts.is_empty() {
            return Err(Diagnosis::SignatureMissing { place: self.place.words() });
        }
        Ok(self)
    }
}

impl Whereabouts<'_> {
    #[cold]
    pub(crate) fn words(self) -> Box<str> {
        match self {
            Self::Header(name) => format!("header {name}").into(),
            Self::Pointer(pointer) => format!("body's {pointer}").into(),
            Self::Form(name) => format!("form field {name}").into(),
            Self::Query(name) => format!("query parameter {name}").into(),
        }
    }
}

/// Whether nothing stands in it.
fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// The header's only value.
fn header<'r>(parsed: &Parsed<'r>, name: &HeaderName) -> Result<Option<&'r str>, Diagnosis> {
    let place = || Whereabouts::Header(name).words();
    let value = parsed.request.single(name).map_err(|_| Diagnosis::Repeated { place: place() })?;
    value
        .map(|value| request::text(value).ok_or_else(|| Diagnosis::SignatureMalformed { place: place() }))
        .transpose()
}
