//! What every store must do, whatever it is made of. A driver brings an [`Environment`] and calls [`conformance!`].
pub(crate) mod archive;
pub(crate) mod build;
pub(crate) mod commit;
pub(crate) mod feed;
pub(crate) mod model;
pub(crate) mod question;
pub(crate) mod replay;
pub(crate) mod series;
pub(crate) mod turns;

use std::time::Duration;

use boathook_event::Partitions;
use boathook_store::traits::{Archive, Batch, Committer, Epoch, Feed, Joined, Verdict};
use jiff::Timestamp;

use self::build::Draft;

/// How long a right is claimed for, where nobody waits for its end.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// A place where a store can live.
pub(crate) trait Environment {
    /// Whether events stay when their deliveries have ended.
    const KEEPS: bool = true;
    /// An empty store.
    fn new() -> Self;
    /// Its committer; there is one at a time.
    fn committer(&self) -> Box<dyn Committer + Send>;
    /// A feed of it.
    fn feed(&self) -> Box<dyn Feed + Send>;
    /// An archive of it.
    fn archive(&self) -> Box<dyn Archive + Send>;
    /// Sets the clock by which keys expire.
    fn set_time(&self, time: Timestamp);
    /// Takes the right to record outcomes.
    fn claim(&self) -> Epoch {
        let mut feed = self.feed();
        match feed.join(LEASE).unwrap() {
            Joined::Sole(epoch) => epoch,
            // Any of them lets any outcome in.
            Joined::Shared(_) => *feed.claim(Partitions::ALL).unwrap().values().next().unwrap(),
        }
    }

    /// Commits these events alone.
    fn append(&self, drafts: &[Draft]) -> Vec<Verdict> {
        let appends = drafts.iter().map(Draft::append).collect();
        self.committer().commit(&Batch { appends, ..Batch::default() }).unwrap()
    }
}

/// A place where a store can die, too, and be found again.
pub(crate) trait Lasting: Environment {
    /// Closes the store and opens it again.
    fn reopen(&mut self);
    /// Opens what is there without closing the store first: its process has died.
    fn kill(&mut self);
}

/// Runs the suite in the environment of this type: that of a store which keeps events.
#[macro_export]
macro_rules! conformance {
    ($environment:ty) => {
        $crate::passing_conformance!($environment);
        $crate::conformance! { @ $environment;
            commit { events_are_stored_in_a_contiguous_sequence }
            commit { an_event_that_is_put_aside_is_parked_at_once_and_only_a_repetition_that_is_not_arms_it }
            commit { a_key_is_forgotten_after_its_window }
            commit { verdicts_and_sequence_outlive_a_kill }
            commit { epochs_rise_over_reopening }
            feed { what_is_armed_again_keeps_its_order }
            feed { what_is_parked_and_blocks_holds_its_key_until_it_is_delivered_or_gone }
            feed { a_page_ends_where_the_deliveries_that_hold_their_keys_are_too_many }
            commit { a_delivery_ends_without_an_attempt_and_what_was_skipped_is_made_once_more }
            turns { what_was_tried_has_no_turn }
            turns { what_is_armed_again_has_the_turn_of_its_flow }
            turns { it_is_told_what_of_its_key_is_before_a_delivery }
            archive { an_event_comes_back_as_it_was }
            archive { totals_outlive_reopening_and_retention }
            archive { retention_keeps_what_is_pending_and_what_is_not_yet_old }
            archive { each_endpoint_has_a_retention_of_its_own }
            archive { retention_goes_through_many_slices }
            archive { retention_forgets_keys_past_their_window_only }
            archive { an_erased_event_is_gone_but_still_known }
            archive { events_are_erased_together_and_what_was_put_aside_counts_as_erased_too }
            question { events_are_found_by_how_their_last_deliveries_stand }
            question { a_page_looks_at_a_bounded_number_of_events_and_says_that_there_is_more }
            replay { a_delivered_event_is_delivered_again_under_its_own_number_and_counted_once_more }
            replay { only_the_deliveries_that_are_meant_are_made_once_more }
            replay { an_event_can_go_to_a_sink_that_it_never_had }
            replay { what_goes_to_another_sink_is_kept_by_the_retention_that_runs_meanwhile }
            series { hours_outlive_their_events_and_are_forgotten_in_their_time }
            archive { refused_requests_outlive_reopening }
            model { any_history_ends_as_in_the_model }
        }
    };
    (@ $environment:ty; $($module:ident { $name:ident })*) => {
        $(
            #[test]
            fn $name() {
                $crate::suite::$module::$name::<$environment>();
            }
        )*
    };
}

/// Runs what is promised also by a store that lets events go when their deliveries have ended.
#[macro_export]
macro_rules! passing_conformance {
    ($environment:ty) => {
        $crate::conformance! { @ $environment;
            commit { a_known_id_is_a_duplicate_of_the_first_event }
            commit { a_repetition_within_one_batch_is_a_duplicate }
            commit { the_same_unsigned_id_with_another_body_is_a_conflict_and_both_are_remembered }
            commit { any_known_key_makes_a_duplicate }
            commit { an_event_without_keys_is_never_a_duplicate }
            commit { a_batch_that_cannot_be_stored_leaves_nothing_and_its_places_are_used_again }
            commit { outcomes_move_deliveries_and_totals }
            commit { an_outcome_told_twice_changes_nothing }
            commit { an_outcome_of_an_older_epoch_changes_nothing }
            commit { a_duplicate_of_a_parked_event_starts_its_parked_deliveries_anew }
            feed { the_last_place_is_told_whether_or_not_a_sink_wants_it }
            feed { never_tried_deliveries_come_by_sequence_page_by_page }
            feed { a_page_ends_at_its_bytes_but_gives_at_least_one }
            feed { looking_stops_after_a_bounded_number_of_tried_deliveries }
            feed { tried_deliveries_come_by_due_time }
            feed { what_is_due_is_read_on_behind_a_place }
            feed { deliveries_of_one_key_come_by_sequence_tried_or_not }
            feed { tried_deliveries_hold_their_keys_where_order_is_kept }
            turns { each_flow_has_its_turn_whatever_another_has_piled_up }
            turns { a_flow_is_read_on_from_its_place_and_passed_over_where_there_is_none }
            turns { there_may_be_more_flows_than_one_read_looks_at }
            turns { a_page_without_room_ends_within_a_turn_which_comes_again }
            turns { what_is_due_of_each_flow_has_its_turn }
            turns { there_may_be_more_flows_of_which_something_is_due_than_one_read_looks_at }
            feed { it_is_told_how_the_deliveries_of_an_event_stand }
            feed { a_sink_that_nobody_knows_has_nothing }
            archive { lists_are_by_sequence_and_by_endpoint }
            archive { the_first_and_the_last_nine_failures_are_kept }
            archive { the_oldest_pending_delivery_of_each_endpoint_is_told }
            archive { refused_requests_are_remembered_newest_first_within_their_endpoint_s_budget }
            archive { a_long_diagnosis_is_cut }
            question { each_filter_leaves_what_it_says_in_either_order }
            series { each_hour_has_its_own_numbers_and_they_add_up }
            series { one_endpoint_and_one_sink_are_told_by_themselves }
            series { types_beyond_a_bound_are_counted_together }
        }
    };
}
