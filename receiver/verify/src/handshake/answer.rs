//! What a handshake is answered with.
use std::fmt;

use boathook_template::{Hole, Slot, Source, Template};
use faster_hex::hex_string;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Answered;
use crate::{
    Visit,
    digest::DigestKey,
    limits::{HANDSHAKE_ANSWER_BYTES_MAX, HANDSHAKE_SIGNED_BYTES_MAX},
    signature_proof::is_challenge,
};

/// An answer, compiled.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) headers: Vec<(HeaderName, Template)>,
    /// What is visited, and where its URL is.
    pub(super) visit: Option<(Visit, Slot)>,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    Nothing,
    Text(HeaderValue, Template),
    /// Members of an object.
    Json(Vec<(Box<str>, Member)>),
    /// The verify token and a challenge's HMAC.
    Pair(Pair),
}

/// A verify token, and what signs a challenge as deliveries are signed.
pub(super) struct Pair {
    pub(super) token: Zeroizing<String>,
    pub(super) key: DigestKey,
    pub(super) challenge: Template,
}

/// A member's value.
pub(super) enum Member {
    Text(Template),
    /// The hex HMAC-SHA256 of a text under the first secret.
    Hmac(Hmac<Sha256>, Template),
    /// The hex SHA-256 of texts, joined.
    Digest(Vec<Item>),
}

/// An item of a digested text.
pub(super) enum Item {
    Text(Template),
    Fixed(Zeroizing<Vec<u8>>),
}

impl Answer {
    /// `None` where a value is missing, cannot be sent, or is longer than [`HANDSHAKE_ANSWER_BYTES_MAX`], and where the URL to
    /// be visited is not the provider's.
    pub(super) fn render(&self, source: &impl Source) -> Option<Answered> {
        let mut headers = Vec::with_capacity(self.headers.len() + 1);
        let body = match &self.body {
            Body::Nothing => String::new(),
            Body::Text(kind, template) => {
                headers.push((CONTENT_TYPE, kind.clone()));
                template.render(source)?.into_owned()
            }
            Body::Json(members) => {
                headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
                json(members, source)?
            }
            Body::Pair(Pair { token, key, challenge }) => {
                let challenge = challenge.render(source).filter(|text| is_challenge(text.as_bytes()))?;
                headers.push((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")));
                format!("{}|{}", token.as_str(), hex_string(key.digest_of(challenge.as_bytes()).bytes()))
            }
        };
        for (name, template) in &self.headers {
            headers.push((name.clone(), HeaderValue::from_str(&template.render(source)?).ok()?));
        }
        let length = body.len() + headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        let visit = match self.visit {
            Some((visit, slot)) => {
                let url = source.value(&Hole::Pointer(slot)).filter(|url| visit.allows(url))?;
                Some(url.into_owned().into_boxed_str())
            }
            None => None,
        };
        let Self { status, .. } = *self;
        (length <= HANDSHAKE_ANSWER_BYTES_MAX).then_some(Answered {
            status,
            headers,
            body,
            secret: None,
            visit,
        })
    }
}

fn json(members: &[(Box<str>, Member)], source: &impl Source) -> Option<String> {
    let mut body = String::from("{");
    for (place, (name, member)) in members.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(&quoted(name));
        body.push(':');
        body.push_str(&quoted(&member.render(source)?));
    }
    body.push('}');
    Some(body)
}

/// The text as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Member {
    fn render(&self, source: &impl Source) -> Option<String> {
        match self {
            Self::Text(template) => template.render(source).map(String::from),
            Self::Hmac(key, template) => {
                let text = template.render(source).filter(|text| may_be_signed(text))?;
                let mac = key.clone().chain_update(text.as_bytes());
                Some(hex_string(&mac.finalize().into_bytes()))
            }
            Self::Digest(items) => {
                let mut digest = Sha256::new();
                for item in items {
                    match item {
                        Item::Text(template) => digest.update(template.render(source)?.as_bytes()),
                        Item::Fixed(bytes) => digest.update(&**bytes),
                    }
                }
                Some(hex_string(&digest.finalize()))
            }
        }
    }
}

/// No delivery looks like this, so that nobody can have one signed by us.
fn may_be_signed(text: &str) -> bool {
    (1..=HANDSHAKE_SIGNED_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A key for [`Member::Hmac`].
pub(super) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(template) => f.debug_tuple("Text").field(template).finish(),
            Self::Hmac(_, template) => f.debug_tuple("Hmac").field(template).finish_non_exhaustive(),
            Self::Digest(items) => f.debug_tuple("Digest").field(&items.len()).finish(),
        }
    }
}
