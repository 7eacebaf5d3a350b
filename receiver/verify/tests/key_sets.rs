//! Tokens that are checked with what their issuer publishes: the examples of RFC 7515 § A.2, § A.3 and RFC 8037 § A.4.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::sync::Arc;

use boathook_verify::{
    Code, Diagnosis, Expected, KeyDocument, KeyFormat, KeySlot, RawRequest, Scheme, Secret, Setup, Verifier,
};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use jiff::Timestamp;
use serde_json::{Value, json};

/// One second before the tokens expire.
const NOW: Timestamp = Timestamp::constant(1_300_819_379, 0);
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// Its payload is a sentence.
const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn rsa() -> Value {
    json!({ "kty": "RSA", "n": RSA_N, "e": "AQAB" })
}

fn ec() -> Value {
    let (x, y) =
        ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
}

fn okp() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

fn set(keys: &[Value]) -> Arc<KeyDocument> {
    Arc::new(KeyFormat::KeySet.parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
}

fn scheme(algorithms: &[&str]) -> Scheme {
    let scheme = json!({
        "kind": "jwt",
        "signature": { "from": { "headers": ["Authorization"] }, "grammar": { "prefix": "Bearer " } },
        "jwt": { "algorithms": algorithms, "issuers": ["joe"], "jwksURL": "https://issuer.example/keys" },
        "bodyProtected": false,
    });
    serde_json::from_value(scheme).unwrap()
}

fn verifier(algorithms: &[&str]) -> Verifier {
    Verifier::compile(&scheme(algorithms), &Setup::default()).unwrap()
}

fn slot(verifier: &Verifier) -> Arc<KeySlot> {
    verifier.key_slots().pop().unwrap()
}

/// What is said of a token.
fn told(verifier: &Verifier, token: &str) -> Result<(), (Code, Diagnosis)> {
    let token = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let request = RawRequest {
        method: Method::POST,
        path: "/".into(),
        query: None,
        headers: HeaderMap::from_iter([(AUTHORIZATION, token)]),
        body: "{}".into(),
    };
    let verified = verifier.verify(&request, NOW);
    verified.map(drop).map_err(|rejection| (rejection.code, rejection.diagnosis))
}

#[test]
fn published_tokens_are_genuine_under_their_published_keys() {
    for (algorithms, key, token) in [(["RS256", "RS512"], rsa(), RS256), (["ES256", "ES256"], ec(), ES256)] {
        let verifier = verifier(&algorithms);
        slot(&verifier).fill(set(&[okp(), key]));
        assert_eq!(told(&verifier, token), Ok(()), "{algorithms:?}");
        let changed = format!("{}A", &token[..token.len() - 1]);
        assert!(told(&verifier, &changed).is_err());
    }
    let verifier = verifier(&["EdDSA"]);
    slot(&verifier).fill(set(&[okp()]));
    let malformed = Diagnosis::SignatureMalformed { place: "header authorization".into() };
    assert_eq!(told(&verifier, EDDSA), Err((Code::InvalidSignature, malformed)), "signed, and no claims");
}

#[test]
fn without_keys_it_is_our_failure_and_another_key_is_asked_for() {
    let verifier = verifier(&["RS256"]);
    assert_eq!(told(&verifier, RS256), Err((Code::Unavailable, Diagnosis::KeysNotThere)));
    let slot = slot(&verifier);
    assert_eq!(slot.source().url(), "https://issuer.example/keys");
    slot.fill(set(&[ec()]));
    assert_eq!(told(&verifier, RS256), Err((Code::InvalidSignature, Diagnosis::KeyUnknown)));
    assert_eq!(
        told(&verifier, ES256),
        Err((Code::InvalidSignature, Diagnosis::NoSecretMatches)),
        "not accepted"
    );
    slot.fill(set(&[rsa()]));
    assert_eq!(told(&verifier, RS256), Ok(()));
}

#[test]
fn keys_are_those_of_the_secret_or_those_that_are_published() {
    let fields = |scheme: &Scheme, secrets: &[Secret], url: Option<&str>| -> Vec<String> {
        let expected = Expected { jwks_url: url, ..Expected::default() };
        let setup = Setup { secrets, jwt: Some(&expected), ..Setup::default() };
        let errors = Verifier::compile(scheme, &setup).err().unwrap_or_default();
        errors.into_iter().map(|error| error.field).collect()
    };
    let secret = [Secret { text: b"AQID".to_vec().into(), not_before: None, not_after: None }];
    let rs256 = scheme(&["RS256"]);
    assert_eq!(fields(&rs256, &secret, Some("https://other.example/")), ["jwt.jwksURL"]);
    assert_eq!(fields(&rs256, &[], Some("https://other.example/")), [""; 0]);
    assert_eq!(fields(&rs256, &[], Some("http://127.0.0.1:1/keys")), [""; 0]);
    for url in ["http://other.example/", "ftp://other.example/", "other"] {
        assert_eq!(fields(&rs256, &[], Some(url)), ["jwt.jwksURL"], "{url}");
    }
    assert_eq!(fields(&rs256, &secret, None), ["secrets[0]"], "the secret counts, and is no key");
    assert_eq!(fields(&scheme(&["HS256"]), &[], None), ["jwt.algorithms"]);
}
