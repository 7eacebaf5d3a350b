//! One pass over a body that checks it and finds every pointer's value.
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::JSON_DEPTH_MAX;
use crate::pointers::Node;
use crate::{Pointers, ScanError, Values};

impl Pointers {
    /// Checks that `json` is one JSON document no deeper than the limit and finds every pointer's value in the
    /// same pass. Of a repeated member the last counts.
    ///
    /// # Errors
    /// Where `json` is not UTF-8, is no JSON document, or is nested deeper than [`JSON_DEPTH_MAX`].
    pub fn scan<'b>(&self, json: &'b [u8]) -> Result<Values<'b>, ScanError> {
        let text = std::str::from_utf8(json)
            .map_err(|e| ScanError::Syntax(format!("not UTF-8 at byte {}", e.valid_up_to()).into()))?;
        if is_too_deep(json) {
            return Err(ScanError::TooDeep);
        }
        let found = self
            .find(text, Care::Quick)
            .or_else(|_| self.find(text, Care::Exact))
            .map_err(|e| ScanError::Syntax(e.to_string().into()))?;
        Ok(Values::new(found))
    }

    fn find<'b>(&self, text: &'b str, care: Care) -> serde_json::Result<Vec<Option<&'b str>>> {
        let mut found = vec![None; usize::from(self.count)];
        let mut document = serde_json::Deserializer::from_str(text);
        Search { node: &self.root, found: &mut found, care }.deserialize(&mut document)?;
        document.end()?;
        Ok(found)
    }
}

/// How values on the way to a pointer's end are read.
///
/// RFC 8259 allows what `serde_json` refuses to turn into a value: numbers beyond `f64`, unpaired surrogates.
/// Both are rare, so such a document is read a second time without turning anything into values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Reads once; refuses some valid documents.
    Quick,
    /// Takes each value on the way as text before it looks inside; refuses only what is no JSON.
    Exact,
}

/// Reads one value, keeping what `node` and its descendants ask for.
struct Search<'n, 'f, 'b> {
    node: &'n Node,
    found: &'f mut [Option<&'b str>],
    care: Care,
}

impl<'b> Search<'_, '_, 'b> {
    fn below<'n>(&mut self, node: &'n Node) -> Search<'n, '_, 'b> {
        Search { node, found: self.found, care: self.care }
    }

    /// Forgets what an earlier member of the same name held.
    fn forget(&mut self, node: &Node) {
        if let Some(place) = node.slot.and_then(|slot| self.found.get_mut(usize::from(slot.0))) {
            *place = None;
        }
        for child in &node.children {
            self.forget(child);
        }
    }
}

impl<'b> DeserializeSeed<'b> for Search<'_, '_, 'b> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, value: D) -> Result<(), D::Error> {
        let is_leaf = self.node.children.is_empty();
        if self.node.slot.is_none() && is_leaf {
            return IgnoredAny::deserialize(value).map(|_| ());
        }
        if self.node.slot.is_none() && self.care == Care::Quick {
            return value.deserialize_any(self);
        }
        let raw = <&'b RawValue>::deserialize(value)?.get();
        if let Some(place) = self.node.slot.and_then(|slot| self.found.get_mut(usize::from(slot.0))) {
            *place = Some(raw);
        }
        if is_leaf || !raw.starts_with(['{', '[']) {
            return Ok(());
        }
        serde_json::Deserializer::from_str(raw).deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'b> Visitor<'b> for Search<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'b>>(mut self, mut members: A) -> Result<(), A::Error> {
        let node = self.node;
        while let Some(child) = members.next_key_seed(Name { node, care: self.care })? {
            match child {
                Some(child) => {
                    self.forget(child);
                    members.next_value_seed(self.below(child))?;
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'b>>(mut self, mut items: A) -> Result<(), A::Error> {
        let node = self.node;
        for index in 0.. {
            let item = match node.item(index) {
                Some(child) => items.next_element_seed(self.below(child))?,
                None => items.next_element::<IgnoredAny>()?.map(|_| ()),
            };
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    // Nothing can be found inside a scalar.

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a member's name: the child of `node` it leads to, if any.
struct Name<'n> {
    node: &'n Node,
    care: Care,
}

impl<'n, 'b> DeserializeSeed<'b> for Name<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'b>>(self, name: D) -> Result<Self::Value, D::Error> {
        if self.care == Care::Quick {
            return name.deserialize_str(self);
        }
        let raw = <&'b RawValue>::deserialize(name)?;
        Ok(serde_json::from_str::<String>(raw.get()).ok().and_then(|name| self.node.member(&name)))
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.node.member(name))
    }
}

/// Whether brackets outside strings nest deeper than the limit. Exact for JSON; for anything else the answer
/// does not matter, as it is refused either way.
fn is_too_deep(json: &[u8]) -> bool {
    // Most bodies have too few brackets to be too deep however they stand, and counting is far quicker.
    opening_brackets(json) > JSON_DEPTH_MAX && depth(json) > JSON_DEPTH_MAX
}

/// How many `{` and `[` there are, in strings too.
fn opening_brackets(json: &[u8]) -> usize {
    // Bit 0x20 makes `[` a `{`. A block's count fits a byte, which lets the compiler count many bytes at once.
    let is_opening = |byte: &u8| u8::from(byte | 0x20 == b'{');
    json.chunks(128).map(|block| usize::from(block.iter().map(is_opening).sum::<u8>())).sum()
}

fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Moves behind the closing quote.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.find(|byte| matches!(byte, b'"' | b'\\')) {
        if *byte == b'"' {
            return;
        }
        bytes.next();
    }
}
