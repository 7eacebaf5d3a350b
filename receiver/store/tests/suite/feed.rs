//! Pages of what is still to be delivered.
use boathook_event::{Delivery, Next, Record, Seq};
use boathook_store::{
    limits::FEED_ROWS_MAX,
    traits::{Batch, DeliveryState, Fed, Page, Standing},
};
use jiff::Timestamp;

use super::{Environment, Lasting, build::*};

fn record(environment: &impl Environment, records: Vec<Record>) {
    let epoch = environment.claim();
    let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
}

fn seqs(fed: &Fed) -> Vec<Seq> {
    fed.deliveries.iter().map(|delivery| delivery.seq).collect()
}

pub(crate) fn the_last_place_is_told_whether_or_not_a_sink_wants_it<E: Environment>() {
    let environment = E::new();
    assert_eq!(environment.feed().news(0).unwrap().last, 0);
    environment.append(&[draft(1), draft(2).sinks(&[])]);
    assert_eq!(environment.feed().news(0).unwrap().last, 2);
}

pub(crate) fn never_tried_deliveries_come_by_sequence_page_by_page<E: Environment>() {
    let environment = E::new();
    let drafts = (1..=6).map(|n| if n == 3 { draft(n).sinks(&["b"]) } else { draft(n) }).collect::<Vec<_>>();
    environment.append(&drafts);
    record(&environment, vec![retry(2, "a", 1, at(0), at(60))]);
    let feed = environment.feed();
    let page = Page { deliveries_max: 2, ..ALL };
    let first = feed.next(&name("a"), 0, page).unwrap();
    assert_eq!((seqs(&first), first.up_to, first.more), (vec![1, 4], 4, true));
    let second = feed.next(&name("a"), first.up_to, page).unwrap();
    assert_eq!((seqs(&second), second.more), (vec![5, 6], false));
    assert_eq!(second.up_to, 6);
    let rest = feed.next(&name("a"), 6, page).unwrap();
    assert_eq!((seqs(&rest), rest.up_to, rest.more), (vec![], 6, false));
    // With nothing behind, all that is stored was looked at.
    assert_eq!(feed.next(&name("b"), 3, page).unwrap().up_to, 6);
    let Delivery { seq, sink, event, attempts, due, ordered, blocks: _, replay } = &first.deliveries[0];
    assert_eq!((*seq, sink, *attempts, *due, *ordered, *replay), (1, &name("a"), 0, None, false, 0));
    assert_eq!((event.uid, &event.body[..]), (uid(1), &b"body of 1"[..]));
}

pub(crate) fn a_page_ends_at_its_bytes_but_gives_at_least_one<E: Environment>() {
    let environment = E::new();
    let sized = |uid, bytes| Draft { body: vec![b'x'; bytes], ..draft(uid) };
    environment.append(&[sized(1, 100), sized(2, 30), sized(3, 30), sized(4, 1)]);
    let feed = environment.feed();
    let page = Page { bytes_max: 60, ..ALL };
    let first = feed.next(&name("a"), 0, page).unwrap();
    assert_eq!((seqs(&first), first.up_to, first.more), (vec![1], 1, true));
    let second = feed.next(&name("a"), 1, page).unwrap();
    assert_eq!((seqs(&second), second.up_to, second.more), (vec![2, 3], 3, true));
}

pub(crate) fn looking_stops_after_a_bounded_number_of_tried_deliveries<E: Environment>() {
    let environment = E::new();
    let many = FEED_ROWS_MAX as u64 + 10;
    environment.append(&(1..=many).map(draft).collect::<Vec<_>>());
    record(&environment, (1..many).map(|seq| retry(seq, "a", 1, at(0), at(60))).collect());
    let feed = environment.feed();
    let first = feed.next(&name("a"), 0, ALL).unwrap();
    assert_eq!((seqs(&first), first.up_to, first.more), (vec![], FEED_ROWS_MAX as u64, true));
    let second = feed.next(&name("a"), first.up_to, ALL).unwrap();
    assert_eq!((seqs(&second), second.more), (vec![many], false));
}

pub(crate) fn tried_deliveries_come_by_due_time<E: Environment>() {
    let environment = E::new();
    environment.append(&(1..=4).map(draft).collect::<Vec<_>>());
    record(
        &environment,
        vec![
            retry(1, "a", 1, at(0), at(30)),
            retry(2, "a", 2, at(0), at(10)),
            retry(3, "a", 1, at(0), at(20)),
        ],
    );
    let feed = environment.feed();
    let earliest = |sink: &str, after| feed.earliest_due(&name(sink), after).unwrap();
    assert_eq!(earliest("a", Timestamp::MIN), Some(at(10)));
    assert_eq!(earliest("a", at(10)), Some(at(20)));
    assert!(feed.due(&name("a"), at(9), FIRST, ALL).unwrap().deliveries.is_empty());
    let due = feed.due(&name("a"), at(20), FIRST, ALL).unwrap();
    assert_eq!((seqs(&due), due.more), (vec![2, 3], false));
    assert_eq!((due.deliveries[0].attempts, due.deliveries[0].due), (2, Some(at(10))));
    let page = feed.due(&name("a"), at(30), FIRST, Page { deliveries_max: 2, ..ALL }).unwrap();
    assert_eq!((seqs(&page), page.more), (vec![2, 3], true));
    assert_eq!(earliest("b", Timestamp::MIN), None);
}

