//! Rendering: asking a source for each hole's value.
use std::borrow::Cow;

use crate::limits::OUTPUT_BYTES_MAX;
use crate::template::{Alternatives, Part};
use crate::{Hole, Template};

/// What a hole's value is guessed to need: an id or a short word. A wrong guess costs one more allocation.
const VALUE_BYTES_GUESS: usize = 32;

/// Where the values come from: a request, an event, a delivery.
pub trait Source {
    /// The text for a hole; `None` where there is none (an empty text counts as none).
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>>;
}

impl Template {
    /// The text, or `None` when every hole is empty (a template without holes always has a text) or the output
    /// would exceed [`crate::limits::OUTPUT_BYTES_MAX`] (a lone `{body}` may).
    ///
    /// Borrows, without allocating, where the template is one hole or one literal. An empty hole also drops the
    /// literal just before it.
    pub fn render<'s>(&'s self, source: &'s impl Source) -> Option<Cow<'s, str>> {
        match &*self.parts {
            [] => Some(Cow::Borrowed("")),
            [Part::Literal(text)] => Some(Cow::Borrowed(text)),
            [Part::Hole(alternatives)] => {
                let is_exempt = matches!(self.lone_hole(), Some(Hole::Body));
                alternatives.value(source).filter(|value| is_exempt || value.len() <= OUTPUT_BYTES_MAX)
            }
            parts => join(parts, source).map(Cow::Owned),
        }
    }
}

fn join(parts: &[Part], source: &impl Source) -> Option<String> {
    let mut output = String::with_capacity(parts.iter().map(Part::bytes_guess).sum());
    // Kept back until it is known whether the hole after it is empty.
    let mut literal = "";
    let mut is_empty = true;
    for part in parts {
        match part {
            Part::Literal(text) => literal = text,
            Part::Hole(alternatives) => {
                let literal = std::mem::take(&mut literal);
                if let Some(value) = alternatives.value(source) {
                    push(&mut output, literal)?;
                    push(&mut output, &value)?;
                    is_empty = false;
                }
            }
        }
    }
    push(&mut output, literal)?;
    (!is_empty).then_some(output)
}

/// `None` when the output would become too long.
fn push(output: &mut String, text: &str) -> Option<()> {
    if output.len() + text.len() > OUTPUT_BYTES_MAX {
        return None;
    }
    output.push_str(text);
    Some(())
}

impl Part {
    fn bytes_guess(&self) -> usize {
        match self {
            Part::Literal(text) => text.len(),
            Part::Hole(_) => VALUE_BYTES_GUESS,
        }
    }
}

impl Alternatives {
    fn value<'s>(&'s self, source: &'s impl Source) -> Option<Cow<'s, str>> {
        self.holes
            .iter()
            .find_map(|hole| source.value(hole).filter(|value| !value.is_empty()))
            .or_else(|| self.otherwise.as_deref().map(Cow::Borrowed))
    }
}
