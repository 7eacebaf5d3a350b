//! A small HTTP/1.1 client that blocks: one request a connection, to a receiver on this machine.
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What a receiver on the same machine is called.
pub(crate) const HOST: &str = "localhost";
/// A receiver on the same machine that takes longer is broken.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bounds head and body together; a page of metrics is far smaller.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks for a page.
///
/// # Errors
/// When there is no connection, no answer in time, or one that is not understood.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    send(address, &format!("GET {path} HTTP/1.1\r\n"), &[], "")
}

/// Posts a body.
///
/// # Errors
/// When there is no connection, no answer in time, or one that is not understood.
pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    send(address, &format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len()), headers, body)
}

/// A connection that stays open.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    port: u16,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When there is no connection.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), port: address.port() })
    }

    /// Posts a body.
    ///
    /// # Errors
    /// When there is no answer in time, or one that is not understood; the connection is of no use then.
    pub(crate) fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
        self.send("POST", path, headers, body)
    }

    /// Sends any request.
    ///
    /// # Errors
    /// See [`Connection::post`].
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let (port, length) = (self.port, body.len());
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Length: {length}\r\n");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["\r\n", body]);
        self.stream.get_mut().write_all(request.as_bytes())?;
        Answer::read(&mut self.stream)
    }
}

fn send(address: SocketAddr, start: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
    let port = address.port();
    let mut request = format!("{start}Host: {HOST}:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.extend(["\r\n", body]);
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    Answer::read(BufReader::new(stream.take(ANSWER_BYTES_MAX)))
}

impl Answer {
    /// Reads a head and as much of a body as it announces; the receiver always announces it.
    fn read(mut server: impl BufRead) -> io::Result<Self> {
        let start = line(&mut server)?;
        let status = start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next());
        let status = status.and_then(|status| status.parse().ok()).ok_or_else(|| not_http(&start))?;
        let mut body = None;
        loop {
            let header = line(&mut server)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or_else(|| not_http(&header))?;
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(value.trim().parse::<u64>().map_err(|_| not_http(&header))?);
            }
        }
        let announced = body.ok_or_else(|| invalid("the answer has no Content-Length".to_owned()))?;
        let mut body = String::new();
        let came = server.take(announced).read_to_string(&mut body)?;
        if u64::try_from(came).is_ok_and(|came| came == announced) {
            Ok(Self { status, body })
        } else {
            Err(invalid(format!("the answer ends after {came} of {announced} bytes")))
        }
    }
}

/// One line of a head, without its end.
fn line(server: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    server.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(invalid("the answer ends in its head".to_owned())),
    }
}

fn not_http(line: &str) -> io::Error {
    invalid(format!("`{line}` is no line of an HTTP/1.1 answer; does another program listen there?"))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<Answer, String> {
        Answer::read(answer.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_is_its_status_and_as_much_body_as_it_announces() {
        let answer = read(
            "HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\nCONTENT-Length:  4\r\n\r\nnope and more",
        );
        assert_eq!(answer, Ok(Answer { status: 401, body: "nope".to_owned() }));
        let answer = read("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(answer, Ok(Answer { status: 200, body: String::new() }));
    }

    #[test]
    fn a_broken_answer_is_refused_with_what_is_broken() {
        for (answer, message) in [
            ("", "ends in its head"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", "ends in its head"),
            ("SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH"),
            ("HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 OK"),
            ("HTTP/1.1 200 OK\r\nno header\r\n\r\n", "no header"),
            ("HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n", "content-length: two"),
            ("HTTP/1.1 200 OK\r\n\r\nbody", "no Content-Length"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbody", "after 4 of 9 bytes"),
        ] {
            let refusal = read(answer).unwrap_err();
            assert!(refusal.contains(message), "{answer:?}: {refusal}");
        }
    }
}
