//! What a proof of any kind shows.
use jiff::Timestamp;

/// What a proof has shown.
pub(crate) struct Proven {
    /// 0-based place of the secret that matched.
    pub(crate) secret: Option<usize>,
    /// The provider's timestamp.
    pub(crate) signed_at: Option<Timestamp>,
}
