//! What is remembered of a request that was refused.
use core::net::IpAddr;

use jiff::Timestamp;

use crate::{ObjectName, limits::DIAGNOSIS_BYTES_MAX};

/// A request that was refused: why, and who sent it. Nothing of its payload, no header's value and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The endpoint that refused it.
    pub endpoint: ObjectName,
    /// When the request's headers were read; microseconds are kept.
    pub received_at: Timestamp,
    /// The public error code of the answer.
    pub code: Box<str>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Who sent it.
    pub source: IpAddr,
    /// What happened, for the people who run the endpoint; at most [`DIAGNOSIS_BYTES_MAX`] bytes.
    pub diagnosis: Box<str>,
}

impl Rejected {
    /// The same with a diagnosis that is not too long.
    pub fn bounded(mut self) -> Self {
        if self.diagnosis.len() > DIAGNOSIS_BYTES_MAX {
            let end = self.diagnosis.floor_char_boundary(DIAGNOSIS_BYTES_MAX);
            self.diagnosis = self.diagnosis.get(..end).unwrap_or_default().into();
        }
        self
    }
}
