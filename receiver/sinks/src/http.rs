//! The `http` sink: posts an event to a URL.
//!
//! What the body is stands in `body.rs`. No redirect is followed. Any 2xx means taken; what the other answers mean stands
//! in `http/answer.rs`, what is sent beside the body in `http/headers.rs`.
mod answer;
mod headers;

use std::{fmt, time::Duration};

use boathook_event::{Delivered, Failure, FailureKind};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use reqwest::{Request, Response, Url};
use tokio::time::{Instant, timeout_at};

use self::{answer::Answer, headers::Headers};
use crate::{
    BodySpec, BuildError, Rendered, Secret, Sending, Sink,
    body::{Body, BodyMaker},
    client::{GuardedClient, SendError, SharedClient},
    error::{passing, permanent},
    limits,
};

/// What an `http` sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSpec {
    /// `http` or `https`, without userinfo. The guard decides on its address.
    pub url: String,
    /// Headers of the sink's own, at most [`limits::HEADERS_MAX`]. Each replaces what would be sent under its name.
    pub headers: Vec<HeaderSpec>,
    /// Time for one attempt from looking the name up to the head of the answer, at most [`limits::TIMEOUT_MAX`].
    pub timeout: Duration,
    /// What is sent.
    pub body: BodySpec,
    /// Bytes of a body, at most [`limits::BODY_BYTES_MAX`]; a larger one is not sent, and parked.
    pub body_bytes_max: usize,
}

/// One header of the sink's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderSpec {
    /// The name, in any case.
    pub name: String,
    /// The value.
    pub value: HeaderContent,
}

/// Where a header's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderContent {
    /// A template of [`boathook_template::Place::Delivery`]. Where it has no value, the header is not sent.
    Template(String),
    /// A secret (`secretRef`), sent as it is.
    Secret(Secret),
}

/// Posts events to one URL.
pub(crate) struct HttpSink {
    client: GuardedClient,
    url: Url,
    /// `host:port`, which is all that messages say of the URL: path and query of webhook URLs are often secret.
    place: String,
    headers: Headers,
    timeout: Duration,
    body: BodyMaker,
    body_bytes_max: usize,
}

impl HttpSink {
    pub(crate) fn build(spec: &HttpSpec, client: &SharedClient) -> Result<Self, BuildError> {
        let HttpSpec { url, headers, timeout, body, body_bytes_max } = spec;
        let url = parse_url(url)?;
        let headers = Headers::compile(headers)?;
        if timeout.is_zero() || *timeout > limits::TIMEOUT_MAX {
            let message = format!("is {timeout:?}: write more than 0s and at most {:?}", limits::TIMEOUT_MAX);
            return Err(BuildError::new("http.timeout", message));
        }
        if !(1..=limits::BODY_BYTES_MAX).contains(body_bytes_max) {
            let message = format!("is {body_bytes_max}: write 1 to {}", limits::BODY_BYTES_MAX);
            return Err(BuildError::new("http.bodyBytesMax", message));
        }
        let body = BodyMaker::compile(body)?;
        let client = client.guarded().map_err(|error| {
            BuildError::new("http", format!("no TLS client: are CA certificates installed? ({error:?})"))
        })?;
        client.check(&url).map_err(|forbidden| BuildError::new("http.url", forbidden.to_string()))?;
        let (timeout, body_bytes_max) = (*timeout, *body_bytes_max);
        Ok(Self { client, place: place(&url), url, headers, timeout, body, body_bytes_max })
    }

    /// Headers and body of an attempt at this time.
    fn content(&self, sending: &Sending, now: Timestamp) -> Result<(HeaderMap, Bytes), Failure> {
        let body = self.body.make(sending, now)?;
        self.fits(&body)?;
        Ok((self.headers.of(sending, &body, now)?, body.bytes))
    }

