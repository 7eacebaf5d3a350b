//! The `http` sink: the suite, and what is sent to and made of a real server.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod server;
#[path = "../suite/mod.rs"]
mod suite;

use std::{sync::Arc, time::Duration};

use boathook_event::{Delivered, EventParts, Failure, FailureKind, Head, ObjectName};
use boathook_sinks::{
    AddressGuard, BodySpec, FieldSpec, HeaderContent, HeaderSpec, HttpSpec, Registry, Secret, Sink, SinkSpec,
    limits::{DRAIN_BYTES_MAX, HEADER_VALUE_BYTES_MAX},
};
use http::HeaderMap;

use self::{
    server::{Reply, Server},
    suite::{Environment, Received, SECRET, deliver_one, parts, sending, suite},
};

/// Long enough never to end in a test that does not wait for it.
const PATIENT: Duration = Duration::from_secs(60);
const TAKEN: Result<Delivered, Failure> = Ok(Delivered { already_there: false, status: Some(200) });

fn template(name: &str, text: &str) -> HeaderSpec {
    HeaderSpec { name: name.into(), value: HeaderContent::Template(text.into()) }
}

fn secret(name: &str, text: &str) -> HeaderSpec {
    HeaderSpec { name: name.into(), value: HeaderContent::Secret(Secret::new(text)) }
}

fn spec(url: String, headers: Vec<HeaderSpec>) -> HttpSpec {
    HttpSpec { url, headers, timeout: PATIENT, body: BodySpec::Raw, body_bytes_max: 1024 * 1024 }
}

fn guarded(guard: AddressGuard, spec: HttpSpec) -> Arc<dyn Sink> {
    Registry::new(guard, Box::new(std::io::sink()))
        .build(&ObjectName::new("platform", "target"), &SinkSpec::Http(spec))
        .unwrap()
}

fn sink(spec: HttpSpec) -> Arc<dyn Sink> {
    guarded(AddressGuard { loopback: true, allow: Vec::new() }, spec)
}

fn with_headers(parts: EventParts, headers: &[(&'static str, &'static str)]) -> EventParts {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let head = Head { headers: map, ..Head::clone(&parts.head) };
    EventParts { head: Arc::new(head), ..parts }
}

/// A URL on which nobody listens.
async fn dead_url() -> String {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{address}/hooks?token=query-token")
}

struct Http {
    server: Server,
    dead_url: String,
}

impl Environment for Http {
    async fn start() -> Self {
        Self { server: Server::start([]).await, dead_url: dead_url().await }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        sink(spec(self.server.url(), vec![secret("Authorization", SECRET)]))
    }

    fn broken_sink(&self) -> Arc<dyn Sink> {
        sink(spec(self.dead_url.clone(), vec![secret("Authorization", SECRET)]))
    }

    fn received(&self) -> Vec<Received> {
        let received = |request: server::Request| Received {
            uid: request.header("idempotency-key").unwrap().into(),
            endpoint: request.header("boathook-endpoint").unwrap().into(),
            event_type: request.header("boathook-event-type").map(Into::into),
            attempt: request.header("boathook-attempt").unwrap().parse().unwrap(),
            body: request.body,
        };
        self.server.requests().into_iter().map(received).collect()
    }
}

suite!(Http);

#[tokio::test]
async fn the_request_is_the_event_s_bytes_and_headers_and_ours() {
    let server = Server::start([]).await;
    let event = with_headers(
        parts(0, "{\"a\": 1}\n"),
        &[
            ("host", "hooks.example.com"),
            ("content-length", "9"),
            ("content-type", "application/json; charset=utf-8"),
            ("accept-encoding", "gzip"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "192.0.2.1"),
            ("boathook-endpoint", "somebody/else"),
            ("boathook-trust", "me"),
            ("user-agent", "GitHub-Hookshot/1"),
            ("x-github-event", "push"),
            ("x-hub-signature-256", "sha256=00"),
            ("x-twice", "1"),
            ("x-twice", "2"),
        ],
    );
    assert_eq!(deliver_one(&*sink(spec(server.url(), Vec::new())), sending(event, 3)).await, TAKEN);
    let [request] = server.requests().try_into().unwrap();
    assert_eq!(request.line, "POST /hooks?token=query-token HTTP/1.1");
    assert_eq!(request.body, b"{\"a\": 1}\n");
    let mut lines: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    lines.sort();
    let host = format!("host: {}", server.place());
    assert_eq!(
        lines,
        [
            "accept: */*",
            "boathook-attempt: 3",
            "boathook-endpoint: platform/github",
            "boathook-event-id: evt_0",
            "boathook-event-type: push",
            "content-length: 9",
            "content-type: application/json; charset=utf-8",
            host.as_str(),
            "idempotency-key: 019b7ca9-8c88-7000-8000-000000000000",
            "user-agent: GitHub-Hookshot/1",
            "x-github-event: push",
            "x-hub-signature-256: sha256=00",
            "x-twice: 1",
            "x-twice: 2",
        ]
    );
}

