//! Which events reach a sink, and what it gets.
use super::{
    program::{GITHUB, Program, Request, SECRET, configuration, until},
    sink::Server,
};

fn http(server: &Server, more: &str) -> String {
    format!("http: {{ url: \"http://{}/take\" }}\n{more}", server.address)
}

fn github(endpoint: &str, sink: &str) -> Program {
    Program::start(&configuration(&format!("{GITHUB}\n{endpoint}"), sink))
}

/// Numbers of the endpoint's deliveries, by word.
fn deliveries(program: &Program) -> [u64; 3] {
    let report = program.report();
    ["delivered", "parked", "pending"]
        .map(|word| report["endpoints"][0]["events"][word].as_u64().unwrap_or_default())
}

#[test]
fn a_sinks_filter_chooses_and_its_body_is_what_it_asks_for() {
    let server = Server::start();
    let sink = "filter: { match: [{ field: amount, operator: GreaterThan, value: 9 }] }\nbody: Fields\n\
                fields: [{ name: amount, value: \"{/amount}\" }, { name: kind, value: \"{type}\" }]";
    let program = github("", &http(&server, sink));
    assert_eq!(program.send("1", "push", r#"{"amount":9}"#).status, 200);
    assert_eq!(program.send("2", "push", r#"{"amount":9.50}"#).status, 200);
    let got = until("the delivery", || server.got().pop());
    assert_eq!(got.header("boathook-event-id"), Some("2"));
    assert_eq!(std::str::from_utf8(&got.body), Ok(r#"{"amount":9.50,"kind":"push"}"#));
    assert_eq!(got.header("x-github-event"), None);
    until("the record", || (deliveries(&program) == [1, 0, 0]).then_some(()));
    assert_eq!(program.report()["events"], 2, "what no sink wants is stored, too");
}

#[test]
fn what_does_not_fit_its_schema_may_be_put_aside_until_it_is_sent_again() {
    let server = Server::start();
    let program =
        github("events: { schemas: [{ schema: { required: [id] }, onMismatch: Park }] }", &http(&server, ""));
    assert_eq!(program.send("1", "push", "{}").status, 200);
    let line = program.logged("an event does not fit its schema");
    assert_eq!(
        (&line["error_code"], &line["parked"], &line["event_id"]),
        (&"missing_id".into(), &true.into(), &"1".into())
    );
    assert_eq!(deliveries(&program), [0, 1, 0]);
    assert_eq!(
        program.metric(r#"boathook_schema_mismatches_total{endpoint="default/in",outcome="parked"}"#),
        1.0
    );
    assert_eq!(program.send("2", "push", r#"{"id":1}"#).status, 200);
    until("the one that fits", || (deliveries(&program) == [1, 1, 0]).then_some(()));
    // It is still no event that fits: a repetition does not make it one.
    assert_eq!(program.send("1", "push", "{}").status, 200);
    assert_eq!((deliveries(&program), server.got().len()), ([1, 1, 0], 1));
}

#[test]
fn in_a_batch_an_item_that_does_not_fit_is_put_aside_and_the_others_go_on() {
    let server = Server::start();
    let front = "provider: front-seed\nsecrets: [{ name: hook, key: secret }]\n\
                 events: { schemas: [{ schema: { required: [payload] } }] }";
    let program = Program::start(&configuration(front, &http(&server, "")));
    let send = |body: &[u8]| {
        let mut request = Request::new("POST", "/in").header("X-Front-Event-ID", "b");
        request.body = body.to_vec();
        request.sign("front-seed", SECRET).send(program.public)
    };
    assert_eq!(send(br#"[{"type":"a","id":"x"},{"type":"a","id":"y","payload":{}}]"#).status, 200);
    until("the other", || (deliveries(&program) == [1, 1, 0]).then_some(()));
    assert_eq!(server.values("boathook-event-id"), ["y"]);
    let alone = send(br#"{"type":"a","id":"z"}"#);
    assert_eq!(alone.refusal(), (400, "missing_payload".into()));
}

#[test]
fn what_sinks_would_get_is_shown_in_shadow_and_is_what_they_get_then() {
    let server = Server::start();
    let sink = format!(
        "http: {{ url: \"http://{}/take\", headers: [{{ name: Authorization, secretRef: {{ name: hook, key: other }} }}] }}\n\
         body: Fields\nfields: [{{ name: team, value: \"{{attr:team}}\" }}, {{ name: n, value: \"{{/n}}\" }}]",
        server.address
    );
    let team = format!("{GITHUB}\nattributes: {{ team: red }}");
    let program = Program::start(&configuration(&format!("{team}\nmode: Shadow"), &sink));
    assert_eq!(program.send("1", "push", "{\"n\":1}").status, 200);
    let events = program.call("GET", "/v1/events", "").json();
    let uid = events["events"][0]["uid"].as_str().unwrap().to_owned();
    let path = format!("/v1/events/{uid}/rendered");
    let told = program.call("GET", &path, "").json()["deliveries"][0].clone();
    assert_eq!(told["destination"], format!("http://{}/take", server.address));
    assert_eq!((&told["state"], &told["attempt"]), (&"parked".into(), &1.into()));
    assert_eq!(told["body"]["text"], "{\"team\":\"red\",\"n\":1}");
    let header = |name: &str| {
        let headers = told["headers"].as_array().unwrap();
        headers.iter().find(|header| header["name"] == name).map(|header| header["value"].clone())
    };
    assert_eq!(header("idempotency-key"), Some(uid.clone().into()));
    assert_eq!(header("authorization"), Some("[secret]".into()));
    assert_eq!(program.call("GET", &format!("{path}?sink=default/none"), "").status, 404);
    assert_eq!(server.got().len(), 0);
    program.configure(&configuration(&team, &sink));
    program.logged("the configuration has changed");
    assert_eq!(program.call("POST", &format!("/v1/events/{uid}/replay"), "").status, 200);
    let got = until("the delivery", || server.got().pop());
    assert_eq!(got.body, b"{\"team\":\"red\",\"n\":1}");
    assert_eq!(server.values("authorization"), ["other-secret"]);
}

#[test]
fn an_endpoint_in_shadow_answers_and_stores_and_sends_nothing_out() {
    let server = Server::start();
    let program = github("mode: Shadow", &http(&server, ""));
    assert_eq!(program.send("1", "push", "{}").status, 200);
    assert_eq!(program.send("1", "push", "{}").status, 200);
    assert_eq!((deliveries(&program), &program.report()["events"]), ([0, 1, 0], &1.into()));
    program.logged("please note");
    program.configure(&configuration(GITHUB, &http(&server, "")));
    program.logged("the configuration has changed");
    assert_eq!(program.send("2", "push", "{}").status, 200);
    until("what comes from then on", || (deliveries(&program) == [1, 1, 0]).then_some(()));
    assert_eq!(server.values("boathook-event-id"), ["2"]);
}
