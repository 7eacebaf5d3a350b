//! Flows take turns: how many deliveries of others go before one that has just come.
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
