//! Flows take turns: how many deliveries of others go before one that has just come.
use std::{collections::BTreeMap, time::Duration};

use boathook_event::Seq;

use super::world::{World, key_of, sinks};

/// What goes while the store is asked: what the pause between two looks and the read itself take.
const MEANWHILE: usize = 24;

fn world(keyed: bool) -> World {
    let mut world = World::new(11);
    (world.faults, world.keyed) = (false, keyed);
    world
}

fn run_until(world: &mut World, begun: usize) {
    while world.begun.len() < begun && world.advance() {}
}

#[test]
fn one_event_of_a_flow_waits_for_a_turn_of_each_whatever_another_has_piled_up() {
    for keyed in [false, true] {
        for (pile, already) in [(100, 0), (900, 100), (20_000, 0), (20_000, 3_000)] {
            let mut world = world(keyed);
            world.commit_of(0, pile);
            run_until(&mut world, already);
            let (since, first) = (world.begun.len(), pile + 1);
            (1..=5).for_each(|flow| world.commit_of(flow, 1));
            let seqs: Vec<Seq> = (first..first + 5).filter(|seq| !keyed || key_of(*seq).is_none()).collect();
            let others = world.others_before(&sinks()[0], since, &seqs);
            assert!(others <= 12 + MEANWHILE, "keyed {keyed}, {pile}, {already}: {others}");
            world.settle();
        }
    }
}

#[test]
fn among_many_flows_that_have_piled_up_one_that_has_not_waits_for_a_turn_of_each() {
    let mut world = world(false);
    const FLOWS: u64 = 300;
    world.commit_of(0, 5_000);
    (1..=FLOWS).for_each(|flow| world.commit_of(flow, 40));
    run_until(&mut world, 4_000);
    let since = world.begun.len();
    world.commit_of(1_000, 1);
    let seqs = [world.committed];
    let others = world.others_before(&sinks()[0], since, &seqs);
    let turns = usize::try_from(FLOWS).unwrap_or(usize::MAX);
    assert!(others <= 3 * turns + MEANWHILE, "{others}");
    world.settle();
}

#[test]
fn two_piles_get_the_same_whichever_was_there_first() {
    let mut world = world(false);
    world.commit_of(0, 10_000);
    world.commit_of(1, 2_000);
    let (sink, mut counts, mut looked_at) = (&sinks()[0], [0_usize; 2], 0);
    while counts[1] < 1_500 {
        assert!(world.advance());
        for (of, seq) in world.begun.iter().skip(looked_at) {
            counts[usize::from(*seq > 10_000)] += usize::from(of == sink);
        }
        looked_at = world.begun.len();
    }
    assert!(counts[0] < 2 * counts[1], "{counts:?}");
    world.settle();
}

#[test]
fn while_a_sink_is_down_nobody_reads_in_turns_again_and_again() {
    let mut world = world(false);
    (world.down, world.attempts_max) = (true, 0);
    world.configure();
    world.commit_of(0, 20_000);
    world.commit_of(1, 1);
    while world.elapsed.as_secs() < 3_600 && world.advance() {}
    assert!(world.turn_feeds < 1_000, "{}", world.turn_feeds);
    world.down = false;
    world.settle();
}

/// How many of a flow were attempted at the first sink.
fn begun_of(world: &World, flow: u64) -> usize {
    let of_sink = world.begun.iter().filter(|(of, _)| *of == sinks()[0]);
    of_sink.filter(|(_, seq)| world.flow_number(*seq) == flow).count()
}

#[test]
fn a_tenant_at_its_rate_waits_and_the_others_go_on() {
    for per_minute in [60, 600] {
        let mut world = world(false);
        world.per_tenant_per_minute = per_minute;
        world.configure();
        world.commit_of(1, 3_000);
        world.commit_of(0, 3_000);
        world.commit_of(2, 1_500);
        world.commit_of(3, 5);
        while world.elapsed.as_secs() < 60 && world.advance() {
            let ready = world.dispatcher.snapshot()[0].ready;
            assert!(world.elapsed.as_secs() < 50 || ready <= 64, "{ready} wait in memory");
        }
        let begun = [0, 1, 2, 3].map(|flow| begun_of(&world, flow));
        let limit = usize::try_from(per_minute).unwrap_or(usize::MAX);
        assert!(begun[0] == 3_000 && begun[3] == 5, "{begun:?}");
        let burst = limit.div_ceil(60) + 1;
        for flow in [1, 2] {
            assert!((limit - 2 * burst..=limit + burst).contains(&begun[flow]), "{per_minute}: {begun:?}");
        }
        let reads = world.feeds + world.turn_feeds;
        assert!(reads < 4_000, "{reads}");
        (world.per_tenant_per_minute, world.attempts_per_minute) = (0, 0);
        world.configure();
        world.settle();
    }
}

#[test]
fn a_thousand_tenants_at_their_rates_leave_room_for_one_that_is_not() {
    let mut world = world(false);
    world.per_tenant_per_minute = 1;
    world.configure();
    (1..=1_000).for_each(|flow| world.commit_of(flow, 3));
    let at_first = |world: &World| world.begun.iter().filter(|(of, _)| *of == sinks()[0]).count();
    while at_first(&world) < 1_000 && world.advance() {}
    assert_eq!((1..=1_000).filter(|flow| begun_of(&world, *flow) == 1).count(), 1_000);
    let (since, ready) = (world.begun.len(), world.dispatcher.snapshot()[0].ready);
    assert!(ready <= 8, "{ready} wait in memory");
    world.commit_of(5_000, 1);
    let seqs = [world.committed];
    let others = world.others_before(&sinks()[0], since, &seqs);
    assert!(others <= MEANWHILE && world.elapsed.as_secs() < 50, "{others}, {:?}", world.elapsed);
    world.per_tenant_per_minute = 0;
    world.configure();
    world.settle();
}

