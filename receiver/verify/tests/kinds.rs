//! The rules of each kind of proof and each place of a signature: what does not fit is told with its member's path.
use boathook_verify::{Scheme, Secret, Setup, Verifier, limits};
use serde_json::{Value, json};

const RSA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmwIDAQAB";
const ED25519: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// The paths of the broken rules; a secret for each text.
fn broken(scheme: Value, secrets: &[&str]) -> Vec<String> {
    let scheme: Scheme = serde_json::from_value(scheme).expect("a scheme of the right shape");
    let secret =
        |text: &&str| Secret { text: text.as_bytes().to_vec().into(), not_before: None, not_after: None };
    let secrets: Vec<Secret> = secrets.iter().map(secret).collect();
    let errors = Verifier::compile(&scheme, &Setup { secrets: &secrets, ..Setup::default() });
    errors.err().unwrap_or_default().into_iter().map(|error| error.field).collect()
}

fn of_kind(kind: &str, members: Value) -> Value {
    let mut scheme = json!({ "kind": kind });
    if let (Value::Object(scheme), Value::Object(members)) = (&mut scheme, members) {
        scheme.extend(members);
    }
    scheme
}

/// A scheme of kind `hmac` with its signature at this place.
#[expect(clippy::needless_pass_by_value, reason = "the cases read better without `&`")]
fn at(from: Value) -> Value {
    of_kind("hmac", json!({ "signature": { "from": from } }))
}

#[test]
fn a_signature_has_one_place() {
    for from in [
        json!({ "headers": ["X-A", "X-B"] }),
        json!({ "everyHeader": ["X-A", "X-B"] }),
        json!({ "numberedHeader": "X-A-" }),
        json!({ "pointer": "/signature" }),
        json!({ "form": "signature" }),
        json!({ "query": "signature" }),
    ] {
        assert_eq!(broken(at(from.clone()), &["k"]), [""; 0], "{from}");
    }
    let names = vec!["X"; limits::SIGNATURE_HEADERS_MAX + 1];
    let long = "n".repeat(limits::FIELD_NAME_BYTES_MAX + 1);
    for (from, field) in [
        (json!({}), "signature.from.headers"),
        (json!({ "headers": ["X-A"], "form": "a" }), "signature.from"),
        (json!({ "everyHeader": ["X-A", "x-a"] }), "signature.from.everyHeader[1]"),
        (json!({ "numberedHeader": "X A" }), "signature.from.numberedHeader"),
        (json!({ "pointer": "signature" }), "signature.from.pointer"),
        (json!({ "form": "" }), "signature.from.form"),
        (json!({ "query": long }), "signature.from.query"),
    ] {
        assert_eq!(broken(at(from.clone()), &["k"]), [field], "{from}");
    }
    assert!(
        broken(at(json!({ "everyHeader": names })), &["k"]).contains(&"signature.from.everyHeader".into())
    );
    assert_eq!(broken(of_kind("hmac", json!({})), &["k"]), ["signature"]);
}

#[test]
fn grammars_can_be_read_in_one_way() {
    let with = |grammar: Value| {
        let signature = json!({ "from": { "headers": ["X-A"] }, "grammar": grammar });
        broken(of_kind("hmac", json!({ "signature": signature })), &["k"])
    };
    assert_eq!(with(json!({ "list": { "separator": "," } })), [""; 0]);
    assert_eq!(with(json!({ "pairs": { "separator": "&", "pairSeparator": "|" } })), [""; 0]);
    for (grammar, field) in [
        (json!({ "list": { "separator": ",", "tag": "v1" } }), "list.tag"),
        (json!({ "positional": { "separator": "a" } }), "positional.separator"),
        (json!({ "pairs": { "separator": "a", "pairSeparator": "|" } }), "pairs.separator"),
        (json!({ "pairs": { "separator": "&", "pairSeparator": "&" } }), "pairs.pairSeparator"),
    ] {
        let told = with(grammar.clone());
        assert!(told.contains(&format!("signature.grammar.{field}")), "{grammar}: {told:?}");
    }
    assert_eq!(with(json!({ "positional": { "separator": "," } })), ["signature.grammar.positional"]);
}

#[test]
fn a_plain_digest_holds_the_secret_once() {
    let hash = |signed: Value| {
        broken(
            of_kind("hash", json!({ "signature": { "from": { "headers": ["X"] } }, "signed": signed })),
            &["k"],
        )
    };
    assert_eq!(hash(json!(["secret", "body"])), [""; 0]);
    assert_eq!(hash(json!(["body"])), ["signed"]);
    assert_eq!(hash(json!(["secret", "body", "secret"])), ["signed"]);
    let hmac = json!({ "signature": { "from": { "headers": ["X"] } }, "signed": ["secret", "body"] });
    assert_eq!(broken(of_kind("hmac", hmac), &["k"]), ["signed[0]"]);
}

