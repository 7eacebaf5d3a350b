//! Reading a request off the wire, under its bounds: what comes out is held whole and believed in nothing.
use boathook_verify::RawRequest;
use bytes::Bytes;
use http::{header, request::Parts};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::Refusal;
use crate::{
    held::{Full, Held, Holders},
    limits::{BODY_TIME_MAX, LEFTOVER_BYTES_MAX, LEFTOVER_TIME_MAX},
};

/// The host that was called, without port: HTTP/2 and absolute targets name it in the URI.
pub(super) fn host(head: &Parts) -> Option<&str> {
    let named = head.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = head.uri.authority().map_or(named, |authority| Some(authority.as_str()))?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.split_once(']') {
        Some((bracketed, _)) => bracketed.strip_prefix('['),
        None => authority.split(':').next(),
    }
}

/// Reads the body into bytes of its own. Nothing is set aside for bytes that were announced and have not come.
pub(super) async fn body<'h, B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    bytes_max: usize,
    holders: Holders<'h>,
) -> Result<(Bytes, Held<'h>), Refusal> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Refusal::BodyTooLarge { bytes_max });
    }
    let mut held = Held::new(holders);
    let collected = timeout(BODY_TIME_MAX, collected(body, bytes_max, &mut held)).await;
    Ok((collected.unwrap_or(Err(Refusal::BodyLate))?, held))
}

async fn collected<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    bytes_max: usize,
    held: &mut Held<'_>,
) -> Result<Bytes, Refusal> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        // What is no data is trailers, which nobody signs.
        let Ok(data) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else { continue };
        if whole.len() + data.len() > bytes_max {
            return Err(Refusal::BodyTooLarge { bytes_max });
        }
        held.more(data.len()).map_err(|Full| Refusal::Crowded)?;
        if whole.is_empty() {
            whole.reserve_exact(data.len());
        }
        // A frame is a slice of the connection's buffer: a kept event must not hold all of that.
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Takes what a refused request still has to say, within bounds and beside its answer.
pub(super) fn leftover(body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(LEFTOVER_TIME_MAX, async move {
        let (mut body, mut bytes) = (body, 0);
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > LEFTOVER_BYTES_MAX {
                return;
            }
        }
    }));
}

/// Joins head and body.
pub(super) fn raw(head: Parts, body: Bytes) -> RawRequest {
    RawRequest {
        path: head.uri.path().into(),
        query: head.uri.query().map(Into::into),
        method: head.method,
        headers: head.headers,
        body,
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, pin::pin, task::Poll};

    use futures::stream;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;
    use crate::held::BodiesHeld;

    fn chunks(texts: &'static [&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let frames = texts.iter().map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn a_body_within_its_bound_comes_whole_and_its_bytes_are_given_back() {
        let (all, endpoint) = (BodiesHeld::default(), BodiesHeld::default());
        let (bytes, held) =
            body(&mut chunks(&["ab", "", "cde"]), 5, Holders { all: &all, endpoint: &endpoint })
                .await
                .ok()
                .unwrap();
        assert_eq!((&bytes[..], all.bytes()), (&b"abcde"[..], 5));
        drop(held);
        assert_eq!(all.bytes(), 0);
    }

    #[tokio::test]
    async fn a_body_over_its_bound_is_refused_whether_or_not_its_length_was_announced() {
        let (all, endpoint) = (BodiesHeld::default(), BodiesHeld::default());
        let announced = body(
            &mut Full::new(Bytes::from_static(b"abcdef")),
            5,
            Holders { all: &all, endpoint: &endpoint },
        )
        .await;
        assert!(matches!(announced.err(), Some(Refusal::BodyTooLarge { bytes_max: 5 })));
        let chunked = body(&mut chunks(&["abc", "def"]), 5, Holders { all: &all, endpoint: &endpoint }).await;
        assert!(matches!(chunked.err(), Some(Refusal::BodyTooLarge { bytes_max: 5 })));
        assert_eq!(all.bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_in_time_is_late() {
        let (all, endpoint) = (BodiesHeld::default(), BodiesHeld::default());
        let mut never =
            StreamBody::new(stream::poll_fn(|_| Poll::<Option<Result<Frame<Bytes>, Infallible>>>::Pending));
        let late = pin!(body(&mut never, 5, Holders { all: &all, endpoint: &endpoint })).await;
        assert!(matches!(late.err(), Some(Refusal::BodyLate)));
    }

    #[test]
    fn the_host_is_found_without_its_port() {
        for (uri, header, expected) in [
            ("/x", Some("Hooks.example.com:8080"), Some("Hooks.example.com")),
            ("/x", Some("[2001:db8::1]:80"), Some("2001:db8::1")),
            ("/x", None, None),
            ("http://a.example/x", Some("b.example"), Some("a.example")),
            ("http://user@a.example:1/x", None, Some("a.example")),
        ] {
            let mut request = http::Request::builder().uri(uri);
            if let Some(header) = header {
                request = request.header("host", header);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(host(&head), expected, "{uri} {header:?}");
        }
    }
}
