//! What a verifier decides, and in which order.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use boathook_verify::{Code, Diagnosis, Duration, RawRequest, Scheme, Secret, Setup, Verifier};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A scheme with its time in a header of its own.
fn timed() -> Value {
    json!({
        "kind": "hmac",
        "signature": { "from": { "headers": ["X-Signature", "X-Old-Signature"] } },
        "signed": ["timestamp", { "literal": "." }, { "header": "X-Id" }, { "literal": "." }, "body"],
        "timestamp": { "from": { "header": "X-Time" }, "format": "unixSeconds", "tolerance": "10s" },
    })
}

fn token() -> Value {
    json!({
        "kind": "token",
        "signature": { "from": { "headers": ["Authorization"] }, "grammar": { "prefix": "Bearer " } },
        "bodyProtected": false,
    })
}

fn with(mut scheme: Value, path: &str, value: Value) -> Value {
    *scheme.pointer_mut(path).unwrap() = value;
    scheme
}

fn unsigned_time(enforce: bool) -> Value {
    let rule = json!({ "from": { "header": "X-Time" }, "format": "unixSeconds", "tolerance": "10s",
        "signed": false, "enforce": enforce });
    with(with(timed(), "/signed", json!(["body"])), "/timestamp", rule)
}

fn secret(text: &str) -> Secret {
    Secret { text: text.as_bytes().to_vec().into(), not_before: None, not_after: None }
}

fn verifier_with(scheme: Value, secrets: &[Secret], tolerance: Option<Duration>) -> Verifier {
    let scheme: Scheme = serde_json::from_value(scheme).unwrap();
    Verifier::compile(&scheme, &Setup { secrets, tolerance, ..Setup::default() }).unwrap()
}

