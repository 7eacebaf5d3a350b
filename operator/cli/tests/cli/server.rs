//! A receiver that takes one request, keeps it as it came, and answers what it was told to.
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    thread::{self, JoinHandle},
};

pub(crate) struct Server {
    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    request: JoinHandle<Vec<u8>>,
}

impl Server {
    pub(crate) fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let request = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                let mut piece = [0; 4096];
                let length = connection.read(&mut piece).unwrap();
                assert!(length > 0, "the sender went away");
                request.extend_from_slice(&piece[..length]);
            }
            connection.write_all(answer.as_bytes()).unwrap();
            request
        });
        Self { url, request }
    }

    /// The request as it came.
    pub(crate) fn request(self) -> String {
        String::from_utf8(self.request.join().unwrap()).unwrap()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}
