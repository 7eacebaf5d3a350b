//! Order by key: of one key one delivery goes at a time, in the order of arrival; other keys do not wait for it.
use super::{
    program::{GITHUB, Program, configuration, until},
    sink::Server,
};

fn keyed(server: &Server, more: &str) -> String {
    let sink = format!(
        "http: {{ url: \"http://{}/take\" }}\nconcurrency: 8\n\
         retry: {{ initialDelay: 20ms, multiplier: 1.0, jitter: None{more} }}",
        server.address
    );
    configuration(&format!("{GITHUB}\nevents: {{ key: \"{{/key}}\" }}"), &sink)
}

fn send(program: &Program, key: &str, number: usize) {
    let id = format!("{key}{number}");
    let body = format!(r#"{{"key":"{key}","number":{number},"text":"{id}"}}"#);
    assert_eq!(program.send(&id, "push", &body).status, 200, "{id}");
}

/// The ids that came in, each at its last attempt.
fn taken(server: &Server) -> Vec<String> {
    let all = server.values("boathook-event-id");
    let last = |(place, id): &(usize, &String)| !all[place + 1..].contains(id);
    all.iter().enumerate().filter(last).map(|(_, id)| id.clone()).collect()
}

fn of<'i>(ids: &'i [String], key: &str) -> Vec<&'i str> {
    ids.iter().map(String::as_str).filter(|id| id.starts_with(key)).collect()
}

#[test]
fn a_key_waits_for_its_first_and_others_go_on() {
    let server = Server::start();
    server.refuse(Some("a0"));
    let program = Program::start(&keyed(&server, ""));
    for number in 0..40 {
        send(&program, "a", number);
        send(&program, "b", number);
    }
    until("all of the other key", || (program.report()["sinks"][0]["delivered"] == 40).then_some(()));
    assert_eq!(of(&taken(&server), "a"), ["a0"]);
    // It is held up over a crash, too.
    let program = Program::start_in(program.kill(), &[]);
    until("another attempt", || {
        server.values("boathook-attempt").iter().any(|number| number.len() > 1).then_some(())
    });
    server.refuse(None);
    until("everything", || (program.report()["sinks"][0]["delivered"] == 80).then_some(()));
    let taken = taken(&server);
    for key in ["a", "b"] {
        let wanted: Vec<String> = (0..40).map(|number| format!("{key}{number}")).collect();
        assert_eq!(of(&taken, key), wanted);
    }
}

#[test]
fn a_key_goes_on_behind_what_is_parked() {
    let server = Server::start();
    server.refuse(Some("a0"));
    let program = Program::start(&keyed(&server, ", maxAttempts: 2"));
    (0..3).for_each(|number| send(&program, "a", number));
    until("the others", || (program.report()["sinks"][0]["delivered"] == 2).then_some(()));
    assert_eq!(server.values("boathook-event-id"), ["a0", "a0", "a1", "a2"]);
    assert_eq!(program.report()["sinks"][0]["parked"], 1);
}
