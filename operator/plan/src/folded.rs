//! What receivers report, as one: totals are the store's, so the newest report has them; where nothing is stored each receiver has
//! its own, which are added up. What each has seen by itself counts whoever saw it.
use boathook_crds::{
    Breaker, DeliveryTotals, EndpointReport, EventTotals, SecretStatus, SinkReport, Timestamp,
};

/// Of an endpoint. `keeps_nothing` is said of its class.
pub(crate) fn endpoint(reports: &[EndpointReport], keeps_nothing: bool) -> Option<EndpointReport> {
    let latest = reports.iter().max_by_key(|report| report.report_time)?;
    let (events, oldest_pending_time) = match keeps_nothing {
        true => (reports.iter().filter_map(|report| report.events).reduce(both), oldest_pending(reports)),
        false => (latest.events, latest.oldest_pending_time),
    };
    Some(EndpointReport {
        events,
        oldest_pending_time,
        last_event_time: reports.iter().filter_map(|report| report.last_event_time).max(),
        last_rejected_time: reports.iter().filter_map(|report| report.last_rejected_time).max(),
        last_delivered_time: reports.iter().filter_map(|report| report.last_delivered_time).max(),
        consecutive_failures: reports.iter().map(|report| report.consecutive_failures).max().unwrap_or(0),
        refused_often: reports.iter().any(|report| report.refused_often),
        signed_refused: reports
            .iter()
            .any(|report| report.signed_refused && nobody_takes_it(report, reports)),
        keys_since_time: reports.iter().filter_map(|report| report.keys_since_time).max(),
        usual_gap_seconds: reports.iter().filter_map(|report| report.usual_gap_seconds).min(),
        secrets: secrets(reports),
        captured_secret: reports.iter().find_map(|report| report.captured_secret.clone()),
        ..latest.clone()
    })
}

/// Of a sink. The error is the last one, whoever met it. `counts_alone` says of a pod that its store keeps nothing.
pub(crate) fn sink(reports: &[SinkReport], counts_alone: impl Fn(&str) -> bool) -> Option<SinkReport> {
    let latest = reports.iter().max_by_key(|report| report.report_time)?;
    let (alone, of_stores): (Vec<_>, Vec<_>) = reports.iter().partition(|report| counts_alone(&report.pod));
    let newest = of_stores.into_iter().max_by_key(|report| report.report_time);
    let deliveries = alone.into_iter().chain(newest).filter_map(|report| report.deliveries).reduce(all_of);
    let failed = reports.iter().max_by_key(|report| report.last_error_time).unwrap_or(latest);
    let shut =
        |breaker: Breaker| reports.iter().any(|report| report.breaker == Some(breaker)).then_some(breaker);
    Some(SinkReport {
        deliveries,
        last_delivered_time: reports.iter().filter_map(|report| report.last_delivered_time).max(),
        last_error_time: failed.last_error_time,
        last_error: failed.last_error.clone(),
        consecutive_failures: reports.iter().map(|report| report.consecutive_failures).max().unwrap_or(0),
        breaker: shut(Breaker::Open).or(shut(Breaker::HalfOpen)).or(latest.breaker),
        ..latest.clone()
    })
}

fn oldest_pending(reports: &[EndpointReport]) -> Option<Timestamp> {
    reports.iter().filter_map(|report| report.oldest_pending_time).min()
}

fn both(one: EventTotals, other: EventTotals) -> EventTotals {
    EventTotals {
        accepted: one.accepted.saturating_add(other.accepted),
        duplicate: one.duplicate.saturating_add(other.duplicate),
        ignored: one.ignored.saturating_add(other.ignored),
        rejected: one.rejected.saturating_add(other.rejected),
        delivered: one.delivered.saturating_add(other.delivered),
        skipped: one.skipped.saturating_add(other.skipped),
        pending: one.pending.saturating_add(other.pending),
        parked: one.parked.saturating_add(other.parked),
    }
}

fn all_of(one: DeliveryTotals, other: DeliveryTotals) -> DeliveryTotals {
    DeliveryTotals {
        delivered: one.delivered.saturating_add(other.delivered),
        skipped: one.skipped.saturating_add(other.skipped),
        pending: one.pending.saturating_add(other.pending),
        parked: one.parked.saturating_add(other.parked),
        failed_attempts: one.failed_attempts.saturating_add(other.failed_attempts),
    }
}

/// What one refuses another may take: the secret is wrong only where no other has taken an event since.
fn nobody_takes_it(refusing: &EndpointReport, reports: &[EndpointReport]) -> bool {
    let mut others = reports.iter().filter(|report| report.pod != refusing.pod);
    others.all(|report| report.last_event_time <= refusing.last_rejected_time)
}

/// Each secret's last match at any of them.
fn secrets(reports: &[EndpointReport]) -> Vec<SecretStatus> {
    let mut secrets: Vec<SecretStatus> = Vec::new();
    for told in reports.iter().flat_map(|report| &report.secrets) {
        match secrets.iter_mut().find(|known| known.name == told.name && known.key == told.key) {
            Some(known) => known.last_match_time = known.last_match_time.max(told.last_match_time),
            None => secrets.push(told.clone()),
        }
    }
    secrets
}
