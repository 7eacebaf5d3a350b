//! The dispatcher against a model store and model sinks, under many seeds: lost handovers, slow and failing reads,
//! failing sinks and records, restarts, suspension, changed sinks. Whatever happens, every delivery ends, once at a time.
#![expect(clippy::indexing_slicing, reason = "the model has an entry for every sink")]
mod fairness;
mod store;
mod world;

use std::{collections::BTreeSet, time::Duration};

use boathook_dispatch::{LaneSnapshot, limits};
use boathook_event::Seq;

use self::world::{World, key_of, sinks};

#[test]
fn whatever_fails_every_delivery_ends_and_none_is_under_way_twice() {
    for seed in 0..16 {
        let mut world = World::new(seed);
        (world.mixed, world.erases) = (seed % 2 == 0, seed % 4 > 1);
        for _ in 0..1_500 {
            world.disturb();
            world.advance();
        }
        world.settle();
        assert!(world.rearmed > 0, "seed {seed} never armed a parked delivery again");
        for (sink, done) in &world.done {
            let distinct: BTreeSet<&Seq> = done.iter().collect();
            assert_eq!(distinct.len(), done.len(), "seed {seed}: {sink} has one twice");
        }
    }
}

#[test]
fn without_faults_a_lane_delivers_in_sequence_and_reads_the_store_in_pages() {
    let mut world = World::new(1);
    world.faults = false;
    world.commit(20_000);
    while world.advance() {}
    let done = &world.done[&sinks()[0]];
    let mut sorted = done.clone();
    sorted.sort_unstable();
    assert_eq!((done.len(), done == &sorted), (20_000, true));
    let page = u64::try_from(limits::LANE_DELIVERIES_MAX / 4).unwrap_or(1);
    assert!(world.feeds < 2 * (20_000 / page) + 20, "{} reads", world.feeds);
}

#[test]
fn whatever_fails_the_order_of_every_key_is_kept() {
    let (mut key_feeds, mut turn_feeds) = (0, 0);
    for seed in 1000..1024 {
        let mut world = World::new(seed);
        (world.keyed, world.large, world.mixed) = (true, seed % 2 == 0, seed % 4 < 2);
        world.erases = seed % 3 == 0;
        for _ in 0..1_500 {
            world.disturb();
            world.advance();
        }
        world.settle();
        key_feeds += world.key_feeds;
        turn_feeds += world.turn_feeds;
        for (sink, done) in &world.done {
            let distinct: BTreeSet<&Seq> = done.iter().collect();
            assert_eq!(distinct.len(), done.len(), "seed {seed}: {sink} has one twice");
        }
    }
    assert!(key_feeds > 100, "keys were read from the store {key_feeds} times only");
    assert!(turn_feeds > 100, "the store was read in turns {turn_feeds} times only");
}

#[test]
fn whatever_fails_a_key_waits_behind_what_is_parked_until_it_is_armed_again_or_gone() {
    let mut rearmed = 0;
    for seed in 3000..3016 {
        let mut world = World::new(seed);
        (world.keyed, world.blocks, world.large) = (true, true, seed % 2 == 0);
        (world.mixed, world.erases, world.ages) = (seed % 4 < 2, seed % 3 == 0, seed % 5 < 2);
        if world.ages {
            (world.max_age, world.attempts_max) = (Duration::from_secs(20), 0);
            world.configure();
        }
        for _ in 0..1_500 {
            world.disturb();
            world.advance();
        }
        world.settle();
        rearmed += world.rearmed;
    }
    assert!(rearmed > 50, "{rearmed} only");
}

#[test]
fn what_waits_behind_parked_ones_costs_no_memory() {
    let mut world = World::new(10);
    (world.faults, world.keyed, world.blocks) = (false, true, true);
    (world.held_up, world.attempts_max) = (Some("hot"), 2);
    world.configure();
    world.commit(6_000);
    while world.advance() && world.elapsed < Duration::from_secs(600) {}
    let lanes = world.dispatcher.snapshot();
    let held = |lane: &LaneSnapshot| (lane.ready, lane.waiting, lane.in_flight, lane.blocking, lane.bytes);
    assert!(lanes.iter().all(|lane| held(lane) == (0, 0, 0, 1, 0)), "{lanes:?}");
    world.held_up = None;
    world.discard();
    world.settle();
    let hot = world.done[&sinks()[0]].iter().filter(|seq| key_of(**seq) == Some("hot"));
    assert!(hot.is_sorted());
}

