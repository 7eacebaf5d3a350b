//! What can be wrong with a template, and with a body that is scanned.

/// A template that cannot be compiled. The message names the place (`at` is the 0-based byte offset in the
/// template's text) and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {at} of `{text}`)")]
pub struct Error {
    /// The template's text.
    pub text: Box<str>,
    /// 0-based byte offset of the mistake.
    pub at: usize,
    /// What is wrong and what to write instead.
    pub message: Box<str>,
}

/// A body that is no JSON document, or one that is nested too deeply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not JSON (RFC 8259), or not UTF-8.
    #[error("not JSON: {0}")]
    Syntax(Box<str>),
    /// Arrays and objects nested deeper than [`crate::limits::JSON_DEPTH_MAX`].
    #[error("nested deeper than {} levels", crate::limits::JSON_DEPTH_MAX)]
    TooDeep,
}