pub(crate) fn what_is_due_is_read_on_behind_a_place<E: Environment>() {
    let environment = E::new();
    environment.append(&(1..=6).map(draft).collect::<Vec<_>>());
    let due = [20, 10, 10, 10, 10, 90];
    record(&environment, (1..).zip(due).map(|(seq, due)| retry(seq, "a", 1, at(0), at(due))).collect());
    let (feed, mut behind, mut pages) = (environment.feed(), FIRST, Vec::new());
    loop {
        let page = feed.due(&name("a"), at(30), behind, Page { deliveries_max: 2, ..ALL }).unwrap();
        pages.push(seqs(&page));
        if !page.more {
            break;
        }
        behind = page.deliveries.last().map(|last| (last.due.unwrap(), last.seq)).unwrap();
    }
    assert_eq!(pages, [vec![2, 3], vec![4, 5], vec![1]]);
    assert!(feed.due(&name("a"), at(30), (at(40), 0), ALL).unwrap().deliveries.is_empty());
}

pub(crate) fn deliveries_of_one_key_come_by_sequence_tried_or_not<E: Environment>() {
    let environment = E::new();
    let keys = ["k", "other", "k", "k", "k"];
    let drafts = (1..).zip(keys).map(|(n, key)| draft(n).key(key)).chain([draft(6)]).collect::<Vec<_>>();
    environment.append(&drafts);
    record(&environment, vec![retry(3, "a", 1, at(0), at(60)), delivered(4, "a", 1, at(0))]);
    let feed = environment.feed();
    let of_key = feed.by_key(&name("a"), "k", 0, ALL).unwrap();
    assert_eq!((seqs(&of_key), of_key.more), (vec![1, 3, 5], false));
    assert_eq!(of_key.deliveries[1].attempts, 1);
    let page = feed.by_key(&name("a"), "k", 1, Page { deliveries_max: 1, ..ALL }).unwrap();
    assert_eq!((seqs(&page), page.up_to, page.more), (vec![3], 3, true));
    assert!(feed.by_key(&name("a"), "nobody", 0, ALL).unwrap().deliveries.is_empty());
}

pub(crate) fn tried_deliveries_hold_their_keys_where_order_is_kept<E: Environment>() {
    let environment = E::new();
    let drafts =
        [draft(1).key("k"), draft(2).key("k").unordered(), draft(3), draft(4).key("k"), draft(5).key("l")];
    environment.append(&drafts);
    let records = [1, 2, 3, 5].map(|seq| retry(seq, "a", 1, at(0), at(60)));
    record(&environment, records.to_vec());
    let feed = environment.feed();
    let fed = feed.next(&name("a"), 0, ALL).unwrap();
    assert_eq!((seqs(&fed), fed.more), (vec![4], false));
    assert_eq!(fed.tried, [(1, "k".into()), (5, "l".into())]);
    assert_eq!(seqs(&feed.by_key(&name("a"), "k", 0, ALL).unwrap()), [1, 4]);
    let due = feed.due(&name("a"), at(60), FIRST, ALL).unwrap();
    let ordered = due.deliveries.iter().map(|delivery| (delivery.seq, delivery.ordered)).collect::<Vec<_>>();
    assert_eq!(ordered, [(1, true), (2, false), (3, false), (5, true)]);
    assert!(due.tried.is_empty());
}

pub(crate) fn what_is_armed_again_keeps_its_order<E: Environment>() {
    let environment = E::new();
    let ordered = draft(1).key("k").dedupe(&[key(1)]);
    let unordered = draft(2).key("k").unordered().dedupe(&[key(2)]);
    environment.append(&[ordered.clone(), unordered.clone()]);
    record(&environment, vec![parked(1, "a", 1, at(0)), parked(2, "a", 1, at(0))]);
    environment.append(&[ordered, unordered]);
    let fed = environment.feed().by_key(&name("a"), "k", 0, ALL).unwrap();
    assert_eq!(seqs(&fed), [1]);
    // It joins its key where it comes: what is behind it does not wait for it.
    let next = environment.feed().next(&name("a"), 0, ALL).unwrap();
    assert_eq!((seqs(&next), next.tried), (vec![], vec![]));
}

