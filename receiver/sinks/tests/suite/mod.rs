//! What every sink does, whatever it is: one suite over an [`Environment`] for each driver.
use std::{fmt::Debug, sync::Arc};

use boathook_event::{Delivered, Delivery, Event, EventParts, Failure, Head, ObjectName, Uid};
use boathook_sinks::{Sending, Sink};
use bytes::Bytes;
use http::{HeaderMap, Method};

/// A secret that the environment gives to its sinks where they take one.
pub(crate) const SECRET: &str = "s3cr3t-value";

/// A driver with something real behind it.
pub(crate) trait Environment {
    /// Starts what is behind the sink.
    async fn start() -> Self;
    /// The sink.
    fn sink(&self) -> Arc<dyn Sink>;
    /// A sink of the same kind, behind which nothing takes anything.
    fn broken_sink(&self) -> Arc<dyn Sink>;
    /// What the place behind the sink got so far, in order.
    fn received(&self) -> Vec<Received>;
}

/// One delivery as its consumer sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) uid: String,
    pub(crate) endpoint: String,
    pub(crate) event_type: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) body: Vec<u8>,
}

/// The parts of an event with the number in its ids.
pub(crate) fn parts(number: u8, body: impl Into<Bytes>) -> EventParts {
    EventParts {
        uid: Uid::new(1_767_323_045_000, &[number; 10]),
        endpoint: ObjectName::new("platform", "github"),
        received_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        id: Some(format!("evt_{number}").into()),
        event_type: Some("push".into()),
        key: Some("acme/app".into()),
        tenant: None,
        entity: None,
        index: 0,
        head: Arc::new(Head {
            method: Method::POST,
            path: "/platform/github".into(),
            query: Some("team=a%20b".into()),
            headers: HeaderMap::new(),
        }),
        body: body.into(),
    }
}

/// An attempt to deliver the event.
pub(crate) fn sending(parts: EventParts, attempt: u32) -> Sending {
    let delivery = Delivery {
        seq: 1,
        sink: ObjectName::new("platform", "target"),
        event: Arc::new(Event::restore(parts)),
        attempts: attempt - 1,
        due: None,
        ordered: false,
        blocks: false,
        replay: 0,
    };
    Sending { delivery, attempt, attributes: Arc::default() }
}

/// Delivers in batches of the sink's size, as dispatch does.
pub(crate) async fn deliver(sink: &dyn Sink, sendings: &[Sending]) -> Vec<Result<Delivered, Failure>> {
    let mut outcomes = Vec::new();
    for batch in sendings.chunks(sink.batch_max()) {
        let of_batch = sink.deliver_batch(batch).await;
        assert_eq!(of_batch.len(), batch.len(), "one outcome for each delivery");
        outcomes.extend(of_batch);
    }
    outcomes
}

/// One attempt.
pub(crate) async fn deliver_one(sink: &dyn Sink, sending: Sending) -> Result<Delivered, Failure> {
    deliver(sink, &[sending]).await.remove(0)
}

pub(crate) async fn every_delivery_has_an_outcome_and_arrives_in_order<E: Environment>() {
    let environment = E::start().await;
    let sink = environment.sink();
    let sendings: Vec<_> = (0..5).map(|number| sending(parts(number, "{}"), 1)).collect();
    let outcomes = deliver(&*sink, &sendings).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Delivered { already_there: false, .. }))));
    assert_eq!(outcomes.len(), 5);
    let uids: Vec<_> = environment.received().into_iter().map(|received| received.uid).collect();
    let sent: Vec<_> = sendings.iter().map(|sending| sending.delivery.event.uid.to_string()).collect();
    assert_eq!(uids, sent);
}

pub(crate) async fn a_batch_of_more_than_its_maximum_still_has_one_outcome_for_each<E: Environment>() {
    let environment = E::start().await;
    let sink = environment.sink();
    let sendings: Vec<_> = (0..3).map(|number| sending(parts(number, "{}"), 1)).collect();
    assert_eq!(sink.deliver_batch(&sendings).await.len(), 3);
    assert_eq!(sink.deliver_batch(&[]).await, []);
    assert_eq!(environment.received().len(), 3);
}