#[test]
fn whatever_fails_what_is_too_old_or_skipped_ends_and_nothing_else_does() {
    let (mut too_old, mut skipped) = (0, 0);
    for seed in 2000..2020 {
        let mut world = World::new(seed);
        (world.keyed, world.ages, world.attempts_max) = (seed % 2 == 0, true, 0);
        (world.mixed, world.erases) = (seed % 4 < 2, seed % 5 == 0);
        world.max_age = Duration::from_secs(20);
        world.configure();
        for _ in 0..1_500 {
            world.disturb();
            world.advance();
        }
        world.settle();
        (too_old, skipped) = (too_old + world.too_old, skipped + world.skipped);
    }
    assert!(too_old > 100 && skipped > 100, "{too_old} were too old, {skipped} skipped");
}

#[test]
fn what_is_too_old_is_put_aside_while_its_sink_is_down() {
    let mut world = World::new(6);
    (world.faults, world.keyed, world.down, world.attempts_max) = (false, true, true, 0);
    world.max_age = Duration::from_secs(3_600);
    world.configure();
    world.commit(6_000);
    let late = world.max_age + limits::SWEEP_MAX + Duration::from_secs(90);
    while world.elapsed < late && world.advance() {}
    let pending: Vec<usize> = world.pending.values().map(|pending| pending.len()).collect();
    assert_eq!(pending, [0, 0], "{:?}", world.dispatcher.snapshot());
    assert_eq!(world.parked.len(), 6_000 + 6_000 - 6_000 / 3);
}

#[test]
fn what_waits_for_its_key_is_put_aside_when_it_is_too_old() {
    let mut world = World::new(7);
    (world.faults, world.keyed, world.attempts_max) = (false, true, 0);
    (world.max_age, world.held_up) = (Duration::from_secs(600), Some("hot"));
    world.configure();
    world.commit(6_000);
    let late = world.max_age + limits::SWEEP_MAX + Duration::from_secs(90);
    while world.elapsed < late && world.advance() {}
    let hot = (1..=6_000).filter(|seq| key_of(*seq) == Some("hot")).count();
    let parked = world.parked.iter().filter(|(sink, _)| *sink == sinks()[0]).count();
    assert_eq!((parked, world.pending[&sinks()[0]].len()), (hot, 0));
}

#[test]
fn nothing_ages_while_its_sink_is_suspended() {
    let mut world = World::new(8);
    (world.faults, world.keyed) = (false, true);
    world.max_age = Duration::from_secs(600);
    world.suspend(true);
    world.commit(5_000);
    world.elapsed += Duration::from_secs(7_200);
    world.suspend(false);
    world.settle();
    assert_eq!((world.too_old, world.done[&sinks()[0]].len()), (0, 5_000));
}

#[test]
fn a_suspended_sink_that_skips_leaves_out_what_waits_and_what_comes_and_no_more() {
    let mut world = World::new(9);
    (world.faults, world.keyed) = (false, true);
    world.suspend(true);
    world.commit(5_000);
    world.skip();
    world.commit(1_000);
    while world.pending.values().any(|pending| !pending.is_empty()) && world.advance() {}
    let skipped = world.skipped;
    world.suspend(false);
    world.commit(500);
    world.settle();
    let [a, b] = [6_000, 6_000 - 6_000 / 3];
    assert_eq!((skipped, world.attempts), (a + b, 500 + 500 - 500 / 3));
}

#[test]
fn what_is_shared_with_another_process_is_delivered_by_one_of_them_in_the_order_of_its_key() {
    for seed in 4000..4010 {
        let mut world = World::new(seed);
        (world.keyed, world.large, world.mixed) = (seed % 4 != 0, seed % 2 == 0, seed % 3 > 0);
        world.erases = seed % 5 < 2;
        for _ in 0..1_500 {
            world.disturb();
            world.share();
            world.advance();
        }
        world.settle();
        for (sink, done) in &world.done {
            let distinct: BTreeSet<&Seq> = done.iter().collect();
            assert_eq!(distinct.len(), done.len(), "seed {seed}: {sink} has one twice");
        }
    }
}

#[test]
fn a_key_that_is_held_up_holds_up_no_other() {
    let mut world = World::new(3);
    world.keyed = true;
    world.faults = false;
    (world.held_up, world.attempts_max) = (Some("hot"), 0);
    world.configure();
    world.commit(20_000);
    while world.elapsed < Duration::from_secs(3_600) && world.advance() {}
    let done = &world.done[&sinks()[0]];
    let others = (1..=20_000).filter(|seq| key_of(*seq) != Some("hot")).count();
    assert_eq!(done.len(), others, "{:?}", world.dispatcher.snapshot());
    let bounds = world.dispatcher.snapshot();
    assert!(bounds.iter().all(|lane| lane.bytes <= limits::LANE_BYTES_MAX / 4), "{bounds:?}");
    world.held_up = None;
    world.settle();
    let hot: Vec<Seq> =
        world.done[&sinks()[0]].iter().copied().filter(|seq| key_of(*seq) == Some("hot")).collect();
    assert!(hot.is_sorted());
    assert_eq!(hot.len(), 4_000);
}

