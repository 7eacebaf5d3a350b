//! Verdicts, sequence, outcomes, epochs.
use boathook_event::{Next, ParkReason, Record, Seq, SinkTotals, Word};
use boathook_store::{
    Error,
    traits::{Batch, Committer, DeliveryState, Epoch, Question, Replay, Verdict},
};
use jiff::SignedDuration;

use super::{Environment, Lasting, build::*};

const fn stored(seq: Seq) -> Verdict {
    Verdict::Stored { seq }
}

const fn duplicate(of: Seq) -> Verdict {
    Verdict::Duplicate { of, rearmed: false }
}

fn outcomes(committer: &mut dyn Committer, epoch: Epoch, records: &[Record]) {
    let outcomes = records.iter().map(|record| (epoch, record.clone())).collect();
    let verdicts = committer.commit(&Batch { outcomes, ..Batch::default() }).unwrap();
    assert_eq!(verdicts, []);
}

fn totals(environment: &impl Environment, sink: &str) -> (u64, u64, u64, u64) {
    let totals = environment
        .archive()
        .statistics()
        .unwrap()
        .sinks
        .into_iter()
        .find(|totals| totals.sink == name(sink));
    let SinkTotals { delivered, parked, pending, failed_attempts, .. } = totals.unwrap();
    (delivered, parked, pending, failed_attempts)
}

fn pending(environment: &impl Environment, sink: &str) -> Vec<Seq> {
    let fed = environment.feed().next(&name(sink), 0, ALL).unwrap();
    fed.deliveries.iter().map(|delivery| delivery.seq).collect()
}

pub(crate) fn events_are_stored_in_a_contiguous_sequence<E: Lasting>() {
    let mut environment = E::new();
    assert_eq!(environment.append(&[draft(1), draft(2)]), [stored(1), stored(2)]);
    assert_eq!(environment.append(&[draft(3)]), [stored(3)]);
    environment.reopen();
    assert_eq!(environment.append(&[draft(4), draft(5)]), [stored(4), stored(5)]);
    assert_eq!(environment.archive().statistics().unwrap().last_seq, 5);
}

pub(crate) fn a_known_id_is_a_duplicate_of_the_first_event<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1), draft(2).dedupe(&[key(7)])]);
    assert_eq!(
        environment.append(&[
            draft(3).dedupe(&[key(7)]),
            draft(4).dedupe(&[key(8)]),
            draft(5).dedupe(&[key(7)])
        ]),
        [duplicate(2), stored(3), duplicate(2)],
    );
    let endpoint = environment.archive().statistics().unwrap().endpoints.remove(0);
    assert_eq!((endpoint.of(Word::Accepted), endpoint.of(Word::Duplicate)), (3, 2));
}

pub(crate) fn an_event_that_is_put_aside_is_parked_at_once_and_only_a_repetition_that_is_not_arms_it<
    E: Environment,
>() {
    let environment = E::new();
    let aside = |uid| draft(uid).sinks(&["a", "b"]).dedupe(&[key(7)]).put_aside(ParkReason::SchemaMismatch);
    assert_eq!(environment.append(&[aside(1), draft(2)]), [stored(1), stored(2)]);
    assert_eq!((pending(&environment, "a"), pending(&environment, "b")), (vec![2], vec![]));
    assert_eq!((totals(&environment, "a"), totals(&environment, "b")), ((0, 1, 1, 0), (0, 1, 0, 0)));
    let shown = environment.archive().show(&uid(1)).unwrap().unwrap().deliveries;
    let stand: Vec<_> = shown.iter().map(|delivery| (delivery.state, delivery.attempts)).collect();
    assert_eq!(stand, [(DeliveryState::Parked, 0), (DeliveryState::Parked, 0)]);
    assert!(shown.iter().all(|delivery| delivery.completed_at.is_some()));

    assert_eq!(environment.append(&[aside(3)]), [duplicate(1)]);
    assert!(pending(&environment, "b").is_empty());
    let armed = Verdict::Duplicate { of: 1, rearmed: true };
    assert_eq!(environment.append(&[draft(4).dedupe(&[key(7)])]), [armed]);
    assert_eq!((totals(&environment, "a"), totals(&environment, "b")), ((0, 0, 2, 0), (0, 0, 1, 0)));
}

