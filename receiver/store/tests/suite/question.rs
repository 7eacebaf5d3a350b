//! Lists by what events are and how their deliveries stand.
use boathook_event::{Record, Seq};
use boathook_store::{
    limits::LIST_ROWS_MAX,
    traits::{Batch, DeliveryState, Order, Question},
};

use super::{Environment, build::*};

fn record(environment: &impl Environment, records: Vec<Record>) {
    let epoch = environment.claim();
    let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
}

/// All places, over pages of this size.
fn places(environment: &impl Environment, question: &Question, limit: usize) -> Vec<Seq> {
    let (archive, mut places, mut after) = (environment.archive(), Vec::new(), None);
    loop {
        let page = archive.find(question, after, limit).unwrap();
        assert!(page.events.len() <= limit);
        places.extend(page.events.iter().map(|event| event.seq));
        after = page.next;
        if after.is_none() {
            return places;
        }
    }
}

pub(crate) fn each_filter_leaves_what_it_says_in_either_order<E: Environment>() {
    let environment = E::new();
    let at_time = |uid, second| Draft { received: at(second), ..draft(uid) };
    environment.append(&[
        Draft { endpoint: "other", ..at_time(1, 10) },
        at_time(2, 20).key("k").sinks(&["a", "b"]),
        at_time(3, 30).sinks(&["b"]),
        at_time(4, 40).key("k"),
        at_time(5, 50).sinks(&["c"]),
    ]);
    let all = Question::default();
    let cases = [
        (all.clone(), vec![1, 2, 3, 4, 5]),
        (Question { endpoint: Some(name("in")), ..all.clone() }, vec![2, 3, 4, 5]),
        (Question { sink: Some(name("b")), ..all.clone() }, vec![2, 3]),
        (Question { id: Some("id-4".into()), ..all.clone() }, vec![4]),
        (Question { key: Some("k".into()), ..all.clone() }, vec![2, 4]),
        (Question { event_type: Some("a.type".into()), since: Some(at(30)), ..all.clone() }, vec![3, 4, 5]),
        (Question { event_type: Some("another".into()), ..all.clone() }, vec![]),
        (Question { since: Some(at(20)), until: Some(at(50)), ..all.clone() }, vec![2, 3, 4]),
        (Question { endpoint: Some(name("nobody")), ..all.clone() }, vec![]),
        (Question { sink: Some(name("nobody")), ..all.clone() }, vec![]),
    ];
    for (question, mut expected) in cases {
        for limit in [1, 2, 100] {
            let oldest_first = Question { order: Order::OldestFirst, ..question.clone() };
            assert_eq!(places(&environment, &oldest_first, limit), expected, "{question:?}");
            expected.reverse();
            assert_eq!(places(&environment, &question, limit), expected, "{question:?}");
            expected.reverse();
        }
    }
    let event = environment
        .archive()
        .find(&Question { key: Some("k".into()), ..all }, None, 1)
        .unwrap()
        .events
        .remove(0);
    assert_eq!((event.uid, event.endpoint, event.received_at, event.bytes), (uid(4), name("in"), at(40), 9));
    assert_eq!((event.id.as_deref(), event.event_type.as_deref()), (Some("id-4"), Some("a.type")));
    assert_eq!((event.key.as_deref(), event.deliveries.len()), (Some("k"), 1));
}

pub(crate) fn events_are_found_by_how_their_last_deliveries_stand<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1), draft(2).sinks(&["a", "b"]), draft(3), draft(4).sinks(&["b"])]);
    record(
        &environment,
        vec![
            delivered(1, "a", 1, at(0)),
            parked(2, "a", 1, at(0)),
            delivered(2, "b", 1, at(0)),
            parked(4, "b", 1, at(0)),
        ],
    );
    let of = |state, sink: Option<&str>| {
        let question = Question { state: Some(state), sink: sink.map(name), ..Question::default() };
        places(&environment, &question, 2)
    };
    assert_eq!(of(DeliveryState::Pending, None), [3]);
    assert_eq!(of(DeliveryState::Parked, None), [4, 2]);
    assert_eq!(of(DeliveryState::Delivered, None), [2, 1]);
    assert_eq!(of(DeliveryState::Parked, Some("a")), [2]);
    assert_eq!(of(DeliveryState::Delivered, Some("a")), [1]);
    assert_eq!(of(DeliveryState::Pending, Some("b")), [0; 0]);
}

pub(crate) fn a_page_looks_at_a_bounded_number_of_events_and_says_that_there_is_more<E: Environment>() {
    let environment = E::new();
    let many = LIST_ROWS_MAX as u64 + 10;
    for slice in (1..=many).collect::<Vec<_>>().chunks(1_000) {
        environment.append(&slice.iter().map(|n| draft(*n).sinks(&[])).collect::<Vec<_>>());
    }
    let question = Question { id: Some("id-1".into()), ..Question::default() };
    let first = environment.archive().find(&question, None, 5).unwrap();
    assert!(first.events.is_empty());
    assert_eq!(first.next, Some(11));
    assert_eq!(places(&environment, &question, 5), [1]);
}
