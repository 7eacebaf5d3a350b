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

    /// The same with constants in the place of `{attr:NAME}`, which are never empty: nothing behind them is tried.
    ///
    /// # Errors
    /// The first name of which `constant` knows nothing.
    pub fn with_attributes<'a>(
        self,
        constant: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Template, Box<str>> {
        let (mut parts, mut literal) = (Vec::with_capacity(self.parts.len()), String::new());
        for part in self.parts {
            let mut alternatives = match part {
                Part::Literal(text) => {
                    literal.push_str(&text);
                    continue;
                }
                Part::Hole(alternatives) => alternatives,
            };
            let mut first = None;
            for (at, hole) in alternatives.holes.iter().enumerate() {
                if let Hole::Attr(name) = hole {
                    let value = constant(name).ok_or_else(|| name.clone())?;
                    first.get_or_insert((at, value));
                }
            }
            if let Some((at, value)) = first {
                alternatives.holes.truncate(at);
                alternatives.otherwise = Some(value.into());
            }
            match alternatives.otherwise {
                Some(text) if alternatives.holes.is_empty() => literal.push_str(&text),
                otherwise => {
                    push_literal(&mut parts, &mut literal);
                    parts.push(Part::Hole(Alternatives { otherwise, ..alternatives }));
                }
            }
        }
        push_literal(&mut parts, &mut literal);
        Ok(Template { parts: parts.into() })
    }

    /// The attributes without which a hole of the template is empty: those that have no alternative.
    pub fn needed_attributes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(Alternatives { holes, otherwise: None }) => match &**holes {
                [Hole::Attr(name)] => Some(&**name),
                _ => None,
            },
            _ => None,
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

/// Ends a literal that is being collected, if it is not empty.
pub(crate) fn push_literal(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into()));
    }
}
