//! Rendering: asking a source for each hole's value.
use std::borrow::Cow;

use crate::{
    Hole, Template,
    limits::OUTPUT_BYTES_MAX,
    parse::{Alternative, Part},
};

/// Where the values come from: a request, an event, a delivery.
pub trait Source {
    /// The text for a hole; `None` where there is none (an empty text counts as none).
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>>;
}

impl Template {
    /// The text, or `None` when every hole is empty (a template without holes always has a text) or the output
    /// would exceed [`OUTPUT_BYTES_MAX`].
    ///
    /// Borrows, without allocating, where the template is one hole or one literal. An empty hole also drops the
    /// literal just before it.
    pub fn render<'s>(&'s self, source: &'s impl Source) -> Option<Cow<'s, str>> {
        if let Some(constant) = self.constant() {
            return Some(Cow::Borrowed(constant));
        }
        if let [Part::Hole(alternatives)] = &*self.parts {
            let whole_body = matches!(&**alternatives, [Alternative::Value(Hole::Body)]);
            return first(alternatives, source).filter(|text| whole_body || text.len() <= OUTPUT_BYTES_MAX);
        }
        self.join(source).map(Cow::Owned)
    }

    fn join(&self, source: &impl Source) -> Option<String> {
        let (mut output, mut literal, mut any) = (String::with_capacity(64), "", false);
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    output.push_str(literal);
                    literal = text;
                }
                Part::Hole(alternatives) => {
                    if let Some(value) = first(alternatives, source) {
                        output.push_str(literal);
                        output.push_str(&value);
                        any = true;
                    }
                    literal = "";
                }
            }
            if output.len() > OUTPUT_BYTES_MAX {
                return None;
            }
        }
        output.push_str(literal);
        any.then_some(output)
    }
}

/// The first alternative that has a text.
fn first<'s>(alternatives: &'s [Alternative], source: &'s impl Source) -> Option<Cow<'s, str>> {
    alternatives.iter().find_map(|alternative| match alternative {
        Alternative::Quoted(text) => Some(Cow::Borrowed(&**text)),
        Alternative::Value(hole) => source.value(hole).filter(|text| !text.is_empty()),
    })
}
