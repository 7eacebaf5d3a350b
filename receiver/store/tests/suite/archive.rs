//! What is told about the past, and when it ends.
use std::{collections::HashMap, time::Duration};

use boathook_event::{Count, ParkReason, Record, Rejected, Retention, Seq, Word};
use boathook_store::{
    limits::{OLDEST_LOOKED_AT, REJECTED_KEPT_MAX, RETAIN_SLICE},
    traits::{Archived, Batch, DeliveryState, Erased, Retentions, Verdict},
};
use jiff::{SignedDuration, Timestamp};

use super::{Environment, Lasting, build::*};

/// Delivered events for 1,000 seconds, parked ones for 5,000.
fn retentions() -> Retentions {
    Retentions { default: kept(1_000, 5_000), endpoints: HashMap::new() }
}

fn kept(delivered: u64, parked: u64) -> Retention {
    let [delivered, parked, rejected] = [delivered, parked, 100].map(Duration::from_secs);
    Retention { delivered, parked, rejected }
}

fn record(environment: &impl Environment, records: Vec<Record>) {
    let epoch = environment.claim();
    let outcomes = records.into_iter().map(|record| (epoch, record)).collect();
    environment.committer().commit(&Batch { outcomes, ..Batch::default() }).unwrap();
}

fn listed(environment: &impl Environment) -> Vec<Seq> {
    environment.archive().list(None, 0, 100).unwrap().iter().map(|archived| archived.seq).collect()
}

pub(crate) fn an_event_comes_back_as_it_was<E: Lasting>() {
    let mut environment = E::new();
    let whole = draft(1).key("k").sinks(&["b", "a"]);
    let bare = Draft { body: Vec::new(), ..draft(2).sinks(&[]) };
    environment.append(&[whole.clone(), bare.clone()]);
    environment.reopen();
    for draft in [whole, bare] {
        let Archived { seq, event, deliveries } =
            environment.archive().show(&uid(draft.uid)).unwrap().unwrap();
        assert_eq!(seq, draft.uid);
        assert_eq!(format!("{event:?}"), format!("{:?}", draft.event()));
        assert_eq!(event.head, draft.event().head);
        let sinks = deliveries.iter().map(|delivery| delivery.sink.name()).collect::<Vec<_>>();
        assert_eq!(sinks, draft.sinks);
        assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Pending));
    }
    assert!(environment.archive().show(&uid(3)).unwrap().is_none());
}

pub(crate) fn lists_are_by_sequence_and_by_endpoint<E: Environment>() {
    let environment = E::new();
    let of = |uid, endpoint| Draft { endpoint, ..draft(uid) };
    environment.append(&[of(1, "in"), of(2, "other"), of(3, "in"), of(4, "in")]);
    let archive = environment.archive();
    let list = |endpoint: Option<&str>, after, limit| {
        let endpoint = endpoint.map(name);
        let listed = archive.list(endpoint.as_ref(), after, limit).unwrap();
        listed.iter().map(|archived| archived.seq).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 0, 100), [1, 2, 3, 4]);
    assert_eq!(list(None, 1, 2), [2, 3]);
    assert_eq!(list(Some("in"), 1, 100), [3, 4]);
    assert_eq!(list(Some("in"), 0, 1), [1]);
    assert!(list(Some("nobody"), 0, 100).is_empty());
}

pub(crate) fn the_first_and_the_last_nine_failures_are_kept<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1).sinks(&["a", "b"])]);
    record(&environment, (1..=14).map(|n| retry(1, "a", n, at(n.into()), at(100))).collect());
    record(&environment, vec![parked(1, "a", 15, at(15))]);
    let shown = environment.archive().show(&uid(1)).unwrap().unwrap().deliveries.remove(0);
    assert_eq!((shown.state, shown.attempts), (DeliveryState::Parked, 15));
    let kept = [1, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(|n: u32| failed_attempt(n, at(n.into())));
    assert_eq!(shown.failures, kept);
    assert_eq!(environment.archive().statistics().unwrap().sinks[0].failed_attempts, 15);
}

