//! What can be wrong with a template, and with a body that is scanned.

/// A template or JSON pointer that cannot be compiled. The message names the place and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {} of `{text}`)", self.character())]
pub struct Error {
    /// The template's text; its beginning where it is longer than [`crate::limits::TEMPLATE_BYTES_MAX`].
    pub text: Box<str>,
    /// 0-based byte offset of the mistake.
    pub at: usize,
    /// What is wrong and what to write instead.
    pub message: Box<str>,
}

impl Error {
    pub(crate) fn new(text: &str, at: usize, message: impl Into<Box<str>>) -> Self {
        Error { text: text.into(), at, message: message.into() }
    }

    /// The place as people count: characters from 1.
    fn character(&self) -> usize {
        self.text.char_indices().take_while(|(offset, _)| *offset < self.at).count() + 1
    }
}

/// A body that is no JSON document, or one that is nested too deeply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not JSON (RFC 8259), or not UTF-8. Names the line and column, never the body's text.
    #[error("not JSON: {0}")]
    Syntax(Box<str>),
    /// Arrays and objects nested deeper than [`crate::limits::JSON_DEPTH_MAX`].
    #[error("nested deeper than {} levels", crate::limits::JSON_DEPTH_MAX)]
    TooDeep,
}