pub(crate) fn a_repetition_within_one_batch_is_a_duplicate<E: Environment>() {
    let environment = E::new();
    let verdicts = environment.append(&[draft(1).dedupe(&[key(7)]), draft(2), draft(3).dedupe(&[key(7)])]);
    assert_eq!(verdicts, [stored(1), stored(2), duplicate(1)]);
}

pub(crate) fn the_same_unsigned_id_with_another_body_is_a_conflict_and_both_are_remembered<E: Environment>() {
    let environment = E::new();
    let with_body = |uid, body| draft(uid).dedupe(&[key_with_body(7, body)]);
    assert_eq!(environment.append(&[with_body(1, 1)]), [stored(1)]);
    assert_eq!(environment.append(&[with_body(2, 2)]), [Verdict::IdConflict { seq: 2 }]);
    assert_eq!(environment.append(&[with_body(3, 1), with_body(4, 2)]), [duplicate(1), duplicate(2)]);
    // The id alone was seen, whatever the body.
    assert_eq!(environment.append(&[draft(5).dedupe(&[key(7)])]), [duplicate(1)]);
    let endpoint = environment.archive().statistics().unwrap().endpoints.remove(0);
    // A conflict is accepted, too.
    assert_eq!([Word::Accepted, Word::IdConflict, Word::Duplicate].map(|word| endpoint.of(word)), [2, 1, 3]);
}

pub(crate) fn any_known_key_makes_a_duplicate<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1).dedupe(&[key_with_body(1, 1), key(2)])]);
    assert_eq!(environment.append(&[draft(2).dedupe(&[key(3), key(2)])]), [duplicate(1)]);
    // A conflict by one key does not hide a repetition by another.
    assert_eq!(environment.append(&[draft(3).dedupe(&[key_with_body(1, 9), key(2)])]), [duplicate(1)]);
    // The keys of a duplicate are not taken over.
    assert_eq!(environment.append(&[draft(4).dedupe(&[key(3)])]), [stored(2)]);
}

pub(crate) fn an_event_without_keys_is_never_a_duplicate<E: Environment>() {
    let environment = E::new();
    assert_eq!(environment.append(&[draft(1), draft(2)]), [stored(1), stored(2)]);
}

pub(crate) fn a_key_is_forgotten_after_its_window<E: Environment>() {
    let environment = E::new();
    let window = SignedDuration::try_from(WINDOW).unwrap();
    let again = |uid| draft(uid).dedupe(&[key(7)]);
    environment.append(&[again(1)]);
    environment.set_time(START + window - SignedDuration::from_micros(1));
    assert_eq!(environment.append(&[again(2)]), [duplicate(1)]);
    environment.set_time(START + window);
    assert_eq!(environment.append(&[again(3)]), [stored(2)]);
    // From then on it is known anew.
    environment.set_time(START + window + window - SignedDuration::from_micros(1));
    assert_eq!(environment.append(&[again(4)]), [duplicate(2)]);
}

pub(crate) fn verdicts_and_sequence_outlive_a_kill<E: Lasting>() {
    let mut environment = E::new();
    environment.append(&[draft(1).dedupe(&[key(7)]), draft(2).sinks(&["a", "b"])]);
    environment.kill();
    assert_eq!(environment.append(&[draft(3).dedupe(&[key(7)]), draft(4)]), [duplicate(1), stored(3)]);
    assert_eq!((pending(&environment, "a"), pending(&environment, "b")), (vec![1, 2, 3], vec![2]));
    assert!(environment.archive().show(&uid(2)).unwrap().is_some());
}

