//! What the receivers of one store report, as one: totals are the store's, so the newest report has them; what each has seen by
//! itself counts whoever saw it.
use boathook_crds::{Breaker, EndpointReport, SecretStatus, SinkReport};

/// Of an endpoint.
pub(crate) fn endpoint(reports: &[EndpointReport]) -> Option<EndpointReport> {
    let latest = reports.iter().max_by_key(|report| report.report_time)?;
    Some(EndpointReport {
        last_event_time: reports.iter().filter_map(|report| report.last_event_time).max(),
        last_rejected_time: reports.iter().filter_map(|report| report.last_rejected_time).max(),
        last_delivered_time: reports.iter().filter_map(|report| report.last_delivered_time).max(),
        consecutive_failures: reports.iter().map(|report| report.consecutive_failures).max().unwrap_or(0),
        refused_often: reports.iter().any(|report| report.refused_often),
        signed_refused: reports
            .iter()
            .any(|report| report.signed_refused && nobody_takes_it(report, reports)),
        usual_gap_seconds: reports.iter().filter_map(|report| report.usual_gap_seconds).min(),
        secrets: secrets(reports),
        captured_secret: reports.iter().find_map(|report| report.captured_secret.clone()),
        ..latest.clone()
    })
}

/// Of a sink. The error is the last one, whoever met it.
pub(crate) fn sink(reports: &[SinkReport]) -> Option<SinkReport> {
    let latest = reports.iter().max_by_key(|report| report.report_time)?;
    let failed = reports.iter().max_by_key(|report| report.last_error_time).unwrap_or(latest);
    let shut =
        |breaker: Breaker| reports.iter().any(|report| report.breaker == Some(breaker)).then_some(breaker);
    Some(SinkReport {
        last_delivered_time: reports.iter().filter_map(|report| report.last_delivered_time).max(),
        last_error_time: failed.last_error_time,
        last_error: failed.last_error.clone(),
        consecutive_failures: reports.iter().map(|report| report.consecutive_failures).max().unwrap_or(0),
        breaker: shut(Breaker::Open).or(shut(Breaker::HalfOpen)).or(latest.breaker),
        ..latest.clone()
    })
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
