//! The template language: wherever a value is taken from an event, it is written as literal text with holes.
//!
//! `{header:X-GitHub-Event}.{/action}` is compiled once ([`Template::parse`]) and rendered per event
//! ([`Template::render`]) from a [`Source`]. JSON pointers of all templates of one endpoint share one
//! [`Pointers`], so that a body is scanned once however many values are taken from it.
mod error;
pub mod limits;
mod parse;
mod pointers;
mod render;

pub use error::{Error, ScanError};
pub use parse::{Hole, Place, Template};
pub use pointers::{Pointers, Slot, Values};
pub use render::Source;
