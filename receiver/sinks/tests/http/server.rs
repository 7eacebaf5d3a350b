//! A server that keeps the bytes of every request and answers as it is told.
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// One request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// 0-based number of its connection.
    pub(crate) connection: usize,
    /// The first line.
    pub(crate) line: String,
    /// Name and value of each header line.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} came twice");
        value
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A whole answer: status line and further header lines, and a body.
    Whole(&'static str, String),
    /// These bytes, and then nothing more.
    Stall(&'static str),
    /// Closes the connection.
    HangUp,
}

/// A server on a free port of the loopback address; gone with the test's runtime.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Mutex<Vec<Request>>,
    replies: Mutex<VecDeque<Reply>>,
    connections: AtomicUsize,
}

impl Server {
    /// Answers with the replies in order, then with 200.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(State { replies: Mutex::new(replies.into_iter().collect()), ..State::default() });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = serving.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, number, Arc::clone(&serving)));
            }
        });
        Self { address, state }
    }

    /// The URL of a path with a query that must not show up anywhere.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks?token=query-token", self.address)
    }

    /// `host:port`
    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, connection: usize, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream, connection).await {
        state.requests.lock().unwrap().push(request);
        let reply = state.replies.lock().unwrap().pop_front();
        match reply.unwrap_or_else(|| Reply::Whole("200 OK", String::new())) {
            Reply::Whole(head, body) => {
                let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                // The client may have had enough before the end.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            Reply::Stall(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                std::future::pending::<()>().await;
            }
            Reply::HangUp => return,
        }
    }
}

/// The next request, or `None` where the client has closed, or speaks something else (TLS).
async fn read(stream: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = lines
        .iter()
        .skip(1)
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse());
    let mut body = vec![0; length.unwrap_or(Ok(0)).unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { connection, line: lines.swap_remove(0), headers, body })
}
