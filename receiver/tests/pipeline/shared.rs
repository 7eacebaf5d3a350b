//! Receivers that share a store.
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    net::{TcpListener, TcpStream},
    ops::Range,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use boathook_testbed::{Postgres, shared_postgres};

use super::{
    program::{Answer, GITHUB, Program, Request, configuration, folders, until},
    sink::Server,
};

/// Any free port.
const ANY: &str = "127.0.0.1:0";

/// How long tests wait for what an expired lease must come before.
const LONG: Duration = Duration::from_secs(60);

/// The endpoint, whose events have the key that their body says.
fn keyed(more: &str) -> String {
    format!("{GITHUB}\nevents: {{ key: \"{{/key}}\" }}\n{more}")
}

/// A receiver over the database at this URL, delivering to this sink.
fn receiver(url: &str, sink: &Server, admin: &str) -> Program {
    of(url, &keyed(""), sink, admin)
}

fn of(url: &str, endpoint: &str, sink: &Server, admin: &str) -> Program {
    patient(url, endpoint, sink, "2s", admin)
}

/// Of which an attempt may take so long.
fn patient(url: &str, endpoint: &str, sink: &Server, timeout: &str, admin: &str) -> Program {
    let folders = folders(&configuration(
        endpoint,
        &format!(
            "http: {{ url: \"http://{}/\", timeout: {timeout} }}\nretry: {{ initialDelay: 100ms, multiplier: 1.0, jitter: None }}",
            sink.address
        ),
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

/// Waits until it delivers so many partitions, of so many receivers.
fn delivers(program: &Program, partitions: u64, receivers: u64) {
    let deadline = Instant::now() + LONG;
    loop {
        let told = program.logs().with("message", "this receiver delivers its share");
        let last = told.last().map(|line| (line["partitions"].as_u64(), line["receivers"].as_u64()));
        if last == Some((Some(partitions), Some(receivers))) {
            return;
        }
        assert!(Instant::now() < deadline, "{last:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Two receivers that deliver a half each.
fn two(url: &str, sink: &Server) -> [Program; 2] {
    let both = [receiver(url, sink, ANY), receiver(url, sink, ANY)];
    both.iter().for_each(|program| delivers(program, 32, 2));
    both
}

/// Sends events from `numbers`, to one and the other in turn; of eight keys. Who is not answered is asked again, at the other.
fn send(programs: &[&Program], numbers: Range<usize>) {
    for number in numbers {
        let body = format!("{{\"key\":\"k{}\",\"number\":{number}}}", number % 8);
        let mut turn = number;
        until("it to be taken", || {
            turn += 1;
            let program = programs.get(turn % programs.len())?;
            (program.send(&number.to_string(), "push", &body).status == 200).then_some(())
        });
    }
}

fn numbers(sink: &Server) -> Vec<usize> {
    sink.values("x-github-delivery").iter().map(|id| id.parse().unwrap()).collect()
}

/// Waits until all of these have come.
fn have_come(sink: &Server, all: Range<usize>) {
    let deadline = Instant::now() + LONG;
    loop {
        let come: BTreeSet<usize> = numbers(sink).into_iter().collect();
        if come.iter().copied().eq(all.clone()) {
            return;
        }
        assert!(Instant::now() < deadline, "{:?} never came", all.filter(|one| !come.contains(one)));
        thread::sleep(Duration::from_millis(20));
    }
}

/// Of each key the first time of each came in order.
fn in_order(sink: &Server) {
    let mut last = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for number in numbers(sink).into_iter().filter(|number| seen.insert(*number)) {
        let before = last.insert(number % 8, number);
        assert!(before.is_none_or(|before| before < number), "{number} came after {before:?}");
    }
}

#[test]
fn receivers_deliver_their_shares_at_once_and_who_comes_and_goes_in_order_repeats_nothing() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let one = receiver(&url, &sink, ANY);
    delivers(&one, 64, 1);
    send(&[&one], 0..20);
    let other = receiver(&url, &sink, ANY);
    send(&[&one, &other], 20..120);
    delivers(&one, 32, 2);
    delivers(&other, 32, 2);
    send(&[&one, &other], 120..160);
    have_come(&sink, 0..160);
    for program in [&one, &other] {
        let delivered =
            program.metric("boathook_deliveries_total{outcome=\"delivered\",sink=\"default/out\"}");
        assert!(delivered > 10.0, "{delivered}");
        // Whichever of them the provider calls again.
        assert_eq!(program.send("1", "push", "{\"key\":\"k1\",\"number\":1}").status, 200);
    }
    one.stop();
    delivers(&other, 64, 1);
    send(&[&other], 160..180);
    have_come(&sink, 0..180);
    in_order(&sink);
    until("all to be recorded", || (other.report()["sinks"][0]["pending"] == 0).then_some(()));
    let came = numbers(&sink);
    let twice: Vec<_> = (0..180).filter(|one| came.iter().filter(|came| *came == one).count() > 1).collect();
    assert!(twice.is_empty(), "{twice:?} came twice");
}

#[test]
fn what_a_receiver_held_that_dies_another_delivers_in_order_once_its_lease_has_run_out() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let [one, other] = two(&url, &sink);
    send(&[&one, &other], 0..40);
    sink.answer(500);
    send(&[&one, &other], 40..60);
    one.kill();
    sink.answer(200);
    send(&[&other], 60..80);
    have_come(&sink, 0..80);
    delivers(&other, 64, 1);
    in_order(&sink);
}

#[test]
fn a_receiver_that_stands_still_longer_than_its_lease_delivers_nothing_of_what_others_have_taken_over() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let [one, other] = two(&url, &sink);
    sink.hold(true);
    send(&[&one, &other], 0..40);
    until("both to deliver", || (sink.got().len() > 4).then_some(()));
    one.signal("STOP");
    sink.hold(false);
    send(&[&other], 40..60);
    delivers(&other, 64, 1);
    have_come(&sink, 0..60);
    one.signal("CONT");
    delivers(&one, 32, 2);
    send(&[&one, &other], 60..80);
    have_come(&sink, 0..80);
    in_order(&sink);
    until("all to be recorded", || (other.report()["sinks"][0]["pending"] == 0).then_some(()));
}

#[test]
fn who_waits_for_its_delivery_is_answered_whichever_receiver_makes_it() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let endpoint = keyed("acknowledge: { mode: OnDelivered, deadline: 25s }");
    let both = [of(&url, &endpoint, &sink, ANY), of(&url, &endpoint, &sink, ANY)];
    both.iter().for_each(|program| delivers(program, 32, 2));
    for number in 0..16 {
        let body = format!("{{\"key\":\"k{number}\"}}");
        assert_eq!(both[number % 2].send(&number.to_string(), "push", &body).status, 200);
        assert_eq!(sink.got().len(), number + 1);
    }
}

#[test]
fn what_is_replayed_at_one_receiver_the_other_delivers_soon() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let [one, other] = two(&url, &sink);
    send(&[&one, &other], 0..16);
    have_come(&sink, 0..16);
    until("all to be recorded", || (other.report()["sinks"][0]["pending"] == 0).then_some(()));
    let replayed = one.call("POST", "/v1/replays", "{\"endpoint\":\"default/in\",\"state\":\"delivered\"}");
    assert_eq!(replayed.status, 201, "{}", String::from_utf8_lossy(&replayed.body));
    // Sooner than dispatch would look by itself, which is once a minute.
    until("all to come once more", || (sink.got().len() == 32).then_some(()));
}

#[test]
fn what_is_erased_at_one_receiver_the_other_tries_no_more() {
    let (url, sink) = (shared_postgres().database().unwrap(), Server::start());
    let [one, other] = two(&url, &sink);
    sink.refuse(Some("first"));
    let name = |which: &str, number: usize| format!("{which}-{number}");
    for number in 0..8 {
        for which in ["first", "second"] {
            let body = format!("{{\"key\":\"k{number}\",\"which\":\"{which}\"}}");
            assert_eq!(other.send(&name(which, number), "push", &body).status, 200);
        }
    }
    until("the first to fail", || (one.report()["sinks"][0]["failedAttempts"].as_u64()? > 8).then_some(()));
    for number in 0..8 {
        let found = one.call("GET", &format!("/v1/events?id={}", name("first", number)), "").json();
        let uid = found["events"][0]["uid"].as_str().unwrap();
        assert_eq!(one.call("DELETE", &format!("/v1/events/{uid}"), "").status, 204);
    }
    let second: Vec<String> = (0..8).map(|number| name("second", number)).collect();
    let deadline = Instant::now() + LONG;
    loop {
        let come = sink.values("x-github-delivery");
        if second.iter().all(|one| come.contains(one)) {
            break;
        }
        assert!(Instant::now() < deadline, "{come:?}");
        thread::sleep(Duration::from_millis(20));
    }
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
        let ids = sink.values("x-github-delivery");
        (ids.contains(&"1".into()) && ids.contains(&"2".into())).then_some(())
    });
}

#[test]
fn while_the_database_does_not_answer_nothing_begins_and_what_has_ended_is_not_made_again() {
    let (server, sink) = (Postgres::start().unwrap(), Server::start());
    let url = server.database().unwrap();
    let program = patient(&url, &keyed(""), &sink, "6s", ANY);
    delivers(&program, 64, 1);
    sink.hold(true);
    send(&[&program], 0..8);
    until("all to be under way", || (sink.got().len() == 8).then_some(()));
    server.stand_still(true).unwrap();
    sink.hold(false);
    // More than half of a lease, and less than a whole one.
    thread::sleep(Duration::from_secs(11));
    server.stand_still(false).unwrap();
    until("all to be recorded", || (program.report()["sinks"][0]["delivered"] == 8).then_some(()));
    send(&[&program], 8..16);
    have_come(&sink, 0..16);
    assert_eq!(numbers(&sink).len(), 16);
    let paused = "the right to deliver cannot be renewed: nothing is delivered until it is";
    assert_eq!(program.logs().with("message", paused).len(), 1);
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