pub(crate) fn totals_outlive_reopening_and_retention<E: Lasting>() {
    let mut environment = E::new();
    environment.append(&[draft(1).dedupe(&[key(1)]), draft(2), draft(3).dedupe(&[key(1)])]);
    let counters = vec![
        Count { endpoint: name("in"), word: Word::Rejected, by: 40 },
        Count { endpoint: name("in"), word: Word::Rejected, by: 2 },
        Count { endpoint: name("zz"), word: Word::Busy, by: 1 },
    ];
    environment.committer().commit(&Batch { counters, ..Batch::default() }).unwrap();
    record(&environment, vec![delivered(1, "a", 1, at(0)), parked(2, "a", 1, at(0))]);
    let before = environment.archive().statistics().unwrap();
    let words = |word| before.endpoints.iter().map(|endpoint| endpoint.of(word)).collect::<Vec<_>>();
    assert_eq!(
        [Word::Accepted, Word::Duplicate, Word::Rejected, Word::Busy].map(words),
        [vec![2, 0], vec![1, 0], vec![42, 0], vec![0, 1]]
    );
    assert_eq!((before.events, before.last_seq), (2, 2));
    environment.reopen();
    assert_eq!(environment.archive().statistics().unwrap(), before);
    assert_eq!(environment.archive().retain(&retentions(), at(1_000_000)).unwrap(), 2);
    environment.kill();
    let after = environment.archive().statistics().unwrap();
    assert_eq!((after.endpoints, after.sinks), (before.endpoints, before.sinks));
    assert_eq!((after.events, after.last_seq), (0, 2));
    assert_eq!(environment.append(&[draft(4)]), [Verdict::Stored { seq: 3 }]);
}

