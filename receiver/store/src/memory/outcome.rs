//! Recording one attempt and what follows it, or the end of a delivery without one.
use boathook_event::{Attempt, Next, Record};
use jiff::{SignedDuration, Timestamp};

use super::state::{Making, State};
use crate::{limits::LAST_FAILURES_MAX, traits::DeliveryState};

impl State {
    /// Moves a pending delivery on. What is told a second time, or of a delivery that is gone, changes nothing.
    pub(super) fn record(&mut self, record: &Record, now: Timestamp) {
        let Record { seq, sink, endpoint: _, making: _, attempt, next } = record;
        let Self { events, lanes, counts, .. } = self;
        let Some(kept) = events.get_mut(seq) else { return };
        let bytes = kept.body_bytes();
        let Some(making) = kept.last_to(sink).and_then(|place| kept.deliveries.get_mut(place)) else {
            return;
        };
        let number = attempt.as_ref().map_or(making.attempts, |attempt| attempt.number);
        let stale = matches!(next, Next::Retry { .. }) && making.attempts >= number;
        if making.state != DeliveryState::Pending || stale {
            return;
        }
        let before = making.due;
        making.attempts = number;
        let (state, due) = standing(next);
        (making.state, making.due) = (state, due);
        if let Next::Parked(reason) = next {
            making.parked_for = Some(*reason);
        }
        if state != DeliveryState::Pending {
            making.completed_at = Some(attempt.as_ref().map_or(now, completed_at));
        }
        let failed = attempt.as_ref().is_some_and(|attempt| keep_failure(making, attempt));
        let ordered = making.ordered;
        let endpoint = &kept.event.endpoint;
        if failed {
            counts.failed(endpoint, sink);
        }
        counts.moved(endpoint, sink, attempt.as_ref(), next);
        match due {
            Some(due) => lanes.postpone(sink, kept.waiting(*seq, ordered, before), due),
            None => {
                let route = counts.route(endpoint, sink);
                route.waits_no_more(bytes);
                route.ended(next).into_iter().for_each(|total| *total += 1);
                lanes.leave(sink, kept.waiting(*seq, ordered, before));
                self.end(*seq);
            }
        }
    }
}

fn standing(next: &Next) -> (DeliveryState, Option<Timestamp>) {
    match next {
        Next::Delivered { .. } => (DeliveryState::Delivered, None),
        Next::Parked(_) => (DeliveryState::Parked, None),
        Next::Skipped => (DeliveryState::Skipped, None),
        Next::Retry { due } => (DeliveryState::Pending, Some(*due)),
    }
}

fn completed_at(attempt: &Attempt) -> Timestamp {
    let took = SignedDuration::from_millis(attempt.duration_millis.into());
    attempt.started_at.saturating_add(took).unwrap_or(attempt.started_at)
}

/// Keeps the attempt if it has failed, and of all of this delivery the first and the last nine. Returns whether it was not
/// known yet.
fn keep_failure(making: &mut Making, attempt: &Attempt) -> bool {
    let known = making.failures.iter().any(|failure| failure.number == attempt.number);
    if attempt.result.is_ok() || known {
        return false;
    }
    making.failures.push(attempt.clone());
    let oldest = attempt.number.saturating_sub(LAST_FAILURES_MAX);
    making.failures.retain(|failure| failure.number <= 1 || failure.number > oldest);
    true
}
