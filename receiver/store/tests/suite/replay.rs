//! Deliveries that are made once more.
use std::{collections::HashMap, thread, time::Duration};

use boathook_event::{Delivery, Destination, Record, Retention};
use boathook_store::{
    Error,
    limits::REPLAY_SLICE,
    traits::{ArchivedDelivery, Batch, DeliveryState, Replay, Replayed, Retentions},
};

use super::{Environment, Lasting, build::*};

fn record(environment: &impl Environment, records: Vec<Record>) {
    let epoch = environment.claim();
    let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
}

/// The deliveries of an event: sink, replay, state, attempts.
fn standing(environment: &impl Environment, number: u64) -> Vec<(String, u32, DeliveryState, u32)> {
    let shown = environment.archive().show(&uid(number)).unwrap().unwrap();
    let standing = |delivery: ArchivedDelivery| {
        (delivery.sink.name().to_owned(), delivery.replay, delivery.state, delivery.attempts)
    };
    shown.deliveries.into_iter().map(standing).collect()
}

fn due(environment: &impl Environment, sink: &str) -> Vec<Delivery> {
    environment.feed().due(&name(sink), at(1_000), FIRST, ALL).unwrap().deliveries
}

/// Delivered, parked, pending, erased of a sink.
fn totals(environment: &impl Environment, sink: &str) -> [u64; 4] {
    let sinks = environment.archive().statistics().unwrap().sinks;
    let totals = sinks.into_iter().find(|totals| totals.sink == name(sink)).unwrap();
    [totals.delivered, totals.parked, totals.pending, totals.erased]
}

pub(crate) fn a_delivered_event_is_delivered_again_under_its_own_number_and_counted_once_more<E: Lasting>() {
    let mut environment = E::new();
    environment.append(&[draft(1).key("k")]);
    record(&environment, vec![retry(1, "a", 1, at(0), at(5)), delivered(1, "a", 2, at(5))]);
    let replay = |environment: &E| environment.archive().replay(&[1], &Replay::default()).unwrap();
    assert_eq!(replay(&environment), Replayed { deliveries: 1, pending: 0, armed: vec![1] });
    assert_eq!(totals(&environment, "a"), [1, 0, 1, 0]);
    environment.kill();
    let again = due(&environment, "a").remove(0);
    assert_eq!((again.replay, again.attempts, again.ordered), (1, 0, true));
    assert_eq!(again.idempotency_key(), format!("{}:r1", uid(1)));
    assert_eq!(replay(&environment), Replayed { deliveries: 0, pending: 1, armed: vec![] });
    record(&environment, vec![retry(1, "a", 1, at(10), at(15)), parked(1, "a", 2, at(15))]);
    assert_eq!(totals(&environment, "a"), [1, 1, 0, 0]);
    assert_eq!(
        standing(&environment, 1),
        [("a".to_owned(), 0, DeliveryState::Delivered, 2), ("a".to_owned(), 1, DeliveryState::Parked, 2)]
    );
    let failures = environment.archive().show(&uid(1)).unwrap().unwrap().deliveries;
    assert_eq!(failures.iter().map(|delivery| delivery.failures.len()).collect::<Vec<_>>(), [1, 2]);
    // What was parked starts anew under the number that it has.
    assert_eq!(replay(&environment).deliveries, 1);
    assert_eq!(due(&environment, "a")[0].replay, 1);
    record(&environment, vec![delivered(1, "a", 1, at(20))]);
    assert_eq!(replay(&environment).deliveries, 1);
    assert_eq!(due(&environment, "a")[0].replay, 2);
    assert_eq!(totals(&environment, "a"), [2, 0, 1, 0]);
    assert_eq!(environment.archive().erase(&[1]).unwrap().events, 1);
    assert_eq!(totals(&environment, "a"), [2, 0, 0, 1]);
}

