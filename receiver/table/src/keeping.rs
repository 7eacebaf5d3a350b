//! What an endpoint cannot have where nothing is kept: the store forgets an event when its last delivery has ended, and knows a
//! repetition until then.
use boathook_crds::{AcknowledgeMode, Mode, OnMismatch, OnParked, Reason, WebhookEndpointSpec};

use crate::problem::Problems;

/// Tells what the spec asks for that only a store which keeps events can give.
pub(crate) fn check(spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) {
    let mut asks = |field: &str, message: &str| {
        let message = format!("nothing is kept here (store: none), and {message}");
        problems.add(field, Reason::NothingKept, message);
    };
    if spec.acknowledge.clone().unwrap_or_default().mode != AcknowledgeMode::OnDelivered {
        asks("spec.acknowledge.mode", "only what is delivered may be acknowledged: write OnDelivered");
    }
    if spec.mode == Mode::Shadow {
        asks("spec.mode", "what is put aside to be looked at would be gone: use a class that keeps events");
    }
    let mut waited_for = 0;
    for (index, choice) in spec.delivery.sinks.iter().enumerate() {
        let field = format!("spec.delivery.sinks[{index}]");
        waited_for += usize::from(choice.required.unwrap_or(true));
        if choice.required.unwrap_or(true) && waited_for > 1 {
            let message = "a retry after one of several sinks has failed would reach all of them again: write \
                           `required: false` for all sinks but one";
            asks(&format!("{field}.required"), message);
        }
        if choice.on_parked == Some(OnParked::Block) {
            let message = "a key cannot wait behind an event that is gone: leave it out";
            asks(&format!("{field}.onParked"), message);
        }
    }
    let schemas = spec.events.iter().flat_map(|events| &events.schemas).enumerate();
    for (index, _) in schemas.filter(|(_, schema)| schema.on_mismatch == OnMismatch::Park) {
        let message = "what is put aside would be gone: write Reject or Report";
        asks(&format!("spec.events.schemas[{index}].onMismatch"), message);
    }
    if spec.secret_capture.is_some() {
        let message = "a secret that comes must be kept before it is acknowledged: copy it into the Secret yourself, or \
                       use a class that keeps events";
        asks("spec.secretCapture", message);
    }
    if spec.dedupe.as_ref().is_some_and(|dedupe| dedupe.window.is_some()) {
        let message = "a repetition is known only while the first one is on its way: leave it out, and let the sink \
                       deduplicate by {uid}";
        asks("spec.dedupe.window", message);
    }
    let retention = spec.retention.clone().unwrap_or_default();
    for (part, is_set) in
        [("delivered", retention.delivered.is_some()), ("parked", retention.parked.is_some())]
    {
        if is_set {
            let message = "an event is gone when its last delivery has ended: leave it out";
            asks(&format!("spec.retention.{part}"), message);
        }
    }
}
