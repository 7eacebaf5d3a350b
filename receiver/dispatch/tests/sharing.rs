//! Receivers that share a store deal its partitions out: whatever comes and goes, each is one receiver's at most, and in the end
//! all are, evenly.
use std::collections::BTreeMap;

use boathook_dispatch::Standing;
use boathook_event::{Partition, Partitions, limits::PARTITIONS};

/// A small generator, so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What the store has: who lives, and who holds what.
#[derive(Default)]
struct Store {
    /// Until when.
    living: BTreeMap<u64, u64>,
    holders: BTreeMap<Partition, u64>,
}

/// A receiver.
#[derive(Default, Clone)]
struct Receiver {
    held: Partitions,
    /// Of these something is under way.
    giving: Partitions,
    /// It stands still until then.
    still: u64,
    /// Until when it may begin an attempt, by its own clock.
    begins_until: u64,
}

const LEASE: u64 = 10;

impl Store {
    fn held_by(&self, receiver: u64) -> Partitions {
        self.holders
            .iter()
            .filter(|(_, holder)| **holder == receiver)
            .map(|(partition, _)| *partition)
            .collect()
    }

    fn free(&self, now: u64) -> Partitions {
        let taken =
            self.holders.iter().filter(|(_, holder)| self.living.get(holder).is_some_and(|ends| *ends > now));
        Partitions::ALL.without(taken.map(|(partition, _)| *partition).collect())
    }
}

/// One receiver looks at the store, and does what it should.
fn look(store: &mut Store, receivers: &mut BTreeMap<u64, Receiver>, name: u64, now: u64, dice: &mut Dice) {
    let Some(receiver) = receivers.get_mut(&name) else { return };
    store.living.insert(name, now + LEASE);
    receiver.begins_until = now + LEASE / 2;
    // What was taken over meanwhile.
    let held = store.held_by(name);
    receiver.held = receiver.held.without(Partitions::ALL.without(held));
    receiver.giving = receiver.giving.without(Partitions::ALL.without(held));
    let living: Vec<u64> =
        store.living.iter().filter(|(_, ends)| **ends > now).map(|(name, _)| *name).collect();
    let place = living.iter().position(|living| *living == name).and_then(|place| u32::try_from(place).ok());
    let standing = Standing {
        living: u32::try_from(living.len()).unwrap_or(1),
        place: place.unwrap_or(0),
        held: receiver.held.without(receiver.giving),
        free: store.free(now),
    };
    let change = standing.change();
    assert!(change.give.without(standing.held).is_empty() && change.take.without(standing.free).is_empty());
    receiver.giving = receiver.giving.with(change.give);
    // What is under way ends some time.
    let ended: Partitions = receiver.giving.iter().filter(|_| dice.below(2) == 0).collect();
    store.holders.retain(|partition, _| !ended.contains(*partition));
    (receiver.held, receiver.giving) = (receiver.held.without(ended), receiver.giving.without(ended));
    for partition in change.take.iter() {
        if store.free(now).contains(partition) {
            store.holders.insert(partition, name);
            receiver.held.insert(partition);
        }
    }
}

fn check(receivers: &BTreeMap<u64, Receiver>, now: u64) {
    let mut taken = Partitions::NONE;
    for receiver in receivers.values().filter(|receiver| receiver.begins_until > now) {
        let both: Vec<_> = receiver.held.iter().filter(|partition| taken.contains(*partition)).collect();
        assert!(both.is_empty(), "two deliver {both:?}");
        taken = taken.with(receiver.held);
    }
}

#[test]
fn whoever_comes_goes_and_stands_still_no_partition_is_delivered_by_two_and_in_the_end_each_has_its_share() {
    for seed in 0..20 {
        let (mut dice, mut store) = (Dice(seed), Store::default());
        let mut receivers = BTreeMap::new();
        for now in 0..400 {
            match dice.below(20) {
                0 if receivers.len() < 7 => drop(receivers.insert(now, Receiver::default())),
                1 if receivers.len() > 1 => {
                    // It dies, and tells nobody.
                    let dies = receivers.keys().nth(usize::try_from(dice.below(2)).unwrap_or(0)).copied();
                    dies.map(|name| receivers.remove(&name));
                }
                2 => {
                    if let Some(receiver) = receivers.values_mut().next() {
                        receiver.still = now + dice.below(3 * LEASE);
                    }
                }
                _ => {}
            }
            let awake: Vec<u64> = receivers
                .iter()
                .filter(|(_, receiver)| receiver.still <= now)
                .map(|(name, _)| *name)
                .collect();
            for name in awake {
                look(&mut store, &mut receivers, name, now, &mut dice);
                check(&receivers, now);
            }
        }
        for now in 400..460 {
            let all: Vec<u64> = receivers.keys().copied().collect();
            for name in all {
                if let Some(receiver) = receivers.get_mut(&name) {
                    receiver.still = 0;
                }
                look(&mut store, &mut receivers, name, now, &mut dice);
                check(&receivers, now);
            }
        }
        let count = u32::try_from(receivers.len()).unwrap_or(0);
        let shares: Vec<u32> = receivers.values().map(|receiver| receiver.held.len()).collect();
        assert_eq!(
            shares.iter().sum::<u32>(),
            if count == 0 { 0 } else { u32::from(PARTITIONS) },
            "seed {seed}"
        );
        let even = u32::from(PARTITIONS) / count.max(1);
        assert!(shares.iter().all(|share| (even..=even + 1).contains(share)), "seed {seed}: {shares:?}");
    }
}

#[test]
fn of_more_receivers_than_partitions_some_have_none() {
    let of = |place| Standing { living: 70, place, held: Partitions::NONE, free: Partitions::ALL };
    assert_eq!((of(0).share(), of(63).share(), of(64).share()), (1, 1, 0));
    assert_eq!((of(63).change().take.len(), of(64).change().take.len()), (1, 0));
}
