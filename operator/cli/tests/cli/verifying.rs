//! `verify` over requests that people save: its answers, its exit statuses, and what it says of wrong files.
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use boathook_verify::preset;
use serde_json::{Value, json};

use crate::{
    program::{Files, program, program_at, run},
    vectors::vectors,
};

/// What GitHub's documentation signs.
const SECRET: &str = "It's a Secret to Everybody";
const SIGNATURE: &str =
    "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn github(line_end: &str, body: &str) -> String {
    ["POST /github?a=1 HTTP/1.1", "Host: hooks.example.com", SIGNATURE, "", body].join(line_end)
}

#[test]
fn a_genuine_request_ends_with_0_and_names_the_file_whose_secret_matched() {
    let files = Files::new();
    let (old, new) = (files.add("old", "another"), files.add("new", format!("{SECRET}\n")));
    for program in [env!("CARGO_BIN_EXE_boathook"), env!("CARGO_BIN_EXE_kubectl-boathook")] {
        for line_end in ["\n", "\r\n"] {
            let request = files.add("request.http", github(line_end, "Hello, World!"));
            let verify =
                ["verify", "--provider", "github", "--secret-file", &old, "--secret-file", &new, &request];
            let exit = program_at(program, &verify, b"");
            assert_eq!((exit.status, &*exit.errors), (0, ""), "{line_end:?}");
            assert_eq!(exit.output, format!("genuine\nsecret: {new}\n"));
            let exit = program_at(program, &[&verify[..], &["-o", "json"]].concat(), b"");
            let found: Value = serde_json::from_str(&exit.output).unwrap();
            assert_eq!(found, json!({ "genuine": true, "secret": 1, "signedAt": null }));
        }
    }
}

#[test]
fn a_refused_request_ends_with_1_and_says_why() {
    let files = Files::new();
    let secret = files.add("secret", SECRET);
    let verify = ["verify", "--provider", "github", "--secret-file", &secret, "-"];
    for (request, hint) in [
        (
            github("\r\n", "Hello, World!\n"),
            "the signature fits the body without its trailing line end: send the bytes as they were signed\n",
        ),
        (github("\n", "hello, World!"), ""),
    ] {
        let exit = program(&verify, request.as_bytes());
        assert_eq!((exit.status, &*exit.errors), (1, ""), "{request}");
        let said = "refused: invalid_signature\nno configured secret makes this signature: is it the secret of this endpoint?\n";
        assert_eq!(exit.output, format!("{said}{hint}"), "{request}");
    }
    let exit = program(&[&verify[..], &["-o", "json"]].concat(), b"POST / HTTP/1.1\n\n");
    let found: Value = serde_json::from_str(&exit.output).unwrap();
    assert_eq!((exit.status, &found["code"]), (1, &json!("missing_signature")));
    assert!(found["reason"].as_str().unwrap().contains("x-hub-signature-256"), "{found}");
}

#[test]
fn a_body_that_an_editor_has_changed_is_noted() {
    let files = Files::new();
    let secret = files.add("secret", SECRET);
    let request = github("\n", "Hello, World!\n").replace("Host:", "Content-Length: 13\nHost:");
    let exit =
        program(&["verify", "--provider", "github", "--secret-file", &secret, "-"], request.as_bytes());
    assert_eq!(exit.status, 1);
    assert!(
        exit.errors.contains("Content-Length is 13") && exit.errors.contains("14 bytes"),
        "{}",
        exit.errors
    );
}

/// A delivery of Standard Webhooks, as its specification has it, and its time.
const STANDARD_DELIVERY: &str = concat!(
    "POST / HTTP/1.1\nwebhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n",
    "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n\n",
    r#"{"test": 2432232314}"#
);

#[test]
fn freshness_is_judged_at_the_time_that_is_given_or_not_at_all() {
    let files = Files::new();
    let secret = files.add("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let at = |more: &[&str]| {
        let verify = ["verify", "--provider", "standard-webhooks", "--secret-file", &secret, "-"];
        run(&[&verify[..], more].concat(), STANDARD_DELIVERY.as_bytes()).unwrap()
    };
    for more in [&[][..], &["--at", "now"], &["--at", "2021-02-25T15:07:11Z"]] {
        let ended = at(more);
        assert!(!ended.good && ended.output.starts_with("refused: stale_timestamp\n"), "{more:?}: {ended:?}");
    }
    for more in [
        &["--at", "2021-02-25T15:02:11Z"][..],
        &["--at", "2021-02-25T15:07:11Z", "--tolerance", "10m"],
        &["--at", "none"],
    ] {
        let ended = at(more);
        assert!(
            ended.good && ended.output.contains("signed at: 2021-02-25T15:02:10Z"),
            "{more:?}: {ended:?}"
        );
        assert_eq!(ended.notes.is_empty(), more != ["--at", "none"], "{:?}", ended.notes);
    }
}

