//! A request as a line of `receiver/verify/vectors` has it: with its secrets and the time at which it is judged.
use boathook_verify::{RawRequest, Scheme, Secret};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use zeroize::Zeroizing;

use crate::{Mistake, saved::Saved, target, token::TokenFlags};

/// The line. What only the vectors' own tests look at is known, so that a misspelt member is not.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    #[serde(default, rename = "comment")]
    _comment: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    #[serde(default, rename = "flags")]
    _flags: IgnoredAny,
    #[serde(default, rename = "expect")]
    _expect: IgnoredAny,
    #[serde(default)]
    secrets: Vec<VectorSecret>,
    #[serde(rename = "publicURL")]
    public_url: Option<String>,
    verify_token: Option<Zeroizing<String>>,
    #[serde(default)]
    awaits_secret: bool,
    #[serde(default)]
    jwt: TokenFlags,
    certificate: Option<String>,
    request: VectorRequest,
    now: Option<Timestamp>,
    scheme: Option<Scheme>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorSecret {
    text: Zeroizing<String>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// Reads a line; `name` is the file's.
pub(crate) fn read(name: &str, text: &[u8]) -> Result<Saved, Mistake> {
    let vector: Vector = serde_json::from_slice(text).map_err(|error| {
        Mistake(format!(
            "{name}: {error}: give one line of receiver/verify/vectors, or a request as HTTP text"
        ))
    })?;
    let Vector {
        secrets,
        public_url,
        verify_token,
        awaits_secret,
        jwt,
        certificate,
        request,
        now,
        scheme,
        ..
    } = vector;
    let secret = |VectorSecret { text, not_before, not_after }| Secret {
        text: Zeroizing::new(text.as_bytes().to_vec()),
        not_before,
        not_after,
    };
    let undated = |text| VectorSecret { text, not_before: None, not_after: None };
    Ok(Saved {
        request: request.read().map_err(|message| Mistake(format!("{name}: request.{message}")))?,
        secrets: secrets.into_iter().map(secret).collect(),
        public_url,
        verify_token: verify_token.map(undated).map(secret),
        awaits_secret,
        token: jwt,
        certificate,
        now,
        scheme,
        notes: Vec::new(),
    })
}

impl VectorRequest {
    /// The error begins with the member.
    fn read(self) -> Result<RawRequest, String> {
        let Self { method, path, headers: pairs, body } = self;
        let (path, query) = target::read(&path).map_err(|message| format!("path {message}"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let header = name.parse::<HeaderName>().ok().zip(HeaderValue::from_bytes(value.as_bytes()).ok());
            let (name, value) = header.ok_or_else(|| format!("headers: `{name}` cannot come as a header"))?;
            headers.append(name, value);
        }
        let method = method.parse().map_err(|_| format!("method: `{method}` is no method"))?;
        Ok(RawRequest { method, path, query, headers, body: Bytes::from(body) })
    }
}
