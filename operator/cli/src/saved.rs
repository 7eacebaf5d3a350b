//! A request that was saved to a file, in one of two forms, with what its file says besides.
use std::{io::Read, path::Path};

use boathook_verify::{RawRequest, Scheme, Secret};
use jiff::Timestamp;

use crate::{Mistake, http_text, input, limits::REQUEST_BYTES_MAX, token::TokenFlags, vector};

/// A saved request. HTTP text has the request alone.
pub(crate) struct Saved {
    pub(crate) request: RawRequest,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) public_url: Option<String>,
    pub(crate) verify_token: Option<Secret>,
    /// The endpoint waits for a secret.
    pub(crate) awaits_secret: bool,
    /// What a token must say.
    pub(crate) token: TokenFlags,
    /// What is published at the URL that it names.
    pub(crate) certificate: Option<String>,
    /// When it is to be judged.
    pub(crate) now: Option<Timestamp>,
    pub(crate) scheme: Option<Scheme>,
    /// What may not be as it was sent.
    pub(crate) notes: Vec<String>,
}

/// Reads HTTP text, or a line of vectors: no method begins with a brace.
pub(crate) fn read(path: &Path, stdin: &mut dyn Read) -> Result<Saved, Mistake> {
    let text = input::read(path, stdin, REQUEST_BYTES_MAX)?;
    let name = if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    if text.trim_ascii_start().starts_with(b"{") {
        return vector::read(&name, &text);
    }
    let (request, notes) = http_text::read(&name, text)?;
    Ok(Saved {
        request,
        secrets: Vec::new(),
        public_url: None,
        verify_token: None,
        awaits_secret: false,
        token: TokenFlags::default(),
        certificate: None,
        now: None,
        scheme: None,
        notes,
    })
}
