//! A sink that takes everything, and knows when live deliveries came.
use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use anyhow::Context;

/// A server on a free port of 127.0.0.1, until the process ends.
#[derive(Clone)]
pub(super) struct Sink {
    pub(super) address: SocketAddr,
    /// By the provider's ids.
    came: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Sink {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no free port.
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("127.0.0.1 has no free port")?;
        let sink = Self { address: listener.local_addr()?, came: Arc::default() };
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

    /// When live deliveries came, by their ids.
    pub(super) fn came(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut answers = stream.try_clone()?;
        let mut requests = BufReader::new(stream);
        let mut line = String::new();
        loop {
            let (mut live, mut length) = (None, 0);
            loop {
                line.clear();
                if requests.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                let Some((name, value)) = line.trim_end().split_once(": ") else {
                    if line == "\r\n" { break } else { continue }
                };
                match &*name.to_ascii_lowercase() {
                    "x-github-delivery" => live = Some(value.to_owned()),
                    "content-length" => length = value.parse().unwrap_or(0),
                    _ => {}
                }
            }
            io::copy(&mut (&mut requests).take(length), &mut io::sink())?;
            if let Some(id) = live {
                self.came().insert(id, Instant::now());
            }
            answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}
