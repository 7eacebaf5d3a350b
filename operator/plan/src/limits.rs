//! Bounds of what the operator's configuration may ask for, each with its reason.
use boathook_verify::Duration;

/// Classes: each has a ClusterRole in the chart, and each may be in use in every namespace.
pub const CLASSES_MAX: usize = 64;
/// Bytes of a class's name: `boathook-<class>-<8 digits>` and `boathook-receiver-<class>` stay below the 63 bytes of a
/// Service's name and of a label's value.
pub const CLASS_NAME_BYTES_MAX: usize = 40;
/// Hosts that one class grants: the file is read by people, and each host is an Ingress.
pub const HOSTS_MAX: usize = 1_000;
/// Bytes of a host name (RFC 1035), and of a Kubernetes name (RFC 1123 subdomain).
pub const HOST_BYTES_MAX: usize = 253;
/// Bytes of one label of a host name, of a namespace, and of the part of an annotation's key behind the `/`.
pub const LABEL_BYTES_MAX: usize = 63;
/// Bytes of a class's annotations, keys included: half of what the API server takes, as controllers add theirs.
pub const ANNOTATIONS_BYTES_MAX: usize = 128 * 1024;
/// Networks of proxies in front: each request is compared with all of them.
pub const TRUSTED_PROXIES_MAX: usize = 64;
/// Bytes of an image's name: registries take no longer ones.
pub const IMAGE_BYTES_MAX: usize = 512;
/// How long a deleted Secret's last value may go on verifying: longer would be no deletion.
pub const KEY_HOLD_MAX: Duration = Duration::from_secs(3_600);
/// The longest drain delay: whoever drains a node waits as long for each receiver on it.
pub const DRAIN_DELAY_MAX: Duration = Duration::from_secs(300);

/// Where nothing is said: how long a deleted Secret's last value is held. Tools that replace a Secret delete it for a
/// moment.
pub const KEY_HOLD_DEFAULT: Duration = Duration::from_secs(60);
/// Where nothing is said: how long to go on accepting after SIGTERM. Load balancers learn of a pod's end within seconds.
pub const DRAIN_DELAY_DEFAULT: Duration = Duration::from_secs(15);
/// Receivers of a class in one namespace: so many can have a share of the deliveries.
pub const REPLICAS_MAX: u32 = boathook_event::limits::PARTITIONS as u32;
/// The folder of a receiver without a store of its own: objects and published keys as they were last, some megabytes at most.
pub const DATA_COPIES_MAX: &str = "256Mi";
/// Where nothing is said: the key of a database's URL in its Secret.
pub const STORE_SECRET_KEY_DEFAULT: &str = "url";
/// Where nothing is said: the volume of a local store. A million events of 500 bytes fit.
pub const STORE_SIZE_DEFAULT: &str = "1Gi";

/// How long a receiver may take for its end, at least: the default drain delay and what comes after it.
pub const GRACE_SECONDS_MIN: u64 = 60;
/// What comes after the drain delay: 35 s for open requests, 10 s for attempts under way (the receiver's own bounds).
pub const GRACE_AFTER_DRAIN_SECONDS: u64 = 45;
/// How long a receiver waits for its predecessor on the same volume to leave the data folder, before it fails and says
/// so: a predecessor whose node answers has ended by then.
pub const LOCK_WAIT: Duration = Duration::from_secs(30);
/// How long a receiver may take to answer at all: the wait for the folder, and reading a large store after a crash from
/// a slow disk. Asked once a second, so that it serves as soon as it can.
pub const STARTUP_SECONDS_MAX: u64 = 300;
/// Failed attempts in a row after which an endpoint or a sink has failed, as statuses count them.
pub const FAILURES_ARE_FAILED: i64 = boathook_event::limits::FAILURES_ARE_FAILED.cast_signed();
/// Problems that a condition tells: a message is read, not studied; the next ones come when these are mended.
pub const PROBLEMS_TOLD_MAX: usize = 3;
/// Bytes of the document with a class's keys: a Secret holds 1 MiB, and what goes on being served while something else is
/// written needs room, too.
pub const DOCUMENT_BYTES_MAX: usize = 900 * 1024;
