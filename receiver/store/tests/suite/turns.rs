//! What waits, read in turns.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use boathook_event::{Delivery, Flow, ObjectName, Seq};
use boathook_store::{
    limits::TURN_FLOWS_MAX,
    traits::{Batch, DueTurns, Feed, Page, Replay, Turned, TurnedDue, Turns},
};
use jiff::Timestamp;

use super::{Environment, build::*};

fn seqs(turned: &Turned) -> Vec<Seq> {
    let mut seqs = turned.deliveries.iter().map(|(delivery, _)| delivery.seq).collect::<Vec<_>>();
    seqs.sort_unstable();
    seqs
}

fn flow(endpoint: &str, tenant: Option<&str>) -> Flow {
    Flow::of(&name(endpoint), tenant)
}

fn places(places: &[(Flow, Seq)]) -> Arc<BTreeMap<Flow, Seq>> {
    Arc::new(places.iter().copied().collect())
}

/// Reads one rotation after the other, and remembers the places, until none has more.
pub(crate) fn all(feed: &dyn Feed, sink: &ObjectName, page: Page) -> Vec<Seq> {
    let (mut turns, mut seqs, mut more) = (Turns::default(), Vec::new(), false);
    for _ in 0..10_000 {
        let turned = feed.turns(sink, &turns, page).unwrap();
        seqs.extend(turned.deliveries.iter().map(|(delivery, _)| delivery.seq));
        Arc::make_mut(&mut turns.places).extend(turned.places);
        more |= turned.more;
        turns.after = turned.reached;
        if turned.reached.is_none() && !std::mem::take(&mut more) {
            seqs.sort_unstable();
            return seqs;
        }
    }
    panic!("it does not come to an end");
}

pub(crate) fn each_flow_has_its_turn_whatever_another_has_piled_up<E: Environment>() {
    let environment = E::new();
    let mut drafts = (1..=40).map(draft).collect::<Vec<_>>();
    drafts.extend([draft(41).of("in", Some("t")), draft(42).of("other", None), draft(43).of("other", None)]);
    environment.append(&drafts);
    let feed = environment.feed();
    let page = Page { deliveries_max: 7, ..ALL };
    let turned = feed.turns(&name("a"), &Turns::default(), page).unwrap();
    assert_eq!(seqs(&turned), [1, 2, 41, 42, 43]);
    assert_eq!((turned.reached, turned.more, turned.last), (None, true, 43));
    let expected = [(flow("in", None), 2), (flow("in", Some("t")), 41), (flow("other", None), 43)];
    assert_eq!(turned.places.iter().copied().collect::<BTreeMap<_, _>>(), expected.into_iter().collect());
    assert!(turned.deliveries.iter().all(|(delivery, earlier)| delivery.due.is_none() && earlier.is_none()));
    let nobody = feed.turns(&name("nobody"), &Turns::default(), ALL).unwrap();
    assert_eq!((seqs(&nobody), nobody.reached, nobody.more, nobody.last), (vec![], None, false, 43));
    for deliveries_max in [1, 2, 5, 100] {
        assert_eq!(
            all(&*environment.feed(), &name("a"), Page { deliveries_max, ..ALL }),
            (1..=43).collect::<Vec<_>>()
        );
    }
}

pub(crate) fn a_flow_is_read_on_from_its_place_and_passed_over_where_there_is_none<E: Environment>() {
    let environment = E::new();
    let tenants = ["t", "u", "v", "t", "u", "v", "t", "u", "v"];
    let drafts = (1..).zip(tenants).map(|(n, tenant)| draft(n).of("in", Some(tenant))).collect::<Vec<_>>();
    environment.append(&drafts);
    let read = |turns: Turns| environment.feed().turns(&name("a"), &turns, ALL).unwrap();
    let known = places(&[(flow("in", Some("t")), 4), (flow("in", Some("u")), Seq::MAX)]);
    let turned = read(Turns { places: Arc::clone(&known), ..Turns::default() });
    assert_eq!((seqs(&turned), turned.reached, turned.more), (vec![3, 6, 7, 9], None, false));
    assert_eq!(seqs(&read(Turns { places: known, floor: 6, ..Turns::default() })), [7, 9]);
    let mut flows = ["t", "u", "v"].map(|tenant| flow("in", Some(tenant)));
    flows.sort_unstable();
    let turned = read(Turns { after: Some(flows[1]), ..Turns::default() });
    assert_eq!(turned.places.iter().map(|(flow, _)| *flow).collect::<Vec<_>>(), [flows[2]]);
}

