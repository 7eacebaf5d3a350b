//! What holds for every scheme: what we sign we accept, and nothing that differs from it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use boathook_verify::{RawRequest, Scheme, Secret, Verifier, preset, preset_ids};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use proptest::{prelude::*, sample::select};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn verifier(scheme: &Scheme, secret: &[u8]) -> Verifier {
    let secret = Secret { text: secret.to_vec().into(), not_before: None, not_after: None };
    Verifier::compile(scheme, &[secret], None).unwrap()
}

fn request(body: &[u8]) -> RawRequest {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_static("msg_1"));
    RawRequest { method: Method::POST, path: "/".into(), query: None, headers, body: body.to_vec().into() }
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    select(preset_ids().map(|id| preset(id).unwrap()).collect::<Vec<_>>())
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000).prop_map(|second| Timestamp::from_second(second).unwrap())
}

proptest! {
    #[test]
    fn what_we_sign_we_accept(scheme in any_scheme(), body in prop::collection::vec(any::<u8>(), 0..256), now in any_time()) {
        let verifier = verifier(&scheme, SECRET.as_bytes());
        let mut request = request(&body);
        verifier.sign(&mut request, now).unwrap();
        prop_assert!(verifier.verify(&request, now).is_ok());
    }

    #[test]
    fn a_flipped_bit_of_the_body_is_refused(
        scheme in any_scheme(), body in prop::collection::vec(any::<u8>(), 1..256), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        prop_assume!(scheme.body_protected);
        let verifier = verifier(&scheme, SECRET.as_bytes());
        let mut request = request(&body);
        verifier.sign(&mut request, Timestamp::UNIX_EPOCH).unwrap();
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        request.body = changed.into();
        prop_assert!(verifier.verify(&request, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_changed_key_is_refused(scheme in any_scheme(), at in 6usize..38, replacement in "[A-Za-z0-9]") {
        let mut other = SECRET.as_bytes().to_vec();
        prop_assume!(other[at] != replacement.as_bytes()[0]);
        other[at] = replacement.as_bytes()[0];
        let mut request = request(b"{}");
        verifier(&scheme, &other).sign(&mut request, Timestamp::UNIX_EPOCH).unwrap();
        prop_assert!(verifier(&scheme, SECRET.as_bytes()).verify(&request, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_changed_header_is_refused_or_says_the_same(
        scheme in any_scheme(), at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), byte in 0x21u8..0x7f,
    ) {
        let verifier = verifier(&scheme, SECRET.as_bytes());
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let mut request = request(b"{}");
        verifier.sign(&mut request, now).unwrap();
        let names: Vec<_> = request.headers.keys().cloned().collect();
        let name = &names[which.index(names.len())];
        let mut value = request.headers[name].as_bytes().to_vec();
        let at = at.index(value.len());
        // Hex digits of either case are the same signature.
        prop_assume!(!value[at].eq_ignore_ascii_case(&byte));
        value[at] = byte;
        request.headers.insert(name.clone(), HeaderValue::from_bytes(&value).unwrap());
        if let Ok(verified) = verifier.verify(&request, now) {
            // Only what the scheme neither signs nor needs may differ: an unsigned time within the tolerance, or an
            // id header of another scheme.
            let unsigned_time = scheme.timestamp.as_ref().is_some_and(|rule| !rule.signed);
            prop_assert!(unsigned_time || name == "webhook-id", "{name:?} {:?}", verified.signed_at());
        }
    }

    #[test]
    fn no_input_panics(
        scheme in any_scheme(), body in prop::collection::vec(any::<u8>(), 0..64), text in prop::collection::vec(0x20u8..0xff, 0..64),
    ) {
        let verifier = verifier(&scheme, SECRET.as_bytes());
        let mut request = request(&body);
        verifier.sign(&mut request, Timestamp::UNIX_EPOCH).unwrap();
        let names: Vec<_> = request.headers.keys().cloned().collect();
        for name in names {
            request.headers.insert(name, HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("")));
            let _ = verifier.verify(&request, Timestamp::UNIX_EPOCH);
        }
    }
}
