//! `providers`, `secret new`, and what the program says of itself.
use std::collections::BTreeSet;

use boathook_verify::{Scheme, preset, preset_ids};
use serde_json::Value;

use crate::program::{program, program_at};

#[test]
fn the_table_has_a_line_for_each_provider() {
    let exit = program(&["providers"], b"");
    assert_eq!((exit.status, exit.output.lines().count()), (0, preset_ids().len() + 1));
    let line = |id: &str| exit.output.lines().find(|line| line.split(' ').next() == Some(id)).unwrap();
    let words =
        |id: &str| line(id).split("  ").map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    assert_eq!(words("stripe"), ["stripe", "Stripe", "HMAC-SHA256", "yes", "5m"]);
    assert_eq!(words("postmark")[2..], ["Basic credentials", "no", "no"]);
    assert!(preset_ids().all(|id| !line(id).is_empty()));
}

#[test]
fn a_provider_is_told_with_what_to_click_and_an_endpoint_to_start_from() {
    let exit = program(&["providers", "standard-webhooks"], b"");
    assert_eq!(exit.status, 0);
    assert!(exit.output.starts_with("# Standard Webhooks\n"), "{}", exit.output);
    for part in [
        "spec/standard-webhooks.md",
        "kind: Secret",
        "kind: WebhookEndpoint",
        "at most 5m",
        "copy the secret",
    ] {
        assert!(exit.output.contains(part), "{part} is not in {}", exit.output);
    }
}

#[test]
fn schemes_come_as_json_with_their_id() {
    let exit = program(&["providers", "-o", "json"], b"");
    let all: Vec<Value> = serde_json::from_str(&exit.output).unwrap();
    let ids: BTreeSet<&str> = all.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, preset_ids().collect());
    let exit = program(&["providers", "twilio", "--output", "json"], b"");
    let one: Value = serde_json::from_str(&exit.output).unwrap();
    let scheme: Scheme = serde_json::from_value(one["scheme"].clone()).unwrap();
    assert_eq!((one["id"].as_str(), Some(scheme)), (Some("twilio"), preset("twilio")));
}

#[test]
fn an_unknown_provider_is_told_with_its_neighbour() {
    for (id, told) in [("gihtub", "did you mean github?"), ("somebody-else-entirely", "`providers` lists")] {
        let exit = program(&["providers", id], b"");
        assert_eq!((exit.status, &*exit.output), (2, ""));
        assert!(exit.errors.starts_with("boathook: ") && exit.errors.contains(told), "{}", exit.errors);
    }
}

#[test]
fn a_new_secret_has_32_bytes_and_is_another_one_each_time() {
    let new = || {
        let exit = program(&["secret", "new"], b"");
        assert_eq!(exit.status, 0);
        exit.output
    };
    let (one, other) = (new(), new());
    assert_ne!(one, other);
    // 32 bytes are 44 characters of Base64.
    assert!(
        one.starts_with("whsec_") && one.ends_with("=\n") && one.len() == "whsec_".len() + 44 + 1,
        "{one}"
    );
}

#[test]
fn each_program_calls_itself_as_it_is_called() {
    for (path, called) in [
        (env!("CARGO_BIN_EXE_boathook"), "boathook"),
        (env!("CARGO_BIN_EXE_kubectl-boathook"), "kubectl boathook"),
    ] {
        let help = program_at(path, &["verify", "--help"], b"");
        assert_eq!(help.status, 0);
        assert!(
            help.output.contains(&format!("Usage: {called} verify [OPTIONS] <REQUEST>")),
            "{}",
            help.output
        );
        let version = program_at(path, &["--version"], b"");
        assert_eq!(version.output, format!("boathook {}\n", env!("CARGO_PKG_VERSION")));
        assert_eq!(program_at(path, &[], b"").status, 2);
    }
}
