//! The data API: who asks, for what, and what is answered. Reads go to the archive, acts to the store and to dispatch.
mod archived;
mod call;
mod erasures;
mod events;
mod hand;
mod jobs;
mod rendered;
mod replays;
mod statistics;
mod tokens;
mod trial;

use std::sync::{Arc, OnceLock};

use boathook_api::{Code, Erasure, Problem, Replay};
use boathook_event::ObjectName;
use boathook_store::Reader;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::mpsc;

pub(crate) use self::tokens::Tokens;
use self::{call::Call, hand::Hand, jobs::Jobs};
use crate::{deliveries::Changed, ingress::Reply, report::Reporter, serving::Live};

/// The data API of this process.
pub(crate) struct Api {
    tokens: Tokens,
    /// Set when the configuration is loaded and the store is open.
    parts: OnceLock<Parts>,
}

/// What calls are answered from.
pub(crate) struct Parts {
    live: Arc<Live>,
    reader: Reader,
    reporter: Arc<Reporter>,
    hand: Hand,
    replays: Jobs<Replay>,
    erasures: Jobs<Erasure>,
}

/// What a call that was carried out is answered with.
enum Answer {
    Json(StatusCode, String),
    Nothing,
}

type Answered = Result<Answer, Problem>;

impl Parts {
    pub(crate) fn new(reporter: Arc<Reporter>, changed: mpsc::Sender<Changed>) -> Self {
        let (live, reader) = (Arc::clone(&reporter.ingress.live), reporter.reader.clone());
        let hand = Hand::new(&reader, changed);
        Self { live, reader, reporter, hand, replays: Jobs::default(), erasures: Jobs::default() }
    }
}

impl Api {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self { tokens, parts: OnceLock::new() }
    }

    /// From now on calls are answered.
    pub(crate) fn ready(&self, parts: Parts) {
        drop(self.parts.set(parts));
    }

    /// Ends what calls have begun.
    pub(crate) fn stop(&self) {
        if let Some(parts) = self.parts.get() {
            parts.replays.stop();
            parts.erasures.stop();
        }
    }

    /// Answers one call.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Reply {
        let answered = self.answered(request).await;
        let (status, body) = match answered {
            Ok(Answer::Json(status, body)) => (status, body),
            Ok(Answer::Nothing) => (StatusCode::NO_CONTENT, String::new()),
            Err(problem) => {
                let status = StatusCode::from_u16(problem.error.code.status());
                let body = serde_json::to_string(&problem).unwrap_or_default();
                (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
            }
        };
        let is_empty = body.is_empty();
        let mut reply = Response::new(Full::new(Bytes::from(body)));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !is_empty {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply
    }

    async fn answered(&self, request: Request<Incoming>) -> Answered {
        let role = self.tokens.role(request.headers()).await?;
        let call = Call::read(request).await?;
        let segments: Vec<&str> = call.segments.iter().map(|segment| &**segment).collect();
        let Some(parts) = self.parts.get() else {
            return Err(Problem::new(Code::Unavailable, "the receiver is starting", "ask again in a moment"));
        };
        let mut routes = boathook_api::ROUTES.iter().filter(|route| route.has_path(&segments));
        let Some(route) = routes.find(|route| route.method == call.method) else {
            return Err(unknown(&segments, &call.method));
        };
        if role < route.role {
            return Err(Problem::new(
                Code::Forbidden,
                "this token may read only",
                "call with the operate token, which stands in the file `operate` beside the other one",
            ));
        }
        match (route.operation, &*segments) {
            ("listEvents", _) => parts.list_events(&call).await,
            ("showEvent", [_, _, uid]) => parts.show_event(uid).await,
            ("renderEvent", [_, _, uid, _]) => parts.render_event(uid, &call).await,
            ("eraseEvent", [_, _, uid]) => parts.erase_event(uid).await,
            ("replayEvent", [_, _, uid, _]) => parts.replay_event(uid, &call).await,
            ("startReplay", _) => parts.start_replay(&call).await,
            ("showReplay", [_, _, id]) => parts.replays.show(id),
            ("cancelReplay", [_, _, id]) => parts.replays.cancel(id),
            ("startErasure", _) => parts.start_erasure(&call).await,
            ("showErasure", [_, _, id]) => parts.erasures.show(id),
            ("cancelErasure", [_, _, id]) => parts.erasures.cancel(id),
            ("listEndpoints", _) => {
                let standing = parts.reporter.standing().await.map_err(|error| away(&error))?;
                json(&boathook_api::Endpoints { endpoints: standing.endpoints })
            }
            ("listSinks", _) => {
                let standing = parts.reporter.standing().await.map_err(|error| away(&error))?;
                json(&boathook_api::Sinks { sinks: standing.sinks })
            }
            ("showStatistics", _) => parts.statistics(&call).await,
            ("testSink", [_, _, namespace, name, _]) => {
                parts.try_sink(&ObjectName::new(namespace, name), &call).await
            }
            ("listRejections", _) => parts.list_rejections(&call).await,
            _ => Err(unknown(&segments, &call.method)),
        }
    }
}

/// There is no such route, or it has other methods.
fn unknown(segments: &[&str], method: &Method) -> Problem {
    let routes = boathook_api::ROUTES.iter().filter(|route| route.has_path(segments));
    let methods: Vec<&str> = routes.map(|route| route.method).collect();
    match &*methods {
        [] => Problem::new(
            Code::NotFound,
            "there is no such route",
            "see receiver/api/openapi.json; the first ones are /v1/events, /v1/endpoints and /v1/sinks",
        ),
        methods => Problem::new(
            Code::MethodNotAllowed,
            format!("{method} is not what this route takes"),
            format!("send {}", methods.join(" or ")),
        ),
    }
}

fn json(value: &impl Serialize) -> Answered {
    with_status(StatusCode::OK, value)
}

fn with_status(status: StatusCode, value: &impl Serialize) -> Answered {
    let text = serde_json::to_string(value).map_err(|error| away(&error.to_string()))?;
    Ok(Answer::Json(status, text))
}

/// The store does not answer.
fn away(error: &str) -> Problem {
    Problem::new(
        Code::Unavailable,
        format!("the store did not answer: {error}"),
        "ask again in a moment; if it stays so, look into the receiver's log",
    )
}

fn no_sink(sink: &ObjectName) -> Problem {
    Problem::new(
        Code::NotFound,
        format!("no sink `{sink}` is configured"),
        "GET /v1/sinks lists those that are",
    )
}

fn invalid(message: impl Into<String>, next: impl Into<String>) -> Problem {
    Problem::new(Code::Invalid, message, next)
}

/// Reads `namespace/name`.
fn object(member: &str, text: &str) -> Result<ObjectName, Problem> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ObjectName::new(namespace, name))
        }
        _ => Err(invalid(
            format!("`{member}` is `{text}`"),
            "write namespace/name; in a folder the namespace is `default` where none is written",
        )),
    }
}
