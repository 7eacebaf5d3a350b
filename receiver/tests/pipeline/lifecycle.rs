//! Starting, stopping, and coming back.
use std::{fs, io::Write as _, net::TcpListener, process::Output};

use super::{
    program::{Answer, GITHUB, Program, Request, command, configuration, connect, folders, until},
    sink::Server,
};

const LOG: &str = "log: {}";

fn fails(output: &Output, code: i32, message: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(message), "{text}");
}

#[test]
fn a_mistake_at_the_start_is_told_with_its_place_and_the_status_is_2() {
    let broken = configuration(GITHUB, LOG).replace("log: {}", "log: {}\n  lgo: {}");
    let folders = folders(&broken);
    fails(&command(folders.path(), &[]).output().unwrap(), 2, "all.yaml:11: spec.lgo: unknown field");
    fs::remove_file(folders.path().join("config/all.yaml")).unwrap();
    fails(&command(folders.path(), &[]).output().unwrap(), 2, "no WebhookEndpoint in any *.yaml");
    fails(&command(folders.path(), &["--drain-delay", "soon"]).output().unwrap(), 2, "is not a duration");
}

#[test]
fn a_taken_address_or_data_folder_is_told_with_what_to_do() {
    let program = Program::start(&configuration(GITHUB, LOG));
    let second = command(program.folders.path(), &[]).output().unwrap();
    fails(&second, 1, "name another folder with --data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folders = folders(&configuration(GITHUB, LOG));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boathook-receiver"));
    command.env_clear().args(["--listen", &address, "--admin", "127.0.0.1:0", "--api", "127.0.0.1:0"]);
    command.arg("--config").arg(folders.path().join("config")).arg("--data").arg(folders.path().join("data"));
    fails(&command.output().unwrap(), 1, "name another address with --listen");
}

#[test]
fn settings_come_from_the_environment_too() {
    let folders = folders(&configuration(GITHUB, LOG));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boathook-receiver"));
    command.env_clear().env("BOATHOOK_CONFIG", folders.path().join("nowhere"));
    fails(&command.output().unwrap(), 2, "nowhere");
}

#[test]
fn a_request_under_way_is_answered_when_the_receiver_is_told_to_stop() {
    let mut program = Program::start(&configuration(GITHUB, LOG));
    let request = Request::signed("1", "push", "{\"slow\":true}");
    let mut stream = connect(program.public);
    stream.write_all(&request.head()).unwrap();
    stream.write_all(&request.body[..5]).unwrap();
    until("the request to be under way", || (program.metric("boathook_bodies_bytes") == 5.0).then_some(()));
    program.signal("TERM");
    program.logged("stopping");
    assert_eq!(program.get("/readyz").status, 503);
    assert_eq!(program.get("/livez").status, 200);
    stream.write_all(&request.body[5..]).unwrap();
    let answer = Answer::read(&mut stream);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(program.wait().code(), Some(0));
    let earlier = program.output.clone();
    let program = Program::start_in(program.stop(), &[]);
    let outputs = [earlier, program.output.clone()];
    until("it to be delivered, before the end or after the next start", || {
        (outputs.iter().map(|lines| lines.with("id", "1").len()).sum::<usize>() == 1).then_some(())
    });
}

#[test]
fn while_it_waits_to_leave_it_still_accepts_and_asks_to_connect_anew() {
    let folders = folders(&configuration(GITHUB, LOG));
    let mut program = Program::start_in(folders, &["--drain-delay", "1h"]);
    program.signal("TERM");
    program.logged("stopping");
    let answer = program.send("1", "push", "{}");
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    program.signal("INT");
    assert_eq!(program.wait().code(), Some(1), "a second signal does not wait");
}

#[test]
fn everything_acknowledged_before_a_kill_is_delivered_after_the_next_start() {
    let server = Server::start();
    let held = format!("http: {{ url: \"http://{}/\" }}\nsuspend: true", server.address);
    let program = Program::start(&configuration(GITHUB, &held));
    let ids: Vec<String> = (0..200).map(|n| format!("d-{n:03}")).collect();
    ids.iter().for_each(|id| assert_eq!(program.send(id, "push", "{}").status, 200));
    let folders = program.kill();
    super::program::configure(folders.path(), &configuration(GITHUB, &held.replace("true", "false")));
    let program = Program::start_in(folders, &[]);
    assert_eq!(program.report()["events"], 200);
    until("all deliveries", || (program.report()["sinks"][0]["delivered"] == 200).then_some(()));
    let mut got = server.values("boathook-event-id");
    got.sort();
    assert_eq!(got, ids);
    // The keys outlive the process as well.
    assert_eq!(program.send("d-000", "push", "{}").status, 200);
    assert_eq!(program.report()["endpoints"][0]["events"]["duplicate"], 1);
}

#[test]
fn counts_survive_a_stop() {
    let program = Program::start(&configuration(&format!("{GITHUB}\nevents: {{ types: [push] }}"), LOG));
    program.send("1", "push", "{}");
    program.send("2", "fork", "{}");
    Request::signed_with("wrong", "3", "push", "{}").send(program.public);
    let program = Program::start_in(program.stop(), &[]);
    let report = program.report();
    let events = &report["endpoints"][0]["events"];
    for word in ["accepted", "ignored", "rejected"] {
        assert_eq!(events[word], 1, "{word}: {events}");
    }
}

#[test]
fn a_receiver_that_waits_for_the_data_folder_can_be_told_to_stop() {
    let program = Program::start(&configuration(GITHUB, LOG));
    let mut second = command(program.folders.path(), &["--lock-wait", "1h"]).spawn().unwrap();
    let lives = || has_its_signals_in_hand(second.id());
    until("the second one to wait", || lives().then_some(()));
    let kill = format!("kill -TERM {}", second.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let ended = until("the second one to end", || second.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    assert_eq!(program.send("1", "push", "{}").status, 200);
}

#[test]
fn requests_and_commits_have_their_turn_before_all_other_work() {
    let program = Program::start(&configuration(GITHUB, LOG));
    assert_eq!(program.send("1", "push", "{}").status, 200);
    let threads = fs::read_dir(format!("/proc/{}/task", program.pid())).unwrap();
    let niceness = |stat: String| {
        let (_, name) = stat.split_once('(').unwrap();
        let (name, rest) = name.split_once(')').unwrap();
        // It is the 19th field; the first two are gone.
        (name.to_owned(), rest.split_whitespace().nth(16).unwrap().parse::<i32>().unwrap())
    };
    let stat =
        |thread: std::io::Result<fs::DirEntry>| fs::read_to_string(thread.unwrap().path().join("stat")).ok();
    let threads: Vec<_> = threads.filter_map(stat).map(niceness).collect();
    let of = |name: &str| {
        let found: Vec<i32> = threads.iter().filter(|(its, _)| its == name).map(|(_, nice)| *nice).collect();
        assert!(!found.is_empty() && found.iter().all(|nice| *nice == found[0]), "{name}: {threads:?}");
        found[0]
    };
    assert_eq!(of("receive"), of("committer"));
    assert!(of("receive") < of("work"), "{threads:?}");
}

/// Whether the process handles SIGTERM already; before that the signal would end it as it is.
fn has_its_signals_in_hand(pid: u32) -> bool {
    const SIGTERM: u64 = 1 << 14;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    caught.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & SIGTERM != 0)
}
