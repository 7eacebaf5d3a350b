//! How much of a disk the store may take.
use jiff::{SignedDuration, Timestamp};

use crate::{Error, limits::QUOTA_LOOK, local::Shared};

/// A bound for the bytes of the store's files, and what they had when it was looked last.
#[derive(Debug)]
pub(super) struct Quota {
    bytes_max: u64,
    looked: Option<(Timestamp, u64)>,
}

impl Quota {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, looked: None }
    }

    /// Why nothing more may come in, if the files have that much already.
    pub(super) fn refusal(&mut self, shared: &Shared) -> Result<Option<String>, Error> {
        if self.bytes_max == u64::MAX {
            return Ok(None);
        }
        let used = self.used(shared)?;
        Ok((used >= self.bytes_max).then(|| {
            format!(
                "its files have {used} bytes, and --data-bytes-max is {}: deliver or erase what waits, shorten the retention, or \
                 allow more",
                self.bytes_max
            )
        }))
    }

    fn used(&mut self, shared: &Shared) -> Result<u64, Error> {
        let now = shared.now();
        let pause = SignedDuration::try_from(QUOTA_LOOK).unwrap_or_default();
        if let Some((looked, used)) = self.looked
            && now >= looked
            && now.duration_since(looked) < pause
        {
            return Ok(used);
        }
        let used = shared.segments.bytes()? + shared.commits.database_bytes()?;
        self.looked = Some((now, used));
        Ok(used)
    }
}
