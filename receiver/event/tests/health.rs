//! How an endpoint is, case by case.
use core::time::Duration;

use boathook_event::{Checkup, Health, Hour, Requests, SecretUse, Vitals, check_up};
use jiff::{SignedDuration, Timestamp};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn ago(seconds: i64) -> Timestamp {
    NOW - SignedDuration::from_secs(seconds)
}

fn ahead(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

/// An endpoint to which events come and from which they go on.
fn sound() -> Vitals<'static> {
    Vitals { last_event: Some(ago(10)), ..Vitals::default() }
}

fn secret(name: &'static str) -> SecretUse<'static> {
    SecretUse { place: (name, "k"), not_after: None, last_match: None }
}

#[test]
fn keys_that_were_forgotten_matter_while_they_should_be_known() {
    let since = |seconds| Vitals {
        keys_since: Some(ago(seconds)),
        dedupe_window: Duration::from_secs(60),
        ..sound()
    };
    let checkup = check_up(&since(59), NOW);
    assert_eq!((checkup.health, checkup.look_again), (Health::Degraded, Some(ahead(1))));
    assert!(checkup.recommendations()[0].starts_with("repetitions are known since"));
    assert_eq!(check_up(&since(60), NOW).health, Health::Healthy);
}

#[test]
fn an_endpoint_is_what_its_worst_finding_makes_it() {
    let usual_gap = Some(Duration::from_secs(7 * 86_400));
    for (case, vitals, health, told) in [
        ("sound", sound(), Health::Healthy, &[][..]),
        ("nothing has come yet", Vitals::default(), Health::Idle, &[]),
        ("a few failures", Vitals { consecutive_failures: 9, ..sound() }, Health::Healthy, &[]),
        (
            "ten failures in a row",
            Vitals { consecutive_failures: 10, ..sound() },
            Health::Failed,
            &["10 attempts"],
        ),
        (
            "ten failures before anything was delivered",
            Vitals { consecutive_failures: 10, ..Vitals::default() },
            Health::Failed,
            &["10 attempts"],
        ),
        (
            "what is signed is refused",
            Vitals { signed_refused: true, ..sound() },
            Health::Failed,
            &["all that the provider has signed"],
        ),
        (
            "forgers come to an endpoint",
            Vitals { refused_often: true, ..sound() },
            Health::Degraded,
            &["more than one in a hundred"],
        ),
        ("a delivery waits for a minute", waits(60), Health::Degraded, &["more than 60 s"]),
        ("a delivery waits for less", waits(59), Health::Healthy, &[]),
        (
            "one of its sinks fails",
            Vitals { failing_sinks: vec!["orders"], ..sound() },
            Health::Degraded,
            &["the sink orders fails"],
        ),
        (
            "several things at once, the worst first",
            Vitals {
                consecutive_failures: 12,
                refused_often: true,
                failing_sinks: vec!["a", "b"],
                oldest_pending: Some(ago(120)),
                ..sound()
            },
            Health::Failed,
            &["10 attempts", "the sink a", "the sink b", "more than 60 s", "more than one in a hundred"],
        ),
        ("nothing for a day", silent(DAY, None), Health::Idle, &["nothing genuine has come since"]),
        ("nothing for less than a day", silent(DAY - 1, None), Health::Healthy, &[]),
        ("a weekly one after two weeks", silent(14 * DAY, usual_gap), Health::Healthy, &[]),
        ("a weekly one after three weeks", silent(21 * DAY, usual_gap), Health::Idle, &["nothing genuine"]),
        (
            "a silent one whose sink fails",
            Vitals { failing_sinks: vec!["a"], ..silent(2 * DAY, None) },
            Health::Degraded,
            &["the sink a", "nothing genuine"],
        ),
    ] {
        let checkup = check_up(&vitals, NOW);
        assert_eq!(checkup.health, health, "{case}: {checkup:?}");
        let sentences = checkup.recommendations();
        assert_eq!(sentences.len(), told.len(), "{case}: {sentences:?}");
        for (sentence, told) in sentences.iter().zip(told) {
            assert!(sentence.contains(told), "{case}: {sentence}");
        }
    }
}

fn waits(seconds: i64) -> Vitals<'static> {
    Vitals { oldest_pending: Some(ago(seconds)), ..sound() }
}

fn silent(seconds: i64, usual_gap: Option<Duration>) -> Vitals<'static> {
    Vitals { last_event: Some(ago(seconds)), usual_gap, ..Vitals::default() }
}

