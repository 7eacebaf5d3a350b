//! Times that deliveries took, as a histogram of bounded size: counts in buckets that grow with the time.
use crate::limits::{LATENCY_BUCKETS, LATENCY_STEPS};

/// How many deliveries took how long: numbers by bucket, to which others may be added.
///
/// Times under 32 ms have a bucket of their own. Above, each doubling is divided into 16 buckets of equal width, so that the
/// middle of a bucket is at most 1/32 (3.2 %) away from any time in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// By bucket, up to the last one in use.
    counts: Vec<u64>,
}

impl Latencies {
    /// The bucket of a time, less than [`LATENCY_BUCKETS`].
    pub fn bucket(millis: u32) -> u16 {
        let doublings = millis.checked_ilog2().unwrap_or(0).saturating_sub(LATENCY_STEPS.ilog2());
        let bucket = doublings * LATENCY_STEPS + (millis >> doublings);
        u16::try_from(bucket).unwrap_or(LATENCY_BUCKETS - 1)
    }

    /// Adds what was counted in a bucket; one that does not exist is the last.
    pub fn add(&mut self, bucket: u16, number: u64) {
        let at = usize::from(bucket.min(LATENCY_BUCKETS - 1));
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count = count.saturating_add(number);
        }
    }

    /// Adds all that the other has counted.
    pub fn add_all(&mut self, other: &Self) {
        for (bucket, number) in (0..).zip(&other.counts) {
            self.add(bucket, *number);
        }
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time in milliseconds that so many in a thousand did not exceed; `None` where there are none.
    pub fn per_mille(&self, share: u16) -> Option<u32> {
        let wanted = (self.count().saturating_mul(u64::from(share))).div_ceil(1_000).max(1);
        let mut sum = 0;
        let reached = self.counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        reached.map(middle)
    }

    /// The mean in milliseconds; `None` where there are none.
    pub fn mean(&self) -> Option<u32> {
        let times = (0..).map(middle).map(u64::from);
        let sum = self.counts.iter().zip(times).map(|(count, time)| count.saturating_mul(time)).sum::<u64>();
        sum.checked_div(self.count()).map(|mean| u32::try_from(mean).unwrap_or(u32::MAX))
    }
}

/// The middle of a bucket, in milliseconds.
fn middle(bucket: usize) -> u32 {
    let bucket = u32::try_from(bucket).unwrap_or(u32::MAX).min(u32::from(LATENCY_BUCKETS) - 1);
    let doublings = (bucket / LATENCY_STEPS).saturating_sub(1);
    let lowest = (bucket - doublings * LATENCY_STEPS) << doublings;
    lowest + (1 << doublings) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_time_s_bucket_is_near_it_and_buckets_rise_with_time() {
        let mut before = 0;
        for millis in (0..100_000).chain((100_000..2_592_000_000).step_by(99_991)).chain([u32::MAX]) {
            let bucket = Latencies::bucket(millis);
            assert!(bucket < LATENCY_BUCKETS && bucket >= before, "{millis}");
            before = bucket;
            let off = middle(bucket.into()).abs_diff(millis);
            assert!(
                u64::from(off) * 32 <= u64::from(millis),
                "{millis} is taken for {}",
                middle(bucket.into())
            );
        }
        assert_eq!(before, LATENCY_BUCKETS - 1);
    }

    #[test]
    fn shares_and_the_mean_are_those_of_what_was_added() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.per_mille(500), latencies.mean()), (None, None));
        for millis in 1..=20 {
            latencies.add(Latencies::bucket(millis), 5);
        }
        assert_eq!(latencies.count(), 100);
        let shares = [0, 500, 501, 950, 990, 1_000].map(|share| latencies.per_mille(share));
        assert_eq!(shares, [1, 10, 11, 19, 20, 20].map(Some));
        assert_eq!(latencies.mean(), Some(10));
    }
}
