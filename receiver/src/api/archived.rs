//! What the archive knows, in the words of the API.
use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_api as api;
use boathook_event::{Attempt, Rejected};
use boathook_store::traits::{Archived, ArchivedDelivery, DeliveryState, Summary};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) fn state(state: DeliveryState) -> api::DeliveryState {
    match state {
        DeliveryState::Pending => api::DeliveryState::Pending,
        DeliveryState::Delivered => api::DeliveryState::Delivered,
        DeliveryState::Parked => api::DeliveryState::Parked,
        DeliveryState::Skipped => api::DeliveryState::Skipped,
    }
}

pub(super) fn stored_state(state: api::DeliveryState) -> DeliveryState {
    match state {
        api::DeliveryState::Pending => DeliveryState::Pending,
        api::DeliveryState::Delivered => DeliveryState::Delivered,
        api::DeliveryState::Parked => DeliveryState::Parked,
        api::DeliveryState::Skipped => DeliveryState::Skipped,
    }
}

pub(super) fn summary(found: Summary) -> api::EventSummary {
    let Summary { seq: _, uid, endpoint, received_at, id, event_type, key, tenant, bytes, deliveries } =
        found;
    api::EventSummary {
        uid: uid.to_string(),
        endpoint: endpoint.to_string(),
        received_at,
        id: id.map(String::from),
        event_type: event_type.map(String::from),
        key: key.map(String::from),
        tenant: tenant.map(String::from),
        bytes,
        deliveries: deliveries.into_iter().map(delivery).collect(),
    }
}

pub(super) fn event(archived: Archived) -> api::Event {
    let Archived { seq: _, event, deliveries } = archived;
    let text = |value: &Option<Box<str>>| value.as_deref().map(str::to_owned);
    api::Event {
        summary: api::EventSummary {
            uid: event.uid.to_string(),
            endpoint: event.endpoint.to_string(),
            received_at: event.received_at,
            id: text(&event.id),
            event_type: text(&event.event_type),
            key: text(&event.key),
            tenant: text(&event.tenant),
            bytes: event.body.len() as u64,
            deliveries: deliveries.into_iter().map(delivery).collect(),
        },
        entity: text(&event.entity),
        index: event.index,
        method: event.head.method.to_string(),
        path: event.head.path.to_string(),
        query: text(&event.head.query),
        headers: headers(&event.head.headers),
        body: body(&event.body),
    }
}

pub(super) fn headers(headers: &HeaderMap) -> Vec<api::Header> {
    let header = |(name, value): (&HeaderName, &HeaderValue)| api::Header {
        name: name.as_str().to_owned(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    headers.iter().map(header).collect()
}

pub(super) fn body(bytes: &[u8]) -> api::Body {
    match std::str::from_utf8(bytes) {
        Ok(text) => api::Body::Text(text.to_owned()),
        Err(_) => api::Body::Base64(STANDARD.encode(bytes)),
    }
}

fn delivery(archived: ArchivedDelivery) -> api::Delivery {
    let ArchivedDelivery { sink, replay, state: stands, parked_for, attempts, due, completed_at, failures } =
        archived;
    api::Delivery {
        sink: sink.to_string(),
        replay,
        state: state(stands),
        parked_for: parked_for.map(String::from),
        attempts,
        next_attempt_at: due,
        completed_at,
        failures: failures.into_iter().filter_map(failed).collect(),
    }
}

fn failed(attempt: Attempt) -> Option<api::FailedAttempt> {
    let Attempt { number, started_at, duration_millis, result } = attempt;
    let failure = result.err()?;
    Some(api::FailedAttempt {
        number,
        started_at,
        duration_ms: duration_millis,
        kind: failure.kind.as_str().to_owned(),
        permanent: failure.permanent,
        response_status: failure.status,
        error: failure.message.into_owned(),
    })
}

pub(super) fn rejection(rejected: Rejected) -> api::Rejection {
    let Rejected { endpoint, received_at, code, status, source, diagnosis } = rejected;
    api::Rejection {
        endpoint: endpoint.to_string(),
        received_at,
        code: code.into(),
        status,
        source: source.to_string(),
        diagnosis: diagnosis.into(),
    }
}
