//! From an outcome to the answer: one place for statuses, headers and bodies.
use boathook_table::Statuses;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use super::{exchange::Noted, outcome::Outcome};

/// An answer.
pub(crate) type Reply = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers where no endpoint can say what its provider wants.
pub(super) const PLAIN: Statuses = Statuses { success: 200, duplicate: 200, refused: 401, unavailable: 503 };

/// The answer to a request. `noted` is what was learnt of its first event.
pub(super) fn reply(outcome: &Outcome, statuses: &Statuses, noted: &Noted) -> Reply {
    let status = outcome.status(statuses);
    match outcome {
        Outcome::Handshake(text) => with_body(status, TEXT, text.clone().into_bytes()),
        Outcome::Taken { answer, .. } => {
            let event_id = noted.event_id();
            let mut members: Vec<(&str, Option<&str>)> = vec![
                ("eventId", event_id.as_deref()),
                ("eventType", noted.event_type()),
                ("entityId", noted.entity()),
            ];
            for (name, value) in answer {
                match members.iter_mut().find(|(known, _)| **known == **name) {
                    Some(member) => member.1 = value.as_deref(),
                    None => members.push((name, value.as_deref())),
                }
            }
            with_body(status, JSON, success(&members))
        }
        Outcome::Refused(refusal) => {
            let mut reply = with_body(status, JSON, failure(refusal.code(), &refusal.message()));
            if status == StatusCode::METHOD_NOT_ALLOWED {
                reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            if let Some(seconds) = refusal.retry_after() {
                reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            reply
        }
    }
}

fn with_body(status: StatusCode, kind: HeaderValue, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

/// `{"success":true,…}`; a member without a value is null.
fn success(members: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut body = b"{\"success\":true".to_vec();
    for (name, value) in members {
        body.push(b',');
        body.extend_from_slice(quoted(name).as_bytes());
        body.push(b':');
        body.extend_from_slice(value.map_or_else(|| "null".to_owned(), quoted).as_bytes());
    }
    body.push(b'}');
    body
}

fn failure(code: &str, message: &str) -> Vec<u8> {
    format!(r#"{{"success":false,"error":{{"code":{},"message":{}}}}}"#, quoted(code), quoted(message))
        .into_bytes()
}

/// The text as JSON writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
