//! Where a signature is: its texts, one or several, as the request has them.
use std::borrow::Cow;

use boathook_template::Slot;
use http::HeaderName;

use crate::{Diagnosis, limits::SIGNATURES_MAX, parsed::Parsed};

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
    texts: [Cow<'r, str>; SIGNATURES_MAX],
    count: usize,
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
                let mut present = names.iter().filter(|name| parsed.request.headers.contains_key(*name));
                let name = present.next().or(names.first());
                Found::one(header(parsed, name)?, Self::first_header(names))
            }
            Self::EveryHeader(names) => Found::several(parsed, names, |_| true),
            Self::Numbered(names) => {
                let mut goes_on = true;
                Found::several(parsed, names, |present| {
                    goes_on &= present;
                    goes_on
                })
            }
            Self::Pointer(slot, pointer) => Found::one(
                parsed.pointed(*slot)?.map(|text| (text, Whereabouts::Pointer(pointer))),
                Whereabouts::Pointer(pointer),
            ),
            Self::Form(name) => Found::one(
                parsed.field(name)?.map(|text| (text, Whereabouts::Form(name))),
                Whereabouts::Form(name),
            ),
            Self::Query(name) => Found::one(
                parsed.parameter(name)?.map(|text| (text, Whereabouts::Query(name))),
                Whereabouts::Query(name),
            ),
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
        self.texts.iter().take(self.count).map(|text| &**text)
    }

    fn none(place: Whereabouts<'r>) -> Self {
        Self { texts: [const { Cow::Borrowed("") }; SIGNATURES_MAX], count: 0, place }
    }

    fn one(
        found: Option<(Cow<'r, str>, Whereabouts<'r>)>,
        place: Whereabouts<'r>,
    ) -> Result<Self, Diagnosis> {
        let (text, place) = found.ok_or_else(|| Diagnosis::SignatureMissing { place: place.words() })?;
        let mut found = Self::none(place);
        found.add(text);
        Ok(found)
    }

    /// The texts of the headers that count; `counts` is told of each whether it is present.
    fn several<'p: 'r>(
        parsed: &Parsed<'p>,
        names: &'r [HeaderName],
        mut counts: impl FnMut(bool) -> bool,
    ) -> Result<Self, Diagnosis> {
        let mut found = Self::none(Place::first_header(names));
        for name in names {
            let present = header(parsed, Some(name))?;
            if counts(present.is_some())
                && let Some((text, _)) = present
            {
                found.add(text);
            }
        }
        if found.count > 0 {
            Ok(found)
        } else {
            Err(Diagnosis::SignatureMissing { place: found.place.words() })
        }
    }

    fn add(&mut self, text: Cow<'r, str>) {
        if let Some(place) = self.texts.get_mut(self.count) {
            *place = text;
            self.count += 1;
        }
    }
}

impl Whereabouts<'_> {
    pub(crate) fn words(self) -> Box<str> {
        match self {
            Self::Header(name) => format!("header {name}").into(),
            Self::Pointer(pointer) => format!("body's {pointer}").into(),
            Self::Form(name) => format!("form field {name}").into(),
            Self::Query(name) => format!("query parameter {name}").into(),
        }
    }
}

/// The header's only value; blank ones are as good as none.
fn header<'t, 'r: 't>(
    parsed: &Parsed<'r>,
    name: Option<&'t HeaderName>,
) -> Result<Option<(Cow<'t, str>, Whereabouts<'t>)>, Diagnosis> {
    let Some(name) = name else { return Ok(None) };
    let at = Whereabouts::Header(name);
    let value = parsed.request.single(name).map_err(|_| Diagnosis::Repeated { place: at.words() })?;
    let Some(value) = value else { return Ok(None) };
    let text = value.to_str().map_err(|_| Diagnosis::SignatureMalformed { place: at.words() })?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()).map(|text| (Cow::Borrowed(text), at)))
}
