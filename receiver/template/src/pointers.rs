//! JSON pointers (RFC 6901) of many templates, compiled to one tree.
use crate::Error;
use crate::limits::{POINTER_DEPTH_MAX, POINTERS_MAX};

/// The place of one pointer's value in [`crate::Values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub(crate) u16);

/// A set of JSON pointers (RFC 6901), compiled to a tree.
#[derive(Debug, Clone, Default)]
pub struct Pointers {
    pub(crate) root: Node,
    pub(crate) count: u16,
}

/// One step of the pointers that share the way to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// The member's name.
    name: Box<str>,
    /// The item's index, where the name can be one.
    index: Option<usize>,
    /// Where the value found here belongs, if a pointer ends here.
    pub(crate) slot: Option<Slot>,
    pub(crate) children: Vec<Node>,
}

impl Pointers {
    /// The slot of a pointer such as `/data/object/id`; the same pointer gets the same slot. An empty pointer
    /// (`""`) is the whole document. Array items are named by their index.
    ///
    /// # Errors
    /// Where `pointer` is no JSON pointer, has more than [`POINTER_DEPTH_MAX`] steps, or would be one more than
    /// [`POINTERS_MAX`].
    pub fn slot(&mut self, pointer: &str) -> Result<Slot, Error> {
        let steps = steps(pointer)?;
        let is_full = usize::from(self.count) >= POINTERS_MAX;
        let existing = steps.iter().try_fold(&self.root, |node, step| node.member(step));
        if is_full && existing.is_none_or(|node| node.slot.is_none()) {
            let message =
                format!("at most {POINTERS_MAX} different pointers are read from one body: use fewer");
            return Err(Error::new(pointer, 0, message));
        }
        let node = steps.into_iter().fold(&mut self.root, Node::child);
        let slot = *node.slot.get_or_insert_with(|| {
            self.count += 1;
            Slot(self.count - 1)
        });
        Ok(slot)
    }

    /// Whether no template uses a pointer.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Node {
    /// The child of this name, made if there is none.
    fn child(&mut self, name: String) -> &mut Node {
        let place = self.children.iter().position(|child| *child.name == name).unwrap_or_else(|| {
            let index = index(&name);
            self.children.push(Node { name: name.into(), index, ..Node::default() });
            self.children.len() - 1
        });
        self.children.get_mut(place).expect("the place was found or made just now")
    }

    /// The child for an object's member.
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| *child.name == *name)
    }

    /// The child for an array's item.
    pub(crate) fn item(&self, index: usize) -> Option<&Node> {
        self.children.iter().find(|child| child.index == Some(index))
    }
}

/// A pointer's steps, unescaped.
fn steps(pointer: &str) -> Result<Vec<String>, Error> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(path) = pointer.strip_prefix('/') else {
        return Err(Error::new(pointer, 0, format!("a JSON pointer starts with `/`: write `/{pointer}`")));
    };
    let mut steps = Vec::new();
    let mut at = 1;
    for escaped in path.split('/') {
        if steps.len() == POINTER_DEPTH_MAX {
            let message = format!("a pointer has at most {POINTER_DEPTH_MAX} steps: point less deep");
            return Err(Error::new(pointer, at, message));
        }
        if let Some((tilde, _)) = escaped.match_indices('~').find(|(tilde, _)| !is_escape(escaped, *tilde)) {
            let message = "a `~` without 0 or 1 after it: write `~0` for `~` and `~1` for `/`";
            return Err(Error::new(pointer, at + tilde, message));
        }
        // In this order, or `~01` would become `/` (RFC 6901 section 4).
        steps.push(escaped.replace("~1", "/").replace("~0", "~"));
        at += escaped.len() + 1;
    }
    Ok(steps)
}

fn is_escape(step: &str, tilde: usize) -> bool {
    matches!(step.as_bytes().get(tilde + 1), Some(b'0' | b'1'))
}

/// An index has only digits and no leading zero (RFC 6901 section 4).
fn index(name: &str) -> Option<usize> {
    let is_index = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    is_index.then(|| name.parse().ok()).flatten()
}
