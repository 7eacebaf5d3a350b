//! Any scheme that somebody writes: it is refused with words, or compiles; and what it signs, it accepts.
#![no_main]
use boathook_verify::{Handshakes, RawRequest, Scheme, Secret, Setup, Verifier};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(scheme) = serde_saphyr::from_str::<Scheme>(text) else { return };
    let secrets = [Secret { text: b"0123456789abcdef".to_vec().into(), not_before: None, not_after: None }];
    let public_url = Some("https://hooks.example.com/hook");
    let setup = Setup { secrets: &secrets, public_url, verify_token: secrets.first(), ..Setup::default() };
    let _ = Handshakes::compile(&scheme, &setup);
    let verifier = match Verifier::compile(&scheme, &setup) {
        Ok(verifier) => verifier,
        Err(errors) => {
            assert!(errors.iter().all(|error| !error.field.is_empty() && !error.message.is_empty()));
            return;
        }
    };
    let mut request = RawRequest {
        method: Method::POST,
        path: "/hook".into(),
        query: Some("a=1&b=2".into()),
        headers: HeaderMap::from_iter([("x-id".parse().expect("a name"), HeaderValue::from_static("1"))]),
        body: r#"{"a":"1"}"#.into(),
    };
    let now = Timestamp::constant(1_767_268_800, 0);
    if verifier.can_sign() && verifier.sign(&mut request, now).is_ok() {
        let verified = verifier.verify(&request, now);
        let in_body = |rule: &boathook_verify::TimestampRule| {
            use boathook_verify::TimestampFrom::{Form, Pointer};
            matches!(rule.from, Form(_) | Pointer(_))
        };
        // A time in the body is its author's.
        assert!(verified.is_ok() || scheme.timestamp.as_ref().is_some_and(in_body), "{:?}: {scheme:?}", verified.err());
    }
});