#[test]
fn a_sink_that_is_down_for_an_hour_costs_little_and_loses_nothing() {
    let mut world = World::new(4);
    (world.faults, world.keyed, world.down, world.attempts_max) = (false, true, true, 0);
    world.configure();
    world.commit(20_000);
    while world.elapsed < Duration::from_secs(3_600) && world.advance() {}
    let sinks_count = 2;
    assert!(world.attempts <= sinks_count * 90, "{} attempts within an hour", world.attempts);
    (world.down, world.attempts) = (false, 0);
    let back = world.elapsed;
    world.settle();
    assert_eq!(world.done[&sinks()[0]].len(), 20_000);
    assert!(world.attempts <= 20_000 + 20_000, "{} attempts", world.attempts);
    assert!(world.elapsed < back + Duration::from_secs(300), "{:?}", world.elapsed - back);
}

#[test]
fn a_sink_with_a_rate_gets_no_more_and_all_in_the_end() {
    let mut world = World::new(5);
    (world.faults, world.attempts_per_minute) = (false, 600);
    world.configure();
    world.commit(3_000);
    while world.elapsed < Duration::from_secs(60) && world.advance() {}
    let sinks_count = 2;
    assert!((sinks_count * 590..=sinks_count * 611).contains(&world.attempts), "{} attempts", world.attempts);
    world.settle();
    assert_eq!(world.done[&sinks()[0]].len(), 3_000);
    assert!(
        world.elapsed > Duration::from_secs(290) && world.elapsed < Duration::from_secs(310),
        "{:?}",
        world.elapsed
    );
}

#[test]
fn a_restart_finds_what_was_waiting_for_a_retry() {
    let mut world = World::new(2);
    world.commit(500);
    for _ in 0..700 {
        world.advance();
    }
    world.restart();
    world.settle();
    assert_eq!(world.done[&sinks()[0]].len(), 500);
}

#[test]
fn whatever_fails_and_however_the_clock_is_set_every_delivery_ends() {
    for seed in 5000..5006 {
        let mut world = World::new(seed);
        (world.jumps, world.keyed) = (true, seed % 2 == 0);
        // None gets too old by the clock alone.
        world.max_age = Duration::from_secs(365 * 86_400);
        world.configure();
        for _ in 0..1_500 {
            world.disturb();
            world.advance();
        }
        world.settle();
        for (sink, done) in &world.done {
            let distinct: BTreeSet<&Seq> = done.iter().collect();
            assert_eq!(distinct.len(), done.len(), "seed {seed}: {sink} has one twice");
        }
        assert_eq!(world.too_old, 0);
    }
}

/// Two thousand events are refused again and again, so that most of them wait in the store; then the clock is set.
fn refused_and_set(by: i64) -> World {
    let mut world = World::new(11);
    (world.faults, world.held_up, world.attempts_max) = (false, Some("hot"), 0);
    world.configure();
    world.commit(5_000);
    while world.elapsed < Duration::from_secs(60) && world.advance() {}
    world.set_clock(by);
    world.held_up = None;
    world
}

#[test]
fn what_waits_in_the_store_goes_soon_however_the_clock_is_set() {
    for by in [-7_200, -60, 7_200] {
        let mut world = refused_and_set(by);
        let back = world.elapsed;
        world.settle();
        assert!(world.elapsed < back + Duration::from_secs(120), "{by}: {:?}", world.elapsed - back);
    }
}

#[test]
fn times_that_no_clock_of_today_has_written_are_not_waited_for() {
    for by in [-60, -7_200, -400 * 86_400] {
        let mut world = refused_and_set(by);
        world.restart();
        let back = world.elapsed;
        world.settle();
        assert!(world.elapsed < back + Duration::from_secs(120), "{by}: {:?}", world.elapsed - back);
    }
}

#[test]
fn an_age_is_told_by_the_wall_clock_also_where_that_was_set_back() {
    let mut world = World::new(12);
    (world.faults, world.down, world.attempts_max) = (false, true, 0);
    world.max_age = Duration::from_secs(3_600);
    world.configure();
    world.set_clock(-10 * 3_600);
    world.commit(10);
    while world.elapsed < Duration::from_secs(3_000) && world.advance() {}
    assert_eq!(world.too_old, 0);
    while world.elapsed < Duration::from_secs(4_000) && world.advance() {}
    assert_eq!(world.pending.values().map(|pending| pending.len()).sum::<usize>(), 0);
}