pub(crate) fn a_batch_that_cannot_be_stored_leaves_nothing_and_its_places_are_used_again<E: Environment>() {
    let environment = E::new();
    environment.append(&[draft(1)]);
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];
    let too_many = draft(3).sinks(&names);
    let appends = [draft(2).dedupe(&[key(7)]).sinks(&["new"]), too_many].iter().map(Draft::append).collect();
    let refused = environment.committer().commit(&Batch { appends, ..Batch::default() });
    assert!(matches!(refused, Err(Error::Rejected(_))));
    assert!(pending(&environment, "new").is_empty());
    assert_eq!(environment.append(&[draft(4).dedupe(&[key(7)]).sinks(&["new", "new"])]), [stored(2)]);
    assert_eq!(pending(&environment, "new"), [2]);
    assert_eq!(environment.archive().statistics().unwrap().events, 2);
}

pub(crate) fn outcomes_move_deliveries_and_totals<E: Environment>() {
    let environment = E::new();
    let epoch = environment.claim();
    let mut committer = environment.committer();
    environment.append(&[draft(1), draft(2).sinks(&["a", "b"]), draft(3), draft(4)]);
    assert_eq!(totals(&environment, "a"), (0, 0, 4, 0));
    outcomes(
        &mut *committer,
        epoch,
        &[delivered(1, "a", 1, at(0)), retry(2, "a", 1, at(0), at(60)), parked(3, "a", 1, at(0))],
    );
    assert_eq!(totals(&environment, "a"), (1, 1, 2, 2));
    assert_eq!(pending(&environment, "a"), [4]);
    outcomes(&mut *committer, epoch, &[delivered(2, "a", 2, at(60))]);
    assert_eq!(totals(&environment, "a"), (2, 1, 1, 2));
    let shown = environment.archive().show(&uid(2)).unwrap().unwrap().deliveries.remove(0);
    assert_eq!((shown.state, shown.attempts, shown.due), (DeliveryState::Delivered, 2, None));
    assert_eq!((shown.completed_at, shown.failures), (Some(at(61)), vec![failed_attempt(1, at(0))]));
}

pub(crate) fn a_delivery_ends_without_an_attempt_and_what_was_skipped_is_made_once_more<E: Environment>() {
    let environment = E::new();
    let epoch = environment.claim();
    environment.append(&[draft(1), draft(2)]);
    environment.set_time(at(100));
    let too_old = without_attempt(1, "a", Next::Parked(ParkReason::TooOld));
    let ended = [retry(1, "a", 3, at(0), at(50)), too_old, without_attempt(2, "a", Next::Skipped)];
    outcomes(&mut *environment.committer(), epoch, &ended);
    let shown = |number| environment.archive().show(&uid(number)).unwrap().unwrap().deliveries.remove(0);
    let (parked, skipped) = (shown(1), shown(2));
    assert_eq!((parked.state, parked.attempts), (DeliveryState::Parked, 3));
    assert_eq!((parked.parked_for.as_deref(), parked.failures.len()), (Some("too_old"), 1));
    assert_eq!((skipped.state, skipped.attempts, skipped.parked_for), (DeliveryState::Skipped, 0, None));
    assert!(skipped.completed_at.is_some());
    let of = || {
        let SinkTotals { delivered, parked, skipped, pending, pending_bytes, .. } =
            environment.archive().statistics().unwrap().sinks.remove(0);
        [delivered, parked, skipped, pending, pending_bytes]
    };
    assert_eq!(of(), [0, 1, 1, 0, 0]);
    let ask = Question { state: Some(DeliveryState::Skipped), ..Question::default() };
    assert_eq!(environment.archive().find(&ask, None, 9).unwrap().events[0].seq, 2);
    let replayed = environment.archive().replay(&[1, 2], &Replay { state: ask.state, ..Replay::default() });
    assert_eq!(replayed.unwrap().armed, [2]);
    assert_eq!(of(), [0, 1, 0, 1, 9]);
    assert_eq!(environment.feed().due(&name("a"), at(100), FIRST, ALL).unwrap().deliveries[0].replay, 0);
    outcomes(&mut *environment.committer(), epoch, &[delivered(2, "a", 1, at(100))]);
    assert_eq!(of(), [1, 1, 0, 0, 0]);
}

