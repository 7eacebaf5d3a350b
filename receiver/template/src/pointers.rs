//! JSON pointers of many templates, found in one validating scan.
use std::{borrow::Cow, cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    Error, ScanError,
    limits::{JSON_DEPTH_MAX, POINTER_DEPTH_MAX, POINTERS_MAX},
};

/// The place of one pointer's value in [`Values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(u16);

/// A set of JSON pointers (RFC 6901), compiled to a tree.
#[derive(Debug, Clone, Default)]
pub struct Pointers {
    root: Node,
    slots: u16,
}

/// One step of the tree: the value here may be asked for, and so may values below it.
#[derive(Debug, Clone, Default)]
struct Node {
    slot: Option<Slot>,
    children: Vec<(Box<str>, Node)>,
}

impl Pointers {
    /// The slot of a pointer such as `/data/object/id`; the same pointer gets the same slot. An empty pointer
    /// (`""`) is the whole document. Array items are named by their index.
    ///
    /// # Errors
    /// A text that is no pointer, or one pointer too many or too deep.
    pub fn slot(&mut self, pointer: &str) -> Result<Slot, Error> {
        let error = |message: String| Error { text: pointer.into(), at: 0, message: message.into() };
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(error("a JSON pointer starts with `/`".into()));
        }
        let mut node = &mut self.root;
        for (depth, step) in pointer.split('/').skip(1).enumerate() {
            if depth >= POINTER_DEPTH_MAX {
                return Err(error(format!("a JSON pointer has at most {POINTER_DEPTH_MAX} steps")));
            }
            let name =
                unescape(step).ok_or_else(|| error("`~` is written ~0 and `/` in a name ~1".into()))?;
            node = node.child_mut(&name);
        }
        if let Some(slot) = node.slot {
            return Ok(slot);
        }
        if usize::from(self.slots) >= POINTERS_MAX {
            return Err(error(format!("at most {POINTERS_MAX} different JSON pointers are possible here")));
        }
        let slot = Slot(self.slots);
        node.slot = Some(slot);
        self.slots += 1;
        Ok(slot)
    }

    /// Whether no template uses a pointer.
    pub fn is_empty(&self) -> bool {
        self.slots == 0
    }

    /// Checks that `json` is one JSON document no deeper than the limit and finds every pointer's value in the
    /// same pass. Of a repeated member the last counts.
    ///
    /// # Errors
    /// [`ScanError`], with line and column but without any of the payload.
    pub fn scan<'b>(&self, json: &'b [u8]) -> Result<Values<'b>, ScanError> {
        let text = std::str::from_utf8(json).map_err(|_| ScanError::Syntax("not UTF-8".into()))?;
        if is_too_deep(json) {
            return Err(ScanError::TooDeep);
        }
        let found = RefCell::new(vec![None; usize::from(self.slots)]);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Seek { node: &self.root, found: &found }
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| ScanError::Syntax(place_of(&error)))?;
        Ok(Values { found: found.into_inner() })
    }
}

/// The values found by one scan; borrowed from the body.
#[derive(Debug, Clone)]
pub struct Values<'b> {
    found: Vec<Option<&'b str>>,
}

impl<'b> Values<'b> {
    /// No values: for a body that is no JSON.
    pub fn none() -> Self {
        Values { found: Vec::new() }
    }

    /// The value's JSON text exactly as it stands in the body.
    pub fn raw(&self, slot: Slot) -> Option<&'b str> {
        self.found.get(usize::from(slot.0)).copied().flatten()
    }

    /// The value as text: a string's characters, a number as it is written, `true`, `false`, an object or array as
    /// its JSON text. `None` when missing, `null` or `""`.
    pub fn text(&self, slot: Slot) -> Option<Cow<'b, str>> {
        let raw = self.raw(slot)?;
        let text = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            None => Cow::Borrowed(raw),
            Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner),
            Some(_) => Cow::Owned(serde_json::from_str(raw).ok()?),
        };
        (!text.is_empty() && raw != "null").then_some(text)
    }

    /// The items' JSON texts, in order, when the value is an array.
    pub fn items(&self, slot: Slot) -> Option<Vec<&'b str>> {
        let raw = self.raw(slot).filter(|raw| raw.starts_with('['))?;
        let items: Vec<&'b RawValue> = serde_json::from_str(raw).ok()?;
        Some(items.into_iter().map(RawValue::get).collect())
    }
}

