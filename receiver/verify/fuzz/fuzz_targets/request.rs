//! Any request at any preset: whatever comes is decided, with bounded work and without a panic.
//!
//! The first byte chooses the preset, the second the method; then, line by line, a query, headers (`name: value`), and after
//! an empty line the body.
#![no_main]
use std::sync::LazyLock;

use boathook_verify::{
    Expected, Handshakes, RawRequest, Scheme, Secret, Setup, Verifier, preset, preset_ids,
};
use http::{HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// A preset, compiled with one of our secrets.
struct Subject {
    verifier: Verifier,
    handshakes: Handshakes,
}

/// The id of an organisation, texts, Base64, hex, credentials, and public keys for each kind of key.
const SECRETS: [&str; 9] = [
    "00D3j0000002abCEAQ",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "4d6f6e6461794d6f6e6461794d6f6e64",
    "arn:aws:sns:eu-west-1:123456789012:topic",
    "user:password",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==",
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmwIDAQAB",
];

static SUBJECTS: LazyLock<Vec<Subject>> =
    LazyLock::new(|| preset_ids().filter_map(preset).filter_map(|scheme| subject(&scheme)).collect());

fn subject(scheme: &Scheme) -> Option<Subject> {
    let secret =
        |text: &str| Secret { text: text.as_bytes().to_vec().into(), not_before: None, not_after: None };
    let token = secret("token");
    let expected = Expected { audience: Some("us"), email: Some("a@b"), ..Expected::default() };
    SECRETS.iter().find_map(|text| {
        let secrets = if scheme.needs_secrets() { vec![secret(text)] } else { Vec::new() };
        let setup = Setup {
            secrets: &secrets,
            public_url: Some("https://hooks.example.com/hook"),
            verify_token: Some(&token),
            jwt: scheme.jwt.as_ref().map(|_| &expected),
            awaits_secret: true,
            ..Setup::default()
        };
        let verifier = Verifier::compile(scheme, &setup).ok()?;
        let handshakes = Handshakes::compile(scheme, &setup).ok()?;
        Some(Subject { verifier, handshakes })
    })
}

fuzz_target!(|data: &[u8]| {
    let [which, method, rest @ ..] = data else { return };
    let subject = &SUBJECTS[usize::from(*which) % SUBJECTS.len()];
    let method = [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS][usize::from(*method) % 4].clone();
    let split = rest.windows(2).position(|two| two == b"\n\n");
    let (head, body) = split.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let query = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let mut request = RawRequest {
        method,
        path: "/hook".into(),
        query: query.filter(|query| !query.is_empty()).map(Into::into),
        headers: http::HeaderMap::new(),
        body: body.to_vec().into(),
    };
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        let value = HeaderValue::from_bytes(value.strip_prefix(b": ").unwrap_or(value));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            request.headers.append(name, value);
        }
    }
    let now = Timestamp::constant(1_767_268_800, 0);
    let _ = subject.handshakes.before_proof(&request, true);
    match subject.verifier.verify(&request, now) {
        Ok(verified) => drop(subject.handshakes.after_proof(&verified)),
        Err(rejection) => {
            let _ = subject.verifier.lacks_key(&request, now);
            let _ = subject.verifier.hint(&request, &rejection, now);
        }
    }
});