pub(crate) fn only_the_deliveries_that_are_meant_are_made_once_more<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1).sinks(&["a", "b", "c"]), draft(2)]);
    record(
        &environment,
        vec![delivered(1, "a", 1, at(0)), parked(1, "b", 3, at(0)), parked(2, "a", 1, at(0))],
    );
    let replay = |events: &[u64], replay: &Replay| environment.archive().replay(events, replay).unwrap();
    let parked_to = |sink: &str| Replay {
        state: Some(DeliveryState::Parked),
        sink: Some(name(sink)),
        ..Replay::default()
    };
    assert_eq!(replay(&[1, 2, 99], &parked_to("a")), Replayed { deliveries: 1, pending: 0, armed: vec![2] });
    assert_eq!(replay(&[1], &parked_to("nobody")), Replayed::default());
    let parked = Replay { state: Some(DeliveryState::Parked), ..Replay::default() };
    assert_eq!(replay(&[1], &parked).deliveries, 1);
    let state = |environment: &E| standing(environment, 1).into_iter().map(|one| one.2).collect::<Vec<_>>();
    let expected = [DeliveryState::Delivered, DeliveryState::Pending, DeliveryState::Pending];
    assert_eq!(state(&environment), expected);
    let too_many = (1..=REPLAY_SLICE as u64 + 1).collect::<Vec<_>>();
    let refused = environment.archive().replay(&too_many, &Replay::default());
    assert!(matches!(refused, Err(Error::Rejected(_))));
}

pub(crate) fn an_event_can_go_to_a_sink_that_it_never_had<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1), draft(2)]);
    record(&environment, vec![parked(1, "a", 1, at(0)), delivered(2, "a", 1, at(0))]);
    let to = Destination { sink: name("new"), ordered: false, blocks: false };
    let other = Replay { state: Some(DeliveryState::Parked), to: Some(to), ..Replay::default() };
    let mut archive = environment.archive();
    assert_eq!(archive.replay(&[1, 2], &other).unwrap().armed, [1]);
    assert_eq!(archive.replay(&[1], &other).unwrap(), Replayed { deliveries: 0, pending: 1, armed: vec![] });
    assert_eq!((totals(&environment, "a"), totals(&environment, "new")), ([1, 1, 0, 0], [0, 0, 1, 0]));
    let fed = due(&environment, "new").remove(0);
    assert_eq!((fed.seq, fed.replay, fed.ordered), (1, 0, false));
    record(&environment, vec![delivered(1, "new", 1, at(0))]);
    assert_eq!(archive.replay(&[1], &other).unwrap().deliveries, 1);
    assert_eq!(due(&environment, "new")[0].replay, 1);
    let sinks = standing(&environment, 1).into_iter().map(|one| one.0).collect::<Vec<_>>();
    assert_eq!(sinks, ["a", "new", "new"]);
}

/// Events whose time is over are replayed one by one while they are deleted: each is there and delivered, or is gone.
pub(crate) fn what_goes_to_another_sink_is_kept_by_the_retention_that_runs_meanwhile<
    E: Environment + Sync,
>() {
    const EVENTS: u64 = 600;
    let environment = E::new();
    environment.append(&(1..=EVENTS).map(draft).collect::<Vec<_>>());
    record(&environment, (1..=EVENTS).map(|seq| delivered(seq, "a", 1, at(0))).collect());
    let [delivered, parked, rejected] = [1; 3].map(Duration::from_secs);
    let default = Retention { delivered, parked, rejected };
    let retentions = Retentions { default, endpoints: HashMap::new() };
    let to = Destination { sink: name("new"), ordered: false, blocks: false };
    let other = Replay { to: Some(to), ..Replay::default() };
    let mut archive = environment.archive();
    // The last one is armed before.
    let armed = archive.replay(&[EVENTS], &other).unwrap().deliveries;
    let armed = thread::scope(|scope| {
        let retaining = scope.spawn(|| environment.archive().retain(&retentions, at(1_000)).unwrap());
        let armed =
            armed + (1..EVENTS).map(|seq| archive.replay(&[seq], &other).unwrap().deliveries).sum::<u64>();
        assert_eq!(retaining.join().unwrap() + armed, EVENTS);
        armed
    });
    assert_eq!(
        (totals(&environment, "new")[2], environment.archive().statistics().unwrap().events),
        (armed, armed)
    );
    assert_eq!(due(&environment, "new").len() as u64, armed);
}