impl Node {
    fn child_mut(&mut self, name: &str) -> &mut Node {
        let at = self.children.iter().position(|(known, _)| &**known == name).unwrap_or_else(|| {
            self.children.push((name.into(), Node::default()));
            self.children.len() - 1
        });
        &mut self.children.get_mut(at).expect("the position was found or just made").1
    }

    fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|(known, _)| &**known == name).map(|(_, node)| node)
    }

    /// Forgets what an earlier member of the same name left behind.
    fn clear(&self, found: &mut [Option<&str>]) {
        if let Some(place) = self.slot.and_then(|slot| found.get_mut(usize::from(slot.0))) {
            *place = None;
        }
        self.children.iter().for_each(|(_, child)| child.clear(found));
    }
}

/// Deserializes one value, looking for what `node` asks for and checking the rest.
struct Seek<'n, 'f, 'b> {
    node: &'n Node,
    found: &'f RefCell<Vec<Option<&'b str>>>,
}

impl<'n, 'f, 'b> Seek<'n, 'f, 'b> {
    fn below(&self, node: &'n Node) -> Seek<'n, 'f, 'b> {
        node.clear(&mut self.found.borrow_mut());
        Seek { node, found: self.found }
    }
}

impl<'b> DeserializeSeed<'b> for Seek<'_, '_, 'b> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, deserializer: D) -> Result<(), D::Error> {
        let Some(slot) = self.node.slot else {
            return match self.node.children.is_empty() {
                true => deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ()),
                false => deserializer.deserialize_any(self),
            };
        };
        let raw: &'b RawValue = serde::Deserialize::deserialize(deserializer)?;
        if let Some(place) = self.found.borrow_mut().get_mut(usize::from(slot.0)) {
            *place = Some(raw.get());
        }
        if self.node.children.is_empty() {
            return Ok(());
        }
        // The value was wanted whole and in parts: its text, already checked, is walked once more.
        serde_json::Deserializer::from_str(raw.get()).deserialize_any(self).map_err(serde::de::Error::custom)
    }
}

impl<'b> Visitor<'b> for Seek<'_, '_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Name<'b>>()? {
            match self.node.child(&name.0) {
                Some(child) => map.next_value_seed(self.below(child))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0usize;
        loop {
            let child = self.node.children.iter().find(|(name, _)| is_index(name, index));
            let more = match child {
                Some((_, child)) => items.next_element_seed(self.below(child))?.is_some(),
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
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

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member's name, borrowed when it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);

/// Whether `name` is the canonical spelling of `index` (RFC 6901 § 4: no leading zeros).
fn is_index(name: &str, index: usize) -> bool {
    name.parse() == Ok(index) && (name == "0" || !name.starts_with(['0', '+']))
}

/// `~1` is `/`, `~0` is `~`; nothing else may follow a `~`.
fn unescape(step: &str) -> Option<Cow<'_, str>> {
    if !step.contains('~') {
        return Some(Cow::Borrowed(step));
    }
    let valid = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    valid.then(|| Cow::Owned(step.replace("~1", "/").replace("~0", "~")))
}

/// Counts brackets outside strings. Cheaper than recursion in the parser, and it holds for the parts that are skipped.
fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Where the parser stopped; its own message may quote the payload.
fn place_of(error: &serde_json::Error) -> Box<str> {
    let what = if error.is_eof() { "ends too early" } else { "unexpected character" };
    format!("{what} at line {} column {}", error.line(), error.column()).into()
}
