//! What is to be stored of a genuine request, and for whom.
use boathook_event::{Event, Mismatch, ParkReason, ReadEvent, Subject};
use boathook_store::traits::Append;
use boathook_table::{Choice, Ignored, Taken, Unevaluated};

use super::outcome::Refusal;
use crate::{metrics::Metrics, serving::Served};

/// What is to be stored of a request.
pub(super) struct Chosen<'e> {
    pub(super) appends: Vec<Append>,
    /// The metrics label of each of them.
    pub(super) labels: Vec<&'e str>,
    /// Those of the events that nobody wants.
    pub(super) ignored: Vec<&'e str>,
    /// Why the first of these is not wanted.
    pub(super) why_ignored: Option<Ignored>,
}

impl<'e> Chosen<'e> {
    /// Chooses. A request that is refused whole gets a 400; where a batch has good events beside refused ones, the sender
    /// must not send it again: the refused ones are stored, too, for nobody, or put aside.
    pub(super) fn of(served: &'e Served, events: Vec<ReadEvent>, metrics: &Metrics) -> Result<Self, Refusal> {
        let (endpoint, name) = (&served.endpoint, served.traffic.name());
        let appends = Vec::with_capacity(events.len());
        let mut chosen = Self { appends, labels: Vec::new(), ignored: Vec::new(), why_ignored: None };
        let (all, mut rejected) = (events.len(), 0);
        for ReadEvent { event, dedupe, document } in events {
            let label = endpoint.type_label(event.event_type.as_deref());
            let subject = Subject::new(&event, document.as_ref());
            let choice =
                endpoint.choose(&subject, all == 1, |filter| tell_unevaluated(served, metrics, &filter));
            let Taken { destinations, parked, mismatch } = match choice {
                Choice::Take(taken) => taken,
                Choice::Ignore(why) => {
                    chosen.ignored.push(label);
                    chosen.why_ignored.get_or_insert(why);
                    continue;
                }
                Choice::RejectBody(mismatch) => {
                    metrics.mismatch(name, "rejected");
                    return Err(Refusal::Mismatch(mismatch));
                }
                Choice::RejectType => {
                    rejected += 1;
                    Taken::default()
                }
            };
            if let Some(mismatch) = mismatch {
                tell_mismatch(served, metrics, &event, &mismatch, parked);
            }
            let dedupe_window = endpoint.dedupe_window;
            chosen.labels.push(label);
            chosen.appends.push(Append { event, dedupe, dedupe_window, parked, destinations });
        }
        if rejected > 0 && rejected == all { Err(Refusal::UnknownType) } else { Ok(chosen) }
    }
}

/// Counts each, and logs some.
fn tell_unevaluated(served: &Served, metrics: &Metrics, Unevaluated { sink, why }: &Unevaluated<'_>) {
    let endpoint = served.traffic.name();
    metrics.unevaluated(endpoint, *sink);
    if served.traffic.unevaluated.admits() {
        let sink = sink.map(tracing::field::display);
        tracing::warn!(%endpoint, sink, reason = %why, "a filter could not be evaluated: the event counts as not wanted");
    }
}

/// The same of an event that is taken although it does not fit.
fn tell_mismatch(
    served: &Served,
    metrics: &Metrics,
    event: &Event,
    mismatch: &Mismatch,
    parked: Option<ParkReason>,
) {
    let endpoint = served.traffic.name();
    let parked = parked == Some(ParkReason::SchemaMismatch);
    metrics.mismatch(endpoint, if parked { "parked" } else { "reported" });
    if served.traffic.mismatches.admits() {
        let (event_id, uid, event_type) = (event.id.as_deref(), event.uid, event.event_type.as_deref());
        tracing::warn!(
            %endpoint, event_id, %uid, event_type, parked, error_code = &*mismatch.code(), reason = %mismatch,
            "an event does not fit its schema"
        );
    }
}
