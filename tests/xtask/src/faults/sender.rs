//! A provider: it sends one delivery of each key after the other, and each again until it is acknowledged.
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::checker::{Id, Sent};
use crate::{delivery::signature, http};

/// The secret of the receivers that are tried.
pub(super) const SECRET: &str = "hush-hush";
/// The path of their endpoint.
pub(super) const PATH: &str = "/in";
/// Keys, each with a thread.
const KEYS: u32 = 8;
/// Pause after something that was acknowledged: it is the faults that are tried, not the machine.
const NEXT: Duration = Duration::from_millis(4);
/// Pause after something that was not.
const AGAIN: Duration = Duration::from_millis(20);

/// A running provider.
pub(super) struct Sender {
    stopping: Arc<AtomicBool>,
    failures: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Sent>>,
}

impl Sender {
    /// Begins to send to the receivers at these addresses in turn.
    pub(super) fn start(receivers: &[SocketAddr]) -> Self {
        let (stopping, failures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = (0..KEYS)
            .map(|key| {
                let (stopping, failures) = (Arc::clone(&stopping), Arc::clone(&failures));
                let receivers = receivers.to_vec();
                thread::spawn(move || send(key, &receivers, &stopping, &failures))
            })
            .collect();
        Self { stopping, failures, threads }
    }

    /// Answers by now that say that the receiver could not take it.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Ends when what is being sent is acknowledged.
    pub(super) fn finish(self) -> Sent {
        self.stopping.store(true, Relaxed);
        let mut all = Sent::default();
        for sent in self.threads.into_iter().filter_map(|thread| thread.join().ok()) {
            all.acknowledged.extend(sent.acknowledged);
            sent.answers
                .into_iter()
                .for_each(|(status, number)| *all.answers.entry(status).or_default() += number);
            all.in_doubt += sent.in_doubt;
        }
        all
    }
}

fn send(key: u32, receivers: &[SocketAddr], stopping: &AtomicBool, failures: &AtomicU64) -> Sent {
    let mut sent = Sent::default();
    let mut turns = receivers.iter().copied().cycle();
    for place in 1.. {
        let (id, body) = (format!("{key}-{place}"), body(key, place));
        let signature = signature(SECRET, &body);
        let headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", &*id),
            ("X-Hub-Signature-256", &*signature),
        ];
        loop {
            let Some(receiver) = turns.next() else { return sent };
            match http::post(receiver, PATH, &headers, &body) {
                Ok(answer) => {
                    *sent.answers.entry(answer.status).or_default() += 1;
                    if answer.status == 200 {
                        break;
                    }
                    failures.fetch_add(1, Relaxed);
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(_) => sent.in_doubt += 1,
            }
            thread::sleep(AGAIN);
        }
        sent.acknowledged.insert(Id { key, place });
        thread::sleep(NEXT);
        if stopping.load(Relaxed) {
            break;
        }
    }
    sent
}

/// About as large as a push.
fn body(key: u32, place: u32) -> String {
    format!(r#"{{"key":"k{key}","place":{place},"text":"{}"}}"#, "x".repeat(2_000))
}
