//! A compiled template: its parts, and what can be told of it without rendering.
use crate::parse::Parser;
use crate::{Error, Hole, Place, Pointers, Slot};

/// A compiled template. [`Template::render`] gives its text.
#[derive(Debug, Clone)]
pub struct Template {
    /// Never two literals in a row: an empty hole drops at most one part.
    pub(crate) parts: Box<[Part]>,
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    Literal(Box<str>),
    Hole(Alternatives),
}

/// The content of one hole: what to ask for, in order, and what to write when all of it is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alternatives {
    pub(crate) holes: Vec<Hole>,
    pub(crate) otherwise: Option<Box<str>>,
}

impl Template {
    /// Compiles `text`, adding its pointers to `pointers` (those before a mistake are added too).
    ///
    /// # Errors
    /// Where the text is not of the language, a hole is not known in `place`, or a limit of [`crate::limits`]
    /// is exceeded.
    pub fn parse(text: &str, place: Place, pointers: &mut Pointers) -> Result<Template, Error> {
        Parser::new(text, place, pointers)?.template()
    }

    /// The text of a template that has no holes.
    pub fn constant(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The pointer of a template that is one pointer and nothing else, such as `{/data/amount}`: where the
    /// target knows JSON, its value keeps its JSON type ([`crate::Values::raw`]).
    pub fn lone_pointer(&self) -> Option<Slot> {
        match self.lone_hole() {
            Some(Hole::Pointer(slot)) => Some(*slot),
            _ => None,
        }
    }

    /// Whether rendering needs the body's [`crate::Values`].
    pub fn uses_pointers(&self) -> bool {
        self.holes().any(|hole| matches!(hole, Hole::Pointer(_)))
    }

    /// Everything the template may ask a source for, in the order it is written; repeated where it is written
    /// repeatedly.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().flat_map(|part| match part {
            Part::Literal(_) => [].iter(),
            Part::Hole(alternatives) => alternatives.holes.iter(),
        })
    }

    /// The hole of a template that is one hole without alternatives.
    pub(crate) fn lone_hole(&self) -> Option<&Hole> {
        match &*self.parts {
            [Part::Hole(Alternatives { holes, otherwise: None })] => match &**holes {
                [hole] => Some(hole),
                _ => None,
            },
            _ => None,
        }
    }
}
