//! What is answered to a provider that makes sure that the URL is ours, and what never is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use boathook_verify::{
    Answered, Code, Handshake, Handshakes, RawRequest, Scheme, Secret, Setup, Verifier, limits, preset,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};

fn secret(text: &str) -> Secret {
    Secret { text: text.as_bytes().to_vec().into(), not_before: None, not_after: None }
}

/// GitHub's scheme with these handshakes.
fn scheme(handshakes: Value) -> Scheme {
    let handshakes: Vec<Handshake> = serde_json::from_value(handshakes).unwrap();
    Scheme { handshakes, ..preset("github").unwrap() }
}

fn request(method: &Method, query: Option<&str>, body: &str) -> RawRequest {
    let challenge = (HeaderName::from_static("x-challenge"), HeaderValue::from_static("from-header"));
    RawRequest {
        method: method.clone(),
        path: "/".into(),
        query: query.map(Into::into),
        headers: HeaderMap::from_iter([challenge]),
        body: body.to_owned().into(),
    }
}

/// What is answered to the request: before any proof, or else once it is signed.
fn answered(handshakes: Value, mut request: RawRequest) -> Option<Result<Answered, Code>> {
    let (secrets, token) = ([secret("secret")], secret("token"));
    let setup = Setup {
        secrets: &secrets,
        public_url: Some("https://hooks.example.com/hook"),
        verify_token: Some(&token),
        ..Setup::default()
    };
    let handshakes = Handshakes::compile(&scheme(handshakes), &setup).unwrap();
    if let Some(answer) = handshakes.before_proof(&request, false) {
        return Some(answer.map_err(|rejection| rejection.code));
    }
    let verifier = Verifier::compile(&preset("github").unwrap(), &setup).unwrap();
    verifier.sign(&mut request, Timestamp::UNIX_EPOCH).unwrap();
    let verified = verifier.verify(&request, Timestamp::UNIX_EPOCH).unwrap();
    handshakes.after_proof(&verified).map(Ok)
}

fn body(handshakes: Value, request: RawRequest) -> Option<String> {
    answered(handshakes, request).map(|answer| answer.unwrap().body)
}

fn post(body: &str) -> RawRequest {
    request(&Method::POST, None, body)
}

