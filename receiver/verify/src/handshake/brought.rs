//! Secrets that providers send in a handshake: whoever knows the URL can send one, so they count only while one is awaited.
use std::fmt;

use boathook_template::{Source, Template};
use zeroize::Zeroizing;

use crate::limits::{BROUGHT_SECRET_BYTES_MAX, BROUGHT_SECRET_BYTES_MIN};

/// Where a secret stands in a handshake, and its shape.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) value: Template,
    pub(super) prefix: Box<str>,
}

/// A secret that a handshake has brought; zeroed when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct BroughtSecret(Zeroizing<String>);

impl Capture {
    /// The secret, where the request has one of the right shape.
    pub(super) fn secret(&self, source: &impl Source) -> Option<BroughtSecret> {
        let text = Zeroizing::new(self.value.render(source)?.into_owned());
        let fits = (BROUGHT_SECRET_BYTES_MIN..=BROUGHT_SECRET_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.starts_with(&*self.prefix);
        fits.then_some(BroughtSecret(text))
    }
}

impl BroughtSecret {
    /// Its text: visible ASCII.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BroughtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BroughtSecret")
    }
}
