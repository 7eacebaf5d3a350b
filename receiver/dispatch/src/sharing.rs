//! How receivers that share a store deal its partitions out: each decides for itself, by what the store says of all.
use boathook_event::{Partition, Partitions, limits::PARTITIONS};

/// What a receiver knows of all that live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How many live, with this one; at least 1.
    pub living: u32,
    /// Its place among them, from 0, by an order on which all agree.
    pub place: u32,
    /// What it holds and goes on holding.
    pub held: Partitions,
    /// What nobody holds who lives.
    pub free: Partitions,
}

/// What a receiver does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// To be given back, once what is under way of it is recorded.
    pub give: Partitions,
    /// To be taken.
    pub take: Partitions,
}

impl Standing {
    /// How many partitions are its share: as many as anybody's, or one more.
    pub fn share(self) -> u32 {
        let (all, living) = (u32::from(PARTITIONS), self.living.max(1));
        all / living + u32::from(self.place < all % living)
    }

    /// Gives back what is more than its share; takes what is missing of it, where something is free. Of two that take the same,
    /// one gets it, and the other looks again: each begins to look at another place.
    pub fn change(self) -> Change {
        let (share, held) = (self.share(), self.held.len());
        let some = |count: u32| usize::try_from(count).unwrap_or(0);
        let give = self.around(self.held).into_iter().rev().take(some(held.saturating_sub(share)));
        let take = self.around(self.free).into_iter().take(some(share.saturating_sub(held)));
        Change { give: give.collect(), take: take.collect() }
    }

    /// These, from this receiver's own place on.
    fn around(self, of: Partitions) -> Vec<Partition> {
        let first = u32::from(PARTITIONS) * self.place / self.living.max(1);
        let mut around: Vec<_> = of.iter().collect();
        around.sort_by_key(|partition| u32::from(partition.number()) < first);
        around
    }
}
