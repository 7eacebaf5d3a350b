//! Every rule across a scheme's members: a scheme that breaks it is refused with the member's path.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use boathook_verify::{Scheme, Secret, Setup, Verifier, limits};
use serde_json::{Value, json};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn secret(text: &[u8]) -> Secret {
    Secret { text: text.to_vec().into(), not_before: None, not_after: None }
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|text| secret(text.as_bytes())).collect()
}

fn compiled(scheme: &Scheme, secrets: &[Secret]) -> Verifier {
    Verifier::compile(scheme, &Setup { secrets, ..Setup::default() }).unwrap()
}

/// The paths of the broken rules.
fn broken(scheme: &Scheme, secrets: &[Secret]) -> Vec<String> {
    let errors = Verifier::compile(scheme, &Setup { secrets, ..Setup::default() }).err().unwrap_or_default();
    errors.into_iter().map(|error| error.field).collect()
}

fn parse(scheme: Value) -> Scheme {
    serde_json::from_value(scheme).unwrap()
}

/// A sound scheme with some members replaced; `null` takes one away.
fn changed(mut scheme: Value, members: Value) -> Scheme {
    let (Value::Object(scheme_members), Value::Object(members)) = (&mut scheme, members) else {
        unreachable!("both are objects")
    };
    for (name, value) in members {
        scheme_members.insert(name, value);
    }
    scheme_members.retain(|_, value| !value.is_null());
    parse(scheme)
}

fn hmac() -> Value {
    json!({
        "kind": "hmac",
        "signature": {
            "from": { "headers": ["X-Signature"] },
            "grammar": { "keyValue": { "separator": ",", "signature": "v1", "timestamp": "t" } },
        },
        "signed": ["timestamp", { "literal": "." }, { "header": "X-Id" }, "body"],
        "timestamp": { "from": "signature", "format": "unixSeconds" },
    })
}

