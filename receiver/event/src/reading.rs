//! From a genuine request to events: what it is, which kind, whose, and by what it is known again.
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use boathook_template::{Hole, Place, Pointers, ScanError, Source, Template, Values};
use boathook_verify::{BodyKind, Kind, RawRequest, Scheme, SchemeError, Verified};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;

use crate::{
    DedupeKey, Digest, Event, EventParts, Head, ObjectName, Uid,
    identity::digest,
    limits::{BATCH_ITEMS_MAX, ID_BYTES_MAX, KEY_BYTES_MAX, TYPE_BYTES_MAX},
};

/// What an endpoint says about reading; absent templates are the scheme's.
#[derive(Debug, Clone)]
pub struct ReadingSpec<'s> {
    /// The endpoint.
    pub endpoint: ObjectName,
    /// Its provider's scheme.
    pub scheme: &'s Scheme,
    /// `events.id`
    pub id: Option<&'s str>,
    /// `events.type`
    pub event_type: Option<&'s str>,
    /// `events.key`
    pub key: Option<&'s str>,
}

/// What only the edge knows about a request.
pub struct Facts<'f> {
    /// When its headers were read.
    pub received_at: Timestamp,
    /// Makes our own ids.
    pub uid: &'f mut dyn FnMut() -> Uid,
}

/// What a genuine request carries.
#[derive(Debug, Clone)]
pub struct Read {
    /// Its events, in the order of the batch; never empty unless the batch is.
    pub events: Vec<(Arc<Event>, Vec<DedupeKey>)>,
    /// Members of the answer to an accepted request, taken from the first event.
    pub answer: BTreeMap<Box<str>, Option<Box<str>>>,
}

/// Why a genuine request cannot be read; the sender is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The content type is not one that the scheme accepts.
    #[error("content type must be {expected}")]
    ContentType {
        /// The accepted ones.
        expected: Box<str>,
    },
    /// The body is of none of the kinds that the scheme accepts.
    #[error("{0}")]
    Body(#[from] ScanError),
    /// More items than [`BATCH_ITEMS_MAX`].
    #[error("the batch has {0} events, more than {BATCH_ITEMS_MAX}")]
    BatchTooLarge(usize),
}

/// The compiled rules.
#[derive(Debug)]
pub struct Reading {}

impl Reading {
    /// Compiles. Errors name the member: `id[0]`, `type`, `events.key` …
    pub fn compile(spec: ReadingSpec<'_>) -> Result<Self, Vec<SchemeError>> {
        let _ = spec; Ok(Self{})
    }

    /// Reads.
    pub fn read(&self, verified: &Verified<'_>, facts: &mut Facts<'_>) -> Result<Read, ReadError> { let _ = (verified, facts); Err(ReadError::BatchTooLarge(0)) }
}
