//! From an outcome to the answer: one place for statuses, headers and bodies.
use boathook_table::Profile;
use boathook_verify::{AnswerType, Answered};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use super::{
    noted::Noted,
    outcome::{Outcome, Refusal},
};

/// An answer.
pub(crate) type Reply = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// Answers where no endpoint can say what its provider wants.
pub(super) const PLAIN: Profile = Profile {
    success: 200,
    duplicate: 200,
    refused: 401,
    unavailable: 503,
    text: None,
    text_type: AnswerType::Plain,
};

/// The answer to a request. `noted` is what was learnt of its first event.
pub(super) fn reply(outcome: &Outcome, profile: &Profile, noted: &Noted) -> Reply {
    let status = outcome.status(profile);
    match outcome {
        Outcome::Handshake(answered) => handshake(status, answered),
        Outcome::Taken { .. } if profile.text.is_some() => {
            let text = profile.text.as_deref().unwrap_or_default();
            let kind = match profile.text_type {
                AnswerType::Plain => TEXT,
                AnswerType::Xml => XML,
                AnswerType::Json => JSON,
            };
            with_body(status, Some(kind).filter(|_| !text.is_empty()), text.as_bytes().to_vec())
        }
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
            with_body(status, Some(JSON), success(&members))
        }
        Outcome::Refused(refusal) => {
            let mut reply =
                with_body(status, Some(JSON), failure(&refusal.public_code(), &refusal.message()));
            if let Refusal::Method { allow } = refusal {
                let allow = HeaderValue::from_str(allow).expect("methods are visible ASCII");
                reply.headers_mut().insert(header::ALLOW, allow);
            }
            if let Some(seconds) = refusal.retry_after() {
                reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            reply
        }
    }
}

/// What the provider sent is sent back to it: never to be taken for a page.
fn handshake(status: StatusCode, answered: &Answered) -> Reply {
    let mut reply = with_body(status, None, answered.body.clone().into_bytes());
    reply.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in &answered.headers {
        reply.headers_mut().insert(name, value.clone());
    }
    reply
}

