//! Events, attempts and outcomes for tests, named by small numbers.
use std::{borrow::Cow, sync::Arc, time::Duration};

use boathook_event::{
    Attempt, DedupeKey, Delivered, Destination, Event, EventParts, Failure, FailureKind, Head, Making, Next,
    ObjectName, ParkReason, Record, Seq, Uid,
};
use boathook_store::traits::{Append, Page};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};

/// Where the tests' time begins.
pub(crate) const START: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// How long keys are remembered unless a test says otherwise.
pub(crate) const WINDOW: Duration = Duration::from_secs(3_600);
/// Before all that is due.
pub(crate) const FIRST: (Timestamp, Seq) = (Timestamp::MIN, 0);
/// A page without bounds.
pub(crate) const ALL: Page = Page { deliveries_max: usize::MAX, bytes_max: usize::MAX };

/// So many seconds after the beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

pub(crate) fn name(name: &str) -> ObjectName {
    ObjectName::new("test", name)
}

pub(crate) fn uid(number: u64) -> Uid {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Uid::from_bytes(bytes)
}

/// A dedupe key that no other number has.
pub(crate) fn key(number: u8) -> DedupeKey {
    DedupeKey { hash: [number; 16], body: None }
}

/// The same with a body that matters.
pub(crate) fn key_with_body(number: u8, body: u8) -> DedupeKey {
    DedupeKey { hash: [number; 16], body: Some([body; 16]) }
}

/// An event to be.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) uid: u64,
    pub(crate) endpoint: &'static str,
    pub(crate) tenant: Option<String>,
    pub(crate) received: Timestamp,
    pub(crate) event_type: Option<String>,
    pub(crate) key: Option<&'static str>,
    pub(crate) body: Vec<u8>,
    pub(crate) dedupe: Vec<DedupeKey>,
    pub(crate) window: Duration,
    pub(crate) sinks: Vec<&'static str>,
    /// Its sinks get it in the order of its key, if it has one.
    pub(crate) ordered: bool,
    /// Its key waits for it once it is parked.
    pub(crate) blocks: bool,
    pub(crate) parked: Option<ParkReason>,
}

/// An event with this number for its uid, for the sink `a`.
pub(crate) fn draft(uid: u64) -> Draft {
    Draft {
        uid,
        endpoint: "in",
        tenant: None,
        received: START,
        event_type: Some("a.type".into()),
        key: None,
        body: format!("body of {uid}").into_bytes(),
        dedupe: Vec::new(),
        window: WINDOW,
        sinks: vec!["a"],
        ordered: true,
        blocks: false,
        parked: None,
    }
}

impl Draft {
    pub(crate) fn dedupe(self, keys: &[DedupeKey]) -> Self {
        Self { dedupe: keys.to_vec(), ..self }
    }

    pub(crate) fn key(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(crate) fn of(self, endpoint: &'static str, tenant: Option<&str>) -> Self {
        Self { endpoint, tenant: tenant.map(Into::into), ..self }
    }

    pub(crate) fn sinks(self, sinks: &[&'static str]) -> Self {
        Self { sinks: sinks.to_vec(), ..self }
    }

    pub(crate) fn put_aside(self, reason: ParkReason) -> Self {
        Self { parked: Some(reason), ..self }
    }

    pub(crate) fn unordered(self) -> Self {
        Self { ordered: false, ..self }
    }

    pub(crate) fn blocking(self) -> Self {
        Self { blocks: true, ..self }
    }

    fn destination(&self, sink: &str) -> Destination {
        let ordered = self.ordered && self.key.is_some();
        Destination { sink: name(sink), ordered, blocks: ordered && self.blocks }
    }

    pub(crate) fn event(&self) -> Event {
        let mut headers = HeaderMap::new();
        headers.append("x-repeated", HeaderValue::from_static("1"));
        headers.append("x-opaque", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.append("x-repeated", HeaderValue::from_static("2"));
        Event::restore(EventParts {
            uid: uid(self.uid),
            endpoint: name(self.endpoint),
            received_at: self.received,
            id: Some(format!("id-{}", self.uid).into()),
            event_type: self.event_type.as_deref().map(Into::into),
            key: self.key.map(Into::into),
            tenant: self.tenant.as_deref().map(Into::into),
            entity: Some("entity".into()),
            index: 3,
            head: Arc::new(Head {
                method: Method::POST,
                path: "/in".into(),
                query: Some("q=1".into()),
                headers,
            }),
            body: Bytes::from(self.body.clone()),
        })
    }

    pub(crate) fn append(&self) -> Append {
        Append {
            event: Arc::new(self.event()),
            dedupe: self.dedupe.clone(),
            dedupe_window: self.window,
            parked: self.parked,
            destinations: self.sinks.iter().map(|sink| self.destination(sink)).collect(),
        }
    }
}

/// The attempt of this number, begun then, which took one second and failed.
pub(crate) fn failed_attempt(number: u32, started: Timestamp) -> Attempt {
    Attempt {
        number,
        started_at: started,
        duration_millis: 1_000,
        result: Err(Failure {
            kind: FailureKind::Refused,
            permanent: false,
            status: Some(500),
            retry_after: Some(Duration::from_millis(1_500)),
            message: Cow::Borrowed("it said no"),
        }),
    }
}

pub(crate) fn delivered(seq: Seq, sink: &str, number: u32, started: Timestamp) -> Record {
    let done = Delivered { already_there: false, status: Some(200) };
    let attempt = Attempt { result: Ok(done), ..failed_attempt(number, started) };
    Record {
        seq,
        sink: name(sink),
        endpoint: name("in"),
        making: Making::Any,
        attempt: Some(attempt),
        next: Next::Delivered { already_there: false },
    }
}

pub(crate) fn retry(seq: Seq, sink: &str, number: u32, started: Timestamp, due: Timestamp) -> Record {
    Record { next: Next::Retry { due }, ..parked(seq, sink, number, started) }
}

pub(crate) fn parked(seq: Seq, sink: &str, number: u32, started: Timestamp) -> Record {
    Record {
        seq,
        sink: name(sink),
        endpoint: name("in"),
        making: Making::Any,
        attempt: Some(failed_attempt(number, started)),
        next: Next::Parked(ParkReason::AttemptsExhausted),
    }
}

/// It ends so, without another attempt.
pub(crate) fn without_attempt(seq: Seq, sink: &str, next: Next) -> Record {
    Record { seq, sink: name(sink), endpoint: name("in"), making: Making::Any, attempt: None, next }
}
