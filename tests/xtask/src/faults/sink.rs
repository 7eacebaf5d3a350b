//! A sink that writes down what it takes, and that fails as it is told to.
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context;

use super::checker::{Id, Taken};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// 200.
    Well,
    /// Connections are closed at once.
    Away,
    /// 200, after a while.
    Slow(Duration),
    /// Every second request gets 500.
    Flapping,
    /// 429, with a second to wait.
    Crowded,
}

/// A server on a free port of 127.0.0.1, until the process ends.
#[derive(Clone)]
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    taken: Taken,
    requests: u64,
}

/// What one request says.
struct Request {
    id: Id,
    uid: String,
}

impl Sink {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no free port.
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("127.0.0.1 has no free port")?;
        let state = State { mood: Mood::Well, taken: Taken::new(), requests: 0 };
        let sink = Self { address: listener.local_addr()?, state: Arc::new(Mutex::new(state)) };
        let served = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                // A connection that breaks is the receiver's to notice.
                thread::spawn(move || served.serve(stream).ok());
            }
        });
        Ok(sink)
    }

    pub(super) fn set(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// What it has taken by now.
    pub(super) fn taken(&self) -> Taken {
        self.state().taken.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut answers = stream.try_clone()?;
        let mut requests = BufReader::new(stream);
        while let Some(request) = read(&mut requests)? {
            let mood = self.state().mood;
            if let Mood::Slow(pause) = mood {
                thread::sleep(pause);
            }
            match self.answer(mood, request) {
                Some(answer) => answers.write_all(answer.as_bytes())?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The answer; `None` = none at all.
    fn answer(&self, mood: Mood, Request { id, uid }: Request) -> Option<&'static str> {
        let mut state = self.state();
        state.requests += 1;
        let fails = match mood {
            Mood::Away => return None,
            Mood::Crowded => {
                Some("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            }
            Mood::Flapping if state.requests.is_multiple_of(2) => {
                Some("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
            }
            Mood::Well | Mood::Slow(_) | Mood::Flapping => None,
        };
        Some(fails.unwrap_or_else(|| {
            state.taken.push((id, uid));
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        }))
    }
}

/// One request; `None` at the end of the connection.
fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let (mut id, mut uid, mut length) = (None, None, 0);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line == "\r\n" { break } else { continue }
        };
        match &*name.to_ascii_lowercase() {
            "x-github-delivery" => id = parse(value),
            "idempotency-key" => uid = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    io::copy(&mut stream.take(length), &mut io::sink())?;
    let request = id.zip(uid).map(|(id, uid)| Request { id, uid });
    request.map(Some).ok_or_else(|| io::Error::other("not a delivery of ours"))
}

fn parse(value: &str) -> Option<Id> {
    let (key, place) = value.split_once('-')?;
    Some(Id { key: key.parse().ok()?, place: place.parse().ok()? })
}
