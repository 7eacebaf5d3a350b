//! What a scan found: each pointer's value, borrowed from the body.
use std::{borrow::Cow, fmt};

use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::Slot;

/// The values found by one scan; borrowed from the body.
#[derive(Debug)]
pub struct Values<'b> {
    /// The JSON text of each slot's value.
    found: Vec<Option<&'b str>>,
}

impl<'b> Values<'b> {
    /// No values: for a body that is no JSON.
    pub fn none() -> Self {
        Values { found: Vec::new() }
    }

    pub(crate) fn new(found: Vec<Option<&'b str>>) -> Self {
        Values { found }
    }

    /// The value as text: a string's characters, a number as it is written, `true`, `false`, an object or array as
    /// its JSON text. `None` when missing, `null` or `""`, and for a string that is no Unicode text (an unpaired
    /// surrogate such as `"\ud800"`).
    pub fn text(&self, slot: Slot) -> Option<Cow<'b, str>> {
        let raw = self.raw(slot)?;
        match raw.strip_prefix('"') {
            Some("\"") => None,
            Some(_) if raw.contains('\\') => serde_json::from_str(raw).ok().map(Cow::Owned),
            Some(characters) => characters.strip_suffix('"').map(Cow::Borrowed),
            None if raw == "null" => None,
            None => Some(Cow::Borrowed(raw)),
        }
    }

    /// The value's JSON text exactly as it stands in the body; `None` when missing.
    pub fn raw(&self, slot: Slot) -> Option<&'b str> {
        self.found.get(usize::from(slot.0)).copied().flatten()
    }

    /// The JSON text of each item, in order, when the value is an array: of more than `most` items the first `most` and
    /// one, so that the caller sees that there are too many.
    pub fn items(&self, slot: Slot, most: usize) -> Option<Vec<&'b str>> {
        let raw = self.raw(slot).filter(|raw| raw.starts_with('['))?;
        let mut items = Items { found: Vec::new(), most };
        let read = serde_json::Deserializer::from_str(raw).deserialize_seq(&mut items);
        (read.is_ok() || items.found.len() > most).then_some(items.found)
    }
}

/// Collects the items of an array until there are too many.
struct Items<'b> {
    found: Vec<&'b str>,
    most: usize,
}

impl<'b> Visitor<'b> for &mut Items<'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {} items", self.most)
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&'b RawValue>()? {
            self.found.push(item.get());
            if self.found.len() > self.most {
                return Err(A::Error::invalid_length(self.found.len(), &self));
            }
        }
        Ok(())
    }
}