pub(crate) fn an_outcome_told_twice_changes_nothing<E: Environment>() {
    let environment = E::new();
    let epoch = environment.claim();
    let mut committer = environment.committer();
    environment.append(&[draft(1), draft(2), draft(3)]);
    let told = [delivered(1, "a", 1, at(0)), retry(2, "a", 1, at(0), at(60)), parked(3, "a", 1, at(0))];
    outcomes(&mut *committer, epoch, &told);
    let once = environment.archive().statistics().unwrap();
    outcomes(&mut *committer, epoch, &told);
    // Nor does one of a delivery that never was.
    outcomes(&mut *committer, epoch, &[delivered(9, "a", 1, at(0)), parked(1, "nobody", 1, at(0))]);
    assert_eq!(environment.archive().statistics().unwrap(), once);
}

pub(crate) fn an_outcome_of_an_older_epoch_changes_nothing<E: Environment>() {
    let environment = E::new();
    let older = environment.claim();
    environment.append(&[draft(1)]);
    let newer = environment.claim();
    assert!(newer > older);
    outcomes(&mut *environment.committer(), older, &[delivered(1, "a", 1, at(0))]);
    assert_eq!(totals(&environment, "a"), (0, 0, 1, 0));
    outcomes(&mut *environment.committer(), newer, &[delivered(1, "a", 1, at(0))]);
    assert_eq!(totals(&environment, "a"), (1, 0, 0, 0));
}

pub(crate) fn epochs_rise_over_reopening<E: Lasting>() {
    let mut environment = E::new();
    let first = environment.claim();
    environment.reopen();
    let second = environment.claim();
    environment.kill();
    let third = environment.claim();
    assert!(first < second && second < third);
    environment.append(&[draft(1)]);
    environment.reopen();
    outcomes(&mut *environment.committer(), second, &[delivered(1, "a", 1, at(0))]);
    assert_eq!(totals(&environment, "a"), (0, 0, 1, 0));
}

pub(crate) fn a_duplicate_of_a_parked_event_starts_its_parked_deliveries_anew<E: Environment>() {
    let environment = E::new();
    let epoch = environment.claim();
    let event = |uid| draft(uid).dedupe(&[key(7)]).key("k").sinks(&["a", "b", "c"]);
    environment.append(&[event(1)]);
    let told = [parked(1, "a", 4, at(0)), delivered(1, "b", 1, at(0))];
    outcomes(&mut *environment.committer(), epoch, &told);
    environment.set_time(at(100));
    assert_eq!(environment.append(&[event(2)]), [Verdict::Duplicate { of: 1, rearmed: true }]);
    assert_eq!(totals(&environment, "a"), (0, 0, 1, 1));
    assert_eq!(totals(&environment, "b"), (1, 0, 0, 0));
    let fed = environment.feed().due(&name("a"), at(100), FIRST, ALL).unwrap();
    assert_eq!(
        fed.deliveries.iter().map(|d| (d.seq, d.attempts, d.due)).collect::<Vec<_>>(),
        [(1, 0, Some(at(100)))]
    );
    assert_eq!(environment.feed().by_key(&name("a"), "k", 0, ALL).unwrap().deliveries.len(), 1);
    let shown = environment.archive().show(&uid(1)).unwrap().unwrap();
    let states = shown.deliveries.iter().map(|delivery| delivery.state).collect::<Vec<_>>();
    assert_eq!(states, [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Pending]);
    // It can end again, and be counted once.
    outcomes(&mut *environment.committer(), epoch, &[delivered(1, "a", 1, at(100))]);
    assert_eq!(totals(&environment, "a"), (1, 0, 0, 1));
}
