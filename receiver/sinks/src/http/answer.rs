//! What an answer means: kind × permanence.
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | delivered |
//! | 429; 503 with `Retry-After` | throttled |
//! | 410 | refused for good: the target says it is gone |
//! | anything else, redirects included | refused, worth another attempt |
use std::time::Duration;

use boathook_event::{Delivered, Failure, FailureKind};
use http::{HeaderMap, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use super::headers::Headers;
use crate::{error::clipped, limits::EXCERPT_CHARS_MAX};

/// An answer, as far as it matters.
pub(super) struct Answer<'a> {
    /// `host:port`
    pub(super) place: &'a str,
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    /// The whole body. A cut one is not quoted: it could end within an echoed secret, which would not be recognised.
    pub(super) body: Option<&'a [u8]>,
}

impl Answer<'_> {
    /// `own` knows the secrets that a target may echo; `now` counts a `Retry-After` that is a date.
    pub(super) fn outcome(&self, own: &Headers, now: Timestamp) -> Result<Delivered, Failure> {
        let status = Some(self.status.as_u16());
        if self.status.is_success() {
            return Ok(Delivered { already_there: false, status });
        }
        let pause = retry_after(self.headers, now);
        let (kind, retry_after) = match self.status {
            StatusCode::TOO_MANY_REQUESTS => (FailureKind::Throttled, pause),
            StatusCode::SERVICE_UNAVAILABLE if pause.is_some() => (FailureKind::Throttled, pause),
            _ => (FailureKind::Refused, None),
        };
        let permanent = self.status == StatusCode::GONE;
        Err(Failure { kind, permanent, status, retry_after, message: clipped(self.message(own)).into() })
    }

    fn message(&self, own: &Headers) -> String {
        let Self { place, status, body, .. } = self;
        let code = status.as_u16();
        let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
        let mut message = format!("{place} answered {code}{reason}");
        if status.is_redirection() && self.headers.contains_key(header::LOCATION) {
            message.push_str("; redirects are not followed: write the final address in http.url");
        }
        let text = body.and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
        let excerpt = printable(&own.without_secrets(text));
        if !excerpt.is_empty() {
            message.push_str(": ");
            message.push_str(&excerpt);
        }
        message
    }
}

/// `Retry-After` (RFC 9110 § 10.2.3): seconds, or a date, from which a pause of nothing or more is counted.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(date.duration_since(now).try_into().unwrap_or(Duration::ZERO))
}

/// The first characters on one line, without any that a terminal or a page would obey.
fn printable(text: &str) -> String {
    let shown = |c: char| if obeyed(c) { ' ' } else { c };
    let mut words = String::new();
    for word in text.chars().map(shown).collect::<String>().split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    match words.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => {
            words.truncate(end);
            words + "…"
        }
        None => words,
    }
}

/// Control characters, and the invisible ones that turn the direction of what follows.
fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, retry_after: Option<&str>, body: &str) -> Result<Delivered, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        }
        if (301..=308).contains(&status) {
            headers.insert(header::LOCATION, "https://elsewhere.example/?token=x".parse().unwrap());
        }
        let answer = Answer {
            place: "a.example:443",
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            body: Some(body.as_bytes()),
        };
        answer.outcome(&Headers::compile(&[]).unwrap(), "2026-01-02T03:04:05Z".parse().unwrap())
    }

    #[test]
    fn every_2xx_is_delivered() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(
                outcome(status, None, "no"),
                Ok(Delivered { already_there: false, status: Some(status) })
            );
        }
    }

    #[test]
    fn other_answers_are_failures_by_kind_and_permanence() {
        let date = "Fri, 02 Jan 2026 03:05:05 GMT";
        let past = "Fri, 02 Jan 2026 03:00:00 GMT";
        for (status, header, kind, permanent, pause) in [
            (301, None, FailureKind::Refused, false, None),
            (308, None, FailureKind::Refused, false, None),
            (400, None, FailureKind::Refused, false, None),
            (401, None, FailureKind::Refused, false, None),
            (404, None, FailureKind::Refused, false, None),
            (409, None, FailureKind::Refused, false, None),
            (410, None, FailureKind::Refused, true, None),
            (413, Some("9"), FailureKind::Refused, false, None),
            (429, None, FailureKind::Throttled, false, None),
            (429, Some("7"), FailureKind::Throttled, false, Some(7)),
            (429, Some(date), FailureKind::Throttled, false, Some(60)),
            (429, Some(past), FailureKind::Throttled, false, Some(0)),
            (429, Some("soon"), FailureKind::Throttled, false, None),
            (500, None, FailureKind::Refused, false, None),
            (503, None, FailureKind::Refused, false, None),
            (503, Some("soon"), FailureKind::Refused, false, None),
            (503, Some(" 120 "), FailureKind::Throttled, false, Some(120)),
            (599, None, FailureKind::Refused, false, None),
        ] {
            let failure = outcome(status, header, "").unwrap_err();
            assert_eq!(
                (failure.kind, failure.permanent, failure.retry_after, failure.status),
                (kind, permanent, pause.map(Duration::from_secs), Some(status)),
                "{status} {header:?}"
            );
        }
    }

    #[test]
    fn the_message_says_where_what_and_the_answer_s_first_words() {
        for (status, body, expected) in [
            (500, "", "a.example:443 answered 500 Internal Server Error"),
            (599, "x", "a.example:443 answered 599: x"),
            (
                302,
                "",
                "a.example:443 answered 302 Found; redirects are not followed: write the final address in http.url",
            ),
            (
                400,
                " {\r\n\t\"error\":\u{1b}[31m \u{202e}\"no\"}\n",
                "a.example:443 answered 400 Bad Request: { \"error\": [31m \"no\"}",
            ),
        ] {
            assert_eq!(outcome(status, None, body).unwrap_err().message, expected);
        }
        let long = outcome(500, None, &"ä".repeat(1000)).unwrap_err().message;
        assert!(long.ends_with(&format!(": {}…", "ä".repeat(EXCERPT_CHARS_MAX))), "{long}");
    }
}
