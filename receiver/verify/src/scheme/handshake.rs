//! Requests by which a provider makes sure that the URL is ours.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sender_url::is_sns_confirmation;

/// A request by which the provider makes sure that the URL is ours: answered at once, and not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// Which requests it is.
    #[serde(rename = "match")]
    pub matches: HandshakeMatch,
    /// What must hold before it is answered. Default: signature.
    #[serde(default, skip_serializing_if = "Gate::is_signature")]
    pub gate: Gate,
    /// A template whose value must be the endpoint's `verification.verifyToken`; with gate `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub verify_token: Option<String>,
    /// What is answered.
    #[serde(default)]
    pub answer: HandshakeAnswer,
    /// The request brings the secret of all later deliveries. Then it is a handshake only while the endpoint waits for one
    /// (`spec.secretCapture`); with method POST and gate `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_secret: Option<CaptureSecret>,
}

/// A secret that a provider sends in a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaptureSecret {
    /// A template whose value is the secret: 16 to 512 visible ASCII characters.
    #[schemars(length(min = 1, max = 256))]
    pub value: String,
    /// What the secret begins with; another value is none. Default: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
    /// What a person does with the secret once it is there, in one sentence. Default: nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub next: Option<String>,
}

/// What must hold before a handshake is answered. Default: signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Gate {
    /// The request is genuine, as every delivery must be.
    #[default]
    Signature,
    /// Nothing: providers ask before they have a secret. Only what the request itself says is sent back.
    None,
}

/// Which requests are a handshake: those of this method in which a value is there, or is this text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeMatch {
    /// The method. Default: POST.
    #[serde(default, skip_serializing_if = "HandshakeMethod::is_post")]
    pub method: HandshakeMethod,
    /// A JSON pointer into the body. At most one of `pointer`, `header` and `query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub pointer: Option<String>,
    /// A header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub header: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
    /// The text that the value must be. Default: any that is not empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub equals: Option<String>,
}

/// The method of a handshake. Default: POST.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HandshakeMethod {
    /// POST
    #[default]
    Post,
    /// GET
    Get,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
}

/// What a handshake is answered with. Templates may ask for `{/json/pointer}`, `{header:NAME}` and `{query:NAME}`; where
/// one has no value, the request is no handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandshakeAnswer {
    /// Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 299))]
    pub status: Option<u16>,
    /// A template; sent as text/plain, or as `contentType` says. Not with `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub text: Option<String>,
    /// The content type of `text`. Default: text/plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub content_type: Option<String>,
    /// Members of a JSON object: name and template; values are strings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    pub json: BTreeMap<String, String>,
    /// Members of the same object whose value is the hex HMAC-SHA256 of a template's value under the first secret; the
    /// value must be 1 to 128 of `A-Z a-z 0-9 _ -`, so that nothing that is a delivery can be signed this way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 2, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    pub hmac_hex: BTreeMap<String, String>,
    /// Members of the same object whose value is the hex SHA-256 of a list, joined: templates, and the words `verifyToken`
    /// and `url`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 2, "additionalProperties" = { "type": "array", "maxItems": 4, "items": { "type": "string", "maxLength": 1024 } }))]
    pub sha256_hex: BTreeMap<String, Vec<String>>,
    /// A template; the answer is the endpoint's verify token, `|`, and the hex HMAC of the value under the first secret, as
    /// deliveries are signed, as text/plain. The value must be 20 to 32 of `0-9 a-f`, and a delivery whose signed text is
    /// like that is refused: whoever asks can have such texts signed. For kind `hmac` that signs one form field. Not with
    /// `text` or `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub token_and_hmac: Option<String>,
    /// Headers of the answer: name and template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 4, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    pub headers: BTreeMap<String, String>,
    /// What is visited before it is answered, with gate `signature`; where that fails, the provider is told to ask again.
    /// Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<Visit>,
}

/// What a handshake wants visited: `awsSnsSubscription` the URL at the body's `/SubscribeURL`, where it is Amazon SNS's and
/// confirms a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Visit {
    /// The URL at `/SubscribeURL`, where it is Amazon SNS's and confirms a subscription.
    AwsSnsSubscription,
}

impl Visit {
    /// A JSON pointer to the URL.
    pub(crate) fn pointer(self) -> &'static str {
        match self {
            Self::AwsSnsSubscription => "/SubscribeURL",
        }
    }

    /// Whether this URL is one that may be visited.
    pub(crate) fn allows(self, url: &str) -> bool {
        match self {
            Self::AwsSnsSubscription => is_sns_confirmation(url),
        }
    }
}

impl Gate {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_signature(&self) -> bool {
        *self == Self::Signature
    }
}

impl HandshakeMethod {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_post(&self) -> bool {
        *self == Self::Post
    }
}