fn token() -> Value {
    json!({
        "kind": "token",
        "signature": { "from": { "headers": ["Authorization"] }, "grammar": { "prefix": "Bearer " } },
        "bodyProtected": false,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the cases read better without `&`")]
fn grammar(grammar: Value) -> Value {
    let from = json!({ "headers": ["X-Signature"] });
    json!({ "signature": { "from": from, "grammar": grammar }, "signed": null, "timestamp": null })
}

#[test]
fn sound_schemes_are_compiled() {
    let bare = json!({ "kind": "hmac", "signature": { "from": { "headers": ["X-A", "X-B"] } } });
    for scheme in [hmac(), token(), bare] {
        assert_eq!(broken(&parse(scheme.clone()), &secrets(&[KEY])), [""; 0], "{scheme}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_broken_rule_of_kind_hmac_is_told_with_its_place() {
    let time = |from: Value| json!({ "from": from, "format": "unixSeconds" });
    for (members, field) in [
        (grammar(json!({})), "signature.grammar"),
        (
            grammar(json!({ "prefix": "a", "list": { "separator": " ", "tag": "v1", "tagSeparator": "," } })),
            "signature.grammar",
        ),
        (grammar(json!({ "prefix": "" })), "signature.grammar.prefix"),
        (grammar(json!({ "prefix": " a" })), "signature.grammar.prefix"),
        (grammar(json!({ "prefix": "ä" })), "signature.grammar.prefix"),
        (
            grammar(json!({ "keyValue": { "separator": "", "signature": "v1" } })),
            "signature.grammar.keyValue.separator",
        ),
        (
            grammar(json!({ "keyValue": { "separator": "=", "signature": "v1" } })),
            "signature.grammar.keyValue.separator",
        ),
        (
            grammar(json!({ "keyValue": { "separator": ",", "signature": "v,1" } })),
            "signature.grammar.keyValue.signature",
        ),
        (
            grammar(json!({ "list": { "separator": "a", "tag": "v1", "tagSeparator": "," } })),
            "signature.grammar.list.separator",
        ),
        (
            grammar(json!({ "list": { "separator": " ", "tag": "v1", "tagSeparator": " " } })),
            "signature.grammar.list.tagSeparator",
        ),
        (
            grammar(json!({ "list": { "separator": " ", "tag": "v,1", "tagSeparator": "," } })),
            "signature.grammar.list.tag",
        ),
        (
            grammar(json!({ "keyValue": { "separator": ",", "signature": "v1", "timestamp": "t" } })),
            "signature.grammar.keyValue.timestamp",
        ),
        (
            json!({ "signature": { "from": { "headers": [] }, "grammar": hmac()["signature"]["grammar"] } }),
            "signature.from.headers",
        ),
        (
            json!({ "signature": { "from": { "headers": ["X A"] }, "grammar": hmac()["signature"]["grammar"] } }),
            "signature.from.headers[0]",
        ),
        (
            json!({ "signature": { "from": { "headers": ["X-A", "x-a"] }, "grammar": hmac()["signature"]["grammar"] } }),
            "signature.from.headers[1]",
        ),
        (json!({ "signature": { "from": { "headers": ["X-Signature"] } } }), "timestamp.from"),
        (
            json!({ "signed": ["body", { "header": "Ä" }], "timestamp": { "from": "signature", "format": "rfc3339", "signed": false } }),
            "signed[1].header",
        ),
        (json!({ "signed": ["timestamp", "body", { "header": "X-Signature" }] }), "signed[2].header"),
        (json!({ "signed": ["timestamp", "body", { "literal": "" }] }), "signed[2].literal"),
        (json!({ "signed": (["timestamp", "body"].repeat(9)) }), "signed"),
        (json!({ "signed": ["timestamp"] }), "bodyProtected"),
        (json!({ "bodyProtected": false }), "bodyProtected"),
        (json!({ "signed": ["body"] }), "timestamp.signed"),
        (
            json!({ "timestamp": { "from": "signature", "format": "unixSeconds", "signed": false } }),
            "timestamp.signed",
        ),
        (json!({ "timestamp": { "from": "signature", "format": [] } }), "timestamp.format"),
        (
            json!({ "timestamp": { "from": "signature", "format": ["rfc3339", "rfc3339"] } }),
            "timestamp.format",
        ),
        (json!({ "batch": "items" }), "batch"),
        (json!({ "batch": "/a~2" }), "batch"),
        (json!({ "id": vec!["{/id}"; limits::CANDIDATES_MAX + 1] }), "id"),
        (json!({ "type": vec!["{/id}"; limits::CANDIDATES_MAX + 1] }), "type"),
        (json!({ "answer": { "success": 404 } }), "answer.success"),
        (json!({ "answer": { "refused": 200 } }), "answer.refused"),
        (json!({ "answer": { "contentType": "text/xml" } }), "answer.contentType"),
    ] {
        assert_eq!(broken(&changed(hmac(), members.clone()), &secrets(&[KEY])), [field], "{members}");
    }
    let bare = json!({ "kind": "hmac", "signature": { "from": { "headers": ["X-Signature"] } } });
    for (members, field) in [
        (json!({ "signed": ["timestamp", "body"] }), "signed[0]"),
        (
            json!({ "signed": ["timestamp", "body"], "timestamp": time(json!({ "header": "?" })) }),
            "timestamp.from.header",
        ),
        (
            json!({ "signed": ["timestamp", "body"], "timestamp": time(json!({ "header": "x-signature" })) }),
            "timestamp.from.header",
        ),
        (
            json!({ "signed": ["timestamp", { "header": "X-TIME" }, "body"], "timestamp": time(json!({ "header": "X-Time" })) }),
            "signed[1].header",
        ),
    ] {
        assert_eq!(broken(&changed(bare.clone(), members.clone()), &secrets(&[KEY])), [field], "{members}");
    }
}

#[test]
fn a_broken_rule_of_kind_token_is_told_with_its_place() {
    let signature = |member: &str, value: Value| {
        let mut signature = token()["signature"].clone();
        signature[member] = value;
        json!({ "signature": signature })
    };
    for (members, field) in [
        (json!({ "bodyProtected": true }), "bodyProtected"),
        (json!({ "algorithm": "sha256" }), "algorithm"),
        (json!({ "key": { "decode": "utf8" } }), "key"),
        (json!({ "signed": ["body"] }), "signed"),
        (json!({ "timestamp": { "from": { "header": "X-Time" }, "format": "rfc3339" } }), "timestamp"),
        (signature("encoding", json!("hex")), "signature.encoding"),
        (
            signature("grammar", json!({ "keyValue": { "separator": ",", "signature": "v1" } })),
            "signature.grammar",
        ),
        (
            signature("grammar", json!({ "list": { "separator": " ", "tag": "v1", "tagSeparator": "," } })),
            "signature.grammar",
        ),
        (signature("from", json!({ "headers": ["X-A", "X-B"] })), "signature.from.headers"),
    ] {
        assert_eq!(broken(&changed(token(), members.clone()), &secrets(&[KEY])), [field], "{members}");
    }
    let long = "s".repeat(limits::SIGNATURE_HEADER_BYTES_MAX);
    for text in ["two words", "tab\there", "schlüssel", &long] {
        assert_eq!(broken(&parse(token()), &secrets(&[KEY, text])), ["secrets[1]"], "{text:.20}");
    }
}

#[test]
fn unusable_secrets_are_told_with_their_place() {
    let base64 = changed(hmac(), json!({ "key": { "decode": "base64" } }));
    assert_eq!(broken(&base64, &secrets(&["AQID", "A", "", "AQ=="])), ["secrets[1]", "secrets[2]"]);
    assert_eq!(broken(&parse(hmac()), &[]), ["secrets"]);
    assert_eq!(broken(&parse(hmac()), &secrets(&[KEY; limits::SECRETS_MAX + 1])), ["secrets"]);
    let bearer = parse(token());
    assert_eq!(broken(&bearer, &secrets(&["", "two words"])), ["secrets[0]", "secrets[1]"]);
    let never = Secret {
        not_before: Some("2024-02-01T00:00:00Z".parse().unwrap()),
        not_after: Some("2024-02-01T00:00:00Z".parse().unwrap()),
        ..secret(KEY.as_bytes())
    };
    assert_eq!(broken(&parse(hmac()), &[never]), ["secrets[0]"]);
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let scheme = changed(hmac(), json!({ "batch": "x", "bodyProtected": false, "signed": ["body"] }));
    assert_eq!(
        broken(&scheme, &secrets(&[" "])),
        ["secrets[0]", "bodyProtected", "timestamp.signed", "batch"]
    );
}

#[test]
fn debug_output_of_a_verifier_shows_no_secret() {
    for scheme in [hmac(), token()] {
        let verifier = compiled(&parse(scheme), &secrets(&[KEY]));
        let shown = format!("{verifier:?}");
        assert!(!shown.contains("MfKQ") && !shown.contains("119, 104"), "{shown}");
        assert_eq!(verifier.secrets_len(), 1);
    }
}

#[test]
fn schemes_that_send_the_secret_say_where() {
    let at = |scheme: Value| {
        let scheme = parse(scheme);
        let headers: Vec<String> = scheme.credential_headers().into_iter().map(str::to_owned).collect();
        (headers, scheme.credential_query().map(str::to_owned))
    };
    let authorization = |name: &str| (vec![name.to_owned()], None);
    assert_eq!(at(hmac()), (Vec::new(), None));
    assert_eq!(at(token()), authorization("Authorization"));
    assert_eq!(at(json!({ "kind": "basic", "bodyProtected": false })), authorization("authorization"));
    let query =
        json!({ "kind": "queryToken", "signature": { "from": { "query": "code" } }, "bodyProtected": false });
    assert_eq!(at(query), (Vec::new(), Some("code".into())));
}
