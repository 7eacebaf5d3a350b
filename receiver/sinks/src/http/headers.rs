//! What is sent beside the body: the event's headers, Boathook's, and the sink's own, each over the one before.
use std::borrow::Cow;

use boathook_event::{Failure, FailureKind};
use boathook_template::{Place, Pointers, Template, Values};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{HeaderContent, HeaderSpec};
use crate::{
    BuildError, Secret, Sending,
    body::Body,
    error::permanent,
    limits,
    source::{DeliverySource, never_known},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const EVENT_ID: HeaderName = HeaderName::from_static("boathook-event-id");
const EVENT_TYPE: HeaderName = HeaderName::from_static("boathook-event-type");
const ENDPOINT: HeaderName = HeaderName::from_static("boathook-endpoint");
const ATTEMPT: HeaderName = HeaderName::from_static("boathook-attempt");
const REPLAY: HeaderName = HeaderName::from_static("boathook-replay");

/// The sink's own headers, compiled.
#[derive(Debug)]
pub(super) struct Headers {
    own: Vec<(HeaderName, Content)>,
    pointers: Pointers,
}

#[derive(Debug)]
enum Content {
    Template(Template),
    Secret(HeaderValue),
}

impl Headers {
    pub(super) fn compile(specs: &[HeaderSpec]) -> Result<Self, BuildError> {
        if specs.len() > limits::HEADERS_MAX {
            let message = format!("has {} entries: write at most {}", specs.len(), limits::HEADERS_MAX);
            return Err(BuildError::new("http.headers", message));
        }
        let mut headers = Self { own: Vec::with_capacity(specs.len()), pointers: Pointers::default() };
        for (index, spec) in specs.iter().enumerate() {
            let field = |member: &str| format!("http.headers[{index}].{member}");
            let name = headers.name(spec).map_err(|message| BuildError::new(field("name"), message))?;
            let content = match &spec.value {
                HeaderContent::Template(text) => Content::Template(
                    headers.template(text).map_err(|message| BuildError::new(field("value"), message))?,
                ),
                HeaderContent::Secret(secret) => Content::Secret(
                    secret_value(secret).map_err(|message| BuildError::new(field("secretRef"), message))?,
                ),
            };
            headers.own.push((name, content));
        }
        Ok(headers)
    }

    /// A name that may be set and is not set yet.
    fn name(&self, spec: &HeaderSpec) -> Result<HeaderName, String> {
        let name: HeaderName = spec.name.parse().map_err(|_| {
            format!("`{}` is no header name: write letters, digits and hyphens", spec.name.escape_debug())
        })?;
        if belongs_to_the_hop(&name) {
            return Err(format!("`{name}` belongs to the connection and cannot be set: remove it"));
        }
        if self.own.iter().any(|(earlier, _)| *earlier == name) {
            return Err(format!("`{name}` is set twice: remove one"));
        }
        Ok(name)
    }

    fn template(&mut self, text: &str) -> Result<Template, String> {
        let template =
            Template::parse(text, Place::Delivery, &mut self.pointers).map_err(|error| error.to_string())?;
        if let Some(reason) = template.holes().find_map(never_known) {
            return Err(format!("{reason}: remove it"));
        }
        Ok(template)
    }

    /// All headers of one attempt. `Host` is the client's, and so is `Content-Length` where there is a body; it sends
    /// none for an empty one, although a POST should have it (RFC 9110 § 8.6) and some servers insist (411).
    ///
    /// The provider's headers go along with its own bytes only: of another body they would not be true.
    pub(super) fn of(&self, sending: &Sending, body: &Body, now: Timestamp) -> Result<HeaderMap, Failure> {
        let event = &*sending.delivery.event;
        let mut headers = match &body.content_type {
            None => forwarded(&event.head.headers),
            Some(content_type) => HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.clone())]),
        };
        add_ours(&mut headers, sending);
        if body.bytes.is_empty() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let values = match self.pointers.is_empty() {
            true => Values::none(),
            false => self.pointers.scan(&event.body).unwrap_or_else(|_| Values::none()),
        };
        let Sending { attempt, attributes, .. } = sending;
        let source = DeliverySource { event, attempt: *attempt, now, attributes, values: &values };
        for (name, content) in &self.own {
            let value = match content {
                Content::Secret(value) => Some(value.clone()),
                Content::Template(template) => {
                    template.render(&source).map(|text| rendered(name, &text)).transpose()?
                }
            };
            // The name is the sink's: without a value the provider must not be able to fill it.
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(name)),
            }
        }
        Ok(headers)
    }

    /// The names of those headers whose values are secrets.
    pub(super) fn secret_names(&self) -> impl Iterator<Item = &HeaderName> {
        self.own.iter().filter(|(_, content)| matches!(content, Content::Secret(_))).map(|(name, _)| name)
    }

    /// The text with every secret blotted out, for a target that echoes what it was sent. Also finds a secret
    /// written as a JSON string, and the credential after its scheme (`Bearer …`).
    pub(super) fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (_, content) in &self.own {
            let Content::Secret(value) = content else { continue };
            let Ok(secret) = std::str::from_utf8(value.as_bytes()) else { continue };
            let quoted = Zeroizing::new(secret.replace('\\', "\\\\").replace('"', "\\\""));
            let credential = secret.rsplit(' ').next().unwrap_or(secret);
            for needle in [secret, &quoted, credential].into_iter().filter(|needle| !needle.is_empty()) {
                text = text.replace(needle, "[secret]");
            }
        }
        text
    }
}

