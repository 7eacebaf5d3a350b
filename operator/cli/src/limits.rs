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
/// Bytes of an answer of a receiver's data API: a page of a thousand events, or an event with a large body.
pub(crate) const CALL_BYTES_MAX: usize = 256 << 20;
/// Failures in a row after which an endpoint or a sink counts as failed, as in their statuses.
pub(crate) const FAILED_AFTER: u64 = 10;
/// Events of one id that are explained.
pub(crate) const EXPLAINED_EVENTS_MAX: usize = 10;
/// Refused requests that the explanation of an endpoint shows.
pub(crate) const EXPLAINED_REJECTIONS_MAX: usize = 5;
/// How often it is asked how far a replay is.
pub(crate) const JOB_POLL: Duration = Duration::from_millis(250);
/// How long a replay is waited for; it goes on without.
pub(crate) const JOB_WAIT_MAX: Duration = Duration::from_secs(60);