#[tokio::test]
async fn without_an_id_of_the_provider_s_the_event_id_is_ours() {
    let server = Server::start([]).await;
    let event = EventParts { id: None, event_type: None, ..parts(0, "") };
    deliver_one(&*sink(spec(server.url(), Vec::new())), sending(event, 1)).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.header("boathook-event-id"), Some("019b7ca9-8c88-7000-8000-000000000000"));
    assert_eq!(request.header("user-agent"), Some(concat!("Boathook/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("content-length"), Some("0"));
}

#[tokio::test]
async fn the_sink_s_own_headers_are_rendered_and_replace_the_others() {
    let server = Server::start([]).await;
    let headers = vec![
        template("X-Fixed", "yes"),
        template("X-Where", "{namespace}/{endpoint}#{index}"),
        template("X-What", "{type}:{/order/id}:{header:X-Shop}:{query:team}"),
        template("X-When", "{receivedAt}"),
        template("X-Try", "{attempt}"),
        template("Idempotency-Key", "{id}"),
        template("Content-Type", "application/vnd.shop+json"),
        secret("Authorization", "Bearer s3cr3t"),
    ];
    let event = with_headers(
        parts(0, r#"{"order":{"id":42}}"#),
        &[("x-shop", "acme"), ("content-type", "text/plain"), ("x-where", "theirs")],
    );
    deliver_one(&*sink(spec(server.url(), headers)), sending(event, 2)).await.unwrap();
    let request = &server.requests()[0];
    for (name, value) in [
        ("x-fixed", "yes"),
        ("x-where", "platform/github#0"),
        ("x-what", "push:42:acme:a b"),
        ("x-when", "2026-01-02T03:04:05.678Z"),
        ("x-try", "2"),
        ("idempotency-key", "evt_0"),
        ("content-type", "application/vnd.shop+json"),
        ("authorization", "Bearer s3cr3t"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_header_without_a_value_is_not_sent_even_if_the_provider_sent_one() {
    let server = Server::start([]).await;
    let headers = vec![template("X-Tenant", "{tenant}"), template("X-Order", "{/order/id}")];
    let event = with_headers(parts(0, "no json"), &[("x-tenant", "forged")]);
    deliver_one(&*sink(spec(server.url(), headers)), sending(event, 1)).await.unwrap();
    assert_eq!(server.requests()[0].header("x-tenant"), None);
    assert_eq!(server.requests()[0].header("x-order"), None);
}

#[tokio::test]
async fn a_value_that_no_header_can_carry_is_permanent_and_nothing_is_sent() {
    let server = Server::start([]).await;
    let sink = sink(spec(server.url(), vec![template("X-Body", "{body}")]));
    let long = "x".repeat(HEADER_VALUE_BYTES_MAX + 1);
    for (body, expected) in [
        ("a\r\nEvil: 1", "header `x-body` would have a line break or another control character"),
        (long.as_str(), "header `x-body` would have 8193 bytes, more than 8192"),
    ] {
        let failure = deliver_one(&*sink, sending(parts(0, body.to_owned()), 1)).await.unwrap_err();
        assert_eq!((failure.kind, failure.permanent), (FailureKind::Unrenderable, true));
        assert!(failure.message.starts_with(expected), "{failure:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = Server::start([]).await;
    let head = format!("307 Temporary Redirect\r\nLocation: {}", elsewhere.url()).leak();
    let server = Server::start([Reply::Whole(head, String::new())]).await;
    let failure =
        deliver_one(&*sink(spec(server.url(), Vec::new())), sending(parts(0, "{}"), 1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.permanent, failure.status), (FailureKind::Refused, false, Some(307)));
    assert!(!failure.message.contains("query-token"), "{failure:?}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() {
    let server = Server::start([Reply::Stall("")]).await;
    let impatient = HttpSpec { timeout: Duration::from_millis(100), ..spec(server.url(), Vec::new()) };
    let failure = deliver_one(&*sink(impatient), sending(parts(0, "{}"), 1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.permanent), (FailureKind::Timeout, false));
    assert_eq!(failure.message, format!("no answer from {} within 100ms", server.place()));
}

#[tokio::test]
async fn the_status_stands_though_the_answer_s_body_never_ends() {
    let taking = Server::start([Reply::Stall("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")]).await;
    let gone = Server::start([Reply::Stall("HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\nabc")]).await;
    let (to_taking, to_gone) = (sink(spec(taking.url(), Vec::new())), sink(spec(gone.url(), Vec::new())));
    let (taken, refused) = tokio::join!(
        deliver_one(&*to_taking, sending(parts(0, "{}"), 1)),
        deliver_one(&*to_gone, sending(parts(0, "{}"), 1)),
    );
    assert_eq!(taken, TAKEN);
    let failure = refused.unwrap_err();
    assert_eq!((failure.kind, failure.permanent), (FailureKind::Refused, true));
    assert_eq!(failure.message, format!("{} answered 410 Gone", gone.place()));
}

#[tokio::test]
async fn a_target_that_is_away_is_unreachable() {
    let server = Server::start([Reply::HangUp]).await;
    let dead = dead_url().await;
    let tls = server.url().replace("http:", "https:");
    // A label that is too long for any name: no name server is asked.
    let name = "x".repeat(64);
    let nowhere = format!("http://{name}/?token=query-token");
    for (url, expected) in [
        (dead, "cannot connect to 127.0.0.1:"),
        (server.url(), &*format!("{} broke off before it answered: ", server.place())),
        (tls, &*format!("cannot connect to {}: ", server.place())),
        (nowhere, &*format!("cannot connect to {name}:80: ")),
    ] {
        let failure =
            deliver_one(&*sink(spec(url, Vec::new())), sending(parts(0, "{}"), 1)).await.unwrap_err();
        assert_eq!((failure.kind, failure.permanent), (FailureKind::Unreachable, false), "{failure:?}");
        assert!(failure.message.starts_with(expected), "{failure:?}");
        assert!(failure.message.len() > expected.len(), "{failure:?}");
        assert!(!failure.message.contains("query-token"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_name_that_stands_for_a_refused_address_is_not_called() {
    let server = Server::start([]).await;
    let url = format!("http://localhost:{}/", server.port());
    let closed = guarded(AddressGuard::default(), spec(url, Vec::new()));
    let failure = deliver_one(&*closed, sending(parts(0, "{}"), 1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.permanent), (FailureKind::ForbiddenAddress, true));
    let expected = format!("localhost:{} was not called: ", server.port());
    assert!(failure.message.starts_with(&expected), "{failure:?}");
    assert!(failure.message.contains("is a loopback address"), "{failure:?}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_connection_is_used_again_after_answers_with_bodies_and_given_up_after_huge_ones() {
    let server = Server::start([
        Reply::Whole("200 OK", "thanks".into()),
        Reply::Whole("500 Internal Server Error", "x".repeat(DRAIN_BYTES_MAX)),
        Reply::Whole("500 Internal Server Error", "x".repeat(64 * DRAIN_BYTES_MAX)),
    ])
    .await;
    let sink = sink(spec(server.url(), Vec::new()));
    for attempt in 1..=4 {
        let _ = deliver_one(&*sink, sending(parts(0, "{}"), attempt)).await;
    }
    let connections: Vec<_> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1]);
}

#[tokio::test]
async fn a_secret_that_the_target_echoes_is_not_in_the_failure() {
    let echo = format!("{{\"authorization\":\"Bearer {SECRET}\"}}");
    let server = Server::start([Reply::Whole("401 Unauthorized", echo)]).await;
    let headers = vec![secret("Authorization", &format!("Bearer {SECRET}"))];
    let failure =
        deliver_one(&*sink(spec(server.url(), headers)), sending(parts(0, "{}"), 1)).await.unwrap_err();
    assert_eq!(
        failure.message,
        format!("{} answered 401 Unauthorized: {{\"authorization\":\"[secret]\"}}", server.place())
    );
}

#[tokio::test]
async fn another_body_goes_out_with_its_own_content_type_and_without_the_providers_headers() {
    let server = Server::start([]).await;
    let field = |name: &str, value: &str| FieldSpec { name: name.into(), value: value.into() };
    let fields =
        vec![field("amount", "{/amount}"), field("what", "{type} of {/amount}"), field("none", "{/none}")];
    let spec =
        HttpSpec { body: BodySpec::Fields(fields), ..spec(server.url(), vec![template("x-type", "{type}")]) };
    let event = with_headers(
        parts(1, r#"{"amount": 10.50}"#),
        &[("content-type", "text/plain"), ("x-signature", "of it")],
    );
    assert_eq!(deliver_one(&*sink(spec), sending(event, 1)).await, TAKEN);
    let got = server.requests().pop().unwrap();
    assert_eq!(&got.body[..], br#"{"amount":10.50,"what":"push of 10.50","none":null}"#);
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!((got.header("x-type"), got.header("x-signature")), (Some("push"), None));
    assert!(got.header("idempotency-key").is_some());
}

#[tokio::test]
async fn a_body_over_its_bound_is_parked_and_not_sent() {
    let server = Server::start([]).await;
    let of = |body_bytes_max| sink(HttpSpec { body_bytes_max, ..spec(server.url(), Vec::new()) });
    let failure = deliver_one(&*of(10), sending(parts(1, "x".repeat(11)), 1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.permanent), (FailureKind::BodyTooLarge, true));
    assert_eq!(failure.message, "the body has 11 bytes, more than the 10 of http.bodyBytesMax");
    assert_eq!(server.requests().len(), 0);
    assert_eq!(deliver_one(&*of(11), sending(parts(1, "x".repeat(11)), 1)).await, TAKEN);
}
