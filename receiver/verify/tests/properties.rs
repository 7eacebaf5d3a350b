//! What holds for every scheme: what we sign we accept, and nothing that differs from it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::{collections::HashSet, sync::LazyLock};

use boathook_verify::{
    Algorithm, Encoding, Grammar, Key, KeyDecode, KeyValue, Kind, List, Part, RawRequest, Scheme, Secret,
    Setup, Signature, SignatureFrom, TimeFormat, TimeFormats, TimestampFrom, TimestampRule, Verifier, preset,
    preset_ids,
};
use http::{HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// Readable under every decoding of secrets.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: HeaderName = HeaderName::from_static("x-id");
const TIME: HeaderName = HeaderName::from_static("x-time");
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

static PRESETS: LazyLock<Vec<Scheme>> = LazyLock::new(|| preset_ids().filter_map(preset).collect());

/// Bare, a prefix, and the two grammars with several signatures.
fn any_grammar() -> impl Strategy<Value = Option<Grammar>> {
    let key_value = |timestamp: Option<&str>| {
        let (separator, signature) = (",".into(), "v1".into());
        Grammar {
            key_value: Some(KeyValue { separator, signature, timestamp: timestamp.map(Into::into) }),
            ..Grammar::default()
        }
    };
    let list = List { separator: " ".into(), tag: Some("v1".into()), tag_separator: Some(",".into()) };
    select(vec![
        None,
        Some(Grammar { prefix: Some("sha256=".into()), ..Grammar::default() }),
        Some(key_value(None)),
        Some(key_value(Some("t"))),
        Some(Grammar { list: Some(list), ..Grammar::default() }),
    ])
}

/// Where the time is, and whether it is signed; `None`: no time.
fn any_time_rule() -> impl Strategy<Value = Option<(bool, TimeFormat)>> {
    let format = select(vec![TimeFormat::UnixSeconds, TimeFormat::UnixMillis, TimeFormat::Rfc3339]);
    prop::option::of((any::<bool>(), format))
}

/// Every combination of grammar, encoding, decoding and time, every part of the signed text.
fn any_hmac() -> impl Strategy<Value = Scheme> {
    let encoding = select(vec![None, Some(Encoding::Hex), Some(Encoding::Base64), Some(Encoding::Base64url)]);
    let decode = select(vec![KeyDecode::Utf8, KeyDecode::PrefixedBase64]);
    let algorithm = select(vec![Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512]);
    (any_grammar(), any_time_rule(), encoding, decode, algorithm).prop_map(
        |(grammar, time, encoding, decode, algorithm)| {
            let mut scheme = preset("github").unwrap();
            let from = SignatureFrom { headers: vec![SIGNATURE.to_string()], ..SignatureFrom::default() };
            scheme.key = Some(Key { decode });
            let in_signature = grammar
                .as_ref()
                .and_then(|grammar| grammar.key_value.as_ref())
                .is_some_and(|grammar| grammar.timestamp.is_some());
            scheme.signature = Some(Signature { from, grammar, encoding });
            scheme.algorithm = Some(algorithm);
            let time = if in_signature { time.or(Some((true, TimeFormat::UnixSeconds))) } else { time };
            scheme.signed = vec![Part::Header(ID.to_string()), Part::Literal(".".into()), Part::Body];
            if let Some((signed, format)) = time {
                if signed {
                    scheme.signed.splice(0..0, [Part::Timestamp, Part::Literal(".".into())]);
                }
                let from = if in_signature {
                    TimestampFrom::Signature
                } else {
                    TimestampFrom::Header(TIME.to_string())
                };
                let format = TimeFormats::One(format);
                scheme.timestamp =
                    Some(TimestampRule { from, format, tolerance: None, signed, enforce: true });
            }
            scheme
        },
    )
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    let presets: Vec<_> = PRESETS.iter().filter(|scheme| takes_any_body(scheme)).cloned().collect();
    prop_oneof![any_hmac(), select(presets)]
}

/// Whether we can sign any bytes with it: what stands in the body is not ours to write.
fn takes_any_body(scheme: &Scheme) -> bool {
    let in_body =
        |rule: &TimestampRule| matches!(rule.from, TimestampFrom::Pointer(_) | TimestampFrom::Form(_));
    let sorted = |part: &Part| matches!(part, Part::FormSorted(_) | Part::Form(_) | Part::Pointer(_));
    let public = matches!(scheme.kind, Kind::PublicKey | Kind::Jwt | Kind::Code);
    !public
        && !scheme.timestamp.as_ref().is_some_and(in_body)
        && !scheme.signed.iter().any(sorted)
        && verifier(scheme, secret_of(scheme)).can_sign()
}

/// A secret that can be read as the scheme reads it.
fn secret_of(scheme: &Scheme) -> &'static [u8] {
    match (scheme.kind, scheme.key.as_ref().map(|key| key.decode)) {
        (Kind::Basic, _) => b"user:password",
        (_, Some(KeyDecode::Hex)) => b"4d6f6e6461794d6f6e6461794d6f6e64",
        (_, Some(KeyDecode::Base64)) => b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        _ => SECRET.as_bytes(),
    }
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000_000).prop_map(|milli| Timestamp::from_millisecond(milli).unwrap())
}

fn bytes(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), length)
}

/// What can stand in a header, including what is not ASCII.
fn any_header() -> impl Strategy<Value = HeaderValue> {
    vec((0x20u8..=0xff).prop_filter("no DEL", |byte| *byte != 0x7f), 0..80)
        .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
}

