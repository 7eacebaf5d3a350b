//! What is told hour by hour.
use std::{collections::HashMap, time::Duration};

use boathook_event::{Count, Latencies, ParkReason, Retention, Word};
use boathook_store::{
    limits::{HOUR_TYPES_MAX, HOURS_KEPT},
    traits::{Batch, Ended, Hour, HourType, Retentions, Series, Span},
};
use jiff::SignedDuration;

use super::{Environment, Lasting, build::*};

fn span(apart: bool) -> Span {
    let last = Hour::of(START + SignedDuration::from_hours(HOURS_KEPT));
    Span { endpoint: None, sink: None, first: Hour::of(START), last, apart }
}

fn told(environment: &impl Environment, span: &Span) -> Series {
    environment.archive().series(span).unwrap()
}

/// An hour of three events, two of them put aside later or at once, and the next hour of one.
fn two_hours<E: Environment>() -> E {
    let environment = E::new();
    let epoch = environment.claim();
    environment.append(&[
        draft(1).dedupe(&[key(1)]),
        draft(2),
        draft(3).sinks(&["b"]).put_aside(ParkReason::Shadow),
        draft(4).dedupe(&[key(1)]),
    ]);
    let outcomes = vec![
        (epoch, retry(1, "a", 1, at(0), at(9))),
        (epoch, retry(1, "a", 1, at(0), at(9))),
        (epoch, delivered(1, "a", 2, at(9))),
        (epoch, parked(2, "a", 1, at(0))),
    ];
    let counters = vec![Count { endpoint: name("in"), word: Word::Rejected, by: 5 }];
    let batch = Batch { outcomes, counters, ..Batch::default() };
    environment.committer().commit(&batch).unwrap();
    environment.set_time(at(3_600));
    environment.append(&[Draft { endpoint: "other", ..draft(5) }]);
    environment
}

pub(crate) fn each_hour_has_its_own_numbers_and_they_add_up<E: Environment>() {
    let environment = two_hours::<E>();
    let [first, second] = [at(0), at(3_600)].map(Hour::of);
    let apart = told(&environment, &span(true));
    let words = [(Word::Accepted, 3), (Word::Duplicate, 1), (Word::Rejected, 5)];
    assert_eq!(apart.words[&(name("in"), first)], words.into());
    assert_eq!(apart.words[&(name("other"), second)], [(Word::Accepted, 1)].into());
    assert_eq!(apart.words.len(), 2);
    let to_a = Ended { delivered: 1, parked: 1, skipped: 0, failed_attempts: 2 };
    let to_b = Ended { parked: 1, ..Ended::default() };
    let ended = [((name("in"), name("a"), first), to_a), ((name("in"), name("b"), first), to_b)];
    assert_eq!(apart.ended, ended.into());
    let mut took_a_second = Latencies::default();
    took_a_second.add(Latencies::bucket(1_000), 1);
    assert_eq!(apart.latencies, [((name("a"), first), took_a_second.clone())].into());
    let together = told(&environment, &span(false));
    assert_eq!(together.words[&(name("other"), first)], [(Word::Accepted, 1)].into());
    assert_eq!(together.latencies, [((name("a"), first), took_a_second)].into());
    assert_eq!(together.types[&name("in")], [(HourType::Named("a.type".into()), 3)].into());
    let nothing = Span { first: Hour::of(at(7_200)), ..span(true) };
    assert_eq!(told(&environment, &nothing), Series::default());
}

pub(crate) fn one_endpoint_and_one_sink_are_told_by_themselves<E: Environment>() {
    let environment = two_hours::<E>();
    let other = told(&environment, &Span { endpoint: Some(name("other")), ..span(true) });
    assert_eq!((other.words.len(), other.types.len(), other.ended.len()), (1, 1, 0));
    let to_b = told(&environment, &Span { sink: Some(name("b")), ..span(true) });
    assert_eq!((to_b.ended.len(), to_b.latencies.len()), (1, 0));
    let nobody = Span { endpoint: Some(name("nobody")), sink: Some(name("nobody")), ..span(true) };
    assert_eq!(told(&environment, &nobody), Series::default());
}

pub(crate) fn types_beyond_a_bound_are_counted_together<E: Environment>() {
    let environment = E::new();
    let all = u64::try_from(HOUR_TYPES_MAX).unwrap() + 10;
    let typed = |uid| Draft { event_type: Some(format!("type {uid}")), ..draft(uid) };
    let again = Draft { uid: all + 1, ..typed(2) };
    environment.append(&[Draft { event_type: None, ..draft(1) }]);
    environment.append(&(2..=all).map(typed).collect::<Vec<_>>());
    environment.append(&[again]);
    let types = told(&environment, &span(false)).types.remove(&name("in")).unwrap();
    assert_eq!(types.len(), HOUR_TYPES_MAX + 1);
    assert_eq!(types[&HourType::Missing], 1);
    assert_eq!(types[&HourType::Other], 10);
    assert_eq!(types.values().sum::<u64>(), all + 1);
}

pub(crate) fn hours_outlive_their_events_and_are_forgotten_in_their_time<E: Lasting>() {
    let mut environment = two_hours::<E>();
    let before = told(&environment, &span(true));
    environment.reopen();
    let [delivered, parked, rejected] = [Duration::ZERO; 3];
    let default = Retention { delivered, parked, rejected };
    let retentions = Retentions { default, endpoints: HashMap::new() };
    let retain = |hours| {
        let now = START + SignedDuration::from_hours(hours);
        environment.archive().retain(&retentions, now).unwrap()
    };
    assert_eq!(retain(HOURS_KEPT - 1), 3);
    assert_eq!(told(&environment, &span(true)), before);
    retain(HOURS_KEPT);
    let after = told(&environment, &span(true));
    assert_eq!((after.words.len(), after.ended.len(), after.latencies.len()), (1, 0, 0));
    retain(HOURS_KEPT + 1);
    assert_eq!(told(&environment, &span(true)), Series::default());
}