pub(crate) fn retention_keeps_what_is_pending_and_what_is_not_yet_old<E: Environment>() {
    let environment = E::new();
    environment.append(&[
        draft(1).sinks(&[]),
        draft(2),
        draft(3),
        draft(4),
        draft(5).sinks(&["a", "b"]),
        draft(6).sinks(&["a", "b"]),
    ]);
    record(
        &environment,
        vec![
            delivered(2, "a", 1, at(99)),
            parked(3, "a", 1, at(99)),
            delivered(5, "a", 1, at(99)),
            delivered(6, "a", 1, at(99)),
            parked(6, "b", 1, at(199)),
        ],
    );
    let mut archive = environment.archive();
    let mut retain = |seconds| (archive.retain(&retentions(), at(seconds)).unwrap(), listed(&environment));
    // Each attempt took a second.
    assert_eq!(retain(999), (0, vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(retain(1_000), (1, vec![2, 3, 4, 5, 6]));
    assert_eq!(retain(1_099), (0, vec![2, 3, 4, 5, 6]));
    assert_eq!(retain(1_100), (1, vec![3, 4, 5, 6]));
    assert_eq!(retain(5_099), (0, vec![3, 4, 5, 6]));
    assert_eq!(retain(5_100), (1, vec![4, 5, 6]));
    assert_eq!(retain(5_200), (1, vec![4, 5]));
    assert_eq!(retain(1_000_000), (0, vec![4, 5]));
    assert_eq!(environment.feed().next(&name("b"), 0, ALL).unwrap().deliveries.len(), 1);
}

pub(crate) fn each_endpoint_has_a_retention_of_its_own<E: Environment>() {
    let environment = E::new();
    let other = |uid| Draft { endpoint: "other", ..draft(uid) };
    environment.append(&[draft(1), other(2), draft(3), other(4)]);
    let of_other = |record| Record { endpoint: name("other"), ..record };
    let others = vec![of_other(delivered(2, "a", 1, at(0))), of_other(parked(4, "a", 1, at(0)))];
    record(&environment, vec![delivered(1, "a", 1, at(0)), delivered(3, "a", 1, at(0))]);
    record(&environment, others);
    let endpoints = HashMap::from([(name("other"), kept(10, 20))]);
    let retentions = Retentions { endpoints, ..retentions() };
    let mut archive = environment.archive();
    let mut retain = |seconds| (archive.retain(&retentions, at(seconds)).unwrap(), listed(&environment));
    assert_eq!(retain(11), (1, vec![1, 3, 4]));
    assert_eq!(retain(21), (1, vec![1, 3]));
    assert_eq!(retain(1_001), (2, vec![]));
}

pub(crate) fn retention_goes_through_many_slices<E: Environment>() {
    let environment = E::new();
    let count = 2 * RETAIN_SLICE as u64 + 10;
    let kept = [1, RETAIN_SLICE as u64 + 1, count];
    let draft = |n| if kept.contains(&n) { draft(n) } else { draft(n).sinks(&[]) };
    environment.append(&(1..=count).map(draft).collect::<Vec<_>>());
    assert_eq!(environment.archive().retain(&retentions(), at(1_000)).unwrap(), count - 3);
    assert_eq!(listed(&environment), kept);
    assert_eq!(environment.archive().statistics().unwrap().events, 3);
}

pub(crate) fn retention_forgets_keys_past_their_window_only<E: Environment>() {
    let environment = E::new();
    let long = Draft { window: 10 * WINDOW, ..draft(2).dedupe(&[key(2)]) };
    environment.append(&[draft(1).dedupe(&[key(1)]), long]);
    let retain = |seconds| {
        environment.set_time(at(seconds));
        environment.archive().retain(&retentions(), at(seconds)).unwrap();
        // The clock goes back: a key that is still known is known, a forgotten one is not.
        environment.set_time(START);
    };
    retain(3_600);
    let duplicate = Verdict::Duplicate { of: 2, rearmed: false };
    assert_eq!(environment.append(&[draft(3).dedupe(&[key(2)])]), [duplicate]);
    // A store may keep what is past its window as long as something that came with it is not.
    retain(36_000);
    assert_eq!(
        environment.append(&[draft(4).dedupe(&[key(1)]), draft(5).dedupe(&[key(2)])]),
        [Verdict::Stored { seq: 3 }, Verdict::Stored { seq: 4 }]
    );
}

pub(crate) fn the_oldest_pending_delivery_of_each_endpoint_is_told<E: Environment>() {
    let environment = E::new();
    let told = || {
        let mut told = environment.archive().oldest_pending().unwrap();
        told.sort();
        told
    };
    assert_eq!(told(), []);
    let from = |endpoint, uid| Draft { endpoint, received: at(i64::try_from(uid).unwrap()), ..draft(uid) };
    let many = OLDEST_LOOKED_AT as u64;
    let ahead = (1..=many).map(|uid| from("a", uid).sinks(&["x"]));
    let others = [from("b", many + 1).sinks(&["y"]), from("c", many + 2).sinks(&["x"])];
    environment.append(&ahead.chain(others).collect::<Vec<_>>());
    // That of `c` is behind all that is looked at: told with the last of these.
    let last = at(i64::try_from(many).unwrap());
    let second = last + SignedDuration::from_secs(1);
    assert_eq!(told(), [(name("a"), at(1)), (name("b"), second), (name("c"), last)]);
    let of = |endpoint, record| Record { endpoint: name(endpoint), ..record };
    let (first, other) = (delivered(1, "x", 1, at(0)), delivered(many + 1, "y", 1, at(0)));
    record(&environment, vec![of("a", first), of("b", other)]);
    let third = last + SignedDuration::from_secs(2);
    assert_eq!(told(), [(name("a"), at(2)), (name("c"), third)]);
}

pub(crate) fn an_erased_event_is_gone_but_still_known<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1), draft(2).dedupe(&[key(7)]).sinks(&["a", "b"]), draft(3)]);
    record(&environment, vec![retry(2, "a", 1, at(0), at(60)), delivered(2, "b", 1, at(0))]);
    let mut archive = environment.archive();
    assert_eq!([archive.place(&uid(2)).unwrap(), archive.place(&uid(9)).unwrap()], [Some(2), None]);
    assert_eq!(archive.erase(&[2]).unwrap().events, 1);
    assert_eq!(archive.place(&uid(2)).unwrap(), None);
    assert_eq!(archive.erase(&[2]).unwrap().events, 0);
    assert!(archive.show(&uid(2)).unwrap().is_none());
    assert_eq!(listed(&environment), [1, 3]);
    assert_eq!(environment.feed().earliest_due(&name("a"), Timestamp::MIN).unwrap(), None);
    let statistics = archive.statistics().unwrap();
    assert_eq!((statistics.events, statistics.sinks[0].pending, statistics.sinks[1].delivered), (2, 2, 1));
    assert_eq!((statistics.sinks[0].erased, statistics.endpoints[0].erased), (1, 1));
    assert_eq!(
        environment.append(&[draft(4).dedupe(&[key(7)])]),
        [Verdict::Duplicate { of: 2, rearmed: false }]
    );
    // What an attempt that was under way says of it changes nothing.
    record(&environment, vec![delivered(2, "a", 2, at(60))]);
    assert_eq!(archive.statistics().unwrap().sinks[0].delivered, 0);
}

