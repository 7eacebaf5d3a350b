//! The `log` sink: the suite, and the shape of its lines.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod suite;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_event::{FailureKind, ObjectName};
use boathook_sinks::{AddressGuard, BodySpec, Registry, Sink, SinkSpec, limits::LOG_BODY_BYTES_MAX};
use serde_json::{Value, value::RawValue};

use self::suite::{Environment, Received, deliver_one, parts, sending, suite};

/// What was written so far.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A pipe without a reader.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_to(output: impl Write + Send + 'static) -> Arc<dyn Sink> {
    Registry::new(AddressGuard::default(), Box::new(output))
        .build(&ObjectName::new("platform", "lines"), &SinkSpec::Log(BodySpec::Raw))
        .unwrap()
}

struct Log(Paper);

impl Environment for Log {
    async fn start() -> Self {
        Self(Paper::default())
    }

    fn sink(&self) -> Arc<dyn Sink> {
        log_to(self.0.clone())
    }

    fn broken_sink(&self) -> Arc<dyn Sink> {
        log_to(Broken)
    }

    fn received(&self) -> Vec<Received> {
        self.0.lines().iter().map(|line| received(line)).collect()
    }
}

/// Reads the body by its raw text: a number or a repeated member must not pass through a parser.
fn received(line: &str) -> Received {
    let fields: std::collections::HashMap<String, &RawValue> = serde_json::from_str(line).unwrap();
    let text = |name: &str| serde_json::from_str::<Option<String>>(fields[name].get()).unwrap();
    let body = match fields.get("body") {
        Some(json) => json.get().as_bytes().to_vec(),
        None => STANDARD.decode(text("bodyBase64").unwrap()).unwrap(),
    };
    Received {
        uid: text("uid").unwrap(),
        endpoint: text("endpoint").unwrap(),
        event_type: text("type"),
        attempt: fields["attempt"].get().parse().unwrap(),
        body,
    }
}

suite!(Log);

#[tokio::test]
async fn a_line_says_what_came_from_where() {
    let paper = Paper::default();
    deliver_one(&*log_to(paper.clone()), sending(parts(0, "{\"a\":1}"), 2)).await.unwrap();
    assert_eq!(
        paper.lines(),
        ["{\"sink\":\"platform/lines\",\"endpoint\":\"platform/github\",\
          \"uid\":\"019b7ca9-8c88-7000-8000-000000000000\",\"id\":\"evt_0\",\"type\":\"push\",\"attempt\":2,\
          \"receivedAt\":\"2026-01-02T03:04:05.678Z\",\"body\":{\"a\":1}}"]
    );
}

#[tokio::test]
async fn json_with_line_breaks_stays_on_one_line() {
    let paper = Paper::default();
    let body = "{\r\n  \"a\": \"x\\ny\"\n}\n";
    deliver_one(&*log_to(paper.clone()), sending(parts(0, body), 1)).await.unwrap();
    let lines = paper.lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("\"body\":{    \"a\": \"x\\ny\" }}"), "{}", lines[0]);
}

#[tokio::test]
async fn a_body_is_cut_only_beyond_the_bound_and_the_line_says_so() {
    let json_of = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let paper = Paper::default();
    let sink = log_to(paper.clone());
    deliver_one(&*sink, sending(parts(0, json_of(LOG_BODY_BYTES_MAX)), 1)).await.unwrap();
    deliver_one(&*sink, sending(parts(0, json_of(LOG_BODY_BYTES_MAX + 1)), 1)).await.unwrap();
    let lines: Vec<Value> = paper.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["body"].as_str().unwrap().len(), LOG_BODY_BYTES_MAX - 2);
    assert_eq!(lines[0].get("bodyTruncated"), None);
    assert_eq!(lines[1]["bodyTruncated"], true);
    assert_eq!(lines[1].get("body"), None);
    assert_eq!(STANDARD.decode(lines[1]["bodyBase64"].as_str().unwrap()).unwrap().len(), LOG_BODY_BYTES_MAX);
}

#[tokio::test]
async fn a_write_that_fails_is_a_failure() {
    let failure = deliver_one(&*log_to(Broken), sending(parts(0, "{}"), 1)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.message, "cannot write to standard output: broken pipe");
}
