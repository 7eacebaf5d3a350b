//! A request as HTTP writes it (RFC 9112): request line, headers, an empty line, and the body up to the end.
//!
//! The lines of the head end with LF or CRLF, as people save them; the body's bytes are exactly the rest.
use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use boathook_verify::RawRequest;

use crate::{Mistake, given_header::GivenHeader, target};

/// Reads a request; `name` is the file's. The notes say what may not be as it was sent.
pub(crate) fn read(name: &str, text: Vec<u8>) -> Result<(RawRequest, Vec<String>), Mistake> {
    let mut lines = Lines { text: &text, at: 0, number: 0 };
    let told = |number: usize, message: String| Mistake(format!("{name}:{number}: {message}"));
    let first = lines.next().unwrap_or_default();
    let wrong = || told(1, "must be a request line such as `POST /hook HTTP/1.1`".into());
    let first = std::str::from_utf8(first).map_err(|_| wrong())?;
    let mut words = first.split(' ');
    let (Some(method), Some(wanted), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong());
    };
    if !version.starts_with("HTTP/") {
        return Err(wrong());
    }
    let method = method.parse().map_err(|_| wrong())?;
    let (path, query) = target::read(wanted).map_err(|message| told(1, format!("the target {message}")))?;
    let mut headers = HeaderMap::new();
    while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        let header = GivenHeader::read(line)
            .map_err(|message| told(lines.number, format!("{message}; an empty line ends the headers")))?;
        headers.append(header.name, header.value);
    }
    let at = lines.at;
    let request = RawRequest { method, path, query, headers, body: Bytes::from(text).slice(at..) };
    let notes = doubts(&request).into_iter().map(|doubt| format!("{name}: {doubt}")).collect();
    Ok((request, notes))
}

/// The lines of a head, without their ends.
struct Lines<'t> {
    text: &'t [u8],
    /// Where the next one begins.
    at: usize,
    /// 1-based, of the last one.
    number: usize,
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.get(..length.unwrap_or(rest.len()))?;
        self.at += length.map_or(rest.len(), |length| length + 1);
        self.number += 1;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// Why the body may be another than was sent.
fn doubts(request: &RawRequest) -> Vec<String> {
    let mut doubts = Vec::new();
    if request.headers.contains_key(TRANSFER_ENCODING) {
        doubts.push("Transfer-Encoding (chunked) is not decoded here: is the body saved without it?".into());
    }
    let said = request.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if let Some(said) = said.filter(|said| *said != request.body.len()) {
        doubts.push(format!(
            "Content-Length is {said}, and behind the headers stand {} bytes: has an editor changed the line ends?",
            request.body.len()
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<Box<str>>, usize, Bytes) {
        let (request, _) = read("a.http", text.into()).expect(text);
        (format!("{} {}", request.method, request.path), request.query, request.headers.len(), request.body)
    }

    #[test]
    fn the_head_ends_its_lines_in_either_way_and_the_body_is_the_rest() {
        for text in [
            "PUT /a?b=1 HTTP/1.1\nA: 1\nA: 2\n\nbody\r\n\r\n",
            "PUT /a?b=1 HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\nbody\r\n\r\n",
            "PUT /a?b=1 HTTP/2\r\nA: 1\nA:2\r\n\nbody\r\n\r\n",
        ] {
            assert_eq!(
                parts(text),
                ("PUT /a".into(), Some("b=1".into()), 2, Bytes::from_static(b"body\r\n\r\n")),
                "{text:?}"
            );
        }
        for text in ["GET / HTTP/1.1", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\n\r\n"] {
            assert_eq!(parts(text), ("GET /".into(), None, 0, Bytes::new()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_with_its_line() {
        for (text, told) in [
            ("", "a.http:1: must be a request line"),
            ("\n\n{}", "a.http:1: must be a request line"),
            ("POST /", "a.http:1: must be a request line"),
            ("POST / / HTTP/1.1", "a.http:1: must be a request line"),
            ("POST hook HTTP/1.1", "a.http:1: the target must be a path"),
            ("POST / HTTP/1.1\nA: 1\n{}\n", "a.http:3: must be a header"),
            ("POST / HTTP/1.1\nA: 1\n b\n", "a.http:3: must be a header"),
        ] {
            let mistake = read("a.http", text.into()).unwrap_err();
            assert!(mistake.0.starts_with(told), "{text:?}: {mistake}");
        }
    }

    #[test]
    fn a_body_that_may_not_be_the_one_that_was_sent_is_noted() {
        let notes = |text: &str| read("a.http", text.into()).expect(text).1;
        assert_eq!(notes("POST / HTTP/1.1\nContent-Length: 2\n\n{}"), [""; 0]);
        let longer = notes("POST / HTTP/1.1\nContent-Length: 2\n\n{}\n");
        assert!(matches!(&*longer, [note] if note.contains("stand 3 bytes")), "{longer:?}");
        let chunked = notes("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n2\r\n{}\r\n0\r\n\r\n");
        assert!(matches!(&*chunked, [note] if note.contains("not decoded")), "{chunked:?}");
    }
}
