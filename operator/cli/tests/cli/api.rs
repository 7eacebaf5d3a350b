//! A receiver's data API that answers what it was told to, and keeps what it was asked.
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

/// It ends with the test's process.
pub(crate) struct Api {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Method and target.
    pub(crate) what: String,
    pub(crate) token: String,
    pub(crate) body: String,
}

/// Status and body for calls whose method and target begin so.
type Answers = Vec<(&'static str, u16, Value)>;

impl Api {
    /// The first of the answers that fits is given.
    pub(crate) fn answering(answers: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let its = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (its, answers) = (Arc::clone(&its), answers.clone());
                thread::spawn(move || serve(stream, &answers, &its));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, answers: &Answers, asked: &Mutex<Vec<Asked>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                text => head.push(text.to_owned()),
            }
        }
        let value = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let mut body = vec![0; value("content-length: ").parse().unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let what = head[0].trim_end_matches(" HTTP/1.1").to_owned();
        let token = value("authorization: Bearer ").to_owned();
        asked.lock().unwrap().push(Asked {
            what: what.clone(),
            token,
            body: String::from_utf8(body).unwrap(),
        });
        let found = answers.iter().find(|(begins, ..)| what.starts_with(begins));
        let (_, status, answer) = found.unwrap_or_else(|| panic!("nobody expected {what}"));
        let text = answer.to_string();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", text.len());
        writer.write_all((head + &text).as_bytes()).unwrap();
    }
}
