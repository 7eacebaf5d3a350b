//! Where the public keys of senders are published, and the places into which whoever fetches them puts them. Nothing here
//! reaches for the network.
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    certificate::Certificate,
    key_set::KeySet,
    limits::{CERTIFICATE_BYTES_MAX, KEY_SET_BYTES_MAX},
};

/// A URL at which keys are published, and how they are written there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeySource {
    url: Box<str>,
    format: KeyFormat,
}

/// How published keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// A JSON Web Key Set (RFC 7517), at a URL that is configured.
    KeySet,
    /// An X.509 certificate in PEM (RFC 5280, RFC 7468), at a URL that the request names: it is there to be fetched once it is
    /// asked for, and no sooner.
    Certificate,
}

/// What is published, read.
#[derive(Debug)]
pub enum KeyDocument {
    /// Keys by id.
    KeySet(KeySet),
    /// One key, with whose it is.
    Certificate(Arc<Certificate>),
}

/// The place of what is published at one URL: empty until it is filled, then with what was known last.
pub struct KeySlot {
    source: KeySource,
    document: RwLock<Option<Arc<KeyDocument>>>,
}

impl KeySource {
    pub(crate) fn new(url: &str, format: KeyFormat) -> Self {
        Self { url: url.into(), format }
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How the keys are written there.
    pub fn format(&self) -> KeyFormat {
        self.format
    }
}

impl KeyFormat {
    /// Bytes of a document, at most.
    pub fn bytes_max(self) -> usize {
        match self {
            Self::KeySet => KEY_SET_BYTES_MAX,
            Self::Certificate => CERTIFICATE_BYTES_MAX,
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// It is longer than [`KeyFormat::bytes_max`], or has no key that can be used.
    pub fn parse(self, document: &[u8]) -> Result<KeyDocument, String> {
        match self {
            Self::KeySet => KeySet::parse(document).map(KeyDocument::KeySet),
            Self::Certificate => Certificate::parse(document).map(Arc::new).map(KeyDocument::Certificate),
        }
    }
}

impl KeySlot {
    pub(crate) fn new(source: KeySource) -> Self {
        Self { source, document: RwLock::default() }
    }

    /// Where it is published.
    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// Whether nothing was put in yet.
    pub fn is_empty(&self) -> bool {
        self.document().is_none()
    }

    /// Puts a document in.
    pub fn fill(&self, document: Arc<KeyDocument>) {
        *self.document.write().unwrap_or_else(PoisonError::into_inner) = Some(document);
    }

    /// What is known now.
    pub(crate) fn document(&self) -> Option<Arc<KeyDocument>> {
        self.document.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for KeySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySlot").field("source", &self.source).finish_non_exhaustive()
    }
}
