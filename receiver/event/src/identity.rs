//! Who an event is: our own id, and the keys by which a repetition is known.
use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ObjectName;

/// Our own id of an event: a UUID of version 7 (RFC 9562), so that ids sort by time; or of version 8, where it follows from the
/// event's key, so that a repetition has the same wherever it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Uuid);

impl Uid {
    /// Makes one from the time in Unix milliseconds and ten random bytes.
    pub fn new(unix_millis: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, random).into_uuid())
    }

    /// The one that follows from the key by which a repetition is known.
    pub(crate) fn of_key(key: &DedupeKey) -> Self {
        let body = key.body.as_ref().map_or(&[][..], |body| body);
        Self(uuid::Builder::from_custom_bytes(digest([&key.hash, b"\0uid\0", body])).into_uuid())
    }

    /// Takes the 16 bytes that [`Uid::as_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Reads the text that its `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The 16 bytes, big-endian.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The first 16 bytes of a SHA-256: 2^64 events before a chance collision is likely.
pub type Digest = [u8; 16];

/// One key by which a repetition is known, and the digest of the body that came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DedupeKey {
    /// Digest of endpoint, kind of key and key.
    pub hash: Digest,
    /// Digest of the body, when the same key with another body is another event (the id is not signed); else `None`.
    pub body: Option<Digest>,
}

impl DedupeKey {
    /// The key of the provider's id. `body` as in [`DedupeKey::body`].
    pub(crate) fn of_id(endpoint: &ObjectName, id: &str, body: Option<Digest>) -> Self {
        Self { hash: digest([endpoint.as_str().as_bytes(), b"\0id\0", id.as_bytes()]), body }
    }

    /// The key of the body itself.
    pub(crate) fn of_body(endpoint: &ObjectName, body: &Digest) -> Self {
        Self { hash: digest([endpoint.as_str().as_bytes(), b"\0body\0", body]), body: None }
    }
}

/// Digest of the parts, one after the other.
pub(crate) fn digest<const N: usize>(parts: [&[u8]; N]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let full: [u8; 32] = hasher.finalize().into();
    let mut short = Digest::default();
    short.copy_from_slice(full.split_at(16).0);
    short
}