#[test]
fn what_only_a_time_can_decide_is_not_decided_without_one() {
    let dated = json!({ "text": "whsec_AQID", "notAfter": "2021-01-01T00:00:00Z" });
    let request = json!({ "method": "POST", "path": "/", "headers": [], "body": "" });
    for (provider, secret, told) in [
        ("standard-webhooks", dated, "the vector's secrets count for a time only"),
        ("monday", json!({ "text": "s3cret" }), "a token is judged by its times"),
    ] {
        let vector = json!({ "secrets": [secret], "request": request }).to_string();
        let verify = ["verify", "--provider", provider, "--at", "none", "-"];
        let mistake = run(&verify, vector.as_bytes()).unwrap_err();
        assert!(mistake.0.contains(told) && mistake.0.contains("--at TIME"), "{mistake}");
    }
}

#[test]
fn a_token_is_checked_with_the_keys_that_its_issuer_publishes() {
    let files = Files::new();
    let mut vector = vectors("google-pubsub").into_iter().find(|vector| vector["id"] == "valid").unwrap();
    let pem = vector["secrets"][0]["text"].as_str().unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    // The modulus of an RSA key of 2048 bits stands there in its DER.
    let modulus = URL_SAFE_NO_PAD.encode(&STANDARD.decode(base64).unwrap()[33..289]);
    let keys = json!({ "keys": [{ "kty": "RSA", "kid": "k1", "n": modulus, "e": "AQAB" }] });
    let keys = files.add("keys.json", keys.to_string());
    let mut scheme = preset("google-pubsub").unwrap();
    scheme.jwt.as_mut().unwrap().jwks_url = Some("https://issuer.example/keys".into());
    let scheme = files.add("scheme.json", serde_json::to_string(&scheme).unwrap());
    vector["secrets"] = json!([]);
    let verify = |more: &[&str]| {
        run(&[&["verify", "--scheme", &scheme, "-"], more].concat(), vector.to_string().as_bytes())
    };
    let ended = verify(&["--jwks-file", &keys]).unwrap();
    assert_eq!((ended.good, ended.output.lines().nth(1)), (true, Some("secret: none: a key of the issuer")));
    let missing = verify(&[]).unwrap_err();
    assert!(
        missing.0.contains("--jwks-file: is missing: save what is at https://issuer.example/keys"),
        "{missing}"
    );
    let wrong = verify(&["--jwks-file", &scheme]).unwrap_err();
    assert!(wrong.0.contains("scheme.json: it is no JSON Web Key Set"), "{wrong}");
}

#[test]
fn a_certificate_that_the_request_names_is_checked_from_a_file() {
    let files = Files::new();
    let mut vector = vectors("aws-sns").into_iter().find(|vector| vector["id"] == "valid-v2").unwrap();
    let certificate = files.add("certificate.pem", vector["certificate"].as_str().unwrap());
    vector.as_object_mut().unwrap().remove("certificate");
    let verify = |provider: &str, more: &[&str]| {
        run(&[&["verify", "--provider", provider, "-"], more].concat(), vector.to_string().as_bytes())
    };
    let ended = verify("aws-sns", &["--certificate-file", &certificate]).unwrap();
    assert!(ended.good, "{}", ended.output);
    let missing = verify("aws-sns", &[]).unwrap_err();
    let told = "--certificate-file: is missing: save what is at https://sns.eu-west-1.amazonaws.com/Simple";
    assert!(missing.0.contains(told), "{missing}");
    let secret = files.add("secret", SECRET);
    let wrong = verify("aws-sns", &["--certificate-file", &secret]).unwrap_err();
    assert!(wrong.0.contains("secret: it is no X.509 certificate in PEM"), "{wrong}");
    let unused =
        verify("github", &["--secret-file", &secret, "--certificate-file", &certificate]).unwrap_err();
    assert!(
        unused.0.contains("--certificate-file: this provider's keys are those of --secret-file"),
        "{unused}"
    );
    let undated = verify("aws-sns", &["--certificate-file", &certificate, "--at", "none"]).unwrap_err();
    assert!(undated.0.contains("--at TIME"), "{undated}");
}