/// The first sink has had `pile` of one flow and twenty of another; all of the first is armed again, and of the other when so many
/// of those have gone.
fn replayed(pile: u64, meanwhile: usize, per_tenant_per_minute: u32) -> World {
    let mut world = world(false);
    world.commit_of(1, pile);
    world.commit_of(2, 20);
    drain(&mut world);
    world.per_tenant_per_minute = per_tenant_per_minute;
    world.configure();
    (world.tries, world.due_feeds) = (BTreeMap::new(), 0);
    world.replay_of(1);
    let until = world.elapsed + Duration::from_secs(5);
    while tries_of(&world, 1) < meanwhile && world.elapsed < until && world.advance() {}
    world.replay_of(2);
    world
}

/// Until nothing waits for the first sink.
fn drain(world: &mut World) {
    while !world.pending[&sinks()[0]].is_empty() && world.advance() {}
}

/// Attempts of a flow at the first sink, each of them.
fn tries_of(world: &World, flow: u64) -> usize {
    world.tries.get(&flow).copied().unwrap_or_default()
}

#[test]
fn what_is_armed_again_of_one_flow_does_not_wait_for_what_is_of_another() {
    let mut world = replayed(8_000, 3_000, 0);
    let before = tries_of(&world, 1);
    while tries_of(&world, 2) < 20 && world.advance() {}
    let others = tries_of(&world, 1) - before;
    assert!(others <= 20 + 2 * MEANWHILE, "{others} of the other flow went before");
    world.settle();
}

#[test]
fn what_is_armed_again_of_a_tenant_at_its_rate_does_not_hold_up_that_of_others() {
    let mut world = replayed(5_000, 3_000, 60);
    let begun = world.elapsed;
    while tries_of(&world, 2) < 20 && world.advance() {}
    // That has the same rate: twenty take nineteen seconds.
    assert!(world.elapsed - begun < Duration::from_secs(21), "{:?}", world.elapsed - begun);
    assert!(tries_of(&world, 1) < 40, "{}", tries_of(&world, 1));
    while world.elapsed - begun < Duration::from_secs(600) && world.advance() {}
    let reads = world.due_feeds + world.due_turn_feeds;
    assert!(reads < 4_000, "{reads} reads");
    (world.per_tenant_per_minute, world.due_feeds) = (0, 0);
    world.configure();
    world.settle();
}

#[test]
fn what_is_armed_again_of_who_has_no_rate_goes_on_beside_a_tenant_at_its_rate() {
    let mut world = world(false);
    world.commit_of(1, 3_000);
    world.commit_of(0, 1_000);
    drain(&mut world);
    world.per_tenant_per_minute = 60;
    world.configure();
    world.replay_of(1);
    let until = world.elapsed + Duration::from_secs(5);
    while world.elapsed < until && world.advance() {}
    (world.tries, world.due_feeds, world.due_turn_feeds) = (BTreeMap::new(), 0, 0);
    world.replay_of(0);
    let begun = world.elapsed;
    while tries_of(&world, 0) < 1_000 && world.advance() {}
    let reads = world.due_feeds + world.due_turn_feeds;
    assert!(world.elapsed - begun < Duration::from_secs(6), "{:?}, {reads} reads", world.elapsed - begun);
    assert!(reads < 1_000, "{reads} reads");
    world.per_tenant_per_minute = 0;
    world.configure();
    world.settle();
}

#[test]
fn a_backlog_of_what_is_due_is_read_page_by_page_and_without_pauses() {
    let mut world = replayed(8_000, 3_000, 0);
    let begun = world.elapsed;
    drain(&mut world);
    // A millisecond passes with each answer: two for each delivery, and those of reads.
    assert!(world.elapsed - begun < Duration::from_secs(16), "{:?}", world.elapsed - begun);
    assert!(world.due_feeds < 100, "{} reads", world.due_feeds);
}

#[test]
fn retries_of_one_flow_do_not_wait_for_those_of_another() {
    let mut world = world(false);
    (world.held_up, world.attempts_max) = (Some("hot"), 0);
    world.configure();
    world.commit_of(1, 5_000);
    while world.elapsed.as_secs() < 60 && world.advance() {}
    world.commit_of(2, 20);
    world.tries.clear();
    while tries_of(&world, 2) < 20 && world.advance() {}
    world.held_up = None;
    world.tries.clear();
    let of_the_other = |world: &World| world.pending[&sinks()[0]].range(5_001..).next().is_some();
    while of_the_other(&world) && world.advance() {}
    // Their own first pauses are half a second at most.
    assert!(tries_of(&world, 1) < 500, "{} of the other flow went before", tries_of(&world, 1));
    assert!(world.pending[&sinks()[0]].len() > 1_000);
    world.settle();
}

#[test]
fn whatever_fails_what_waits_for_a_rate_goes_in_the_end_in_the_order_of_its_key() {
    for seed in 5000..5006 {
        let mut world = World::new(seed);
        (world.mixed, world.keyed, world.per_tenant_per_minute) = (true, seed % 2 == 0, 120);
        world.configure();
        for _ in 0..800 {
            world.disturb();
            world.advance();
        }
        world.settle();
    }
}
