//! From an acknowledged request to a sink.
use super::{
    program::{GITHUB, Program, configuration, until},
    sink::Server,
};

fn http(server: &Server, more: &str) -> String {
    format!("http: {{ url: \"http://{}/take\" }}\n{more}", server.address)
}

#[test]
fn a_sink_gets_the_providers_bytes_and_headers() {
    let server = Server::start();
    let program = Program::start(&configuration(GITHUB, &http(&server, "")));
    let body = "{ \"action\":\"opened\",\n  \"text\": \"caf\u{e9} \\u00e9\" }";
    let answer = program.send("d-1", "issues", body);
    assert_eq!(answer.status, 200);
    let answered = answer.json();
    assert_eq!((&answered["eventId"], &answered["eventType"]), (&"d-1".into(), &"issues.opened".into()));
    let got = until("the delivery", || server.got().pop());
    assert_eq!((&*got.path, &got.body[..]), ("/take", body.as_bytes()));
    assert_eq!(got.header("x-github-event"), Some("issues"));
    assert_eq!(got.header("boathook-event-id"), Some("d-1"));
    assert_eq!(got.header("boathook-event-type"), Some("issues.opened"));
    assert_eq!(got.header("boathook-endpoint"), Some("default/in"));
    assert_eq!(got.header("boathook-attempt"), Some("1"));
    assert_eq!(got.header("idempotency-key").map(str::len), Some(36));
    assert_eq!(got.header("host"), Some(&*server.address.to_string()));
}

#[test]
fn a_repetition_is_acknowledged_and_delivered_once() {
    let server = Server::start();
    let program = Program::start(&configuration(GITHUB, &http(&server, "")));
    for _ in 0..3 {
        assert_eq!(program.send("d-1", "push", "{}").status, 200);
    }
    assert_eq!(
        program.send("d-1", "push", "{\"another\":1}").status,
        200,
        "an unsigned id with another body"
    );
    program.send("last", "push", "{}");
    until("three deliveries", || (program.report()["sinks"][0]["delivered"] == 3).then_some(()));
    let mut ids = server.values("boathook-event-id");
    ids.sort();
    assert_eq!(ids, ["d-1", "d-1", "last"]);
    let report = program.report();
    let events = &report["endpoints"][0]["events"];
    assert_eq!((&events["accepted"], &events["duplicate"]), (&3.into(), &2.into()));
}

#[test]
fn a_sink_that_fails_again_and_again_is_left_alone_until_it_is_back() {
    let server = Server::start();
    server.answer(500);
    let retry = "retry: { initialDelay: 1ms, multiplier: 1.0, jitter: None }";
    let program = Program::start(&configuration(GITHUB, &http(&server, retry)));
    (0..5).for_each(|number| drop(program.send(&format!("d-{number}"), "push", "{}")));
    let sink = || program.report()["sinks"][0].clone();
    until("the breaker", || (sink()["breaker"] != "Closed").then_some(()));
    let line = program.logged(
        "the sink is left alone for a while, then tried with one delivery at a time; what waits for it is kept",
    );
    assert!(line["error"].as_str().unwrap().contains("500"), "{line}");
    assert!(program.metric("boathook_sink_shut{sink=\"default/out\"}") > 0.0);
    let attempts = server.got().len();
    assert!(attempts < 40, "{attempts}");
    server.answer(200);
    until("everything", || (sink()["delivered"] == 5).then_some(()));
    assert_eq!(sink()["breaker"], "Closed");
    program.logged("the sink is served again");
}

#[test]
fn a_failing_sink_is_tried_again_until_it_takes_the_event() {
    let server = Server::start();
    server.answer(500);
    let retry = "retry: { initialDelay: 10ms, multiplier: 1.0, jitter: None }";
    let program = Program::start(&configuration(GITHUB, &http(&server, retry)));
    program.send("d-1", "push", "{}");
    until("three attempts", || (server.got().len() >= 3).then_some(()));
    server.answer(204);
    until("the delivery", || (program.report()["sinks"][0]["delivered"] == 1).then_some(()));
    let got = server.got();
    let keys: std::collections::HashSet<_> = server.values("idempotency-key").into_iter().collect();
    assert_eq!(keys.len(), 1, "every attempt has the same key");
    let attempts = server.values("boathook-attempt");
    assert_eq!(attempts, (1..=got.len()).map(|n| n.to_string()).collect::<Vec<_>>());
    let sink = &program.report()["sinks"][0];
    assert_eq!((&sink["pending"], &sink["parked"]), (&0.into(), &0.into()));
    assert_eq!(sink["failedAttempts"], got.len() - 1);
}

