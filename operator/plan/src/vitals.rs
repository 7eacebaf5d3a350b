//! What an endpoint's health is judged by, from what its receivers report and what was known before.
use core::time::Duration;

use boathook_crds::{
    Breaker, EndpointReport, SecretStatus, Timestamp, WebhookEndpoint, WebhookEndpointStatus, WebhookSink,
};
use boathook_event::{SecretUse, Vitals};
use boathook_table::Endpoint;

use crate::{World, folded};

/// See [`boathook_event::check_up`].
pub(crate) fn of<'w>(
    world: &World<'w>,
    object: &'w WebhookEndpoint,
    report: Option<&EndpointReport>,
    last_event: Option<Timestamp>,
    served: Option<&'w Endpoint>,
) -> Vitals<'w> {
    let usual_gap = object.status.as_ref().and_then(|before| usual_gap(report, before));
    let known = secrets(object, report);
    let secret_use = |secret: &'w boathook_crds::EndpointSecret| SecretUse {
        place: (&secret.name, &secret.key),
        not_after: secret.not_after,
        last_match: known
            .iter()
            .find(|known| known.name == secret.name && known.key == secret.key)
            .and_then(|known| known.last_match_time),
    };
    Vitals {
        last_event,
        usual_gap: usual_gap.map(reported).map(Duration::from_secs),
        refused_often: report.is_some_and(|report| report.refused_often),
        signed_refused: report.is_some_and(|report| report.signed_refused),
        oldest_pending: report.and_then(|report| report.oldest_pending_time),
        dedupe_window: served.map_or(Duration::ZERO, |served| served.dedupe_window),
        keys_since: report.and_then(|report| report.keys_since_time),
        consecutive_failures: report.map_or(0, |report| reported(report.consecutive_failures)),
        failing_sinks: served.map_or_else(Vec::new, |served| failing_sinks(world, served)),
        secrets: object.spec.secrets.iter().map(secret_use).collect(),
    }
}

/// How long the oldest delivery had waited when it was reported.
pub(crate) fn waited_seconds(report: &EndpointReport) -> i64 {
    let waited = |since: Timestamp| report.report_time.map_or(0, |at| at.duration_since(since).as_secs());
    report.oldest_pending_time.map_or(0, waited).max(0)
}

/// A receiver that has started a short while ago does not know it: then what was known before counts.
pub(crate) fn usual_gap(report: Option<&EndpointReport>, before: &WebhookEndpointStatus) -> Option<i64> {
    report.and_then(|report| report.usual_gap_seconds).or(before.usual_gap_seconds)
}

/// When each secret that is named last matched, as far as anybody has ever said.
pub(crate) fn secrets(object: &WebhookEndpoint, report: Option<&EndpointReport>) -> Vec<SecretStatus> {
    let before = object.status.iter().flat_map(|status| &status.secrets);
    let reported = report.into_iter().flat_map(|report| &report.secrets);
    let told: Vec<&SecretStatus> = before.chain(reported).collect();
    let status = |secret: &boathook_crds::EndpointSecret| SecretStatus {
        name: secret.name.clone(),
        key: secret.key.clone(),
        last_match_time: told
            .iter()
            .filter(|told| told.name == secret.name && told.key == secret.key)
            .filter_map(|told| told.last_match_time)
            .max(),
    };
    object.spec.secrets.iter().map(status).collect()
}

/// Those of its sinks that fail again and again, or are left alone.
fn failing_sinks<'w>(world: &World<'w>, served: &'w Endpoint) -> Vec<&'w str> {
    let fails = |name: &&str| {
        world.sinks.iter().any(|sink| sink.metadata.name.as_deref() == Some(*name) && sink_fails(sink))
    };
    served.sinks.iter().map(|route| route.sink.name()).filter(fails).collect()
}

/// A number as it was reported, in a schema that knows none without a sign.
fn reported(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn sink_fails(sink: &WebhookSink) -> bool {
    let reports = sink.status.as_ref().map_or(&[][..], |status| &status.receivers);
    folded::sink(reports, |_| false).is_some_and(|report| {
        let left_alone = report.breaker.is_some_and(|breaker| breaker != Breaker::Closed);
        boathook_event::sink_fails(reported(report.consecutive_failures), left_alone)
    })
}
