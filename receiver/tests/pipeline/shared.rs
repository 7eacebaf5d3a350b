//! Receivers that share a store.
use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

use boathook_testbed::{Postgres, shared_postgres};

use super::{
    program::{Answer, GITHUB, Program, Request, configuration, folders, until},
    sink::Server,
};

/// Any free port.
const ANY: &str = "127.0.0.1:0";

/// A receiver over the database at this URL, delivering to this sink.
fn receiver(url: &str, sink: &Server, admin: &str) -> Program {
    let folders = folders(&configuration(
        GITHUB,
        &format!("http: {{ url: \"http://{}/\", timeout: 2s }}", sink.address),
    ));
    let mut command = Command::new(super::receiver_program());
    command
        .args(["--store", "postgres", "--log", "json", "--listen", ANY, "--admin", admin, "--api", ANY])
        .arg("--config")
        .arg(folders.path().join("config"))
        .arg("--data")
        .arg(folders.path().join("data"))
        .env_clear()
        .env("BOATHOOK_POSTGRES_URL", url)
        .stdin(Stdio::null());
    Program::run(command, folders)
}

fn ids(sink: &Server) -> Vec<String> {
    let mut ids = sink.values("x-github-delivery");
    ids.sort();
    ids
}

#[test]
fn what_one_receiver_has_stored_another_delivers_once_and_after_its_end_the_first_does() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let one = receiver(&url, &sink, ANY);
    one.logged("this receiver delivers now");
    let other = receiver(&url, &sink, ANY);
    other.logged("another receiver delivers; this one stores events");
    assert_eq!(other.send("1", "push", "{}").status, 200);
    assert_eq!(one.send("2", "push", "{}").status, 200);
    // Whichever of them the provider calls again.
    assert_eq!(one.send("1", "push", "{}").status, 200);
    assert_eq!(other.send("2", "push", "{}").status, 200);
    until("both to be delivered", || (ids(&sink) == ["1", "2"]).then_some(()));
    one.stop();
    assert_eq!(other.send("3", "push", "{}").status, 200);
    until("it to be delivered by the other", || (ids(&sink) == ["1", "2", "3"]).then_some(()));
    other.logged("this receiver delivers now");
    let report = other.report();
    until("its end to be recorded", || (other.report()["sinks"][0]["pending"] == 0).then_some(()));
    assert_eq!(report["endpoints"].as_array().unwrap().len(), 1);
}

#[test]
fn a_receiver_that_stands_still_is_followed_by_another_and_delivers_nothing_when_it_goes_on() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let one = receiver(&url, &sink, ANY);
    one.logged("this receiver delivers now");
    let other = receiver(&url, &sink, ANY);
    one.signal("STOP");
    // Not before its lease has run out.
    other.logged("this receiver delivers now");
    assert_eq!(other.send("1", "push", "{}").status, 200);
    until("it to be delivered", || (ids(&sink) == ["1"]).then_some(()));
    one.signal("CONT");
    one.logged("another receiver delivers; this one stores events");
    assert_eq!(one.send("2", "push", "{}").status, 200);
    until("it to be delivered by the other", || (ids(&sink) == ["1", "2"]).then_some(()));
}

#[test]
fn while_the_database_is_away_nothing_is_acknowledged_and_when_it_is_back_all_goes_on() {
    let (server, sink) = (Postgres::start().unwrap(), Server::start());
    let url = server.database().unwrap();
    let program = receiver(&url, &sink, ANY);
    assert_eq!(program.send("1", "push", "{}").status, 200);
    server.crash().unwrap();
    assert_eq!(program.send("2", "push", "{}").refusal(), (503, "unavailable".into()));
    assert_eq!(program.get("/readyz").status, 200);
    server.start_again().unwrap();
    until("it to be stored", || (program.send("2", "push", "{}").status == 200).then_some(()));
    until("both to be delivered", || {
        let ids = ids(&sink);
        (ids.contains(&"1".into()) && ids.contains(&"2".into())).then_some(())
    });
}

#[test]
fn a_start_waits_for_the_database_and_says_so() {
    let (server, sink) = (Postgres::start().unwrap(), Server::start());
    let url = server.database().unwrap();
    server.crash().unwrap();
    let private = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let admin = private.to_string();
    let waiting = thread::spawn(move || receiver(&url, &sink, &admin));
    let ready = || {
        let mut stream = TcpStream::connect(private).ok()?;
        stream.write_all(&Request::new("GET", "/readyz").head()).ok()?;
        Some(Answer::read(&mut stream))
    };
    until("it to say what it waits for", || {
        let answer = ready()?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status == 503 && text.contains("waiting for the database: ")).then_some(())
    });
    server.start_again().unwrap();
    let program = waiting.join().unwrap();
    assert_eq!(program.get("/readyz").status, 200);
}