#[test]
fn flags_count_more_than_what_stands_in_a_vector() {
    let files = Files::new();
    let secret = files.add("secret", SECRET);
    let request = json!({
        "method": "POST", "path": "/", "body": "Hello, World!",
        "headers": [SIGNATURE.split_once(": ").unwrap()],
    });
    let vector = json!({ "secrets": [{ "text": "another" }], "request": request }).to_string();
    let verify = ["verify", "--provider", "github", "-"];
    assert!(!run(&verify, vector.as_bytes()).unwrap().good);
    assert!(run(&[&verify[..], &["--secret-file", &secret]].concat(), vector.as_bytes()).unwrap().good);
}

#[test]
fn a_handshake_is_shown_with_its_answer() {
    let files = Files::new();
    let (secret, token) = (files.add("secret", "s3cret"), files.add("token", "meta-verify-token"));
    let ask = "GET /hook?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meta-verify-token HTTP/1.1\n\n";
    let verify = ["verify", "--provider", "meta", "--secret-file", &secret, "-"];
    let with_token = [&verify[..], &["--verify-token-file", &token]].concat();
    let exit = program(&with_token, ask.as_bytes());
    assert_eq!((exit.status, &*exit.errors), (0, ""));
    assert!(
        exit.output.starts_with("handshake") && exit.output.ends_with("\n1158201444\n"),
        "{}",
        exit.output
    );
    let guessed = ask.replace("=meta-verify-token", "=guessed");
    assert_eq!(program(&with_token, guessed.as_bytes()).status, 1);
    // Nobody needs a verify token for a delivery.
    assert!(program(&verify, ask.as_bytes()).errors.contains("--verify-token-file"));
    assert_eq!(program(&verify, b"POST /hook HTTP/1.1\n\n{}").status, 1);
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_what_to_do() {
    let files = Files::new();
    let request = files.add("request.http", github("\n", "Hello, World!"));
    let secret = files.add("secret", SECRET);
    let empty = files.add("empty", "\n");
    let text = files.add("text.http", "Hello, World!");
    let vectors = files.add("vectors.jsonl", "{\"request\":1}");
    let large = files.add("large", "x".repeat(10_000));
    let nowhere = files.path().join("nowhere").display().to_string();
    let github = ["verify", "--provider", "github"];
    for (flags, told) in [
        (vec!["--secret-file", &secret, &nowhere], "nowhere: cannot be read"),
        (vec!["--secret-file", &nowhere, &request], "nowhere: cannot be read"),
        (vec!["--secret-file", &large, &request], "large: has more than 8192 bytes"),
        (vec!["--secret-file", &empty, &request], "empty: is empty: copy the provider's secret into it"),
        (vec![&request], "--secret-file: is missing"),
        (vec!["--secret-file", &secret, &text], "text.http:1: must be a request line"),
        (vec!["--secret-file", &secret, &vectors], "vectors.jsonl: "),
        (vec!["--secret-file", &secret, "--at", "soon", &request], "write one such as 2026-01-02T03:04:05Z"),
        (vec!["--secret-file", &secret, "--tolerance", "5", &request], "is not a duration"),
        (vec!["--secret-file", &secret, "--scheme", &text, &request], "cannot be used with"),
        (vec!["--secret-file", &secret], "<REQUEST>"),
    ] {
        let exit = program(&[&github[..], &flags].concat(), b"");
        assert_eq!((exit.status, &*exit.output), (2, ""), "{flags:?}");
        assert!(exit.errors.contains(told), "{flags:?}: {}", exit.errors);
    }
    for (flags, told) in [
        (vec!["--provider", "gihtub", &request], "did you mean github?"),
        (vec![&request], "give --provider ID, or --scheme FILE"),
        (vec!["--provider", "twilio", "--secret-file", &secret, &request], "--public-url: is missing"),
        (
            vec!["--provider", "google-pubsub", "--secret-file", &secret, &request],
            "--jwt-audience: is missing",
        ),
        (vec!["--provider", "google-pubsub", "--jwt-audience", "us", &request], "--jwt-email: is missing"),
        (vec!["--provider", "discord", "--secret-file", &secret, &request], "secret: is "),
    ] {
        let exit = program(&[&["verify"], &flags[..]].concat(), b"");
        assert_eq!((exit.status, &*exit.output), (2, ""), "{flags:?}");
        assert!(exit.errors.contains(told), "{flags:?}: {}", exit.errors);
        assert!(!exit.errors.contains(SECRET), "{flags:?}: {}", exit.errors);
    }
}
