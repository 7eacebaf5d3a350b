//! Bounds of the operator, each with its reason.
use std::time::Duration;

/// How long a lease holds without being renewed: so long nobody leads when a leader dies.
pub(crate) const LEASE_TIME: Duration = Duration::from_secs(15);
/// How long a leader goes on without renewing: shorter than the lease, so that two never lead.
pub(crate) const LEASE_RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is renewed, and looked for.
pub(crate) const LEASE_LOOK: Duration = Duration::from_secs(2);
/// Namespaces that are worked on at once.
pub(crate) const NAMESPACES_AT_ONCE: usize = 4;
/// Time in which changes of one namespace are taken together: a file that is applied is several changes.
pub(crate) const CHANGES_TOGETHER: Duration = Duration::from_millis(200);
/// Pause between two looks at one namespace, and so between two writes of its keys, which every receiver reads whole.
pub(crate) const LOOKS_APART: Duration = Duration::from_secs(1);
/// Pause before a namespace is tried again after a failure; doubled each time.
pub(crate) const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often a class without endpoints is asked whether its receivers have delivered everything.
pub(crate) const DRAINING_LOOK: Duration = Duration::from_secs(5);
/// How often every namespace is looked at, whatever happens: drift that no watch shows is mended.
pub(crate) const RESYNC: Duration = Duration::from_secs(600);
/// Namespaces that may wait to be worked on.
pub(crate) const WAITING_MAX: usize = 65_536;
/// Time for a receiver's report.
pub(crate) const REPORT_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of a page of a list.
pub(crate) const PAGE: u32 = 500;
/// When a captured secret that could not be put where it belongs is tried again: somebody has to mend something first.
pub(crate) const CAPTURE_RETRY: Duration = Duration::from_secs(15);
