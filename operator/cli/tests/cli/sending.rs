//! `send` over a real socket: what arrives is genuine, and the answer decides the exit status.
use std::net::{Ipv4Addr, TcpListener};

use crate::{
    program::{Files, program, run},
    server::Server,
};

const TAKEN: &str = concat!(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-other: 1\r\ncontent-length: 16\r\n\r\n",
    r#"{"success":true}"#
);

#[test]
fn what_arrives_is_genuine_for_each_kind_of_proof() {
    let files = Files::new();
    let body = files.add("body.json", r#"{"type":"invoice.paid"}"#);
    for (provider, text) in [
        ("standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("github", "It's a Secret to Everybody"),
        ("hubspot-v2", "client-secret"),
        ("trello", "app-secret"),
        ("gitlab-token", "token-0123456789"),
        ("postmark", "user:password"),
        ("azure-event-grid", "egk_0123+/456"),
    ] {
        let secret = files.add("secret", text);
        let server = Server::answering(TAKEN);
        let url = format!("{}/hook?a=%2F&b=2#part", server.url);
        let sender = ["--provider", provider, "--secret-file", &secret];
        let exit = program(&[&["send", &url, "--body", &body], &sender[..]].concat(), b"");
        assert_eq!((exit.status, &*exit.errors), (0, ""), "{provider}");
        assert_eq!(
            exit.output, "200 OK\ncontent-type: application/json\n\n{\"success\":true}\n",
            "{provider}"
        );
        let request = server.request();
        let verify =
            [&["verify", "--public-url", url.split('#').next().unwrap()], &sender[..], &["-"]].concat();
        let ended = run(&verify, request.as_bytes()).unwrap();
        assert!(ended.good, "{provider}: {} of {request}", ended.output);
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
    }
}

#[test]
fn an_event_gets_a_fresh_id_and_the_type_that_is_asked_for() {
    let files = Files::new();
    let secret = files.add("secret", "s3cret");
    let id = |more: &[&str]| {
        let server = Server::answering(TAKEN);
        let send = ["send", &server.url, "--provider", "bitbucket", "--secret-file", &secret, "--body", "-"];
        assert!(run(&[&send[..], more].concat(), b"{}").unwrap().good);
        let request = server.request();
        let value = |name: &str| request.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        (value("x-request-uuid: ").unwrap(), value("x-event-key: "))
    };
    let (first, event) = id(&["--event", "repo:push"]);
    assert_eq!((first.len(), event.as_deref()), (36, Some("repo:push")));
    let (second, event) = id(&[]);
    assert!(first != second && event.is_none());
    assert_eq!(id(&["--header", "X-Request-UUID: mine"]).0, "mine");
}

#[test]
fn another_answer_than_2xx_ends_with_1_and_is_shown() {
    let files = Files::new();
    let secret = files.add("secret", "s3cret");
    for (answer, shown) in [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 5\r\n\r\nwrong", "401 Unauthorized\n\nwrong\n"),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://a.example/\r\ncontent-length: 0\r\n\r\n",
            "302 Found\nlocation: http://a.example/\n",
        ),
        (
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n",
            "429 Too Many Requests\nretry-after: 7\n",
        ),
    ] {
        let server = Server::answering(answer);
        let send = ["send", &server.url, "--provider", "github", "--secret-file", &secret, "--body", "-"];
        let exit = program(&send, b"{}");
        assert_eq!((exit.status, &*exit.output, &*exit.errors), (1, shown, ""));
        server.request();
    }
}

#[test]
fn a_receiver_that_is_not_there_ends_with_1_and_a_wrong_flag_with_2() {
    let files = Files::new();
    let secret = files.add("secret", "egk_0123456789");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let url = format!("http://{free}/hook?key=hidden");
    let sender = ["--secret-file", &secret, "--body", "-"];
    let send = |more: &[&str]| program(&[&["send"], &sender[..], more].concat(), b"{}");
    let exit = send(&[&url, "--provider", "azure-event-grid"]);
    assert_eq!((exit.status, &*exit.output), (1, ""));
    assert!(exit.errors.contains(&format!("no answer from http://{free} (")), "{}", exit.errors);
    assert!(!exit.errors.contains("hidden") && !exit.errors.contains("egk_"), "{}", exit.errors);
    for (more, told) in [
        (&["ftp://a.example/", "--provider", "github"][..], "is no URL such as"),
        (&[&url, "--provider", "discord"], "only the provider has the private key"),
        (&[&url, "--provider", "stripe", "--event", "invoice.paid"], "read from {/type}"),
        (&[&url, "--provider", "github", "--event", "push"], "read from {header:X-GitHub-Event}.{/action}"),
        (&[&url, "--provider", "github", "--header", "X"], "must be a header such as"),
        (&["--provider", "github"], "<URL>"),
    ] {
        let exit = send(more);
        assert_eq!((exit.status, &*exit.output), (2, ""), "{more:?}");
        assert!(exit.errors.contains(told), "{more:?}: {}", exit.errors);
    }
}
