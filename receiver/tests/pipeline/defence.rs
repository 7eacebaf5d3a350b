//! The order of defence: each step refuses what it should, and before the steps behind it.
use std::{
    io::{Read as _, Write as _},
    time::Instant,
};

use super::program::{Answer, GITHUB, Program, Request, configuration, connect, until};

const LOG: &str = "log: {}";

fn start(endpoint: &str) -> Program {
    Program::start(&configuration(&format!("{GITHUB}\n{endpoint}"), LOG))
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.refusal(), (status, code.to_owned()));
}

#[test]
fn an_unknown_url_gets_404_whatever_else_is_wrong() {
    let program = start("");
    refused(&Request::new("GET", "/nowhere").send(program.public), 404, "not_found");
    refused(&Request::new("POST", "/in/").send(program.public), 404, "not_found");
    refused(&Request::new("POST", "/IN").send(program.public), 404, "not_found");
}

#[test]
fn a_host_that_the_endpoint_does_not_have_gets_404() {
    let program = start("host: hooks.example.com");
    assert_eq!(program.send("1", "push", "{}").status, 200);
    let mut other = Request::signed("1", "push", "{}");
    other.headers[0].1 = "other.example.com".into();
    refused(&other.send(program.public), 404, "not_found");
    other.headers[0].1 = "HOOKS.example.com:8443".into();
    assert_eq!(other.send(program.public).status, 200);
}

