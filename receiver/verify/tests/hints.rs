//! What people are told about a refused request beside its code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use boathook_verify::{Hint, RawRequest, Secret, Setup, Verifier, limits, preset};
use http::{HeaderMap, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn verifier(provider: &str, secret: &str) -> Verifier {
    let secrets = [Secret { text: secret.as_bytes().to_vec().into(), not_before: None, not_after: None }];
    Verifier::compile(&preset(provider).unwrap(), &Setup { secrets: &secrets, ..Setup::default() }).unwrap()
}

/// A request as its provider signs it.
fn signed(provider: &str, body: &str, at: Timestamp) -> RawRequest {
    let mut request = RawRequest {
        method: Method::POST,
        path: "/".into(),
        query: None,
        headers: HeaderMap::new(),
        body: body.to_owned().into(),
    };
    verifier(provider, "secret").sign(&mut request, at).unwrap();
    request
}

fn hint(provider: &str, request: &RawRequest) -> Option<Hint> {
    let verifier = verifier(provider, "secret");
    let rejection = verifier.verify(request, NOW).unwrap_err();
    verifier.hint(request, &rejection, NOW)
}

#[test]
fn a_body_that_was_changed_on_its_way_is_told_and_stays_refused() {
    let sent = r#"{"a":"b \" c","n":[1,2]}"#;
    let line_end = |end: &str| {
        let mut request = signed("github", sent, NOW);
        request.body = format!("{sent}{end}").into();
        hint("github", &request)
    };
    assert_eq!(line_end("\n"), Some(Hint::LineEndAdded));
    assert_eq!(line_end("\r\n\n"), Some(Hint::LineEndAdded));
    assert_eq!(line_end(" "), Some(Hint::BodyReformatted));
    let mut request = signed("github", sent, NOW);
    request.body = "{\n  \"a\": \"b \\\" c\",\t\"n\": [1, 2]\n}".into();
    assert_eq!(hint("github", &request), Some(Hint::BodyReformatted));
    request.body = r#"{"a":"b \"  c","n":[1,2]}"#.into();
    assert_eq!(hint("github", &request), None, "blanks in a text are its own");
    let mut long = signed("github", sent, NOW);
    long.body = format!("{sent}{}", "\n".repeat(limits::HINT_BODY_BYTES_MAX)).into();
    assert_eq!(hint("github", &long), None, "too long to look at again");
}

#[test]
fn a_changed_body_is_told_though_its_time_has_passed_meanwhile() {
    let mut request = signed("stripe", "{}", NOW - SignedDuration::from_hours(1));
    request.body = "{}\n".into();
    assert_eq!(hint("stripe", &request), Some(Hint::LineEndAdded));
}

#[test]
fn a_header_that_looks_like_the_missing_one_is_named() {
    let misspelt = |name: &'static str| {
        let mut request = signed("github", "{}", NOW);
        let signature = request.headers.remove("x-hub-signature-256").unwrap();
        request.headers.insert(name, signature);
        hint("github", &request)
    };
    for name in ["hub-signature-256", "x-hub_signature-256", "x-hub-signatur-256"] {
        let wanted = "x-hub-signature-256".into();
        assert_eq!(misspelt(name), Some(Hint::SimilarHeader { header: name.into(), wanted }));
    }
    assert_eq!(misspelt("x-something-else"), None);
}

#[test]
fn the_header_of_another_provider_is_named_with_its_presets() {
    let request = signed("gitea", "{}", NOW);
    let Some(Hint::OtherProvider { header, providers }) = hint("stripe", &request) else {
        unreachable!("a header of Gitea's")
    };
    assert_eq!((&*header, &*providers), ("x-gitea-signature", &["gitea"][..]));
    let mut bearer = signed("stripe", "{}", NOW);
    bearer.headers.clear();
    bearer.headers.insert("authorization", HeaderValue::from_static("Bearer x"));
    assert_eq!(hint("stripe", &bearer), None, "anybody may send that");
}

#[test]
fn a_genuine_time_ahead_of_ours_makes_our_clock_suspect() {
    let ahead = signed("stripe", "{}", NOW + SignedDuration::from_hours(1));
    assert_eq!(hint("stripe", &ahead), Some(Hint::ClockLags));
    let behind = signed("stripe", "{}", NOW - SignedDuration::from_hours(1));
    assert_eq!(hint("stripe", &behind), None);
}
