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

#[test]
fn a_key_that_blocks_waits_behind_what_is_parked_until_it_is_sent_again() {
    let server = Server::start();
    server.refuse(Some("a0"));
    let blocking =
        keyed(&server, ", maxAttempts: 2").replace("{ name: out }]", "{ name: out, onParked: Block }]");
    let program = Program::start(&blocking);
    for number in 0..3 {
        send(&program, "a", number);
        send(&program, "b", number);
    }
    let sink = |program: &Program| program.report()["sinks"][0].clone();
    until("the other key", || (sink(&program)["delivered"] == 3).then_some(()));
    until("the first one to be parked", || (sink(&program)["parked"] == 1).then_some(()));
    // It waits over a crash, too.
    let program = Program::start_in(program.kill(), &[]);
    send(&program, "b", 3);
    until("the other key", || (sink(&program)["delivered"] == 4).then_some(()));
    assert_eq!((&sink(&program)["pending"], &sink(&program)["blocking"]), (&2.into(), &1.into()));
    // Sent again while it is refused, it is parked again, and nothing passes it.
    send(&program, "a", 0);
    let attempts = || of(&server.values("boathook-event-id"), "a").len();
    until("it to be tried again", || (attempts() >= 4 && sink(&program)["parked"] == 1).then_some(()));
    server.refuse(None);
    send(&program, "a", 0);
    until("all of them", || (sink(&program)["delivered"] == 7).then_some(()));
    assert_eq!(of(&taken(&server), "a"), ["a0", "a1", "a2"]);
    assert_eq!((&sink(&program)["parked"], &sink(&program)["blocking"]), (&0.into(), &0.into()));
}
