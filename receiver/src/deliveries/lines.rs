//! The log lines about deliveries.
use boathook_event::{Attempt, Event, Failure, Next, Record};

pub(super) fn tell_delivered(record: &Record, attempt: &Attempt, event: &Event) {
    let Record { seq, sink, endpoint, .. } = record;
    let (event_id, uid, duration_ms) = (event.id.as_deref(), event.uid, attempt.duration_millis);
    tracing::debug!(event_id, %uid, seq, %sink, %endpoint, attempt = attempt.number, duration_ms, "delivered");
}

/// `gone`: what is parked is kept nowhere.
pub(super) fn tell_failure(record: &Record, attempt: &Attempt, event: &Event, failure: &Failure, gone: bool) {
    let Record { seq, sink, endpoint, next, .. } = record;
    let (event_id, uid) = (event.id.as_deref(), event.uid);
    let (kind, error, attempt) = (failure.kind.as_str(), &*failure.message, attempt.number);
    match next {
        Next::Parked(reason) => {
            let reason = reason.as_str();
            let told = if gone {
                "parked: it is not tried again, and kept nowhere (--store none), so it cannot be replayed; mend the sink, then \
                 let the provider send the event again"
            } else {
                "parked: it is not tried again by itself; mend the sink, then let the provider send the event again"
            };
            tracing::error!(event_id, %uid, seq, %sink, %endpoint, attempt, kind, error, reason, "{told}");
        }
        Next::Retry { due } => {
            tracing::warn!(
                event_id, %uid, seq, %sink, %endpoint, attempt, kind, error, next = %due,
                "not delivered; it is tried again"
            );
        }
        Next::Delivered { .. } | Next::Skipped => {}
    }
}

/// It is put aside for its age, or left out: without an attempt. `gone` as in [`tell_failure`].
pub(super) fn tell_end(record: &Record, event: &Event, gone: bool) {
    let Record { seq, sink, endpoint, next, .. } = record;
    let (event_id, uid) = (event.id.as_deref(), event.uid);
    if matches!(next, Next::Skipped) {
        tracing::info!(event_id, %uid, seq, %sink, %endpoint, "skipped: the sink is suspended");
    } else {
        let told = if gone {
            "parked: older than retry.maxAge, and kept nowhere (--store none), so it cannot be replayed; mend the sink, then let \
             the provider send the event again"
        } else {
            "parked: older than retry.maxAge; mend the sink, then replay it, or let the provider send the event again"
        };
        tracing::error!(event_id, %uid, seq, %sink, %endpoint, "{told}");
    }
}
