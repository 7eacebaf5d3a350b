//! Trying a sink with an event that nobody sent.
use std::{sync::Arc, time::Instant};

use boathook_api::{SinkTest, TestOutcome};
use boathook_event::{Delivery, Event, EventParts, Head, ObjectName};
use boathook_sinks::Sending;
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use serde_json::json;

use super::{Answered, Parts, call::Call, json as answer, no_sink};
use crate::{attempt::tried, ingress::new_uid};

impl Parts {
    pub(super) async fn try_sink(&self, sink: &ObjectName, call: &Call) -> Answered {
        let SinkTest { event_type, body } = call.body()?;
        let Some(served) = self.live.load().sink(sink).cloned() else {
            return Err(no_sink(sink));
        };
        let sent_at = Timestamp::now();
        let event_type = event_type.unwrap_or_else(|| "boathook.test".into());
        let body = body.unwrap_or_else(
            || json!({ "type": event_type, "sink": sink.as_str(), "time": sent_at.to_string() }),
        );
        let event = Event::trial(EventParts {
            uid: new_uid(),
            endpoint: ObjectName::new(sink.namespace(), "test"),
            received_at: sent_at,
            id: None,
            event_type: Some(event_type.into()),
            key: None,
            tenant: None,
            entity: None,
            index: 0,
            head: Arc::new(head()),
            body: body.to_string().into(),
        });
        let uid = event.uid.to_string();
        let delivery = Delivery {
            seq: 0,
            sink: sink.clone(),
            event: Arc::new(event),
            attempts: 0,
            due: None,
            ordered: false,
            blocks: false,
            replay: 0,
        };
        let started = Instant::now();
        let result = tried(&*served.sink, Sending { delivery, attempt: 1, attributes: Arc::default() }).await;
        let duration_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        tracing::info!(%sink, uid, duration_ms, delivered = result.is_ok(), "a person has tried the sink");
        answer(&match result {
            Ok(delivered) => TestOutcome {
                delivered: true,
                response_status: delivered.status,
                duration_ms,
                kind: None,
                error: None,
                uid,
                sent_at,
            },
            Err(failure) => TestOutcome {
                delivered: false,
                response_status: failure.status,
                duration_ms,
                kind: Some(failure.kind.as_str().to_owned()),
                error: Some(failure.message.into_owned()),
                uid,
                sent_at,
            },
        })
    }
}

fn head() -> Head {
    let json = HeaderValue::from_static("application/json");
    Head {
        method: Method::POST,
        path: "/".into(),
        query: None,
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
    }
}
