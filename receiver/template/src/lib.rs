//! The template language: wherever a value is taken from an event, it is written as literal text with holes.
//!
//! `{header:X-GitHub-Event}.{/action}` is compiled once ([`Template::parse`]) and rendered per event
//! ([`Template::render`]) from a [`Source`]. JSON pointers of all templates of one endpoint share one
//! [`Pointers`], so that a body is scanned once however many values are taken from it.
//!
//! | written | means |
//! |---|---|
//! | `text` | itself |
//! | `{id}`, `{header:NAME}`, `{/data/id}` | a hole: see [`Hole`] |
//! | `{/a\|/b\|'none'}` | alternatives: the first that is not empty; a quoted literal comes last |
//! | `{'{'}`, `{'}'}` | literal braces; in quotes, `''` is one quote |
//!
//! An empty hole also drops the literal just before it: `{header:X-GitHub-Event}.{/action}` is `push` where
//! the body has no `action`.
mod error;
mod hole;
pub mod limits;
mod parse;
mod pointers;
mod render;
mod scan;
mod template;
mod values;

pub use error::{Error, ScanError};
pub use hole::{Hole, Place};
pub use pointers::{Pointers, Slot};
pub use render::Source;
pub use template::Template;
pub use values::Values;
