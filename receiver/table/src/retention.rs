//! How long an endpoint's events are kept.
use boathook_crds::WebhookEndpointSpec;
use boathook_event::Retention;

use crate::{
    limits::{
        RETENTION_DELIVERED_DEFAULT, RETENTION_MAX, RETENTION_PARKED_DEFAULT, RETENTION_REJECTED_DEFAULT,
    },
    problem::Problems,
};

/// Where nothing is said, and of endpoints that are gone.
pub const RETENTION_DEFAULT: Retention = Retention {
    delivered: RETENTION_DELIVERED_DEFAULT,
    parked: RETENTION_PARKED_DEFAULT,
    rejected: RETENTION_REJECTED_DEFAULT,
};

/// As the spec says.
pub(crate) fn retention(spec: &WebhookEndpointSpec, problems: &mut Problems<'_>) -> Retention {
    let written = spec.retention.clone().unwrap_or_default();
    let mut kept = |field: &str, written: Option<boathook_verify::Duration>, default| {
        let value = written.map_or(default, |written| written.std());
        problems.at_most(&format!("spec.retention.{field}"), value, RETENTION_MAX)
    };
    Retention {
        delivered: kept("delivered", written.delivered, RETENTION_DELIVERED_DEFAULT),
        parked: kept("parked", written.parked, RETENTION_PARKED_DEFAULT),
        rejected: kept("rejected", written.rejected, RETENTION_REJECTED_DEFAULT),
    }
}