    async fn deliver(&self, sending: &Sending) -> Result<Delivered, Failure> {
        let (headers, body) = self.content(sending, Timestamp::now())?;
        let mut request = Request::new(Method::POST, self.url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let deadline = Instant::now() + self.timeout;
        match timeout_at(deadline, self.client.send(request)).await {
            Ok(Ok(response)) => self.judge(response, deadline).await,
            Ok(Err(error)) => Err(self.unsent(&error)),
            Err(_) => {
                let message = format!("no answer from {} within {:?}", self.place, self.timeout);
                Err(passing(FailureKind::Timeout, message))
            }
        }
    }

    fn fits(&self, body: &Body) -> Result<(), Failure> {
        let (bytes, max) = (body.bytes.len(), self.body_bytes_max);
        if bytes <= max {
            return Ok(());
        }
        let message = format!("the body has {bytes} bytes, more than the {max} of http.bodyBytesMax");
        Err(permanent(FailureKind::BodyTooLarge, message))
    }

    /// Once the head of the answer is here the outcome stands, whatever happens to the body.
    async fn judge(&self, mut response: Response, deadline: Instant) -> Result<Delivered, Failure> {
        let patience = deadline.min(Instant::now() + limits::DRAIN_TIME_MAX);
        let body = timeout_at(patience, drained(&mut response)).await.ok().flatten();
        Answer {
            place: &self.place,
            status: response.status(),
            headers: response.headers(),
            body: body.as_deref(),
        }
        .outcome(&self.headers, Timestamp::now())
    }

    fn unsent(&self, error: &SendError) -> Failure {
        let place = &self.place;
        match error {
            SendError::Forbidden(forbidden) => {
                permanent(FailureKind::ForbiddenAddress, format!("{place} was not called: {forbidden}"))
            }
            SendError::Transport(cause) if cause.is_connect() => {
                passing(FailureKind::Unreachable, format!("cannot connect to {place}: {error}"))
            }
            SendError::Transport(_) => {
                passing(FailureKind::Unreachable, format!("{place} broke off before it answered: {error}"))
            }
        }
    }
}

impl Sink for HttpSink {
    fn batch_max(&self) -> usize {
        1
    }

    fn render(&self, sending: &Sending, now: Timestamp) -> Result<Rendered, Failure> {
        let (mut headers, body) = self.content(sending, now)?;
        for name in self.headers.secret_names() {
            headers.insert(name, HeaderValue::from_static("[secret]"));
        }
        Ok(Rendered { destination: self.url.to_string(), headers, body })
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

impl fmt::Debug for HttpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSink")
            .field("place", &self.place)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The whole body, or `None` where it is too long or breaks off.
async fn drained(response: &mut Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limits::DRAIN_BYTES_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// Never quotes the text: it may carry a secret.
fn parse_url(text: &str) -> Result<Url, BuildError> {
    let refuse = |message: String| BuildError::new("http.url", message);
    let url: Url = text.parse().map_err(|error| {
        refuse(format!("is no absolute URL ({error}): write one such as https://orders.example.com/hooks"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(format!("has the scheme `{}`: write http or https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = "carries a user or a password: put them into a header `Authorization` with a secretRef";
        return Err(refuse(message.into()));
    }
    Ok(url)
}

fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AddressGuard;

    fn spec(url: &str) -> HttpSpec {
        HttpSpec {
            url: url.into(),
            headers: Vec::new(),
            timeout: Duration::from_secs(30),
            body: BodySpec::Raw,
            body_bytes_max: 1024,
        }
    }

    fn refusal(spec: &HttpSpec) -> String {
        HttpSink::build(spec, &SharedClient::new(AddressGuard::default())).unwrap_err().to_string()
    }

    #[test]
    fn a_url_that_cannot_be_posted_to_is_refused_with_what_to_write() {
        for (url, expected) in [
            ("orders", "http.url: is no absolute URL (relative URL without a base)"),
            ("https://", "http.url: is no absolute URL (empty host)"),
            ("ftp://example.com/", "http.url: has the scheme `ftp`: write http or https"),
            ("https://u@example.com/", "http.url: carries a user or a password: put them into a header"),
            ("https://:hunter2@example.com/", "http.url: carries a user or a password"),
            ("http://127.0.0.1/", "http.url: 127.0.0.1 is a loopback address"),
            ("http://[fe80::1]/", "http.url: fe80::1 is a link-local address"),
            ("http://0xa9fea9fe/", "http.url: 169.254.169.254 is a cloud metadata address"),
        ] {
            let message = refusal(&spec(url));
            assert!(message.starts_with(expected), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_timeout_is_bounded_on_both_sides() {
        for timeout in [Duration::ZERO, limits::TIMEOUT_MAX + Duration::from_millis(1)] {
            let message = refusal(&HttpSpec { timeout, ..spec("https://example.com/") });
            assert!(message.starts_with("http.timeout: is "), "{message}");
        }
    }

    #[test]
    fn a_body_that_no_endpoint_takes_is_no_bound() {
        for body_bytes_max in [0, limits::BODY_BYTES_MAX + 1] {
            let message = refusal(&HttpSpec { body_bytes_max, ..spec("https://example.com/") });
            assert!(message.starts_with("http.bodyBytesMax: is "), "{message}");
        }
    }

    #[test]
    fn messages_know_host_and_port_and_nothing_else_of_the_url() {
        assert_eq!(place(&"https://example.com/T0/B0?token=x#y".parse().unwrap()), "example.com:443");
        assert_eq!(place(&"http://[::1]:8080/".parse().unwrap()), "[::1]:8080");
    }
}
