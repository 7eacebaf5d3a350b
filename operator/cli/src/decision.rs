//! What is said of a request, for people and for programs.
use std::fmt::Write as _;

use boathook_verify::{Answered, Handshakes, Hint, Kind, RawRequest, Rejection, Scheme, Verifier};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What a receiver would make of a request.
pub(crate) enum Decision {
    Genuine {
        /// 0-based; `None` where nothing is proved.
        secret: Option<usize>,
        /// The provider's timestamp.
        signed_at: Option<Timestamp>,
    },
    Refused {
        rejection: Rejection,
        /// What would explain it.
        hint: Option<Hint>,
    },
    Handshake(Answered),
}

impl Decision {
    /// Decides in the order in which a receiver does.
    pub(crate) fn of(
        verifier: &Verifier,
        handshakes: &Handshakes,
        request: &RawRequest,
        now: Timestamp,
        armed: bool,
    ) -> Self {
        match handshakes.before_proof(request, armed) {
            Some(Ok(answer)) => return Self::Handshake(answer),
            Some(Err(rejection)) => return Self::Refused { rejection, hint: None },
            None => {}
        }
        match verifier.verify(request, now) {
            Err(rejection) => Self::Refused { hint: verifier.hint(request, &rejection, now), rejection },
            Ok(verified) => match handshakes.after_proof(&verified) {
                Some(answer) => Self::Handshake(answer),
                None => Self::Genuine { secret: verified.secret(), signed_at: verified.signed_at() },
            },
        }
    }

    /// Whether a receiver would take the request.
    pub(crate) fn is_good(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// For people. `secret_name` says what the caller calls a secret; an unsigned time is told as one.
    pub(crate) fn text<'k>(&self, scheme: &Scheme, secret_name: impl Fn(usize) -> &'k str) -> String {
        match self {
            Self::Genuine { secret, signed_at } => {
                let mut text = "genuine\n".to_owned();
                let secret = match secret {
                    Some(place) => secret_name(*place),
                    None if scheme.kind == Kind::None => "none: this scheme proves nothing",
                    None => "none: a key of the issuer",
                };
                let _ = writeln!(text, "secret: {secret}");
                if let Some(time) = signed_at {
                    let is_signed = scheme.timestamp.as_ref().is_none_or(|rule| rule.signed);
                    let label = if is_signed { "signed at" } else { "sent at, as it says without proof" };
                    let _ = writeln!(text, "{label}: {time}");
                }
                text
            }
            Self::Refused { rejection: Rejection { code, diagnosis }, hint } => {
                let hint = hint.as_ref().map(|hint| format!("{hint}\n")).unwrap_or_default();
                format!("refused: {}\n{diagnosis}\n{hint}", code.as_str())
            }
            Self::Handshake(Answered { status, headers, body, secret, visit }) => {
                let visit = visit.as_deref().map(without_query);
                let visit = visit.map(|url| format!(", once {url} was visited")).unwrap_or_default();
                let mut text = format!("handshake, which is answered at once{visit}:\n{status}\n");
                for (name, value) in headers {
                    let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
                }
                let _ = writeln!(text, "\n{body}");
                if let Some(secret) = secret {
                    let _ = writeln!(
                        text,
                        "it brings the secret of later deliveries: {} characters",
                        secret.text().len()
                    );
                }
                text
            }
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Genuine { secret, signed_at } => {
                json!({ "genuine": true, "secret": secret, "signedAt": signed_at })
            }
            Self::Refused { rejection: Rejection { code, diagnosis }, hint } => json!({
                "genuine": false,
                "code": code.as_str(),
                "reason": diagnosis.to_string(),
                "hint": hint.as_ref().map(ToString::to_string),
            }),
            Self::Handshake(Answered { status, headers, body, secret, visit }) => {
                let text = |value: &[u8]| Value::from(String::from_utf8_lossy(value));
                let headers: Map<String, Value> =
                    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
                json!({ "handshake": {
                    "status": status,
                    "headers": headers,
                    "body": body,
                    "bringsSecret": secret.is_some(),
                    "visit": visit.as_deref().map(without_query),
                } })
            }
        }
    }
}

/// What a URL leads to, without what it can do there.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}