pub(crate) fn events_are_erased_together_and_what_was_put_aside_counts_as_erased_too<E: Environment>() {
    let environment = E::new();
    let aside = draft(4).sinks(&["b"]).put_aside(ParkReason::SchemaMismatch);
    environment.append(&[draft(1).sinks(&["a", "b"]), draft(2), draft(3), aside, draft(5)]);
    record(
        &environment,
        vec![delivered(1, "b", 1, at(0)), parked(2, "a", 1, at(0)), delivered(3, "a", 1, at(0))],
    );
    let mut archive = environment.archive();
    let erased = archive.erase(&[1, 2, 3, 4, 99]).unwrap();
    assert_eq!(erased, Erased { events: 4, pending: 1, parked: 2, traces: false });
    assert_eq!(archive.erase(&[1, 2]).unwrap(), Erased::default());
    assert_eq!(archive.erase(&[]).unwrap(), Erased::default());
    assert_eq!(listed(&environment), [5]);
    let statistics = archive.statistics().unwrap();
    let told = statistics.sinks.iter().map(|of| [of.delivered, of.parked, of.pending, of.erased]);
    assert_eq!(told.collect::<Vec<_>>(), [[1, 0, 1, 2], [1, 0, 0, 1]]);
}

fn rejected(endpoint: &str, second: i64) -> Rejected {
    Rejected {
        endpoint: name(endpoint),
        received_at: at(second),
        code: "invalid_signature".into(),
        status: 401,
        source: "2001:db8::7".parse().unwrap(),
        diagnosis: format!("number {second}").into(),
    }
}

pub(crate) fn refused_requests_are_remembered_newest_first_within_their_endpoint_s_budget<E: Environment>() {
    let environment = E::new();
    let many = i64::try_from(REJECTED_KEPT_MAX).unwrap() + 5;
    let refused =
        std::iter::once(rejected("other", 0)).chain((1..=many).map(|second| rejected("in", second)));
    environment.committer().commit(&Batch { rejected: refused.collect(), ..Batch::default() }).unwrap();
    let archive = environment.archive();
    let page = archive.rejections(Some(&name("in")), None, 2).unwrap();
    assert_eq!(
        page.iter().map(|(_, one)| one.clone()).collect::<Vec<_>>(),
        [many, many - 1].map(|n| rejected("in", n))
    );
    let rest = archive.rejections(Some(&name("in")), Some(page[1].0), 1_000).unwrap();
    assert_eq!(rest.len(), REJECTED_KEPT_MAX - 2);
    assert_eq!(rest.last().unwrap().1, rejected("in", 6));
    assert_eq!(archive.rejections(None, None, 1_000).unwrap().len(), REJECTED_KEPT_MAX + 1);
    assert!(archive.rejections(Some(&name("nobody")), None, 10).unwrap().is_empty());
    environment.archive().retain(&retentions(), at(100 + many - 1)).unwrap();
    assert_eq!(archive.rejections(None, None, 10).unwrap().len(), 1);
}

pub(crate) fn refused_requests_outlive_reopening<E: Lasting>() {
    let mut environment = E::new();
    let refused = Batch { rejected: vec![rejected("in", 1)], ..Batch::default() };
    environment.committer().commit(&refused).unwrap();
    environment.reopen();
    assert_eq!(environment.archive().rejections(None, None, 10).unwrap()[0].1, rejected("in", 1));
}

pub(crate) fn a_long_diagnosis_is_cut<E: Environment>() {
    let environment = E::new();
    let long = Rejected { diagnosis: "é".repeat(1_000).into(), ..rejected("in", 1) };
    environment.committer().commit(&Batch { rejected: vec![long], ..Batch::default() }).unwrap();
    let kept = environment.archive().rejections(None, None, 1).unwrap().remove(0).1;
    assert_eq!(kept.diagnosis, "é".repeat(256).into());
}