#[test]
fn another_method_gets_405_before_its_source_is_looked_at() {
    let program = start("verification: { allowedSources: [192.0.2.0/24] }");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let mut stream = connect(program.public);
        stream.write_all(&Request::new(method, "/in").head()).unwrap();
        if method == "HEAD" {
            continue;
        }
        let answer = Answer::read(&mut stream);
        refused(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[test]
fn a_source_that_is_not_allowed_gets_403_before_its_rate_is_counted() {
    let program =
        start("verification: { allowedSources: [192.0.2.0/24] }\nlimits: { perSourcePerMinute: 1 }");
    for _ in 0..3 {
        refused(&program.send("1", "push", "{}"), 403, "source_not_allowed");
    }
}

#[test]
fn behind_a_trusted_proxy_the_source_is_whom_the_proxy_names() {
    let configuration =
        configuration(&format!("{GITHUB}\nverification: {{ allowedSources: [192.0.2.0/24] }}"), LOG);
    let folders = super::program::folders(&configuration);
    let program = Program::start_in(folders, &["--trusted-proxies", "10.0.0.0/8,127.0.0.0/8"]);
    let named =
        |who: &str| Request::signed("1", "push", "{}").header("X-Forwarded-For", who).send(program.public);
    assert_eq!(named("203.0.113.5, 192.0.2.9").status, 200);
    refused(&named("192.0.2.9, 203.0.113.5"), 403, "source_not_allowed");
}

#[test]
fn a_source_over_its_rate_gets_429_before_its_body_is_read() {
    let program = start("limits: { perSourcePerMinute: 2, bodyBytesMax: 10 }");
    let large = Request::signed("1", "push", "{\"much\":\"too large\"}");
    for _ in 0..2 {
        refused(&large.send(program.public), 413, "body_too_large");
    }
    let answer = large.send(program.public);
    refused(&answer, 429, "rate_limited");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
}

#[test]
fn a_tenant_over_its_rate_gets_429_and_the_others_do_not() {
    let program = start("events: { tenant: \"{/team}\" }\nlimits: { perTenantPerMinute: 2 }");
    let send = |id: &str, body: &str| program.send(id, "push", body);
    for id in ["1", "2"] {
        assert_eq!(send(id, "{\"team\":\"a\"}").status, 200);
    }
    refused(&send("3", "{\"team\":\"a\"}"), 429, "rate_limited");
    let reason = program.logged("refused")["reason"].clone();
    assert!(reason.as_str().unwrap().contains("perTenantPerMinute"), "{reason}");
    for (id, body) in [("4", "{\"team\":\"b\"}"), ("5", "{}"), ("6", "{}"), ("7", "{}")] {
        assert_eq!(send(id, body).status, 200, "another tenant's, or nobody's");
    }
    let forged = Request::signed_with("wrong", "8", "push", "{\"team\":\"b\"}");
    (0..3).for_each(|_| refused(&forged.send(program.public), 401, "invalid_signature"));
    assert_eq!(send("9", "{\"team\":\"b\"}").status, 200, "only what is genuine counts");
}

#[test]
fn a_paused_endpoint_gets_503_whether_or_not_the_request_is_genuine() {
    let program = start("mode: Paused");
    let answer = program.send("1", "push", "{}");
    refused(&answer, 503, "paused");
    assert!(answer.header("retry-after").is_some());
    refused(&Request::new("POST", "/in").send(program.public), 503, "paused");
}

#[test]
fn a_body_over_its_bound_gets_413_before_its_signature_is_checked_also_in_chunks() {
    let program = start("limits: { bodyBytesMax: 10 }");
    let mut announced = Request::new("POST", "/in");
    announced.body = vec![b'x'; 11];
    refused(&announced.send(program.public), 413, "body_too_large");
    let mut chunked = Request::new("POST", "/in").header("Transfer-Encoding", "chunked");
    chunked.body = b"6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n".to_vec();
    refused(&chunked.send(program.public), 413, "body_too_large");
    let mut fits = Request::signed("1", "push", "{\"a\": 1}").header("Transfer-Encoding", "chunked");
    fits.body = b"3\r\n{\"a\r\n5\r\n\": 1}\r\n0\r\n\r\n".to_vec();
    assert_eq!(fits.send(program.public).status, 200);
}

#[test]
fn a_wrong_signature_gets_401_before_the_body_is_parsed() {
    let program = start("");
    let mut forged = Request::signed_with("wrong", "1", "push", "{}");
    refused(&forged.send(program.public), 401, "invalid_signature");
    forged.body = b"[]".to_vec();
    refused(&forged.send(program.public), 401, "invalid_signature");
    forged.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-hub-signature-256"));
    refused(&forged.send(program.public), 401, "missing_signature");
}

#[test]
fn a_stale_timestamp_gets_401_although_its_signature_is_right() {
    let slack = "provider: slack\nsecrets: [{ name: hook, key: secret }]\nlimits: { requestsPerMinute: 1 }";
    let program = Program::start(&configuration(slack, LOG));
    let mut request = Request::new("POST", "/in");
    request.body = br#"{"type":"event_callback","event_id":"E1","event":{"type":"message"}}"#.to_vec();
    let old = (jiff::Timestamp::now().as_second() - 600).to_string();
    let stale =
        request.clone().header("X-Slack-Request-Timestamp", &old).sign("slack", super::program::SECRET);
    for _ in 0..2 {
        let answer = stale.send(program.public);
        assert_eq!(answer.status, 401, "before the endpoint's rate is counted");
    }
    assert_eq!(request.sign("slack", super::program::SECRET).send(program.public).status, 200);
}

#[test]
fn the_rate_counts_genuine_requests_only_and_429_comes_before_parsing() {
    let program = start("limits: { requestsPerMinute: 1 }");
    for _ in 0..5 {
        let forged = Request::signed_with("wrong", "1", "push", "{}");
        refused(&forged.send(program.public), 401, "invalid_signature");
    }
    assert_eq!(program.send("1", "push", "{}").status, 200);
    refused(&program.send("2", "push", "{}"), 429, "rate_limited");
}

#[test]
fn a_genuine_body_that_is_not_what_the_provider_sends_gets_400() {
    let kayako = "provider: kayako-seed\nsecrets: [{ name: hook, key: secret }]";
    let program = Program::start(&configuration(kayako, LOG));
    let send = |kind: Option<&str>, body: &str| {
        let mut request = Request::new("POST", "/in");
        request.body = body.into();
        let request = request.sign("kayako-seed", super::program::SECRET);
        kind.map_or(request.clone(), |kind| request.header("Content-Type", kind)).send(program.public)
    };
    refused(&send(None, "{}"), 400, "invalid_content_type");
    refused(&send(Some("text/plain"), "{"), 400, "invalid_content_type");
    refused(&send(Some("application/json"), "{"), 400, "invalid_json");
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    refused(&send(Some("application/json"), &deep), 400, "invalid_json");
    assert_eq!(send(Some("application/json; charset=utf-8"), "{}").status, 200);
}

#[test]
fn a_handshake_is_answered_only_when_it_is_genuine() {
    let slack = "provider: slack\nsecrets: [{ name: hook, key: secret }]";
    let program = Program::start(&configuration(slack, LOG));
    let mut request = Request::new("POST", "/in");
    request.body = br#"{"type":"url_verification","challenge":"c-1"}"#.to_vec();
    let answer = request.clone().sign("slack", super::program::SECRET).send(program.public);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"c-1"[..]));
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    assert_eq!(request.sign("slack", "wrong").send(program.public).status, 401);
    assert_eq!(program.report()["events"], 0);
}

#[test]
fn an_unwanted_type_is_ignored_with_2xx_or_refused_with_400_and_not_stored() {
    let program = start("events: { types: [push] }");
    let answer = program.send("1", "fork", "{}");
    assert_eq!((answer.status, &answer.json()["eventType"]), (200, &"fork".into()));
    assert_eq!(program.report()["events"], 0);
    program.configure(&configuration(
        &format!("{GITHUB}\nevents: {{ types: [push], unknownTypes: Reject }}"),
        LOG,
    ));
    program.logged("the configuration has changed");
    refused(&program.send("1", "fork", "{}"), 400, "unknown_type");
    assert_eq!(program.report()["events"], 0);
}

