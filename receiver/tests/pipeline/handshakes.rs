//! What a provider asks before it sends anything: answered over HTTP, not delivered, and never for everybody.
use super::program::{Answer, Program, Request, SECRET, configuration, until};

const HOOK: &str = "secrets: [{ name: hook, key: secret }]";

fn start(provider: &str, more: &str) -> Program {
    Program::start(&configuration(&format!("provider: {provider}\n{HOOK}\n{more}"), "log: {}"))
}

fn ask(program: &Program, method: &str, path: &str) -> Answer {
    Request::new(method, path).send(program.public)
}

#[test]
fn a_challenge_is_sent_back_to_who_has_the_verify_token() {
    let program = start("meta", "verification: { verifyToken: { name: hook, key: other } }");
    let challenge = "/in?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";
    let told = ask(&program, "GET", &format!("{challenge}other-secret"));
    assert_eq!((told.status, &*told.body), (200, &b"1158201444"[..]));
    assert_eq!(told.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(told.header("x-content-type-options"), Some("nosniff"));
    let refused = ask(&program, "GET", &format!("{challenge}guessed"));
    assert_eq!(refused.refusal(), (401, "invalid_signature".into()));
    let line = program.logged("refused");
    assert!(line["reason"].as_str().unwrap().contains("verify token"), "{line}");
    until("it to be counted", || {
        (program.report()["endpoints"][0]["events"]["handshake"] == 1).then_some(())
    });
}

#[test]
fn a_method_is_taken_for_its_handshake_alone() {
    let program = start("okta", "");
    let refused = ask(&program, "GET", "/in");
    assert_eq!(refused.refusal(), (401, "missing_signature".into()));
    let genuine = Request::new("GET", "/in").sign("okta", SECRET).send(program.public);
    assert_eq!((genuine.status, genuine.header("allow")), (405, Some("POST, GET")));
    assert_eq!(ask(&program, "OPTIONS", "/in").header("allow"), Some("POST, GET"));
    let told =
        Request::new("GET", "/in").header("X-Okta-Verification-Challenge", "a\"b").send(program.public);
    assert_eq!((told.status, &*told.body), (200, &br#"{"verification":"a\"b"}"#[..]));
}

#[test]
fn a_handshake_with_a_gate_is_answered_to_who_has_the_secret() {
    let program = start("azure-event-grid-cloudevents", "");
    let ask = |path: &str| {
        Request::new("OPTIONS", path)
            .header("WebHook-Request-Origin", "eventgrid.example")
            .send(program.public)
    };
    let told = ask("/in?code=hush-hush");
    assert_eq!((told.status, told.header("webhook-allowed-origin")), (200, Some("eventgrid.example")));
    let refused = ask("/in?code=guessed");
    assert_eq!(refused.refusal(), (401, "invalid_signature".into()));
    assert_eq!(refused.header("webhook-allowed-origin"), None);
}

#[test]
fn a_provider_hears_the_text_that_it_wants() {
    let program = start("xero", "");
    let mut request = Request::new("POST", "/in");
    request.body = br#"{"events":[{"eventCategory":"INVOICE","eventType":"UPDATE"}]}"#.to_vec();
    let told = request.sign("xero", SECRET).send(program.public);
    assert_eq!((told.status, &*told.body, told.header("content-type")), (200, &b""[..], None));
}
