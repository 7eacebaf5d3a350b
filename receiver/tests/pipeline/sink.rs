//! A sink to deliver to: an HTTP server that keeps what it gets, and answers as it is told.
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    thread,
};

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The server; it ends with the test's process.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<AtomicU16>,
    /// Bodies with this text are answered 500.
    refused: Arc<Mutex<Option<&'static str>>>,
    /// Nothing is answered while this is true.
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
            refused: Arc::default(),
            held: Arc::default(),
        };
        let its = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let its = its.clone();
                thread::spawn(move || its.serve(stream));
            }
        });
        server
    }

    /// The status of all answers from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    /// Bodies with this text are answered 500 from now on.
    pub(crate) fn refuse(&self, text: Option<&'static str>) {
        *self.refused.lock().unwrap() = text;
    }

    /// Takes what comes, and answers nothing before this is said with `false`.
    pub(crate) fn hold(&self, held: bool) {
        *self.held.0.lock().unwrap() = held;
        self.held.1.notify_all();
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The values of one header over all that came in.
    pub(crate) fn values(&self, header: &str) -> Vec<String> {
        self.got().iter().map(|got| got.header(header).unwrap_or_default().to_owned()).collect()
    }

    fn serve(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        loop {
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                match line.trim_end() {
                    "" => break,
                    text => lines.push(text.to_owned()),
                }
            }
            let path = lines[0].split(' ').nth(1).unwrap().to_owned();
            let headers: Vec<(String, String)> = lines[1..]
                .iter()
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            let refused = self
                .refused
                .lock()
                .unwrap()
                .is_some_and(|text| String::from_utf8_lossy(&body).contains(text));
            self.got.lock().unwrap().push(Got { path, headers, body });
            drop(self.held.1.wait_while(self.held.0.lock().unwrap(), |held| *held).unwrap());
            let status = if refused { 500 } else { self.status.load(Relaxed) };
            writer.write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
        }
    }
}
