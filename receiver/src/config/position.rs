//! Finding the line of a field, so that a message can name it.
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A YAML document as a tree of positions.
#[derive(Debug, Default)]
pub(super) struct Positions {
    children: Vec<(String, Spanned<Positions>)>,
}

impl Positions {
    /// The 1-based line of a field such as `spec.secrets[0].key`, or of the deepest part of it that is there.
    pub(super) fn line(&self, field: &str) -> Option<u64> {
        let (mut node, mut line) = (self, None);
        for step in field.split(['.', '[']) {
            let step = step.trim_end_matches(']');
            let Some((_, child)) = node.children.iter().find(|(name, _)| name == step) else { break };
            line = Some(child.referenced.line());
            node = &child.value;
        }
        line.filter(|line| *line > 0)
    }
}

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Positions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Positions, A::Error> {
        let mut children = Vec::new();
        while let Some(entry) = map.next_entry()? {
            children.push(entry);
        }
        Ok(Positions { children })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Positions, A::Error> {
        let mut children = Vec::new();
        while let Some(item) = items.next_element()? {
            children.push((children.len().to_string(), item));
        }
        Ok(Positions { children })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Positions, E> {
        Ok(Positions::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Positions, E> {
        Ok(Positions::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Positions, E> {
        Ok(Positions::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Positions, E> {
        Ok(Positions::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Positions, E> {
        Ok(Positions::default())
    }

    fn visit_unit<E>(self) -> Result<Positions, E> {
        Ok(Positions::default())
    }
}
