//! The `log` sink: one line of JSON per event on standard output, for trying things out.
use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use boathook_event::{Delivered, Failure, FailureKind, ObjectName};
use futures::future::BoxFuture;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    BodySpec, BuildError, Rendered, Sending, Sink, body::BodyMaker, error::passing,
    limits::LOG_BODY_BYTES_MAX,
};

/// Where the lines go; shared by all `log` sinks, so that lines do not mix.
pub(crate) type Output = Arc<Mutex<Box<dyn Write + Send>>>;

/// Writes events as lines.
pub(crate) struct LogSink {
    name: ObjectName,
    body: BodyMaker,
    output: Output,
}

/// One line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'l> {
    sink: &'l str,
    endpoint: &'l str,
    uid: String,
    id: Option<&'l str>,
    #[serde(rename = "type")]
    event_type: Option<&'l str>,
    attempt: u32,
    /// The n-th time that it is delivered again.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<u32>,
    received_at: Timestamp,
    /// The body where it is JSON, as it was received but for line breaks between its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
    /// The body where it is something else, or is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    body_truncated: bool,
}

impl LogSink {
    pub(crate) fn build(name: ObjectName, body: &BodySpec, output: Output) -> Result<Self, BuildError> {
        Ok(Self { name, body: BodyMaker::compile(body)?, output })
    }

    async fn deliver(&self, sending: &Sending) -> Result<Delivered, Failure> {
        let body = self.body.make(sending, Timestamp::now())?.bytes;
        let line = self.line(sending, &body);
        let output = Arc::clone(&self.output);
        // Whoever reads standard output may stop reading: only a thread that may block waits for that.
        let written = tokio::task::spawn_blocking(move || write(&output, &line?)).await;
        match written.unwrap_or_else(|stopped| Err(io::Error::other(stopped))) {
            Ok(()) => Ok(Delivered { already_there: false, status: None }),
            Err(error) => Err(unwritten(&error)),
        }
    }

    fn line(&self, sending: &Sending, sent: &[u8]) -> io::Result<Vec<u8>> {
        let Sending { delivery, attempt, .. } = sending;
        let event = &*delivery.event;
        let cut = sent.get(..LOG_BODY_BYTES_MAX).filter(|kept| kept.len() < sent.len());
        let body = if cut.is_some() { None } else { on_one_line(sent) };
        let line = Line {
            sink: self.name.as_str(),
            endpoint: event.endpoint.as_str(),
            uid: event.uid.to_string(),
            id: event.id.as_deref(),
            event_type: event.event_type.as_deref(),
            attempt: *attempt,
            replay: Some(delivery.replay).filter(|replay| *replay > 0),
            received_at: event.received_at,
            body_base64: body.is_none().then(|| STANDARD.encode(cut.unwrap_or(sent))),
            body,
            body_truncated: cut.is_some(),
        };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        Ok(line)
    }
}

impl Sink for LogSink {
    fn batch_max(&self) -> usize {
        1
    }

    fn render(&self, sending: &Sending, now: Timestamp) -> Result<Rendered, Failure> {
        let body = self.body.make(sending, now)?.bytes;
        let line = self.line(sending, &body).map_err(|error| unwritten(&error))?;
        Ok(Rendered { destination: "stdout".into(), headers: HeaderMap::new(), body: line.into() })
    }

    fn deliver_batch<'a>(
        &'a self,
        sendings: &'a [Sending],
    ) -> BoxFuture<'a, Vec<Result<Delivered, Failure>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(sendings.len());
            for sending in sendings {
                outcomes.push(self.deliver(sending).await);
            }
            outcomes
        })
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSink").field("name", &self.name).finish_non_exhaustive()
    }
}

fn unwritten(error: &io::Error) -> Failure {
    passing(FailureKind::Unreachable, format!("cannot write to standard output: {error}"))
}

/// The JSON text without line breaks; `None` where the body is no JSON. In JSON a bare line break stands only
/// between tokens, where a space means the same.
fn on_one_line(body: &[u8]) -> Option<Box<RawValue>> {
    let text: &RawValue = serde_json::from_slice(body).ok()?;
    if text.get().contains(['\n', '\r']) {
        RawValue::from_string(text.get().replace(['\n', '\r'], " ")).ok()
    } else {
        Some(text.to_owned())
    }
}

fn write(output: &Output, line: &[u8]) -> io::Result<()> {
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    output.write_all(line)?;
    output.flush()
}
