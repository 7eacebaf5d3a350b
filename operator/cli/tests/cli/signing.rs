//! What `sign` prints is what `verify` finds genuine, and what it does not print it says.
use boathook_verify::{
    KeyDecode, Kind, Part, Scheme, Signature, TimeFormat, TimestampFrom, preset, preset_ids,
};

use crate::program::{Files, program, run};

const NOW: &str = "2026-01-02T03:04:05Z";
const URL: &str = "https://hooks.example.com/hook";

/// A secret that can be read as the scheme reads it.
fn secret_of(scheme: &Scheme) -> &'static str {
    match (scheme.kind, scheme.key.as_ref().map(|key| key.decode)) {
        (Kind::Basic, _) => "user:password",
        (_, Some(KeyDecode::Hex)) => "4d6f6e646179",
        (_, Some(KeyDecode::Base64)) => "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        _ => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
}

/// A body with the time where the scheme looks for it.
fn body_of(scheme: &Scheme) -> String {
    let Some(rule) = &scheme.timestamp else { return r#"{"id":"evt_1"}"#.into() };
    let TimestampFrom::Pointer(pointer) = &rule.from else { return r#"{"id":"evt_1"}"#.into() };
    let time = match rule.format.as_slice()[0] {
        TimeFormat::UnixSeconds => "1767323045".into(),
        TimeFormat::UnixMillis => "1767323045000".into(),
        TimeFormat::Rfc3339 | TimeFormat::HttpDate => format!("\"{NOW}\""),
    };
    pointer
        .rsplit('/')
        .filter(|step| !step.is_empty())
        .fold(time, |inner, step| format!("{{\"{step}\":{inner}}}"))
}

/// Whether `sign` should be able to.
fn is_signable(scheme: &Scheme) -> bool {
    let from = |Signature { from, .. }: &Signature| {
        from.pointer.is_none() && from.form.is_none() && from.query.is_none()
    };
    matches!(scheme.kind, Kind::Hmac | Kind::Hash) && scheme.signature.as_ref().is_some_and(from)
}

#[test]
fn what_is_signed_for_a_provider_is_genuine() {
    let files = Files::new();
    let mut count = 0;
    for id in preset_ids() {
        let scheme = preset(id).unwrap();
        if !is_signable(&scheme) {
            continue;
        }
        count += 1;
        let secret = files.add("secret", secret_of(&scheme));
        let token = files.add("token", "verify-token");
        let body = body_of(&scheme);
        let sender = ["--provider", id, "--secret-file", &secret, "--public-url", URL, "--at", NOW];
        let headers: Vec<String> = scheme
            .signed
            .iter()
            .filter_map(|part| match part {
                Part::Header(name) => Some(format!("{name}: value-of-it")),
                _ => None,
            })
            .collect();
        // A body that is no form is bound by its digest in the query.
        let mut given: Vec<&str> = vec!["--header", "Content-Type: application/x-www-form-urlencoded"];
        given.extend(headers.iter().flat_map(|header| ["--header", header]));
        let sign = [&["sign", "--path", "/hook?b=2&a=1", "--body", "-"], &sender[..], &given].concat();
        let signed = run(&sign, body.as_bytes()).unwrap_or_else(|mistake| panic!("{id}: {mistake}")).output;
        for required in &scheme.require {
            assert!(
                signed.contains(&format!("{}: {}\n", required.header, required.equals)),
                "{id}: {signed}"
            );
        }
        for (line_end, what) in [("\n", "LF"), ("\r\n", "CRLF")] {
            let head = format!("POST /hook?b=2&a=1 HTTP/1.1\n{signed}\n").replace('\n', line_end);
            let verify = [&["verify", "--verify-token-file", &token], &sender[..], &["-"]].concat();
            let ended = run(&verify, format!("{head}{body}").as_bytes());
            let ended = ended.unwrap_or_else(|mistake| panic!("{id}, {what}: {mistake}"));
            assert!(ended.good && ended.output.starts_with("genuine\n"), "{id}, {what}: {}", ended.output);
            let changed = run(&verify, format!("{head}{body} ").as_bytes()).unwrap();
            assert!(!changed.good || !scheme.body_protected, "{id}, {what}: a changed body passes");
        }
    }
    assert!(count > 60, "only {count} providers were signed for");
}

#[test]
fn githubs_published_example_is_signed_as_published_and_spelt_as_github_spells_it() {
    let files = Files::new();
    let secret = files.add("secret", "It's a Secret to Everybody\n");
    let sign = [
        "sign",
        "--provider",
        "github",
        "--secret-file",
        &secret,
        "--body",
        "-",
        "--header",
        "X-gitHub-event: push",
    ];
    let exit = program(&sign, b"Hello, World!");
    assert_eq!((exit.status, &*exit.errors), (0, ""));
    let lines: Vec<&str> = exit.output.lines().collect();
    let signature =
        "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(lines, ["X-gitHub-event: push", "Content-Type: application/json", signature]);
}

#[test]
fn what_cannot_be_signed_or_would_show_the_secret_is_told() {
    let files = Files::new();
    let secret = files.add("secret", "user:password-3141592653");
    for (provider, told) in [
        ("discord", "only the provider has the private key"),
        ("monday", "a token is made by its issuer"),
        ("mailgun", "the signature stands in the body"),
        ("gitlab-token", "use `send`"),
        ("postmark", "use `send`"),
        ("azure-event-grid", "use `send`"),
        ("microsoft-graph", "use `send`"),
        ("gihtub", "did you mean github?"),
        ("standard-webhooks", "--header 'webhook-id: VALUE'"),
    ] {
        let exit = program(&["sign", "--provider", provider, "--secret-file", &secret], b"");
        assert_eq!((exit.status, &*exit.output), (2, ""), "{provider}");
        assert!(exit.errors.contains(told), "{provider}: {}", exit.errors);
        assert!(!exit.errors.contains("3141592653"), "{provider}: {}", exit.errors);
    }
}

#[test]
fn a_scheme_of_ones_own_signs_and_its_mistakes_are_told_with_their_place() {
    let files = Files::new();
    let secret = files.add("secret", "0123456789abcdef");
    let scheme =
        "kind: hmac\nalgorithm: sha512\nsignature: { from: { headers: [X-Sig] }, encoding: base64 }\n";
    let sign = |text: &str| {
        let scheme = files.add("scheme.yaml", text);
        run(&["sign", "--scheme", &scheme, "--secret-file", &secret, "--body", "-"], b"{}")
    };
    assert!(sign(scheme).unwrap().output.contains("\nX-Sig: "), "{:?}", sign(scheme));
    for (wrong, told) in [
        (scheme.replace("algorithm", "algoritm"), "scheme.yaml: no scheme has the member algoritm"),
        (scheme.replace("from", "form"), "scheme.yaml:3: signature"),
        (scheme.replace("sha512", "ed25519"), "scheme.yaml: algorithm: must be sha1"),
        ("kind: [".into(), "scheme.yaml:"),
        (format!("{scheme}kind: hash\n"), "scheme.yaml:4: kind stands twice"),
        (
            format!("{scheme}require: [{{ header: X-Sig, equals: a }}]\n"),
            "scheme.yaml: require[0].header: is where the signature",
        ),
    ] {
        let mistake = sign(&wrong).unwrap_err();
        assert!(mistake.0.contains(told), "{mistake}");
    }
}