fn verifier(scheme: Value) -> Verifier {
    verifier_with(scheme, &[secret("right")], None)
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn unsigned() -> RawRequest {
    let headers =
        HeaderMap::from_iter([(HeaderName::from_static("x-id"), HeaderValue::from_static("msg_1"))]);
    RawRequest { method: Method::POST, path: "/".into(), query: None, headers, body: "{}".into() }
}

fn signed(verifier: &Verifier, at: Timestamp) -> RawRequest {
    let mut request = unsigned();
    verifier.sign(&mut request, at).unwrap();
    request
}

fn set(request: &mut RawRequest, name: &'static str, value: &'static str) {
    request.headers.insert(name, HeaderValue::from_static(value));
}

fn again(request: &mut RawRequest, name: &'static str) {
    let value = request.headers.get(name).unwrap().clone();
    request.headers.append(name, value);
}

fn place(header: &str) -> Box<str> {
    format!("header {header}").into()
}

fn refused(verifier: &Verifier, request: &RawRequest) -> (Code, Diagnosis) {
    let rejection = verifier.verify(request, now()).unwrap_err();
    (rejection.code, rejection.diagnosis)
}

#[test]
fn a_genuine_request_tells_its_secret_and_time() {
    let verifier = verifier(timed());
    let request = signed(&verifier, now());
    let verified = verifier.verify(&request, now()).unwrap();
    assert_eq!((verified.secret(), verified.signed_at()), (Some(0), Some(now())));
    assert_eq!(verified.request().body, "{}");
}

#[test]
fn missing_and_empty_signatures_are_told_from_malformed_ones() {
    for (scheme, header) in [(timed(), "x-signature"), (token(), "authorization")] {
        let verifier = verifier(scheme);
        let mut request = signed(&verifier, now());
        let malformed = (Code::InvalidSignature, Diagnosis::SignatureMalformed { place: place(header) });
        let missing = (Code::MissingSignature, Diagnosis::SignatureMissing { place: place(header) });
        for (value, expected) in [
            ("", &missing),
            (" \t", &missing),
            ("zz", &malformed),
            ("Bearer ", &malformed),
            ("bearer right", &malformed),
        ] {
            set(&mut request, header, value);
            assert_eq!(refused(&verifier, &request), *expected, "{header}: {value}");
        }
        request.headers.insert(header, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(refused(&verifier, &request), malformed);
        request.headers.remove(header);
        assert_eq!(refused(&verifier, &request), missing);
    }
}

#[test]
fn of_alternative_headers_the_first_that_is_present_counts() {
    let verifier = verifier(timed());
    let mut request = signed(&verifier, now());
    let signature = request.headers["x-signature"].clone();
    set(&mut request, "x-old-signature", "nonsense");
    assert!(verifier.verify(&request, now()).is_ok());
    request.headers.remove("x-signature");
    request.headers.insert("x-old-signature", signature);
    assert!(verifier.verify(&request, now()).is_ok());
    set(&mut request, "x-signature", "nonsense");
    assert_eq!(refused(&verifier, &request).0, Code::InvalidSignature);
}

#[test]
fn headers_that_decide_are_refused_when_they_come_twice() {
    for (scheme, header) in [(timed(), "x-signature"), (timed(), "x-id"), (token(), "authorization")] {
        let verifier = verifier(scheme);
        let mut request = signed(&verifier, now());
        again(&mut request, header);
        let repeated = Diagnosis::Repeated { place: place(header) };
        assert_eq!(refused(&verifier, &request), (Code::InvalidSignature, repeated), "{header}");
    }
    let verifier = verifier(timed());
    let mut request = signed(&verifier, now());
    again(&mut request, "x-time");
    assert_eq!(refused(&verifier, &request), (Code::InvalidTimestamp, Diagnosis::TimestampUnreadable));
}

#[test]
fn parts_of_the_signed_text_must_be_there() {
    let verifier = verifier(timed());
    for request in [
        {
            let mut request = signed(&verifier, now());
            request.headers.remove("x-id");
            request
        },
        {
            let mut request = signed(&verifier, now());
            set(&mut request, "x-id", "");
            request
        },
    ] {
        let missing = Diagnosis::SignedPartMissing { place: place("x-id") };
        assert_eq!(refused(&verifier, &request), (Code::InvalidSignature, missing));
    }
    let mut request = unsigned();
    request.headers.clear();
    assert!(verifier.sign(&mut request, now()).is_err());
    assert!(!request.headers.contains_key("x-signature"));
}

#[test]
fn the_signature_is_checked_before_the_time() {
    let verifier = verifier(timed());
    let mut request = signed(&verifier, now() - seconds(3600));
    assert_eq!(refused(&verifier, &request).0, Code::StaleTimestamp);
    request.body = "other".into();
    assert_eq!(refused(&verifier, &request), (Code::InvalidSignature, Diagnosis::NoSecretMatches));
}

#[test]
fn an_unsigned_timestamp_is_looked_at_after_the_signature() {
    let verifier = verifier(unsigned_time(true));
    let mut request = signed(&verifier, now());
    request.headers.remove("x-time");
    assert_eq!(refused(&verifier, &request), (Code::MissingTimestamp, Diagnosis::TimestampMissing));
    set(&mut request, "x-time", "soon");
    assert_eq!(refused(&verifier, &request), (Code::InvalidTimestamp, Diagnosis::TimestampUnreadable));
    request.body = "other".into();
    assert_eq!(refused(&verifier, &request).0, Code::InvalidSignature);
    request.headers.remove("x-time");
    assert_eq!(refused(&verifier, &request).0, Code::InvalidSignature);
}

#[test]
fn stale_timestamps_are_refused_both_ways_even_with_a_valid_signature() {
    let verifier = verifier(timed());
    for (skew, fresh) in [(-10, true), (10, true), (-11, false), (11, false)] {
        let request = signed(&verifier, now() + seconds(skew));
        let expected = Diagnosis::TimestampOutsideTolerance {
            skew_millis: skew * 1000,
            tolerance: Duration::from_secs(10),
        };
        match fresh {
            true => assert!(verifier.verify(&request, now()).is_ok(), "{skew}"),
            false => assert_eq!(refused(&verifier, &request), (Code::StaleTimestamp, expected), "{skew}"),
        }
    }
}

#[test]
fn the_tolerance_of_the_endpoint_overrides_that_of_the_scheme() {
    let verifier = verifier_with(timed(), &[secret("right")], Some(Duration::from_secs(60)));
    assert!(verifier.verify(&signed(&verifier, now() - seconds(60)), now()).is_ok());
    assert!(verifier.verify(&signed(&verifier, now() - seconds(61)), now()).is_err());
}

#[test]
fn a_signed_timestamp_must_be_there_even_where_freshness_is_not_enforced() {
    let mut scheme = timed();
    scheme["timestamp"]["enforce"] = json!(false);
    let verifier = verifier(scheme);
    let mut request = signed(&verifier, now() - seconds(1_000_000));
    assert!(verifier.verify(&request, now()).is_ok());
    for name in ["x-time", "x-id"] {
        request.headers.remove(name);
        assert_eq!(refused(&verifier, &request), (Code::MissingTimestamp, Diagnosis::TimestampMissing));
    }
}

#[test]
fn nothing_is_refused_for_an_unsigned_time_that_is_not_enforced() {
    let verifier = verifier(unsigned_time(false));
    let mut request = signed(&verifier, now());
    for value in ["1", "soon", ""] {
        set(&mut request, "x-time", value);
        assert!(verifier.verify(&request, now()).is_ok(), "{value}");
    }
    again(&mut request, "x-time");
    assert_eq!(verifier.verify(&request, now()).unwrap().signed_at(), None);
}

#[test]
fn any_configured_secret_may_match_while_it_is_valid() {
    for scheme in [timed(), token()] {
        let dated = |text, not_before: Option<i64>, not_after: Option<i64>| {
            let at = |skew: i64| now() + seconds(skew);
            Secret { not_before: not_before.map(at), not_after: not_after.map(at), ..secret(text) }
        };
        let receiver = verifier_with(
            scheme.clone(),
            &[
                dated("expired", None, Some(0)),
                dated("ends", None, Some(1)),
                dated("begins", Some(0), None),
                dated("early", Some(1), None),
                dated("again", None, Some(0)),
                dated("again", None, None),
            ],
            None,
        );
        let out = |expired| Diagnosis::SecretOutOfValidity { expired };
        for (text, expected) in [
            ("expired", Err(out(true))),
            ("ends", Ok(1)),
            ("begins", Ok(2)),
            ("early", Err(out(false))),
            ("again", Ok(5)),
            ("unknown", Err(Diagnosis::NoSecretMatches)),
        ] {
            let sender = verifier_with(scheme.clone(), &[secret(text)], None);
            let request = signed(&sender, now());
            let told = receiver.verify(&request, now());
            let told = told.map(|verified| verified.secret().unwrap()).map_err(|rejection| {
                assert_eq!(rejection.code, Code::InvalidSignature);
                rejection.diagnosis
            });
            assert_eq!(told, expected, "{text}");
        }
    }
}

#[test]
fn a_token_is_compared_whole() {
    let verifier = verifier(token());
    for value in ["Bearer righ", "Bearer right ", "Bearer rightt", "Bearer  right", "Bearer Right", "right"] {
        let mut request = unsigned();
        set(&mut request, "authorization", value);
        assert_eq!(refused(&verifier, &request).0, Code::InvalidSignature, "{value}");
    }
    let request = signed(&verifier, now());
    assert!(request.headers["authorization"].is_sensitive());
    assert!(verifier.verify(&request, now()).is_ok());
}

#[test]
fn a_time_in_the_body_is_signed_as_it_stands_there() {
    let rule = json!({ "from": { "pointer": "/sent" }, "format": "unixSeconds", "tolerance": "10s" });
    let verifier = verifier(with(timed(), "/timestamp", rule));
    let mut request = unsigned();
    request.body = format!("{{\"sent\":{}}}", now().as_second()).into();
    verifier.sign(&mut request, now() + seconds(5)).unwrap();
    assert_eq!(verifier.verify(&request, now()).unwrap().signed_at(), Some(now()));
    assert!(verifier.sign(&mut unsigned(), now()).is_err(), "there is none");
}
