//! What was never tried, read in turns.
use std::{collections::BTreeMap, sync::Arc};

use boathook_event::{Flow, ObjectName, Seq};
use boathook_store::{
    limits::TURN_FLOWS_MAX,
    traits::{Batch, Feed, Page, Turned, Turns},
};

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