fn verifier(scheme: &Scheme, secret: &[u8]) -> Verifier {
    let secrets = [Secret { text: secret.to_vec().into(), not_before: None, not_after: None }];
    let public_url = Some("https://hooks.example.com/hook");
    Verifier::compile(scheme, &Setup { secrets: &secrets, public_url, ..Setup::default() }).unwrap()
}

/// All headers that a scheme signs.
static SIGNED_HEADERS: LazyLock<HashSet<HeaderName>> = LazyLock::new(|| {
    let parts = PRESETS.iter().flat_map(|scheme| &scheme.signed);
    let names = parts.filter_map(|part| match part {
        Part::Header(name) => name.parse().ok(),
        _ => None,
    });
    names.chain([ID]).collect()
});

/// A request with the headers that schemes sign, and its signature.
fn signed(verifier: &Verifier, body: &[u8], now: Timestamp) -> RawRequest {
    let headers =
        SIGNED_HEADERS.iter().map(|name| (name.clone(), HeaderValue::from_static("msg_1"))).collect();
    let mut request = RawRequest {
        method: Method::POST,
        path: "/".into(),
        query: None,
        headers,
        body: body.to_vec().into(),
    };
    verifier.sign(&mut request, now).unwrap();
    request
}

fn flip(bytes: &mut [u8], at: Index, bit: u8) {
    let at = at.index(bytes.len());
    *bytes.get_mut(at).unwrap() ^= 1 << bit;
}

proptest! {
    #[test]
    fn what_we_sign_we_accept(scheme in any_scheme(), body in bytes(0..256), now in any_time()) {
        let verifier = verifier(&scheme, secret_of(&scheme));
        let request = signed(&verifier, &body, now);
        let verified = verifier.verify(&request, now);
        prop_assert!(verified.is_ok(), "{:?}", verified.err());
    }

    #[test]
    fn a_flipped_bit_of_the_body_is_refused(
        scheme in any_scheme(), mut body in bytes(1..256), now in any_time(), at in any::<Index>(), bit in 0u8..8,
    ) {
        prop_assume!(scheme.body_protected);
        let verifier = verifier(&scheme, secret_of(&scheme));
        let mut request = signed(&verifier, &body, now);
        flip(&mut body, at, bit);
        request.body = body.into();
        prop_assert!(verifier.verify(&request, now).is_err());
    }

    #[test]
    fn a_flipped_bit_of_the_key_is_refused(
        mut key in bytes(16..80), now in any_time(), at in any::<Index>(), bit in 0u8..8, scheme in any_hmac(),
    ) {
        // The last byte is no line end, which would be dropped from the secret.
        key.push(b'.');
        let at = Index::index(&at, key.len() - 1);
        let scheme = Scheme { key: None, ..scheme };
        let request = signed(&verifier(&scheme, &key), b"{}", now);
        key[at] ^= 1 << bit;
        prop_assert!(verifier(&scheme, &key).verify(&request, now).is_err());
    }

    #[test]
    fn a_changed_token_is_refused(at in 0usize..38, replacement in 0x21u8..0x7f) {
        let scheme = PRESETS.iter().find(|scheme| scheme.kind == Kind::Token).unwrap().clone();
        let mut other = SECRET.as_bytes().to_vec();
        prop_assume!(other[at] != replacement);
        other[at] = replacement;
        let request = signed(&verifier(&scheme, &other), b"{}", Timestamp::UNIX_EPOCH);
        prop_assert!(verifier(&scheme, SECRET.as_bytes()).verify(&request, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_changed_header_is_refused(
        scheme in any_hmac(), now in any_time(), which in any::<Index>(), at in any::<Index>(), byte in 0x21u8..0x7f,
    ) {
        let verifier = verifier(&scheme, secret_of(&scheme));
        let mut request = signed(&verifier, b"{}", now);
        let mut names = vec![SIGNATURE, ID];
        let time = scheme.timestamp.as_ref();
        let in_header = time.is_some_and(|rule| rule.from != TimestampFrom::Signature);
        if in_header && time.is_some_and(|rule| rule.signed) {
            names.push(TIME);
        }
        let name = &names[which.index(names.len())];
        let mut value = request.headers[name].as_bytes().to_vec();
        let at = at.index(value.len());
        // Hex digits of either case are the same signature.
        prop_assume!(!value[at].eq_ignore_ascii_case(&byte));
        // A time that is not signed may differ.
        let in_time = value.starts_with(b"t=") && !value[..at].contains(&b',');
        prop_assume!(!in_time || time.is_some_and(|rule| rule.signed));
        value[at] = byte;
        request.headers.insert(name.clone(), HeaderValue::from_bytes(&value).unwrap());
        prop_assert!(verifier.verify(&request, now).is_err(), "{name}: {:?}", request.headers[name]);
    }

    #[test]
    fn no_input_panics(
        scheme in any_scheme(), body in bytes(0..64), values in vec(any_header(), 4), grammar_like in "(t|v1|sha256)?[=,]{0,2}[0-9a-f+/= ,]{0,80}",
    ) {
        let verifier = verifier(&scheme, secret_of(&scheme));
        let mut request = signed(&verifier, &body, Timestamp::UNIX_EPOCH);
        let names: Vec<_> = request.headers.keys().cloned().collect();
        for (name, value) in names.into_iter().zip(&values) {
            request.headers.insert(name.clone(), value.clone());
            let _ = verifier.verify(&request, Timestamp::UNIX_EPOCH);
            request.headers.insert(name, grammar_like.parse().unwrap());
            let _ = verifier.verify(&request, Timestamp::UNIX_EPOCH);
        }
    }
}