pub(crate) fn there_may_be_more_flows_than_one_read_looks_at<E: Environment>() {
    let environment = E::new();
    let many = TURN_FLOWS_MAX as u64 + 5;
    let drafts = (1..=many).map(|n| draft(n).of("in", Some(&n.to_string()))).collect::<Vec<_>>();
    environment.append(&drafts);
    let first = environment.feed().turns(&name("a"), &Turns::default(), ALL).unwrap();
    let reached = first.places.last().map(|(flow, _)| *flow);
    assert_eq!((first.deliveries.len(), first.reached, first.more), (TURN_FLOWS_MAX, reached, false));
    let turns = Turns { after: reached, ..Turns::default() };
    let rest = environment.feed().turns(&name("a"), &turns, ALL).unwrap();
    assert_eq!((rest.deliveries.len(), rest.reached), (5, None));
    assert_eq!(all(&*environment.feed(), &name("a"), ALL), (1..=many).collect::<Vec<_>>());
}

pub(crate) fn a_page_without_room_ends_within_a_turn_which_comes_again<E: Environment>() {
    let environment = E::new();
    let sized = |n: u64, tenant, bytes| Draft { body: vec![b'x'; bytes], ..draft(n).of("in", Some(tenant)) };
    environment.append(&[sized(1, "t", 30), sized(2, "t", 30), sized(3, "u", 30), sized(4, "u", 30)]);
    let page = Page { bytes_max: 100, ..ALL };
    let turned = environment.feed().turns(&name("a"), &Turns::default(), page).unwrap();
    let (first, second) = (flow("in", Some("t")), flow("in", Some("u")));
    let given = if first < second { vec![1, 2, 3] } else { vec![1, 3, 4] };
    let (first, cut) = (first.min(second), if first < second { 3 } else { 1 });
    assert_eq!((seqs(&turned), turned.reached, turned.more), (given, Some(first), true));
    assert_eq!(turned.places.last(), Some(&(turned.deliveries[2].0.flow(), cut)));
    assert_eq!(all(&*environment.feed(), &name("a"), page), [1, 2, 3, 4]);
    let small = Page { bytes_max: 1, ..ALL };
    assert_eq!(environment.feed().turns(&name("a"), &Turns::default(), small).unwrap().deliveries.len(), 1);
    assert_eq!(all(&*environment.feed(), &name("a"), small), [1, 2, 3, 4]);
}

pub(crate) fn what_was_tried_has_no_turn<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1), draft(2).dedupe(&[key(2)]), draft(3), draft(4)]);
    let epoch = environment.claim();
    let records = [retry(1, "a", 1, at(0), at(60)), parked(2, "a", 1, at(0)), delivered(3, "a", 1, at(0))];
    let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    // What is armed again has none, either.
    environment.append(&[draft(2).dedupe(&[key(2)])]);
    assert_eq!(all(&*environment.feed(), &name("a"), ALL), [4]);
}

pub(crate) fn it_is_told_what_of_its_key_is_before_a_delivery<E: Environment>() {
    let environment = E::new();
    let keys = ["k", "k", "l", "k", "m"];
    let drafts = (1..).zip(keys).map(|(n, key)| draft(n).key(key).blocking()).collect::<Vec<_>>();
    environment.append(&drafts);
    environment
        .append(&[draft(6).of("other", None).key("k"), draft(7).of("other", None).key("k").unordered()]);
    let epoch = environment.claim();
    let outcomes = vec![(epoch, retry(4, "a", 1, at(0), at(60))), (epoch, parked(5, "a", 1, at(0)))];
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    environment.append(&[draft(8).of("other", None).key("m")]);
    let read = |floor| {
        let turns = Turns { floor, ..Turns::default() };
        let turned = environment.feed().turns(&name("a"), &turns, ALL).unwrap();
        let mut told = turned.deliveries.iter().map(|(of, earlier)| (of.seq, *earlier)).collect::<Vec<_>>();
        told.sort_unstable();
        (told, turned.blocking)
    };
    let all = vec![(1, None), (2, Some(1)), (3, None), (6, Some(4)), (7, None), (8, None)];
    assert_eq!(read(0), (all, vec![(5, "m".into())]));
    assert_eq!(read(4), (vec![(6, None), (7, None), (8, None)], vec![(5, "m".into())]));
    assert_eq!(read(5).1, []);
}

/// What a read in turns of what is due by then gives.
fn due(environment: &impl Environment, until: i64, after: Option<Flow>, passed: &[Flow]) -> TurnedDue {
    let passed = passed.iter().map(|flow| (*flow, (Timestamp::MAX, 0)));
    let turns = DueTurns { until: at(until), after, places: Arc::new(passed.collect()) };
    environment.feed().due_turns(&name("a"), &turns, ALL).unwrap()
}

fn due_seqs(TurnedDue { deliveries, .. }: &TurnedDue) -> Vec<Seq> {
    let mut seqs = deliveries.iter().map(|delivery| delivery.seq).collect::<Vec<_>>();
    seqs.sort_unstable();
    seqs
}

