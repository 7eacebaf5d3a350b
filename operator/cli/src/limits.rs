//! Bounds of the command line, each with its reason.
use std::time::Duration;

/// Bytes of a request or a body that is read: twice what the largest providers send, so that a wrong file is noticed.
pub(crate) const REQUEST_BYTES_MAX: usize = 64 << 20;
/// Bytes of a scheme's file: presets have at most a tenth of it.
pub(crate) const SCHEME_BYTES_MAX: usize = 256 << 10;
/// Bytes of an answer that are shown: more than a screen, less than a download.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Time for sending a request and reading its answer: providers wait for 5 to 30 seconds.
pub(crate) const SEND_TIME_MAX: Duration = Duration::from_secs(30);