#[test]
fn an_event_that_the_filter_does_not_want_is_ignored_with_2xx_after_its_type_and_before_it_is_stored() {
    let program = start(
        "events: { types: [push], unknownTypes: Reject, filter: { cel: \"body.ref == 'refs/heads/main'\" } }",
    );
    refused(&program.send("1", "fork", "{\"ref\":\"refs/heads/main\"}"), 400, "unknown_type");
    assert_eq!(program.send("2", "push", "{\"ref\":\"refs/heads/dev\"}").status, 200);
    let line = program.logged("ignored: the filter does not want it");
    assert_eq!(
        (&line["reason"], &line["event_id"], &line["level"]),
        (&"filtered".into(), &"2".into(), &"INFO".into())
    );
    assert_eq!(program.metric("boathook_filter_failures_total{endpoint=\"default/in\",sink=\"\"}"), 0.0);
    // What cannot be said is not wanted either, and is told.
    assert_eq!(program.send("3", "push", "{}").status, 200);
    let line = program.logged("a filter could not be evaluated: the event counts as not wanted");
    assert_eq!(line["reason"], "there is no `ref`: ask has(…) first");
    assert_eq!(program.metric("boathook_filter_failures_total{endpoint=\"default/in\",sink=\"\"}"), 1.0);
    assert_eq!(program.report()["events"], 0);
    assert_eq!(
        program.metric("boathook_events_total{endpoint=\"default/in\",outcome=\"ignored\",type=\"push\"}"),
        2.0
    );
    assert_eq!(program.send("4", "push", "{\"ref\":\"refs/heads/main\"}").status, 200);
    assert_eq!(program.report()["events"], 1);
}

#[test]
fn a_body_that_does_not_fit_its_schema_gets_400_after_its_type_and_before_the_filter() {
    let schema = r#"{ required: [ref, pusher], properties: { ref: { type: string }, pusher: { properties: { email: { format: email } } } } }"#;
    let program = start(&format!(
        "events: {{ types: [push], unknownTypes: Reject, filter: {{ cel: \"false\" }}, schemas: [{{ schema: {schema} }}] }}"
    ));
    refused(&program.send("1", "fork", "{}"), 400, "unknown_type");
    let answer = program.send("2", "push", r#"{"ref":1,"pusher":{"email":"nobody"}}"#);
    refused(&answer, 400, "invalid_ref");
    assert_eq!(
        answer.json()["error"]["message"],
        "the body does not fit: ref is not valid, pusher.email is not valid"
    );
    refused(&program.send("3", "push", r#"{"ref":"main"}"#), 400, "missing_pusher");
    until("its log line", || program.logs().with("error_code", "missing_pusher").pop());
    let refusals = |code: &str| format!("boathook_refusals_total{{code=\"{code}\",endpoint=\"default/in\"}}");
    assert_eq!(program.metric(&refusals("missing_field")), 1.0, "a label is never a sender's text");
    assert_eq!(program.metric(&refusals("invalid_field")), 1.0);
    let fits = r#"{"ref":"main","pusher":{"email":"a@example.com"}}"#;
    assert_eq!(program.send("4", "push", fits).status, 200);
    program.logged("ignored: the filter does not want it");
    assert_eq!(program.report()["events"], 0);
}

#[test]
fn a_head_over_its_bounds_gets_431_and_reaches_no_endpoint() {
    let program = start("");
    let signed = || Request::signed("1", "push", "{}");
    let many = (0..120).fold(signed(), |request, n| request.header(&format!("X-{n}"), "x"));
    assert_eq!(many.send(program.public).status, 431);
    // The HTTP library closes before it has read all of a head that is too long, so the answer may be lost on the way.
    let mut stream = connect(program.public);
    drop(stream.write_all(&signed().header("X-Long", &"x".repeat(40_000)).head()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(program.report()["events"], 0);
}

#[test]
fn a_sender_that_is_refused_before_its_body_was_read_hears_it_and_may_go_on() {
    let program = start("limits: { bodyBytesMax: 10 }");
    let mut stream = connect(program.public);
    let mut large = Request::signed("1", "push", "{}");
    large.body = vec![b'x'; 100_000];
    for _ in 0..3 {
        stream.write_all(&large.head()).unwrap();
        stream.write_all(&large.body).unwrap();
        refused(&Answer::read(&mut stream), 413, "body_too_large");
    }
    let fits = Request::signed("1", "push", "{}");
    stream.write_all(&[fits.head(), fits.body].concat()).unwrap();
    assert_eq!(Answer::read(&mut stream).status, 200);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let program = start("");
    let began = Instant::now();
    let mut silent = connect(program.public);
    let mut buffer = [0; 1];
    assert_eq!(silent.read(&mut buffer).unwrap(), 0, "it was closed after {:?}", began.elapsed());
}