pub(crate) fn what_is_parked_and_blocks_holds_its_key_until_it_is_delivered_or_gone<E: Lasting>() {
    let mut environment = E::new();
    let blocking = |n: u8| draft(n.into()).key("k").blocking().dedupe(&[key(n)]);
    let (free, unordered) = (draft(2).key("k"), blocking(3).unordered());
    environment.append(&[blocking(1), free, unordered, blocking(4), blocking(5)]);
    record(&environment, (1..=4).map(|seq| parked(seq, "a", 1, at(0))).collect());
    environment.reopen();
    let holding = |environment: &E| environment.feed().blocking(&name("a"), &[1, 2, 3, 4, 5]).unwrap();
    let fed = environment.feed().next(&name("a"), 0, ALL).unwrap();
    assert_eq!((seqs(&fed), &fed.tried[..]), (vec![5], &[][..]));
    assert_eq!(fed.blocking, [(1, "k".into()), (4, "k".into())]);
    assert!(fed.deliveries[0].blocks);
    assert_eq!(environment.feed().next(&name("a"), 1, ALL).unwrap().blocking, [(4, "k".into())]);
    assert_eq!(holding(&environment), [1, 4]);
    // Armed again, it holds its key until it has ended otherwise than parked.
    environment.append(&[blocking(1)]);
    let due = environment.feed().due(&name("a"), Timestamp::MAX, FIRST, ALL).unwrap();
    assert!(due.deliveries[0].blocks && due.deliveries[0].ordered);
    record(&environment, vec![parked(1, "a", 1, at(0))]);
    assert_eq!(holding(&environment), [1, 4]);
    environment.append(&[blocking(1)]);
    record(&environment, vec![delivered(1, "a", 1, at(0))]);
    assert_eq!(holding(&environment), [4]);
    environment.archive().erase(&[4]).unwrap();
    assert!(holding(&environment).is_empty());
    record(&environment, vec![without_attempt(5, "a", Next::Skipped)]);
    assert_eq!(environment.feed().next(&name("a"), 0, ALL).unwrap().blocking, []);
    assert!(environment.feed().blocking(&name("nobody"), &[1]).unwrap().is_empty());
}

pub(crate) fn a_page_ends_where_the_deliveries_that_hold_their_keys_are_too_many<E: Environment>() {
    let environment = E::new();
    let many = FEED_ROWS_MAX as u64;
    let drafts = (1..=many + 2).map(|n| draft(n).key("k").blocking()).collect::<Vec<_>>();
    environment.append(&drafts);
    record(&environment, (1..=many + 1).map(|seq| parked(seq, "a", 1, at(0))).collect());
    let first = environment.feed().next(&name("a"), 0, ALL).unwrap();
    assert_eq!((seqs(&first), first.blocking.len()), (vec![], FEED_ROWS_MAX));
    assert_eq!((first.up_to, first.more), (many, true));
    let rest = environment.feed().next(&name("a"), first.up_to, ALL).unwrap();
    assert_eq!((seqs(&rest), rest.blocking), (vec![many + 2], vec![(many + 1, "k".into())]));
    assert_eq!((rest.up_to, rest.more), (many + 2, false));
}

pub(crate) fn it_is_told_how_the_deliveries_of_an_event_stand<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1).sinks(&["a", "b", "c"]).dedupe(&[key(1)]), draft(2).sinks(&[])]);
    record(&environment, vec![delivered(1, "a", 1, at(0)), parked(1, "c", 1, at(0))]);
    let feed = environment.feed();
    let standing = |seq| feed.standing(seq).unwrap();
    let of_first = |c| {
        let states = [("a", DeliveryState::Delivered), ("b", DeliveryState::Pending), ("c", c)];
        let deliveries = states.map(|(sink, state)| (name(sink), state)).to_vec();
        Some(Standing { uid: uid(1), deliveries })
    };
    assert_eq!(standing(1), of_first(DeliveryState::Parked));
    assert_eq!(standing(2), Some(Standing { uid: uid(2), deliveries: Vec::new() }));
    assert_eq!(standing(3), None);
    environment.append(&[draft(3).dedupe(&[key(1)])]);
    assert_eq!(standing(1), of_first(DeliveryState::Pending), "armed again");
}

pub(crate) fn a_sink_that_nobody_knows_has_nothing<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1)]);
    let feed = environment.feed();
    for fed in [
        feed.next(&name("nobody"), 0, ALL).unwrap(),
        feed.due(&name("nobody"), at(0), FIRST, ALL).unwrap(),
        feed.by_key(&name("nobody"), "k", 0, ALL).unwrap(),
        feed.oldest(&name("nobody"), 0, ALL).unwrap(),
    ] {
        assert_eq!((seqs(&fed), fed.up_to, fed.more), (vec![], 1, false));
    }
}
