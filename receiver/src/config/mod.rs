//! Where the objects come from.
pub mod folder;
mod position;