#[test]
fn a_parked_event_goes_out_when_its_provider_sends_it_again() {
    let server = Server::start();
    server.answer(422);
    let sink = http(&server, "retry: { permanentStatuses: [422] }");
    let program = Program::start(&configuration(GITHUB, &sink));
    program.send("d-1", "push", "{}");
    until("it to be parked", || (program.report()["sinks"][0]["parked"] == 1).then_some(()));
    assert_eq!(server.got().len(), 1);
    server.answer(200);
    assert_eq!(program.send("d-1", "push", "{}").status, 200);
    until("the delivery", || (program.report()["sinks"][0]["delivered"] == 1).then_some(()));
    assert_eq!(program.report()["sinks"][0]["parked"], 0);
    assert_eq!(server.got().len(), 2);
}

#[test]
fn a_sink_that_nobody_listens_at_costs_the_others_nothing() {
    let server = Server::start();
    // Port 9 of loopback: refused.
    let dead = "apiVersion: boathook.dev/v1alpha1\nkind: WebhookSink\nmetadata: { name: dead }\nspec:\n  http: { url: \"http://127.0.0.1:9/\" }\n---\n";
    let all =
        configuration(GITHUB, &http(&server, "")).replace("{ name: out }]", "{ name: out }, { name: dead }]");
    let program = Program::start(&format!("{dead}{all}"));
    for n in 0..50 {
        assert_eq!(program.send(&format!("d-{n}"), "push", "{}").status, 200);
    }
    until("all deliveries", || (server.got().len() == 50).then_some(()));
    let report = until("the dead one to be left alone", || {
        let report = program.report();
        (report["sinks"][0]["breaker"] == "Open").then_some(report)
    });
    let dead = &report["sinks"][0];
    assert!(dead["failedAttempts"].as_u64() < Some(50), "{dead}");
    assert_eq!((&dead["name"], &dead["pending"]), (&"default/dead".into(), &50.into()));
    assert!(
        dead["lastError"].as_str().unwrap().starts_with("unreachable: cannot connect to 127.0.0.1:9"),
        "{dead}"
    );
}

#[test]
fn a_suspended_sink_gets_its_events_when_it_is_not_suspended_any_more() {
    let server = Server::start();
    let program = Program::start(&configuration(GITHUB, &http(&server, "suspend: true")));
    program.send("d-1", "push", "{}");
    assert_eq!(program.report()["sinks"][0]["pending"], 1);
    program.configure(&configuration(GITHUB, &http(&server, "")));
    until("the delivery", || (server.values("boathook-event-id") == ["d-1"]).then_some(()));
}

#[test]
fn every_item_of_a_batch_is_an_event_and_the_batch_is_one_request() {
    let server = Server::start();
    let front = "provider: front-seed\nsecrets: [{ name: hook, key: secret }]";
    let program = Program::start(&configuration(front, &http(&server, "")));
    let mut request = super::program::Request::new("POST", "/in").header("X-Front-Event-ID", "b");
    request.body = br#"[{"type":"comment.added","id":"x"},{"type":"message.sent"}]"#.to_vec();
    let answer = request.sign("front-seed", super::program::SECRET).send(program.public);
    assert_eq!((answer.status, &answer.json()["eventId"]), (200, &"x".into()));
    until("both", || (server.got().len() == 2).then_some(()));
    let mut ids = server.values("boathook-event-id");
    ids.sort();
    assert_eq!(ids, ["b#1", "x"]);
    assert_eq!(program.metric(r#"boathook_requests_total{endpoint="default/in",outcome="accepted"}"#), 1.0);
    assert_eq!(program.report()["endpoints"][0]["events"]["accepted"], 2);
}

#[test]
fn soap_is_answered_with_soap_and_delivered_item_by_item_as_json() {
    let server = Server::start();
    let salesforce = "provider: salesforce-outbound-message\nsecrets: [{ name: hook, key: organisation }]";
    let program = Program::start(&configuration(salesforce, &http(&server, "")));
    let send = |organisation: &str| {
        let mut request =
            super::program::Request::new("POST", "/in").header("Content-Type", "text/xml; charset=UTF-8");
        request.body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"u\"><s:Body><notifications>\
             <OrganizationId>{organisation}</OrganizationId><Notification><Id>04l1</Id>\
             <sObject i:type=\"sf:Account\"><f:Id>0011</f:Id></sObject></Notification>\
             </notifications></s:Body></s:Envelope>"
        )
        .into_bytes();
        request.send(program.public)
    };
    assert_eq!(send("00D3j0000009xYz").refusal(), (401, "invalid_signature".into()));
    let told = send("00D3j0000002abCEAQ");
    assert_eq!((told.status, told.header("content-type")), (200, Some("text/xml; charset=utf-8")));
    assert!(String::from_utf8_lossy(&told.body).contains("<Ack>true</Ack>"));
    let got = until("the notification", || server.got().pop());
    assert_eq!(got.body, br#"{"Id":"04l1","sObject":{"@type":"sf:Account","Id":"0011"}}"#);
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("boathook-event-id"), Some("04l1"));
    assert_eq!(got.header("boathook-event-type"), Some("sf:Account"));
}
