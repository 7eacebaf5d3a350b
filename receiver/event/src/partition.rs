//! Which deliveries one receiver makes where several share a store: those of the partitions that it holds.
use std::fmt;

use crate::{Delivery, ObjectName, Seq, limits::PARTITIONS};

/// A part of all deliveries. Those of one sink and ordering key are in one; those without order are spread by their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u8);

/// A set of partitions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Partitions(u64);

impl Partition {
    /// That of a delivery to this sink: by its ordering key, where it keeps the order of one, else by its place. Written in
    /// stores: all versions must agree on it.
    pub fn of(sink: &ObjectName, key: Option<&str>, seq: Seq) -> Self {
        let hash = fnv(fnv(FNV_START, sink.as_str().as_bytes()), &[0]);
        let hash = match key {
            Some(key) => fnv(fnv(hash, &[1]), key.as_bytes()),
            None => fnv(hash, &seq.to_le_bytes()),
        };
        // The low bits of this hash alone depend on few bits of its input.
        let folded = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        Self(u8::try_from(folded % u64::from(PARTITIONS)).unwrap_or(0))
    }

    /// The one with this number, if there is one.
    pub fn numbered(number: u8) -> Option<Self> {
        (number < PARTITIONS).then_some(Self(number))
    }

    /// Below [`PARTITIONS`].
    pub fn number(self) -> u8 {
        self.0
    }

    fn bit(self) -> u64 {
        1 << self.0
    }
}

impl Delivery {
    /// Its partition.
    pub fn partition(&self) -> Partition {
        Partition::of(&self.sink, self.lane_key(), self.seq)
    }
}

impl Partitions {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self(u64::MAX >> (64 - PARTITIONS));

    /// Adds one.
    pub fn insert(&mut self, partition: Partition) {
        self.0 |= partition.bit();
    }

    /// Takes one out.
    pub fn remove(&mut self, partition: Partition) {
        self.0 &= !partition.bit();
    }

    /// Whether it is one of these.
    pub fn contains(self, partition: Partition) -> bool {
        self.0 & partition.bit() != 0
    }

    /// These and those.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These but not those.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// How many.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, by number.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Partition> {
        (0..PARTITIONS).map(Partition).filter(move |partition| self.contains(*partition))
    }
}

impl FromIterator<Partition> for Partitions {
    fn from_iter<I: IntoIterator<Item = Partition>>(partitions: I) -> Self {
        let mut set = Self::NONE;
        partitions.into_iter().for_each(|partition| set.insert(partition));
        set
    }
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Partition::number)).finish()
    }
}

/// The FNV-1a hash of 64 bits: no secret, the same everywhere.
pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(name: &str) -> ObjectName {
        ObjectName::new("default", name)
    }

    #[test]
    fn a_partition_is_the_same_in_every_version() {
        let of = |name, key, seq| Partition::of(&sink(name), key, seq).number();
        let known = [of("a", Some("k"), 1), of("a", Some("k"), 2), of("b", Some("k"), 1), of("a", None, 1)];
        assert_eq!(known, [25, 25, 2, 61]);
    }

    #[test]
    fn keys_and_places_are_spread_evenly() {
        let keys = (0..6_400).map(|key| Partition::of(&sink("a"), Some(&format!("order-{key}")), 1));
        let places = (0..6_400).map(|seq| Partition::of(&sink("a"), None, seq));
        let one_key = (0..6_400).map(|other| Partition::of(&sink(&format!("sink-{other}")), Some("k"), 1));
        for partitions in [keys.collect::<Vec<_>>(), places.collect(), one_key.collect()] {
            for number in 0..PARTITIONS {
                let of = partitions.iter().filter(|partition| partition.number() == number).count();
                assert!((50..=160).contains(&of), "{of} of 6,400 in partition {number}");
            }
        }
    }

    #[test]
    fn a_set_knows_its_members() {
        let two: Partitions = [3, 63].into_iter().filter_map(Partition::numbered).collect();
        assert!(two.contains(Partition(3)) && two.contains(Partition(63)) && !two.contains(Partition(4)));
        assert_eq!(
            (two.len(), Partitions::ALL.without(two).len(), Partitions::ALL.with(two).len()),
            (2, 62, 64)
        );
        assert_eq!(two.iter().map(Partition::number).collect::<Vec<_>>(), [3, 63]);
        assert_eq!((Partition::numbered(64), Partitions::NONE.is_empty()), (None, true));
    }
}
