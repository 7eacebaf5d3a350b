//! The private listener: is it alive, is it ready, what does it count, how does everything stand.
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::{ingress::Reply, report::Reporter};

/// What the private listener knows of this process.
#[derive(Default)]
pub(crate) struct Admin {
    /// Set when the configuration is loaded and the store is open.
    reporter: OnceLock<Arc<Reporter>>,
    /// What the start waits for.
    waits_for: Mutex<Option<Box<str>>>,
    leaving: AtomicBool,
    closing: CancellationToken,
}

impl Admin {
    /// From now on it is ready.
    pub(crate) fn ready(&self, reporter: Arc<Reporter>) {
        drop(self.reporter.set(reporter));
    }

    /// The start waits for this, or for nothing any more.
    pub(crate) fn waits_for(&self, what: Option<&str>) {
        *self.waits_for.lock().unwrap_or_else(PoisonError::into_inner) = what.map(Into::into);
    }

    /// From now on it is not ready any more.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// Cancelled by [`Admin::close`].
    pub(crate) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }

    /// The last thing: the private listener ends.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Reply {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "send a GET\n");
            reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" if self.is_leaving() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            "/readyz" if self.reporter.get().is_none() => {
                let waits_for = self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let starting =
                    waits_for.map_or_else(|| "starting\n".into(), |what| format!("starting: {what}\n"));
                text(StatusCode::SERVICE_UNAVAILABLE, &starting)
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            "/metrics" => match self.reporter.get() {
                Some(reporter) => {
                    with_type("text/plain; version=0.0.4; charset=utf-8", Ok(reporter.metrics().await))
                }
                None => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            },
            "/report" => match self.reporter.get() {
                Some(reporter) => with_type("application/json", reporter.report().await),
                None => text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            },
            _ => text(StatusCode::NOT_FOUND, "there are /livez, /readyz, /metrics and /report\n"),
        }
    }
}

fn with_type(kind: &'static str, body: Result<String, String>) -> Reply {
    match body {
        Ok(body) => {
            let mut reply = Response::new(Full::new(Bytes::from(body)));
            reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            reply
        }
        Err(problem) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{problem}\n")),
    }
}

fn text(status: StatusCode, body: &str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
