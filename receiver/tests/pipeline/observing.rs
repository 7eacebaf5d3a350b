//! What people and machines are told: logs, metrics, the report.
use serde_json::Value;

use super::program::{Answer, GITHUB, Program, Request, configuration, connect, until};

const LOG: &str = "log: {}";

#[test]
fn each_request_has_one_log_line_with_its_fields() {
    let program = Program::start(&configuration(&format!("{GITHUB}\nevents: {{ types: [push] }}"), LOG));
    program.send("d-1", "push", "{}");
    program.send("d-1", "push", "{}");
    program.send("d-2", "fork", "{}");
    Request::signed_with("wrong", "d-3", "push", "{}").send(program.public);
    let logs = program.logs();
    let lines = until("four lines", || {
        let mut lines = logs.with("endpoint", "default/in");
        lines.retain(|line| line["status"].is_number());
        (lines.len() == 4).then_some(lines)
    });
    let told = |line: &Value| {
        let text = |member: &str| line[member].as_str().unwrap_or("-").to_owned();
        assert!(line["processing_time_ms"].as_f64().unwrap() > 0.0, "{line}");
        assert_eq!(line["source"], "127.0.0.1");
        [text("level"), text("event_id"), text("event_type"), line["status"].to_string(), text("error_code")]
            .join(" ")
    };
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            "INFO d-1 push 200 -",
            "INFO d-1 push 200 -",
            "WARN d-2 fork 200 -",
            "ERROR - - 401 invalid_signature",
        ]
    );
    assert_eq!(lines[0]["uid"].as_str().map(str::len), Some(36));
    assert!(lines[3]["reason"].as_str().unwrap().contains("no configured secret makes this signature"));
}

#[test]
fn a_flood_of_refusals_is_told_in_full_by_lines_and_counts() {
    let program = Program::start(&configuration(GITHUB, LOG));
    let forged = Request::signed_with("wrong", "d", "push", "{}");
    let mut stream = connect(program.public);
    for _ in 0..200 {
        std::io::Write::write_all(&mut stream, &[forged.head(), forged.body.clone()].concat()).unwrap();
        assert_eq!(Answer::read(&mut stream).status, 401);
    }
    let logs = program.logs();
    until("all of them to be told", || {
        let lines = logs.with("message", "refused").len() as u64;
        let summed = logs.with("message", "refused: further requests, not logged one by one");
        let summed: u64 = summed.iter().map(|line| line["count"].as_u64().unwrap()).sum();
        assert!(lines + summed <= 200);
        (lines + summed == 200).then_some(())
    });
    let refusals = r#"boathook_refusals_total{code="invalid_signature",endpoint="default/in"}"#;
    assert_eq!(program.metric(refusals), 200.0);
}

#[test]
fn every_request_is_counted_once_and_labels_come_from_the_configuration() {
    let program = Program::start(&configuration(&format!("{GITHUB}\nevents: {{ types: [\"*\"] }}"), LOG));
    program.send("1", "made-up-1", "{}");
    program.send("2", "made-up-2", "{}");
    program.send("2", "made-up-2", "{}");
    Request::new("GET", "/in").send(program.public);
    Request::new("GET", "/nowhere").send(program.public);
    // One that goes away before it has said everything.
    let leaving = Request::signed("3", "push", "{\"never\":\"sent\"}");
    let mut stream = connect(program.public);
    std::io::Write::write_all(&mut stream, &leaving.head()).unwrap();
    until("the head to be read", || (program.metric("boathook_connections") >= 1.0).then_some(()));
    drop(stream);
    let requests = |outcome: &str| {
        program.metric(&format!("boathook_requests_total{{endpoint=\"default/in\",outcome=\"{outcome}\"}}"))
    };
    until("the one that left", || (requests("unanswered") == 1.0).then_some(()));
    assert_eq!((requests("accepted"), requests("duplicate"), requests("rejected")), (2.0, 1.0, 1.0));
    assert_eq!(program.metric("boathook_unrouted_requests_total"), 1.0);
    let accepted = r#"boathook_events_total{endpoint="default/in",outcome="accepted",type="*"}"#;
    assert_eq!(program.metric(accepted), 2.0);
    let text = String::from_utf8(program.get("/metrics").body).unwrap();
    assert!(!text.contains("made-up"));
    for histogram in ["boathook_request_seconds", "boathook_verify_seconds", "boathook_delivery_age_seconds"]
    {
        assert!(text.contains(&format!("{histogram}_bucket")), "{histogram}");
    }
}

#[test]
fn an_endpoint_that_is_gone_leaves_no_series() {
    let program = Program::start(&configuration(GITHUB, LOG));
    program.send("1", "push", "{}");
    let series = r#"boathook_requests_total{endpoint="default/in",outcome="accepted"}"#;
    assert_eq!(program.metric(series), 1.0);
    program.configure(&configuration(GITHUB, LOG).replace("name: in }", "name: other }"));
    until("its series to be gone", || {
        let text = String::from_utf8(program.get("/metrics").body).unwrap();
        (!text.contains("default/in")).then_some(())
    });
}

#[test]
fn debug_lines_are_switched_on_and_off_by_a_signal() {
    let program = Program::start(&configuration(GITHUB, LOG));
    program.signal("USR1");
    program.logged("the log level has changed");
    program.send("1", "push", "{}");
    assert_eq!(program.logged("delivered")["level"], "DEBUG");
}

#[test]
fn the_private_listener_says_what_it_has() {
    let program = Program::start(&configuration(GITHUB, LOG));
    assert_eq!(program.get("/readyz").status, 200);
    assert_eq!(program.get("/livez").status, 200);
    assert_eq!(program.get("/").status, 404);
    assert_eq!(Request::new("POST", "/report").send(program.private).status, 405);
    assert_eq!(Request::new("GET", "/report").send(program.public).status, 404, "it is private");
    let report = program.report();
    assert_eq!(report["endpoints"][0]["path"], "/in");
    assert_eq!(report["sinks"][0]["name"], "default/out");
    assert!(!report.to_string().contains(super::program::SECRET));
}

#[test]
fn a_refusal_says_what_would_explain_it_in_the_log_and_not_to_the_sender() {
    let program = Program::start(&configuration(GITHUB, "log: {}"));
    let mut request = Request::signed("1", "push", "{}");
    request.body = b"{}\n".to_vec();
    let answer = request.send(program.public);
    assert_eq!(answer.refusal(), (401, "invalid_signature".into()));
    assert!(!answer.json().to_string().contains("line end"), "{}", answer.json());
    let line = program.logged("refused");
    assert!(line["reason"].as_str().unwrap().contains("without its trailing line end"), "{line}");
}
