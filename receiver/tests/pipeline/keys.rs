//! Keys that a sender publishes: fetched, looked for again when a request names another, kept while their server is away.
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::program::{Answer, Program, Request, configuration, folders, until};

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

/// A vector of Amazon SNS; its certificate counts for a century, and is at a name that no address has: nobody is called.
fn message(id: &str) -> Value {
    let (genuine, nowhere) =
        ("https://sns.eu-west-1.amazonaws.com/S", "https://sns.xx-nowhere-1.amazonaws.com/S");
    let vectors = include_str!("../../verify/vectors/aws-sns.jsonl").replace(genuine, nowhere);
    let lines = vectors.lines();
    let mut vectors = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    vectors.find(|vector| vector["id"] == id).unwrap()
}

fn tell(program: &Program, vector: &Value) -> Answer {
    let mut request = Request::new("POST", "/in").header("Content-Type", "text/plain; charset=UTF-8");
    request.body = vector["request"]["body"].as_str().unwrap().into();
    request.send(program.public)
}

/// A receiver for the topic of the vectors, with the certificate that an earlier run has fetched: what is beyond its TLS
/// and its hosts no test can stand in for.
fn with_certificate(vector: &Value) -> Program {
    let topic = vector["secrets"][0]["text"].as_str().unwrap();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: sns }}\nstringData: {{ topic: \"{topic}\" }}\n---\n"
    );
    let endpoint = configuration("provider: aws-sns\nsecrets: [{ name: sns, key: topic }]", "log: {}");
    let folders = folders(&format!("{secret}{endpoint}"));
    let body: Value = serde_json::from_str(vector["request"]["body"].as_str().unwrap()).unwrap();
    let url = digest(&SHA256, body["SigningCertURL"].as_str().unwrap().as_bytes());
    let name: String = url.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let copies = folders.path().join("data/published-keys");
    fs::create_dir_all(&copies).unwrap();
    fs::write(copies.join(format!("{name}.pem")), vector["certificate"].as_str().unwrap()).unwrap();
    Program::start_in(folders, &[])
}

#[test]
fn a_message_is_checked_with_the_certificate_that_it_names() {
    let valid = message("valid-v2");
    let program = with_certificate(&valid);
    assert_eq!(tell(&program, &valid).status, 200);
    assert_eq!(tell(&program, &message("changed-message")).refusal(), (401, "invalid_signature".into()));
    assert_eq!(tell(&program, &message("url-host")).refusal(), (401, "invalid_signature".into()));
    assert_eq!(tell(&program, &message("wrong-topic")).refusal(), (401, "invalid_signature".into()));
}

#[test]
fn a_message_whose_certificate_cannot_be_fetched_is_to_be_sent_again() {
    let valid = message("valid-v2");
    let program = with_certificate(&valid);
    let mut other = valid;
    let body = other["request"]["body"].as_str().unwrap();
    other["request"]["body"] = body.replace("cdef.pem", "cdee.pem").into();
    let answer = tell(&program, &other);
    assert_eq!(answer.refusal(), (503, "unavailable".into()));
    assert!(answer.header("retry-after").is_some());
    until("the fetch to be counted", || {
        (program.metric("boathook_key_fetches_total{outcome=\"failed\"}") >= 1.0).then_some(())
    });
}

#[test]
fn a_subscription_that_cannot_be_confirmed_is_to_be_asked_for_again() {
    let subscription = message("subscription-nowhere");
    let program = with_certificate(&subscription);
    let answer = tell(&program, &subscription);
    assert_eq!(answer.refusal(), (503, "unavailable".into()));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(
        tell(&program, &message("subscription-elsewhere")).refusal(),
        (401, "invalid_signature".into())
    );
    assert_eq!(tell(&program, &message("unsubscription")).status, 200);
    assert!(program.output.all().is_empty(), "nothing of it is delivered");
}
