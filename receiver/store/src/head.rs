//! How a request's head is kept: a version byte, then lengths and bytes, since header values need not be UTF-8.
use boathook_event::Head;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::wire::{In, put};

const VERSION: u8 = 1;

/// Writes method, path, query and the headers in their order, repetitions included.
pub(crate) fn encode(head: &Head) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + head.path.len() + head.headers.len() * 48);
    encode_into(head, &mut out);
    out
}

/// Like [`encode`], behind what is there already.
pub(crate) fn encode_into(head: &Head, out: &mut Vec<u8>) {
    let Head { method, path, query, headers } = head;
    out.push(VERSION);
    put(out, method.as_str().as_bytes());
    put(out, path.as_bytes());
    match query {
        Some(query) => {
            out.push(1);
            put(out, query.as_bytes());
        }
        None => out.push(0),
    }
    for (name, value) in headers {
        put(out, name.as_str().as_bytes());
        put(out, value.as_bytes());
    }
}

/// Reads what [`encode`] wrote; `None` if it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<Head> {
    let mut rest = In(bytes);
    (rest.byte()? == VERSION).then_some(())?;
    let method = Method::from_bytes(rest.bytes()?).ok()?;
    let path = rest.text()?.into();
    let query = match rest.byte()? {
        0 => None,
        _ => Some(rest.text()?.into()),
    };
    let mut headers = HeaderMap::new();
    while !rest.0.is_empty() {
        let name = HeaderName::from_bytes(rest.bytes()?).ok()?;
        headers.append(name, HeaderValue::from_bytes(rest.bytes()?).ok()?);
    }
    Some(Head { method, path, query, headers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let mut headers = HeaderMap::new();
        headers.append("x-b", HeaderValue::from_static("1"));
        headers.append(
            "x-a",
            HeaderValue::from_bytes(b"\xff\xfe caf\xe9").expect("a header value may be opaque"),
        );
        headers.append("x-b", HeaderValue::from_static(""));
        headers.append("x-long", HeaderValue::from_str(&"v".repeat(20_000)).expect("visible ASCII"));
        Head { method: Method::POST, path: "/in/é".into(), query: Some("a=1&b".into()), headers }
    }

    #[test]
    fn a_head_comes_back_with_its_order_its_repetitions_and_its_bytes() {
        let back = decode(&encode(&head())).expect("it was written by encode");
        assert_eq!(back, head());
        let names = |head: &Head| head.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&back), names(&head()));
    }

    #[test]
    fn an_empty_query_is_not_a_missing_one() {
        for query in [None, Some("".into())] {
            let head = Head { query, ..head() };
            assert_eq!(decode(&encode(&head)), Some(head));
        }
    }

    #[test]
    fn a_damaged_head_is_told_not_guessed() {
        let whole = encode(&head());
        assert_eq!(decode(&whole[..whole.len() - 1]), None);
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[VERSION + 1]), None);
        assert_eq!(decode(&[&[VERSION][..], &[0xff; 12]].concat()), None);
    }
}
