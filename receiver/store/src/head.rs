//! How a request's head is kept: a version byte, then lengths and bytes, since header values need not be UTF-8.
use boathook_event::Head;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const VERSION: u8 = 1;

/// Writes method, path, query and the headers in their order, repetitions included.
pub(crate) fn encode(head: &Head) -> Vec<u8> {
    let Head { method, path, query, headers } = head;
    let mut out = Vec::with_capacity(64 + path.len() + headers.len() * 48);
    out.push(VERSION);
    put(&mut out, method.as_str().as_bytes());
    put(&mut out, path.as_bytes());
    match query {
        Some(query) => {
            out.push(1);
            put(&mut out, query.as_bytes());
        }
        None => out.push(0),
    }
    for (name, value) in headers {
        put(&mut out, name.as_str().as_bytes());
        put(&mut out, value.as_bytes());
    }
    out
}

/// Reads what [`encode`] wrote; `None` if it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<Head> {
    let mut rest = bytes;
    (byte(&mut rest)? == VERSION).then_some(())?;
    let method = Method::from_bytes(take(&mut rest)?).ok()?;
    let path = text(&mut rest)?;
    let query = match byte(&mut rest)? {
        0 => None,
        _ => Some(text(&mut rest)?),
    };
    let mut headers = HeaderMap::new();
    while !rest.is_empty() {
        let name = HeaderName::from_bytes(take(&mut rest)?).ok()?;
        headers.append(name, HeaderValue::from_bytes(take(&mut rest)?).ok()?);
    }
    Some(Head { method, path, query, headers })
}

/// A length in groups of seven bits, lowest first, then the bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(low_seven(length) | 0x80);
        length >>= 7;
    }
    out.push(low_seven(length));
    out.extend_from_slice(bytes);
}

fn low_seven(length: usize) -> u8 {
    u8::try_from(length & 0x7f).unwrap_or(0x7f)
}

fn take<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let mut length = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let group = byte(rest)?;
        length |= usize::from(group & 0x7f).checked_shl(shift)?;
        if group & 0x80 == 0 {
            let (bytes, behind) = rest.split_at_checked(length)?;
            *rest = behind;
            return Some(bytes);
        }
    }
    None
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(*first)
}

fn text(rest: &mut &[u8]) -> Option<Box<str>> {
    std::str::from_utf8(take(rest)?).ok().map(Into::into)
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