pub(crate) async fn a_body_arrives_byte_for_byte<E: Environment>() {
    let environment = E::start().await;
    let sink = environment.sink();
    let bodies: [&[u8]; 6] = [
        br#"{"a":1,"a":2,"big":123456789012345678901234567890,"zero":1.0}"#,
        br#"  [ "\u00e4 \/ line\nbreak" , 1e400 ]  "#,
        "\"Zürich \u{1f6a2}\"".as_bytes(),
        b"payload=%7B%7D&x=1",
        b"\x00\xff\r\n{",
        b"",
    ];
    for body in bodies {
        assert!(deliver_one(&*sink, sending(parts(1, body), 1)).await.is_ok());
    }
    for (received, sent) in environment.received().iter().zip(bodies) {
        let (received, sent) = (received.body.trim_ascii(), sent.trim_ascii());
        assert_eq!(received, sent, "{}", String::from_utf8_lossy(sent));
    }
}

pub(crate) async fn the_idempotency_key_is_the_same_in_every_attempt<E: Environment>() {
    let environment = E::start().await;
    let sink = environment.sink();
    for attempt in 1..=3 {
        assert!(deliver_one(&*sink, sending(parts(7, "{}"), attempt)).await.is_ok());
    }
    let uid = parts(7, "").uid.to_string();
    let seen: Vec<_> = environment.received().into_iter().map(|got| (got.uid, got.attempt)).collect();
    assert_eq!(seen, [(uid.clone(), 1), (uid.clone(), 2), (uid, 3)]);
}

pub(crate) async fn an_event_without_id_and_type_is_delivered<E: Environment>() {
    let environment = E::start().await;
    let bare = EventParts { id: None, event_type: None, key: None, ..parts(1, "{}") };
    let uid = bare.uid.to_string();
    assert!(deliver_one(&*environment.sink(), sending(bare, 1)).await.is_ok());
    let expected = Received {
        uid,
        endpoint: "platform/github".into(),
        event_type: None,
        attempt: 1,
        body: b"{}".to_vec(),
    };
    assert_eq!(environment.received(), [expected]);
}

pub(crate) async fn an_outage_is_a_failure_that_may_pass<E: Environment>() {
    let environment = E::start().await;
    let sink = environment.broken_sink();
    let sendings = [sending(parts(1, "{}"), 1), sending(parts(2, "{}"), 1)];
    for outcome in deliver(&*sink, &sendings).await {
        let failure = outcome.unwrap_err();
        assert!(!failure.permanent && !failure.message.is_empty(), "{failure:?}");
        assert!(!failure.message.contains(SECRET), "{failure:?}");
    }
    assert_eq!(environment.received(), []);
}

pub(crate) async fn secrets_are_not_in_debug_output<E: Environment>() {
    let environment = E::start().await;
    for shown in [&environment.sink() as &dyn Debug, &environment.broken_sink()] {
        assert!(!format!("{shown:?} {shown:#?}").contains(SECRET));
    }
}

/// All tests of the suite for one environment.
macro_rules! suite {
    ($environment:ty: $($test:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $test() {
            $crate::suite::$test::<$environment>().await;
        })+
    };
    ($environment:ty) => {
        $crate::suite::suite!($environment:
            every_delivery_has_an_outcome_and_arrives_in_order,
            a_batch_of_more_than_its_maximum_still_has_one_outcome_for_each,
            a_body_arrives_byte_for_byte,
            the_idempotency_key_is_the_same_in_every_attempt,
            an_event_without_id_and_type_is_delivered,
            an_outage_is_a_failure_that_may_pass,
            secrets_are_not_in_debug_output,
        );
    };
}
pub(crate) use suite;