#[test]
fn secrets_that_end_or_are_not_used_are_told_and_change_no_health() {
    let ends = |name, seconds| SecretUse { not_after: Some(ahead(seconds)), ..secret(name) };
    let used = |name, seconds| SecretUse { last_match: Some(ago(seconds)), ..secret(name) };
    for (case, secrets, told) in [
        ("one without an end", vec![secret("a")], None),
        ("the only one ends in six days", vec![ends("a", 6 * DAY)], Some("the secret a, key k, ends at")),
        ("the only one ends in eight days", vec![ends("a", 8 * DAY)], None),
        ("the only one has ended", vec![ends("a", -1)], None),
        ("its successor is there", vec![ends("a", DAY), secret("b")], None),
        ("its successor ends later", vec![ends("a", DAY), ends("b", 30 * DAY)], None),
        ("the last one ends soon, too", vec![ends("a", DAY), ends("b", 2 * DAY)], Some("the secret b")),
        (
            "one was used two days before the other",
            vec![used("a", 2 * DAY), used("b", 0)],
            Some("the secret a"),
        ),
        ("both are in use", vec![used("a", DAY), used("b", 0)], None),
        ("both were used long ago", vec![used("a", 9 * DAY), used("b", 9 * DAY - 60)], None),
        ("the new one was never used", vec![used("a", 3 * DAY), secret("b")], None),
    ] {
        let checkup = check_up(&Vitals { secrets, ..sound() }, NOW);
        assert_eq!(checkup.health, Health::Healthy, "{case}");
        match (told, &*checkup.recommendations()) {
            (None, []) => {}
            (Some(told), [sentence]) => assert!(sentence.contains(told), "{case}: {sentence}"),
            (_, sentences) => panic!("{case}: {sentences:?}"),
        }
    }
}

#[test]
fn it_is_looked_again_when_time_alone_changes_something() {
    let again = |vitals: &Vitals<'_>| check_up(vitals, NOW).look_again;
    assert_eq!(again(&Vitals::default()), None);
    assert_eq!(again(&sound()), Some(ahead(DAY - 10)));
    assert_eq!(again(&waits(20)), Some(ahead(40)));
    let secrets = vec![SecretUse { not_after: Some(ahead(7 * DAY + 5)), ..secret("a") }];
    assert_eq!(again(&Vitals { secrets, ..Vitals::default() }), Some(ahead(5)));
    // What is said then is not said before, and the other way round.
    let changes = |vitals: &Vitals<'_>| {
        let look = |at| {
            let Checkup { health, findings, .. } = check_up(vitals, at);
            (health, findings)
        };
        let at = again(vitals).unwrap_or(NOW);
        look(at) != look(at - SignedDuration::from_secs(1))
    };
    assert!(changes(&sound()) && changes(&waits(20)));
}

#[test]
fn shares_of_refused_requests_count_from_a_hundred_requests_an_hour() {
    for (taken, refused, often) in
        [(99, 1, false), (98, 2, true), (0, 99, false), (0, 100, true), (9_900, 100, false)]
    {
        let mut hour = Hour::default();
        hour.add(Requests { taken, refused, signed: 0 }, NOW);
        assert_eq!(hour.refused_often(), often, "{taken} taken, {refused} refused");
        assert!(!hour.signed_refused(), "forgers do not make it fail");
    }
}

#[test]
fn an_endpoint_that_takes_something_does_not_refuse_all_that_is_signed() {
    for (taken, signed, fails) in [(0, 2, false), (0, 3, true), (1, 1_000, false)] {
        let mut hour = Hour::default();
        hour.add(Requests { taken, refused: signed, signed }, NOW);
        assert_eq!(hour.signed_refused(), fails, "{taken} taken, {signed} signed and refused");
    }
}

#[test]
fn what_is_longer_ago_than_an_hour_is_forgotten_whatever_the_clock_does() {
    let refused = Requests { taken: 0, refused: 500, signed: 5 };
    let nothing = Requests::default();
    let mut hour = Hour::default();
    hour.add(refused, NOW);
    hour.add(nothing, ahead(HOUR - 300));
    assert!(hour.refused_often() && hour.signed_refused());
    hour.add(nothing, ago(9 * DAY));
    assert!(hour.refused_often(), "a clock that is set back forgets nothing");
    hour.add(nothing, ahead(HOUR + 300));
    assert!(!hour.refused_often() && !hour.signed_refused());
    hour.add(refused, ahead(100 * DAY));
    assert!(hour.refused_often());
}
