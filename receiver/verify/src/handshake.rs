//! Handshakes: genuine requests that are answered at once and not delivered.
use std::borrow::Cow;

use boathook_template::{Hole, Place, Pointers, Slot, Source, Template, Values};

use crate::{Handshake, SchemeError, Verified, limits::HANDSHAKE_ANSWER_BYTES_MAX};

/// A scheme's handshakes, compiled.
#[derive(Debug, Default)]
pub struct Handshakes {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pointers: Pointers,
    slot: Slot,
    equals: Box<str>,
    answer: Template,
}

impl Handshakes {
    /// Compiles.
    ///
    /// # Errors
    /// Every broken pointer or template.
    pub fn compile(handshakes: &[Handshake]) -> Result<Self, Vec<SchemeError>> {
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (index, Handshake { matches, answer }) in handshakes.iter().enumerate() {
            let mut pointers = Pointers::default();
            let slot = pointers.slot(&matches.pointer);
            let template = Template::parse(&answer.text, Place::Request, &mut pointers);
            let mut fail = |member: &str, message: String| {
                errors.push(SchemeError { field: format!("handshakes[{index}].{member}"), message });
            };
            match (slot, template) {
                (Ok(slot), Ok(answer)) => {
                    rules.push(Rule { pointers, slot, equals: matches.equals.as_str().into(), answer });
                }
                (Err(error), _) => fail("match.pointer", error.to_string()),
                (_, Err(error)) => fail("answer.text", error.to_string()),
            }
        }
        if errors.is_empty() { Ok(Self { rules }) } else { Err(errors) }
    }

    /// The text to answer with (status 200, text/plain) when the genuine request is a handshake. It is taken from the
    /// request, never made with the secret.
    pub fn answer(&self, verified: &Verified<'_>) -> Option<String> {
        self.rules.iter().find_map(|rule| rule.answer(verified))
    }
}

impl Rule {
    fn answer(&self, verified: &Verified<'_>) -> Option<String> {
        let body = &*verified.request().body;
        // Ordinary deliveries rarely hold the word, and then need no scan.
        if !body.windows(self.equals.len().max(1)).any(|window| window == self.equals.as_bytes()) {
            return None;
        }
        let values = self.pointers.scan(body).ok()?;
        if values.text(self.slot)? != *self.equals {
            return None;
        }
        let text = self.answer.render(&Request { verified, values: &values })?.into_owned();
        (text.len() <= HANDSHAKE_ANSWER_BYTES_MAX).then_some(text)
    }
}

/// What an answer's template may ask for.
struct Request<'a> {
    verified: &'a Verified<'a>,
    values: &'a Values<'a>,
}

impl Source for Request<'_> {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        match hole {
            Hole::Pointer(slot) => self.values.text(*slot),
            Hole::Header(name) => self.verified.request().header(name).map(Cow::Borrowed),
            _ => None,
        }
    }
}
