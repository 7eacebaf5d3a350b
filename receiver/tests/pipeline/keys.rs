//! Keys that an issuer publishes: fetched, looked for again when a token names another, kept while the issuer is away.
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::program::{Answer, Program, Request, configuration, until};

/// An issuer of tokens: its keys by id, those that it publishes, and how often it was asked.
#[derive(Clone)]
struct Issuer {
    address: SocketAddr,
    published: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<usize>>,
}

struct Key {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        Self { id, pair: Ed25519KeyPair::generate().unwrap() }
    }

    fn published(&self) -> Value {
        let x = BASE64URL.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig", "x": x })
    }

    /// A token for this endpoint, valid for a minute.
    fn token(&self) -> String {
        let part = |value: Value| BASE64URL.encode(value.to_string());
        let head = part(json!({ "alg": "EdDSA", "kid": self.id }));
        let claims = json!({ "iss": "issuer", "aud": "us", "exp": Timestamp::now().as_second() + 60 });
        let signed = format!("{head}.{}", part(claims));
        let signature = BASE64URL.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

impl Issuer {
    fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = Self {
            address: listener.local_addr().unwrap(),
            published: Arc::new(Mutex::new(keys.iter().map(|key| key.published()).collect())),
            asked: Arc::default(),
        };
        let its = issuer.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                if !lines.by_ref().any(|line| line.is_empty()) {
                    continue;
                }
                *its.asked.lock().unwrap() += 1;
                let keys = its.published.lock().unwrap().clone();
                let (status, body) = match keys.is_empty() {
                    true => ("503 Service Unavailable", String::new()),
                    false => ("200 OK", json!({ "keys": keys }).to_string()),
                };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                drop((&stream).write_all(answer.as_bytes()));
            }
        });
        issuer
    }

    fn publish(&self, keys: &[&Key]) {
        *self.published.lock().unwrap() = keys.iter().map(|key| key.published()).collect();
    }

    fn configuration(&self) -> String {
        let scheme = "scheme:\n  kind: jwt\n  signature: { from: { headers: [Authorization] }, grammar: { prefix: \"Bearer \" } }\n  \
                      jwt: { algorithms: [EdDSA], issuers: [issuer], audience: configured }\n  bodyProtected: false";
        let verification =
            format!("verification: {{ jwt: {{ audience: us, jwksURL: \"http://{}/keys\" }} }}", self.address);
        configuration(&format!("{scheme}\n{verification}"), "log: {}")
    }
}

fn send(program: &Program, key: &Key) -> Answer {
    let mut request = Request::new("POST", "/in").header("Authorization", &format!("Bearer {}", key.token()));
    request.body = b"{}".to_vec();
    request.send(program.public)
}

#[test]
fn keys_are_fetched_and_a_new_one_is_looked_for_once_a_minute_at_most() {
    let [first, second, forged] = [Key::new("1"), Key::new("2"), Key::new("3")];
    let issuer = Issuer::start(&[&first]);
    let program = Program::start(&issuer.configuration());
    until("the keys", || (send(&program, &first).status == 200).then_some(()));
    // Within the minute nobody makes us ask again, whatever key is named.
    let asked = *issuer.asked.lock().unwrap();
    for _ in 0..3 {
        assert_eq!(send(&program, &forged).refusal(), (401, "invalid_signature".into()));
    }
    issuer.publish(&[&first, &second]);
    assert_eq!(send(&program, &second).refusal(), (401, "invalid_signature".into()));
    assert_eq!(*issuer.asked.lock().unwrap(), asked);
}

#[test]
fn without_keys_a_delivery_is_to_be_sent_again() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[]);
    let program = Program::start(&issuer.configuration());
    let answer = send(&program, &key);
    assert_eq!(answer.refusal(), (503, "unavailable".into()));
    assert!(answer.header("retry-after").is_some());
    issuer.publish(&[&key]);
    until("the keys", || (send(&program, &key).status == 200).then_some(()));
}

#[test]
fn keys_outlive_a_restart_while_the_issuer_is_away() {
    let key = Key::new("1");
    let issuer = Issuer::start(&[&key]);
    let program = Program::start(&issuer.configuration());
    until("the keys", || (send(&program, &key).status == 200).then_some(()));
    issuer.publish(&[]);
    let program = Program::start_in(program.stop(), &[]);
    assert_eq!(send(&program, &key).status, 200);
}