fn with_body(status: StatusCode, kind: Option<HeaderValue>, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    if let Some(kind) = kind {
        reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use boathook_event::{Fault, Mismatch, ObjectName, ReadError, Word};
    use boathook_store::SubmitError;
    use boathook_verify::{Code, Diagnosis, Rejection, XmlError, xml_as_json};
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::{awaited::NotDelivered as Awaited, gate::Wait};

    /// A provider that wants its own statuses.
    const OWN: Profile = Profile { success: 202, duplicate: 409, refused: 403, unavailable: 500, ..PLAIN };

    fn taken(word: Word) -> Outcome {
        Outcome::Taken { word, why_ignored: None, answer: [].into() }
    }

    fn answered(status: u16) -> Answered {
        Answered {
            status,
            headers: vec![(header::CONTENT_TYPE, TEXT)],
            body: "c".into(),
            secret: None,
            visit: None,
        }
    }

    fn not_genuine(code: Code) -> Outcome {
        Refusal::NotGenuine(Rejection { code, diagnosis: Diagnosis::NoSecretMatches }, None).into()
    }

    fn unchecked() -> Outcome {
        let (code, diagnosis) = (Code::Unavailable, Diagnosis::KeysNotThere);
        Refusal::Unchecked(Rejection { code, diagnosis }).into()
    }

    fn mismatch(field: &str, missing: bool) -> Outcome {
        Refusal::Mismatch(Mismatch { faults: vec![Fault { field: field.into(), missing }] }).into()
    }

    fn no_xml() -> XmlError {
        xml_as_json(b"").unwrap_err()
    }

    fn wait(millis: u64) -> Wait {
        Wait(Duration::from_millis(millis))
    }

    fn body(reply: Reply) -> String {
        let collected = reply.into_body().collect().now_or_never().unwrap().unwrap();
        String::from_utf8(collected.to_bytes().to_vec()).unwrap()
    }

    /// Each outcome; its status by default and with [`OWN`]; its public code; its word.
    fn table() -> Vec<(Outcome, [u16; 2], &'static str, Word)> {
        use Refusal::*;
        let unreadable = |error| Outcome::from(Unreadable(error));
        let unavailable = || SubmitError::Unavailable("the disk is full".into());
        vec![
            (taken(Word::Accepted), [200, 202], "", Word::Accepted),
            (taken(Word::Duplicate), [200, 409], "", Word::Duplicate),
            (taken(Word::Ignored), [200, 202], "", Word::Ignored),
            (Outcome::Handshake(answered(204)), [204, 204], "", Word::Handshake),
            (UnknownUrl.into(), [404, 404], "not_found", Word::Rejected),
            (Method { allow: "POST, GET".into() }.into(), [405, 405], "method_not_allowed", Word::Rejected),
            (Source.into(), [403, 403], "source_not_allowed", Word::Rejected),
            (SourceRate(wait(1)).into(), [429, 429], "rate_limited", Word::Busy),
            (Paused.into(), [503, 503], "paused", Word::Busy),
            (BodyTooLarge { bytes_max: 9 }.into(), [413, 413], "body_too_large", Word::Rejected),
            (BodyLate.into(), [408, 408], "body_timeout", Word::Rejected),
            (BodyBroken.into(), [400, 400], "body_incomplete", Word::Unanswered),
            (Crowded.into(), [503, 503], "unavailable", Word::Busy),
            (not_genuine(Code::MissingSignature), [401, 403], "missing_signature", Word::Rejected),
            (not_genuine(Code::InvalidSignature), [401, 403], "invalid_signature", Word::Rejected),
            (not_genuine(Code::MissingTimestamp), [401, 403], "missing_timestamp", Word::Rejected),
            (not_genuine(Code::InvalidTimestamp), [401, 403], "invalid_timestamp", Word::Rejected),
            (not_genuine(Code::StaleTimestamp), [401, 403], "stale_timestamp", Word::Rejected),
            (unchecked(), [503, 500], "unavailable", Word::Busy),
            (
                NotVisited("the host does not answer".into()).into(),
                [503, 500],
                "unavailable",
                Word::Unanswered,
            ),
            (Rate(wait(1)).into(), [429, 429], "rate_limited", Word::Busy),
            (TenantRate(wait(1)).into(), [429, 429], "rate_limited", Word::Busy),
            (unreadable(ReadError::Form), [400, 400], "invalid_form", Word::Rejected),
            (unreadable(ReadError::Xml(no_xml())), [400, 400], "invalid_xml", Word::Rejected),
            (unreadable(ReadError::BatchTooLarge(9)), [400, 400], "batch_too_large", Word::Rejected),
            (
                unreadable(ReadError::ContentType { expected: "a/b".into() }),
                [400, 400],
                "invalid_content_type",
                Word::Rejected,
            ),
            (UnknownType.into(), [400, 400], "unknown_type", Word::Rejected),
            (mismatch("a.b", true), [400, 400], "missing_a.b", Word::Rejected),
            (mismatch("a", false), [400, 400], "invalid_a", Word::Rejected),
            (mismatch("", false), [400, 400], "invalid_body", Word::Rejected),
            (NotStored(SubmitError::Busy).into(), [503, 500], "unavailable", Word::Busy),
            (NotStored(unavailable()).into(), [503, 500], "unavailable", Word::Unanswered),
            (
                NotStored(SubmitError::Rejected("x".into())).into(),
                [503, 500],
                "unavailable",
                Word::Unanswered,
            ),
            (SinkFull(ObjectName::new("default", "out")).into(), [503, 500], "unavailable", Word::Busy),
            (NotDelivered(Awaited::Late).into(), [503, 500], "not_delivered", Word::Unanswered),
        ]
    }

    #[test]
    fn every_outcome_has_its_status_for_every_provider_and_its_code() {
        for (outcome, statuses, code, word) in table() {
            assert_eq!(outcome.word(), word, "{outcome:?}");
            for (profile, status) in [PLAIN, OWN].iter().zip(statuses) {
                let reply = reply(&outcome, profile, &Noted::default());
                assert_eq!(reply.status(), status, "{outcome:?}");
                let retry_after = reply.headers().contains_key(header::RETRY_AFTER);
                let later = word == Word::Busy || ["unavailable", "not_delivered"].contains(&code);
                assert_eq!(retry_after, later, "{outcome:?}");
                if let Outcome::Refused(_) = outcome {
                    let body: Value = serde_json::from_str(&body(reply)).unwrap();
                    assert_eq!((&body["success"], &body["error"]["code"]), (&false.into(), &code.into()));
                    assert!(!body["error"]["message"].as_str().unwrap().contains("disk"), "{body}");
                }
            }
        }
    }

    #[test]
    fn what_the_scheme_asks_for_replaces_or_joins_the_default_members() {
        let answer = [("eventType".into(), Some("update".into())), ("kind\"".into(), None)].into();
        let outcome = Outcome::Taken { word: Word::Accepted, why_ignored: None, answer };
        let told = body(reply(&outcome, &PLAIN, &Noted::default()));
        assert_eq!(
            told,
            r#"{"success":true,"eventId":null,"eventType":"update","entityId":null,"kind\"":null}"#
        );
    }

    #[test]
    fn a_text_of_the_scheme_replaces_the_json_of_what_was_taken() {
        for (text, text_type, kind) in [
            ("[accepted]", AnswerType::Plain, Some(&TEXT)),
            ("<ok/>", AnswerType::Xml, Some(&XML)),
            ("[]", AnswerType::Json, Some(&JSON)),
            ("", AnswerType::Xml, None),
        ] {
            let profile = Profile { text: Some(text.into()), text_type, ..PLAIN };
            let told = reply(&taken(Word::Duplicate), &profile, &Noted::default());
            assert_eq!(told.headers().get(header::CONTENT_TYPE), kind);
            assert_eq!(body(told), text);
        }
    }

    #[test]
    fn other_methods_are_told_what_is_taken_and_handshakes_get_what_they_asked_for() {
        let refusal = Refusal::Method { allow: "POST, GET".into() };
        let told = reply(&refusal.into(), &PLAIN, &Noted::default());
        assert_eq!(told.headers()[header::ALLOW], "POST, GET");
        let told = reply(&Outcome::Handshake(answered(200)), &PLAIN, &Noted::default());
        assert_eq!(told.headers()[header::CONTENT_TYPE], TEXT);
        assert_eq!(told.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(body(told), "c");
    }

    #[test]
    fn a_sender_over_its_rate_is_told_whole_seconds_rounded_up() {
        for (millis, told) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let reply = reply(&Refusal::Rate(wait(millis)).into(), &PLAIN, &Noted::default());
            assert_eq!(reply.headers()[header::RETRY_AFTER], told);
        }
    }
}