/// The event's headers but those of the way it came: of its connection, of the proxies in between, of the client's
/// session, and those that are ours to set.
fn forwarded(received: &HeaderMap) -> HeaderMap {
    let named_by_connection: Vec<&str> = received
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    received
        .iter()
        .filter(|(name, _)| !belongs_to_the_hop(name) && !tells_of_the_way_in(name))
        .filter(|(name, _)| {
            !named_by_connection.iter().any(|named| named.eq_ignore_ascii_case(name.as_str()))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Headers between two neighbours (RFC 9110 § 7.6.1), and those that the client derives from URL and body.
/// `Expect` is one of them: by the time of forwarding the body is here.
fn belongs_to_the_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "expect"
            | "host"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.as_str().starts_with("proxy-")
}

/// Headers that were true of the way to Boathook alone, and names by which consumers trust Boathook.
fn tells_of_the_way_in(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "accept-encoding" | "cookie" | "forwarded" | "idempotency-key" | "x-real-ip")
        || name.starts_with("x-forwarded-")
        || name.starts_with("boathook-")
}

fn add_ours(headers: &mut HeaderMap, sending: &Sending) {
    let Sending { delivery, attempt, .. } = sending;
    let event = &*delivery.event;
    headers.insert(EVENT_ID, plain(event.id.as_deref().unwrap_or(&event.uid.to_string())));
    headers.insert(IDEMPOTENCY_KEY, plain(&delivery.idempotency_key()));
    if delivery.replay > 0 {
        headers.insert(REPLAY, delivery.replay.into());
    }
    if let Some(event_type) = event.event_type.as_deref() {
        headers.insert(EVENT_TYPE, plain(event_type));
    }
    headers.insert(ENDPOINT, plain(event.endpoint.as_str()));
    headers.insert(ATTEMPT, (*attempt).into());
}

/// A value of a provider's making as visible ASCII: other bytes and `%` are percent-encoded, as in the CloudEvents
/// HTTP binding, so that no id is too strange to be delivered.
fn plain(text: &str) -> HeaderValue {
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    let text = if text.bytes().all(visible) {
        Cow::Borrowed(text)
    } else {
        text.bytes()
            .map(|byte| if visible(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    HeaderValue::from_str(&text).expect("visible ASCII is a header value")
}

/// The value of one of the sink's own headers. The message does not quote it: it may be personal.
fn rendered(name: &HeaderName, text: &str) -> Result<HeaderValue, Failure> {
    let refuse = |what: String| permanent(FailureKind::Unrenderable, format!("header `{name}` {what}"));
    if text.len() > limits::HEADER_VALUE_BYTES_MAX {
        let (bytes, max) = (text.len(), limits::HEADER_VALUE_BYTES_MAX);
        return Err(refuse(format!("would have {bytes} bytes, more than {max}")));
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        refuse("would have a line break or another control character, which no header can carry".into())
    })
}

fn secret_value(secret: &Secret) -> Result<HeaderValue, String> {
    let bytes = secret.as_bytes();
    if bytes.is_empty() {
        return Err("the secret is empty: store a value".into());
    }
    if bytes.len() > limits::HEADER_VALUE_BYTES_MAX {
        return Err(format!(
            "the secret has {} bytes: store at most {}",
            bytes.len(),
            limits::HEADER_VALUE_BYTES_MAX
        ));
    }
    secret.to_header_value().map_err(|_| match bytes.ends_with(b"\n") {
        true => "the secret ends with a line break: store it without (`printf`, not `echo`)".into(),
        false => "the secret has a control character, which no header can carry: store it without".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str, text: &str) -> HeaderSpec {
        HeaderSpec { name: name.into(), value: HeaderContent::Template(text.into()) }
    }

    fn secret(name: &str, text: &str) -> HeaderSpec {
        HeaderSpec { name: name.into(), value: HeaderContent::Secret(Secret::new(text)) }
    }

    #[test]
    fn a_header_that_cannot_be_set_is_refused_with_its_place_and_what_to_do() {
        for (second, expected) in [
            (template("x y", "v"), "http.headers[1].name: `x y` is no header name"),
            (template("Host", "v"), "http.headers[1].name: `host` belongs to the connection"),
            (template("proxy-authorization", "v"), "http.headers[1].name: `proxy-authorization` belongs"),
            (template("X-First", "v"), "http.headers[1].name: `x-first` is set twice"),
            (template("X-Second", "{nonsense"), "http.headers[1].value: "),
            (template("X-Second", "{id|status}"), "http.headers[1].value: `{status}` is known only after"),
            (secret("X-Second", "hunter2\n"), "http.headers[1].secretRef: the secret ends with a line break"),
            (
                secret("X-Second", "hun\nter2"),
                "http.headers[1].secretRef: the secret has a control character",
            ),
            (secret("X-Second", ""), "http.headers[1].secretRef: the secret is empty"),
        ] {
            let message = Headers::compile(&[template("x-first", "v"), second]).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        let many: Vec<_> = (0..=limits::HEADERS_MAX).map(|n| template(&format!("x-{n}"), "v")).collect();
        assert_eq!(
            Headers::compile(&many).unwrap_err().to_string(),
            "http.headers: has 33 entries: write at most 32"
        );
    }

    #[test]
    fn headers_of_the_way_in_are_not_forwarded() {
        let mut received = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("host", "hooks.example.com"),
            ("cookie", "a=b"),
            ("content-length", "3"),
            ("accept-encoding", "gzip"),
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("boathook-attempt", "99"),
            ("idempotency-key", "theirs"),
            ("content-type", "application/json"),
            ("user-agent", "GitHub-Hookshot/1"),
            ("x-hub-signature-256", "sha256=00"),
        ] {
            received.append(name, HeaderValue::from_static(value));
        }
        received.append("x-twice", HeaderValue::from_static("1"));
        received.append("x-twice", HeaderValue::from_static("2"));
        let sent: Vec<_> = forwarded(&received)
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            sent,
            [
                "content-type: application/json",
                "user-agent: GitHub-Hookshot/1",
                "x-hub-signature-256: sha256=00",
                "x-twice: 1",
                "x-twice: 2"
            ]
        );
    }

    #[test]
    fn a_strange_id_is_percent_encoded_and_a_usual_one_is_not() {
        for (text, expected) in [
            ("evt_1A-2.b:c/d+e=", "evt_1A-2.b:c/d+e="),
            ("a b", "a%20b"),
            ("100%", "100%25"),
            ("ü", "%C3%BC"),
            ("x\r\nEvil: 1", "x%0D%0AEvil:%201"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn a_secret_is_found_whole_quoted_and_without_its_scheme() {
        let headers = Headers::compile(&[
            secret("authorization", "Bearer s3cr3t"),
            secret("x-digest", "user=\"a\\b\""),
        ])
        .unwrap();
        for (echo, expected) in [
            ("got Bearer s3cr3t!", "got [secret]!"),
            ("token s3cr3t", "token [secret]"),
            (r#"{"x-digest": "user=\"a\\b\""}"#, r#"{"x-digest": "[secret]"}"#),
            (r#"user="a\b""#, "[secret]"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(headers.without_secrets(echo), expected);
        }
        assert!(!format!("{headers:?}").contains("s3cr3t"));
    }
}