#[test]
fn public_keys_fit_their_algorithm() {
    let with = |algorithm: &str, decode: Option<&str>, key: &str| {
        let mut members = json!({ "signature": { "from": { "headers": ["X"] } }, "algorithm": algorithm });
        if let Some(decode) = decode {
            members["key"] = json!({ "decode": decode });
        }
        broken(of_kind("publicKey", members), &[key])
    };
    assert_eq!(with("ed25519", Some("hex"), ED25519), [""; 0]);
    assert_eq!(with("rsaPkcs1Sha256", None, RSA), [""; 0]);
    assert_eq!(with("rsaPssSha512", Some("spki"), RSA), [""; 0]);
    assert_eq!(with("ed25519", Some("hex"), "00ff"), ["secrets[0]"]);
    assert_eq!(with("ecdsaP256Sha256", None, RSA), ["secrets[0]"]);
    assert_eq!(with("rsaPkcs1Sha256", Some("hex"), ED25519), ["key.decode", "secrets[0]"]);
    assert_eq!(with("sha256", None, RSA), ["algorithm"]);
    let hmac = json!({ "signature": { "from": { "headers": ["X"] } }, "algorithm": "ed25519" });
    assert_eq!(broken(of_kind("hmac", hmac), &["k"]), ["algorithm"]);
}

#[test]
fn tokens_are_of_one_family_and_say_whom_they_are_for() {
    let with = |jwt: Value, key: &str| {
        let members =
            json!({ "signature": { "from": { "headers": ["X"] } }, "jwt": jwt, "bodyProtected": false });
        broken(of_kind("jwt", members), &[key])
    };
    assert_eq!(with(json!({ "algorithms": ["HS256", "HS512"] }), "k"), [""; 0]);
    assert_eq!(with(json!({ "algorithms": ["RS256", "PS256"] }), RSA), [""; 0]);
    for (jwt, field) in [
        (json!({ "algorithms": [] }), "jwt.algorithms"),
        (json!({ "algorithms": ["HS256", "RS256"] }), "jwt.algorithms"),
        (json!({ "algorithms": ["HS256"], "audience": "configured" }), "jwt.audience"),
        (json!({ "algorithms": ["HS256"], "urlSha256Claim": "url" }), "publicURL"),
        (json!({ "algorithms": ["HS256"], "bodySha256Claim": "body" }), "bodyProtected"),
        (
            json!({ "algorithms": ["HS256"], "issuers": vec!["a"; limits::JWT_ISSUERS_MAX + 1] }),
            "jwt.issuers",
        ),
    ] {
        assert_eq!(with(jwt.clone(), "k"), [field], "{jwt}");
    }
    assert_eq!(broken(of_kind("jwt", json!({})), &["k"]), ["jwt"]);
    let unknown = json!({ "kind": "jwt", "jwt": { "algorithms": ["none"] } });
    assert!(serde_json::from_value::<Scheme>(unknown).is_err(), "`none` is no algorithm");
}

#[test]
fn credentials_fit_the_place_in_which_they_come() {
    let sent = |kind: &str, from: Value| {
        of_kind(kind, json!({ "signature": { "from": from }, "bodyProtected": false }))
    };
    let basic = || of_kind("basic", json!({ "bodyProtected": false }));
    assert_eq!(broken(basic(), &["user:password"]), [""; 0]);
    assert_eq!(broken(basic(), &["password"]), ["secrets[0]"]);
    assert_eq!(broken(sent("basic", json!({ "headers": ["X"] })), &["a:b"]), ["signature"]);
    assert_eq!(broken(sent("queryToken", json!({ "query": "code" })), &["a b&c"]), [""; 0]);
    assert_eq!(broken(sent("queryToken", json!({ "headers": ["X"] })), &["a"]), ["signature.from"]);
    assert_eq!(broken(sent("bodyToken", json!({ "pointer": "/a" })), &["a"]), [""; 0]);
    assert_eq!(broken(sent("bodyToken", json!({ "pointer": "/a/*/b" })), &["a"]), [""; 0]);
    assert_eq!(
        broken(sent("bodyToken", json!({ "pointer": "/a/*/b/*" })), &["a"]),
        ["signature.from.pointer"]
    );
    assert_eq!(broken(sent("token", json!({ "query": "code" })), &["a"]), ["signature.from"]);
}

#[test]
fn who_proves_nothing_says_so_and_has_no_secret() {
    assert_eq!(broken(of_kind("none", json!({ "bodyProtected": false })), &[]), [""; 0]);
    assert_eq!(broken(of_kind("none", json!({})), &["k"]), ["bodyProtected", "secrets"]);
    let signed = json!({ "bodyProtected": false, "signature": { "from": { "headers": ["X"] } } });
    assert_eq!(broken(of_kind("none", signed), &[]), ["signature"]);
}

#[test]
fn demanded_headers_can_be_sent() {
    let with = |require: Value| {
        let members = json!({ "signature": { "from": { "headers": ["X"] } }, "require": require });
        broken(of_kind("hmac", members), &["k"])
    };
    assert_eq!(with(json!([{ "header": "X-Version", "equals": "1" }])), [""; 0]);
    assert_eq!(
        with(json!([{ "header": "X Version", "equals": "" }])),
        ["require[0].header", "require[0].equals"]
    );
    assert_eq!(with(json!([{ "header": "x", "equals": "1" }])), ["require[0].header"], "the signature's own");
    let twice = json!([{ "header": "X-Version", "equals": "1" }, { "header": "x-version", "equals": "2" }]);
    assert_eq!(with(twice), ["require[1].header"], "nothing could ever be genuine");
    let many = (0..=limits::REQUIREMENTS_MAX).map(|n| json!({ "header": format!("X-{n}"), "equals": "1" }));
    assert_eq!(with(many.collect()), ["require"]);
}
