//! Any key set and any token: the first line is the set, the second the token.
#![no_main]
use std::sync::Arc;

use boathook_verify::{KeyFormat, RawRequest, Scheme, Setup, Verifier};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const SCHEME: &str = "
kind: jwt
signature: { from: { headers: [Authorization] }, grammar: { prefix: 'Bearer ' } }
jwt: { algorithms: [RS256, PS256, RS512], issuers: [joe], jwksURL: 'https://issuer.example/' }
bodyProtected: false
";

fuzz_target!(|data: &[u8]| {
    let (set, token) = data.iter().position(|byte| *byte == b'\n').map_or((data, &[][..]), |at| data.split_at(at));
    let Ok(set) = KeyFormat::KeySet.parse(set) else { return };
    let scheme: Scheme = serde_saphyr::from_str(SCHEME).expect("a scheme");
    let verifier = Verifier::compile(&scheme, &Setup::default()).expect("a sound scheme");
    verifier.key_slots().pop().expect("it has a URL").fill(Arc::new(set));
    let token = token.strip_prefix(b"\n").unwrap_or(token);
    let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", token].concat()) else { return };
    let request = RawRequest {
        method: Method::POST,
        path: "/".into(),
        query: None,
        headers: HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]),
        body: "{}".into(),
    };
    let now = Timestamp::constant(1_300_819_379, 0);
    let _ = verifier.lacks_key(&request, now);
    let _ = verifier.verify(&request, now);
});