#[test]
fn the_first_handshake_that_fits_is_answered_with_what_the_request_says() {
    let known = json!([
        { "match": { "pointer": "/type", "equals": "url_verification" }, "answer": { "text": "{/challenge}" } },
        { "match": { "pointer": "/type", "equals": "a/b" }, "answer": { "text": "{header:X-Challenge}!" } },
        { "match": { "pointer": "/type", "equals": "1" }, "answer": { "text": "{'{'}\"type\":1{'}'}" } },
    ]);
    for (sent, told) in [
        (r#"{"type":"url_verification","challenge":"c1"}"#, Some("c1")),
        (r#"{"challenge":5,"type":"url_verification"}"#, Some("5")),
        (r#"{"type":"a\/b"}"#, Some("from-header!")),
        (r#"{"type":1}"#, Some(r#"{"type":1}"#)),
        (r#"{"type":"url_verification"}"#, None),
        (r#"{"type":"url_verification","challenge":""}"#, None),
        (r#"{"type":"other","challenge":"url_verification"}"#, None),
        (r#"{"event":{"type":"url_verification"},"challenge":"c1"}"#, None),
        (r#"[{"type":"url_verification","challenge":"c1"}]"#, None),
        ("type=url_verification&challenge=c1", None),
        (r#"{"type":"url_verification","challenge":"c1""#, None),
        ("", None),
    ] {
        assert_eq!(body(known.clone(), post(sent)).as_deref(), told, "{sent}");
    }
    assert_eq!(answered(json!([]), post(r#"{"type":"url_verification","challenge":"c1"}"#)), None);
}

#[test]
fn methods_queries_and_headers_tell_a_handshake() {
    let known = json!([
        { "match": { "method": "GET", "query": "challenge" }, "gate": "none", "answer": { "text": "{query:challenge}" } },
        { "match": { "method": "HEAD" }, "gate": "none" },
        { "match": { "method": "OPTIONS", "header": "X-Challenge" }, "gate": "none",
          "answer": { "status": 204, "headers": { "X-Allowed": "{header:X-Challenge}" } } },
        { "match": { "query": "validationToken" }, "gate": "none", "answer": { "json": { "v\"": "{query:validationToken}" } } },
    ]);
    let ask = |method: &Method, query: Option<&str>| answered(known.clone(), request(method, query, "{}"));
    let get = ask(&Method::GET, Some("a=b&challenge=x%20y%2Bz")).unwrap().unwrap();
    assert_eq!((get.status, &*get.body), (200, "x y+z"));
    assert_eq!(get.content_type().unwrap(), "text/plain; charset=utf-8");
    assert_eq!(ask(&Method::GET, None), None);
    assert_eq!(ask(&Method::GET, Some("challenge=")), None);
    let head = ask(&Method::HEAD, None).unwrap().unwrap();
    assert_eq!((head.status, &*head.body, head.content_type()), (200, "", None));
    let options = ask(&Method::OPTIONS, None).unwrap().unwrap();
    assert_eq!((options.status, &*options.body), (204, ""));
    assert_eq!(options.headers[0].1, "from-header");
    let validation = ask(&Method::POST, Some("validationToken=a%22b")).unwrap().unwrap();
    assert_eq!(validation.body, r#"{"v\"":"a\"b"}"#);
    assert_eq!(ask(&Method::POST, None), None);
}

#[test]
fn a_verify_token_is_compared_before_anything_is_echoed() {
    let known = json!([{
        "match": { "method": "GET", "query": "hub.mode", "equals": "subscribe" },
        "gate": "none",
        "verifyToken": "{query:hub.verify_token}",
        "answer": { "text": "{query:hub.challenge}" },
    }]);
    let ask = |query: &str| answered(known.clone(), request(&Method::GET, Some(query), ""));
    let told = ask("hub.mode=subscribe&hub.challenge=7&hub.verify_token=token").unwrap().unwrap();
    assert_eq!(told.body, "7");
    for wrong in ["hub.verify_token=other&", "hub.verify_token=&", ""] {
        let told = ask(&format!("{wrong}hub.mode=subscribe&hub.challenge=7"));
        assert_eq!(told, Some(Err(Code::InvalidSignature)), "{wrong}");
    }
    assert_eq!(ask("hub.mode=unsubscribe&hub.challenge=7&hub.verify_token=token"), None);
}

#[test]
fn only_texts_that_can_be_no_delivery_are_signed() {
    let known = json!([{
        "match": { "pointer": "/event", "equals": "validate" },
        "answer": { "json": { "plain": "{/plain}" }, "hmacHex": { "signed": "{/plain}" } },
    }]);
    let ask =
        |plain: &str| body(known.clone(), post(&json!({ "event": "validate", "plain": plain }).to_string()));
    // echo -n abc-1_X | openssl dgst -sha256 -hmac secret
    let digest = "083ed5373b1ae0ec7e3dc52645f93d4fb1825410e4bc287436112ad13f5ebcdb";
    let told: Value = serde_json::from_str(&ask("abc-1_X").unwrap()).unwrap();
    assert_eq!(told["plain"], "abc-1_X");
    assert_eq!(told["signed"], digest);
    let longest = "a".repeat(limits::HANDSHAKE_SIGNED_BYTES_MAX);
    assert!(ask(&longest).is_some());
    for refused in ["", "v0:1700000000:{}", "{\"id\":1}", "a b", &format!("{longest}a")] {
        assert_eq!(ask(refused), None, "{refused}");
    }
}

#[test]
fn digests_take_the_request_the_verify_token_and_the_url() {
    let known = json!([{
        "match": { "method": "GET", "query": "challenge_code" },
        "gate": "none",
        "answer": { "sha256Hex": { "challengeResponse": ["{query:challenge_code}", "verifyToken", "url"] } },
    }]);
    let told = body(known, request(&Method::GET, Some("challenge_code=c"), "")).unwrap();
    // echo -n ctokenhttps://hooks.example.com/hook | sha256sum
    assert_eq!(
        told,
        r#"{"challengeResponse":"4fb1e6e47bb805131a546ca36970483949a33354d1d922b25746c2d440d8d906"}"#
    );
}

#[test]
fn answers_longer_than_the_limit_are_not_given() {
    let known =
        json!([{ "match": { "pointer": "/type", "equals": "hello" }, "answer": { "text": "{/challenge}" } }]);
    let room = limits::HANDSHAKE_ANSWER_BYTES_MAX - "text/plain; charset=utf-8".len();
    let ask = |length| {
        body(known.clone(), post(&format!(r#"{{"type":"hello","challenge":"{}"}}"#, "c".repeat(length))))
    };
    assert_eq!(ask(room).map(|text| text.len()), Some(room));
    assert_eq!(ask(room + 1), None);
}

#[test]
fn every_broken_handshake_is_told_with_its_place() {
    let fields = |handshakes: Value| -> Vec<String> {
        let errors = Handshakes::compile(&scheme(handshakes), &Setup::default()).unwrap_err();
        errors.into_iter().map(|error| error.field).collect()
    };
    let text = |text: &str| json!({ "text": text });
    let get = |answer: Value| json!([{ "match": { "method": "GET", "query": "q" }, "gate": "none", "answer": answer }]);
    for (handshakes, expected) in [
        (
            json!([{ "match": { "pointer": "type", "equals": "" }, "answer": text("{/challenge") }]),
            vec!["handshakes[0].match.equals", "handshakes[0].match.pointer", "handshakes[0].answer.text"],
        ),
        (get(json!({ "tokenAndHmac": "{query:q}" })), vec!["handshakes[0].answer.tokenAndHmac"]),
        (get(text("{receivedAt}")), vec!["handshakes[0].answer.text"]),
        (json!([{ "match": {} }]), vec!["handshakes[0].match"]),
        (json!([{ "match": { "query": "a", "header": "b" } }]), vec!["handshakes[0].match"]),
        (
            json!([{ "match": { "query": "q" }, "gate": "none", "answer": { "hmacHex": { "a": "{query:q}" } } }]),
            vec!["handshakes[0].gate"],
        ),
        (
            json!([{ "match": { "query": "q" }, "gate": "none", "answer": { "visit": "awsSnsSubscription" } }]),
            vec!["handshakes[0].gate"],
        ),
        (
            json!([{ "match": { "query": "q" }, "verifyToken": "{query:q}" }]),
            vec!["handshakes[0].gate", "verifyToken"],
        ),
        (get(json!({ "text": "a", "json": { "a": "b" } })), vec!["handshakes[0].answer.text"]),
        (get(json!({ "status": 404 })), vec!["handshakes[0].answer.status"]),
        (get(json!({ "headers": { "a b": "c" } })), vec!["handshakes[0].answer.headers.a b"]),
        (get(json!({ "sha256Hex": { "a": ["verifyToken", "url"] } })), vec!["verifyToken", "publicURL"]),
        (
            Value::Array(vec![json!({ "match": { "method": "HEAD" } }); limits::HANDSHAKES_MAX + 1]),
            vec!["handshakes"],
        ),
    ] {
        assert_eq!(fields(handshakes.clone()), expected, "{handshakes}");
    }
}
