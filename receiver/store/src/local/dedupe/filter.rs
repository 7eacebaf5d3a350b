//! Which generations may know a key: so a key that is new costs no read of the database.
use std::collections::BTreeMap;

use boathook_event::Digest;

use crate::limits::{FILTER_PROBES, FILTER_ROWS};

/// A Bloom filter for each generation, 64 side by side: a row has one bit of each, so one look asks all of them.
#[derive(Debug, Default)]
pub(super) struct Filter {
    groups: BTreeMap<i64, Box<[u64]>>,
}

const SIDE_BY_SIDE: i64 = 64;

impl Filter {
    /// What a generation takes of it: a bit of each row.
    pub(super) const BYTES_OF_GENERATION: u64 = FILTER_ROWS as u64 / 8;

    /// From now on the generation may know the key.
    pub(super) fn insert(&mut self, generation: i64, hash: &Digest) {
        let bit = 1 << generation.rem_euclid(SIDE_BY_SIDE);
        let group = generation.div_euclid(SIDE_BY_SIDE);
        let rows = self.groups.entry(group).or_insert_with(|| vec![0; FILTER_ROWS].into());
        for row in places(hash) {
            if let Some(row) = rows.get_mut(row) {
                *row |= bit;
            }
        }
    }

    /// The generations that may know the key.
    pub(super) fn candidates(&self, hash: &Digest) -> impl Iterator<Item = i64> {
        self.groups.iter().flat_map(|(group, rows)| {
            let bits = places(hash).fold(u64::MAX, |bits, row| bits & rows.get(row).copied().unwrap_or(0));
            let first = group * SIDE_BY_SIDE;
            Ones(bits).map(move |bit| first + i64::from(bit))
        })
    }

    /// The generation is gone.
    pub(super) fn forget(&mut self, generation: i64) {
        let group = generation.div_euclid(SIDE_BY_SIDE);
        let Some(rows) = self.groups.get_mut(&group) else { return };
        let others = !(1 << generation.rem_euclid(SIDE_BY_SIDE));
        rows.iter_mut().for_each(|row| *row &= others);
        if rows.iter().all(|row| *row == 0) {
            self.groups.remove(&group);
        }
    }
}

/// The rows of a key. Its bytes are a digest's: they are as good as random.
fn places(hash: &Digest) -> impl Iterator<Item = usize> {
    let (start, step) = hash.split_at(8);
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    let (start, step) = (number(start), number(step) | 1);
    let rows = u64::try_from(FILTER_ROWS).unwrap_or(1);
    (0..FILTER_PROBES)
        .map(move |probe| usize::try_from(start.wrapping_add(step.wrapping_mul(probe)) % rows).unwrap_or(0))
}

/// The places of a number's ones, lowest first.
struct Ones(u64);

impl Iterator for Ones {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let lowest = (self.0 != 0).then(|| self.0.trailing_zeros())?;
        self.0 &= self.0 - 1;
        Some(lowest)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::limits::GENERATION_KEYS;

    fn digest(number: i64) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(&Sha256::digest(number.to_le_bytes())[..16]);
        digest
    }

    #[test]
    fn a_key_is_found_in_its_generations_and_no_more_once_they_are_forgotten() {
        let mut filter = Filter::default();
        for generation in [0, 3, 63, 64, 200] {
            filter.insert(generation, &digest(7));
        }
        assert_eq!(filter.candidates(&digest(7)).collect::<Vec<_>>(), [0, 3, 63, 64, 200]);
        filter.forget(63);
        filter.forget(64);
        assert_eq!(filter.candidates(&digest(7)).collect::<Vec<_>>(), [0, 3, 200]);
        assert_eq!(filter.candidates(&digest(8)).count(), 0);
        [0, 3, 200].into_iter().for_each(|generation| filter.forget(generation));
        assert!(filter.groups.is_empty());
    }

    #[test]
    fn a_full_generation_hardly_ever_seems_to_know_a_new_key() {
        let mut filter = Filter::default();
        let keys = i64::from(GENERATION_KEYS);
        (0..keys).for_each(|key| filter.insert(5, &digest(key)));
        let mistaken = (keys..2 * keys).filter(|key| filter.candidates(&digest(*key)).count() > 0).count();
        assert!(mistaken < 100, "{mistaken} of {keys}");
    }
}
