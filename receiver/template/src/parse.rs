//! From text to a compiled template.
use crate::limits::{ALTERNATIVES_MAX, PARTS_MAX, TEMPLATE_BYTES_MAX};
use crate::template::{Alternatives, Part, push_literal};
use crate::{Error, Hole, Place, Pointers, Template};

/// Reads a template's text from left to right.
pub(crate) struct Parser<'t, 'p> {
    text: &'t str,
    /// What is not read yet: always an end of `text`.
    rest: &'t str,
    place: Place,
    pointers: &'p mut Pointers,
}

impl<'t, 'p> Parser<'t, 'p> {
    pub(crate) fn new(text: &'t str, place: Place, pointers: &'p mut Pointers) -> Result<Self, Error> {
        if text.len() > TEMPLATE_BYTES_MAX {
            let quoted = text.get(..text.floor_char_boundary(TEMPLATE_BYTES_MAX)).unwrap_or_default();
            let message = format!(
                "a template has at most {TEMPLATE_BYTES_MAX} bytes, this one {}: shorten it",
                text.len()
            );
            return Err(Error::new(quoted, quoted.len(), message));
        }
        Ok(Parser { text, rest: text, place, pointers })
    }

    pub(crate) fn template(mut self) -> Result<Template, Error> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        loop {
            literal.push_str(self.take_until(&['{', '}']));
            let at = self.at();
            match self.take_char() {
                Some('{') => {
                    let hole = self.alternatives(at)?;
                    match hole.otherwise {
                        Some(text) if hole.holes.is_empty() => literal.push_str(&text),
                        otherwise => {
                            push_literal(&mut parts, &mut literal);
                            parts.push(Part::Hole(Alternatives { otherwise, ..hole }));
                        }
                    }
                }
                Some(_) => return Err(self.error(at, "a `}` outside a hole: write it as `{'}'}`")),
                None => break,
            }
        }
        push_literal(&mut parts, &mut literal);
        if parts.len() > PARTS_MAX {
            let message = format!("a template has at most {PARTS_MAX} holes and literals: leave some out");
            return Err(self.error(self.at(), message));
        }
        Ok(Template { parts: parts.into() })
    }

    /// The content of a hole up to its `}`; `open` is the place of its `{`.
    fn alternatives(&mut self, open: usize) -> Result<Alternatives, Error> {
        let mut found = Alternatives::default();
        loop {
            let at = self.at();
            if found.holes.len() == ALTERNATIVES_MAX {
                let message = format!("a hole has at most {ALTERNATIVES_MAX} alternatives: leave some out");
                return Err(self.error(at, message));
            }
            if self.rest.starts_with('\'') {
                found.otherwise = Some(self.quoted()?);
            } else {
                let text = self.take_until(&['|', '{', '}']);
                // An unclosed hole swallows text that was not meant for it: say so before judging that text.
                if self.rest.is_empty() || self.rest.starts_with('{') {
                    return Err(self.unclosed(open));
                }
                found.holes.push(self.hole(text, at)?);
            }
            let at = self.at();
            match self.take_char() {
                Some('}') => return Ok(found),
                Some('|') if found.otherwise.is_none() => {}
                Some('|') => {
                    let message =
                        "a quoted literal is never empty, so nothing after it is tried: put it last";
                    return Err(self.error(at, message));
                }
                Some(_) => {
                    return Err(self.error(at, "after a quoted literal write `}`; a quote in it as `''`"));
                }
                None => return Err(self.unclosed(open)),
            }
        }
    }

    /// One alternative that is not quoted, found at `at`.
    fn hole(&mut self, text: &str, at: usize) -> Result<Hole, Error> {
        if text.trim().is_empty() {
            let message =
                "nothing to ask for: write what to take, such as `{id}`, or `{body}` for the whole body";
            return Err(self.error(at, message));
        }
        if text.starts_with('/') {
            if text.trim_end() != text {
                let message = format!("a space after the pointer: write `{}`", text.trim_end());
                return Err(self.error(at + text.trim_end().len(), message));
            }
            let slot = self.pointers.slot(text).map_err(|e| self.error(at + e.at, e.message))?;
            return Ok(Hole::Pointer(slot));
        }
        let hole = Hole::parse(text).map_err(|message| self.error(at, message))?;
        if !hole.is_known_in(self.place) {
            return Err(self.error(at, format!("`{{{text}}}`: {}", self.place.advice())));
        }
        Ok(hole)
    }

    /// A quoted literal, which the rest starts with.
    fn quoted(&mut self) -> Result<Box<str>, Error> {
        let open = self.at();
        let mut literal = String::new();
        self.take_char();
        loop {
            literal.push_str(self.take_until(&['\'']));
            if self.take_char().is_none() {
                return Err(self.error(open, "a quoted literal without an end: close it with `'`"));
            }
            match self.rest.strip_prefix('\'') {
                Some(rest) => self.rest = rest,
                None => break,
            }
            literal.push('\'');
        }
        if literal.is_empty() {
            return Err(self.error(open, "an empty literal stands for nothing: leave it out"));
        }
        Ok(literal.into())
    }

    fn take_until(&mut self, ends: &[char]) -> &'t str {
        let (taken, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn take_char(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let taken = chars.next();
        self.rest = chars.as_str();
        taken
    }

    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn error(&self, at: usize, message: impl Into<Box<str>>) -> Error {
        Error::new(self.text, at, message)
    }

    fn unclosed(&self, open: usize) -> Error {
        self.error(open, "a hole that is not closed: write its `}`, or `{'{'}` for a brace as text")
    }
}