fn fail(environment: &impl Environment, due: &[i64]) {
    let epoch = environment.claim();
    let failed = (1..).zip(due).map(|(seq, due)| (epoch, retry(seq, "a", 1, at(0), at(*due))));
    let outcomes = failed.collect();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
}

pub(crate) fn what_is_due_of_each_flow_has_its_turn<E: Environment>() {
    let environment = E::new();
    let mut drafts = (1..=40).map(draft).collect::<Vec<_>>();
    drafts.extend([41, 42].map(|n| draft(n).of("in", Some("t"))));
    drafts.extend([43, 44, 45].map(|n| draft(n).of("other", None)));
    environment.append(&drafts);
    // Of the first flow the later ones come first; the last one is not due, and one more was never tried.
    let mut times = (1..=40).map(|n| 50 - n).collect::<Vec<_>>();
    times.extend([30, 20, 60, 500]);
    fail(&environment, &times);
    let [many, few, other] = [flow("in", None), flow("in", Some("t")), flow("other", None)];
    let turned = due(&environment, 100, None, &[]);
    let expected = (25..=43).collect::<Vec<_>>();
    assert_eq!((due_seqs(&turned), turned.reached), (expected, None));
    let of = |flow: Flow| turned.deliveries.iter().filter(move |delivery| delivery.flow() == flow);
    assert!([many, few, other].into_iter().all(|flow| of(flow).is_sorted_by_key(|delivery| delivery.due)));
    assert!(turned.deliveries.is_sorted_by_key(|delivery| delivery.flow()));
    assert_eq!(due_seqs(&due(&environment, 100, None, &[many])), [41, 42, 43]);
    assert_eq!(due_seqs(&due(&environment, 25, None, &[many])), [42]);
    let last = [many, few, other].into_iter().max();
    assert_eq!(due_seqs(&due(&environment, 100, last, &[])), [0; 0]);
    let mut turns = DueTurns { until: at(100), after: None, places: Arc::default() };
    let nobody = environment.feed().due_turns(&name("nobody"), &turns, ALL).unwrap();
    assert_eq!((due_seqs(&nobody), nobody.reached), (vec![], None));
    // Rotation after rotation all of them come, whatever room a page has.
    for deliveries_max in [1, 2, 5, 100] {
        let (mut seqs, mut useful) = (BTreeSet::new(), true);
        (turns.after, turns.places) = (None, Arc::default());
        while std::mem::take(&mut useful) || turns.after.is_some() {
            let page = Page { deliveries_max, ..ALL };
            let turned = environment.feed().due_turns(&name("a"), &turns, page).unwrap();
            useful = !turned.deliveries.is_empty();
            assert!(due_seqs(&turned).into_iter().all(|seq| seqs.insert(seq)));
            Arc::make_mut(&mut turns.places).extend(turned.places);
            turns.after = turned.reached;
        }
        assert_eq!(seqs, (1..=43).collect());
    }
}

pub(crate) fn there_may_be_more_flows_of_which_something_is_due_than_one_read_looks_at<E: Environment>() {
    let environment = E::new();
    let many = TURN_FLOWS_MAX as u64 + 5;
    let drafts = (1..=many).map(|n| draft(n).of("in", Some(&n.to_string()))).collect::<Vec<_>>();
    environment.append(&drafts);
    fail(&environment, &vec![10; drafts.len()]);
    let first = due(&environment, 100, None, &[]);
    let last = first.deliveries.last().map(Delivery::flow);
    assert_eq!((first.deliveries.len(), first.reached), (TURN_FLOWS_MAX, last));
    let rest = due(&environment, 100, last, &[]);
    assert_eq!((rest.deliveries.len(), rest.reached), (5, None));
    // Nothing is due, but all are looked at.
    let early = due(&environment, 5, None, &[]);
    assert_eq!((early.deliveries.len(), early.reached), (0, last));
}

pub(crate) fn what_is_armed_again_has_the_turn_of_its_flow<E: Environment>() {
    let environment = E::new();
    let drafts = [draft(1).of("in", Some("t")).dedupe(&[key(1)]), draft(2)];
    environment.append(&drafts);
    let epoch = environment.claim();
    let outcomes = [1, 2].map(|seq| (epoch, parked(seq, "a", 1, at(0)))).to_vec();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    environment.append(&drafts[..1]);
    environment.archive().replay(&[2], &Replay::default()).unwrap();
    assert_eq!(due_seqs(&due(&environment, 1_000, None, &[])), [1, 2]);
    assert_eq!(due_seqs(&due(&environment, 1_000, None, &[flow("in", Some("t"))])), [2]);
    assert_eq!(due_seqs(&due(&environment, 1_000, None, &[flow("in", None)])), [1]);
}
