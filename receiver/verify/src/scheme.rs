//! A provider's scheme as data: the format of `providers/<id>.yaml` and of `scheme:` in an endpoint.
//!
//! A preset's id is its file's name. Only shapes are checked here; rules across members are checked when a
//! [`Verifier`](crate::Verifier) is compiled.
mod answer;
mod handshake;
mod jwt;
mod signature;
mod signed;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    answer::{Answer, AnswerType, BodyKind, CatalogueEntry, Payload, PayloadEncoding, RetryHints},
    handshake::{CaptureSecret, Gate, Handshake, HandshakeAnswer, HandshakeMatch, HandshakeMethod, Visit},
    jwt::{Audience, JwtAlgorithm, JwtRule},
    signature::{Encoding, Grammar, KeyValue, List, Pairs, Positional, Signature, SignatureFrom},
    signed::{FormSorted, Part, Requirement, TimeFormat, TimeFormats, TimestampFrom, TimestampRule},
};

/// How a provider proves that a delivery is its own, and where the delivery says what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheme {
    /// The provider's name as it writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub title: Option<String>,
    /// The provider's page on verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub docs: Option<String>,
    /// Where a person clicks in the provider's console, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub setup: Option<String>,
    /// The proof: `hmac` (a keyed digest over parts of the request), `hash` (a plain digest over parts and the secret),
    /// `publicKey` (a signature that the sender's public key checks), `jwt` (a JSON Web Token), `token`, `basic`, `bodyToken`, `queryToken` (the
    /// secret itself in a header, in Basic credentials, in the body or in the query), `code` (what only code can say) or
    /// `none` (everybody is believed).
    pub kind: Kind,
    /// Which code, for kind `code` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodedScheme>,
    /// The digest of kinds `hmac` and `hash` (default: sha256), or the algorithm of kind `publicKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// How the secret's text becomes the key's bytes. Default: utf8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Where the signature (or the token) is, and how it is written. Not for kinds `basic` and `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The bytes that are signed, in order: `body`, `timestamp` (as received), `{literal: TEXT}`, `{header: NAME}`,
    /// `method`, `url`, `urlUnescaped`, `urlEitherPort`, `querySorted`, `bodySha256`, `bodySha256Hex`, `{query: NAME}`,
    /// `{form: NAME}`, `{pointer: /p}`, `{formSorted: {digestQuery: NAME}}`, and for kind `hash` `secret`. Default: the
    /// body. For kinds `hmac`, `hash` and `publicKey` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "signed::signed_parts")]
    pub signed: Vec<Part>,
    /// The time that makes a delivery fresh. Default: none; replays are then caught by deduplication alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<TimestampRule>,
    /// What the token must be and say, for kind `jwt` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtRule>,
    /// Headers that must have a certain value. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub require: Vec<Requirement>,
    /// Requests that the provider sends to prove that the URL is ours; answered at once and not delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub handshakes: Vec<Handshake>,
    /// What the body may be, tried in the order `Json`, `Xml`, `Form`, `Any`; none fits: 400. Pointers of templates and of
    /// `batch` read a form's fields as members, and XML 1.0 (UTF-8, without a document type) as JSON: an element is a
    /// member under its name without prefix (several of one name: an array), an attribute `@name`, an element with neither
    /// attributes nor elements its text (the empty one: `""`), and beside them the text is `#text`. Default: `[Json]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub body: Vec<BodyKind>,
    /// The content types that are accepted (parameters ignored). Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 128)))]
    pub content_types: Vec<String>,
    /// JSON pointer to the array of events in one delivery (`""` is the body itself); a value that is no array is
    /// one event. In XML, an element that is there once is an array of one. Default: a delivery is one event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub batch: Option<String>,
    /// Where an inner document is, which pointers then read; what it does not have is read from the delivery itself, and
    /// the scheme's `id` always is. The bytes that are forwarded stay those of the delivery. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// Templates for the provider's id of the event, tried in order. Default: no id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub id: Vec<String>,
    /// Templates for the id of an item of a batch, tried before those of `id`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub item_id: Vec<String>,
    /// Whether the signature covers the id. Where it does not, the same id with another body is another event.
    /// Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub id_signed: bool,
    /// Whether the id stays the same over the provider's own retries. Where it does not, ids do not deduplicate.
    /// Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub id_stable: bool,
    /// Whether two genuine deliveries never have the same body; then the body's digest deduplicates, too.
    /// Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub body_unique: bool,
    /// Whether the proof covers the body. Must be set to false where it does not. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub body_protected: bool,
    /// Templates for the event's type, tried in order. Default: no type.
    #[serde(default, rename = "type", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub event_type: Vec<String>,
    /// Template for the id of the thing that the event is about; it is told in the answer and in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub entity: Option<String>,
    /// Template for the account that the event belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub tenant: Option<String>,
    /// What the provider wants to hear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// How long the provider goes on retrying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryHints>,
    /// The event types that the provider is known to send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub catalogue: Vec<CatalogueEntry>,
}

/// The kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A keyed digest (RFC 2104) over parts of the request.
    Hmac,
    /// A plain digest over parts of the request and the secret.
    Hash,
    /// A signature that is checked with the sender's public key; the Secret holds that key.
    PublicKey,
    /// A JSON Web Token (RFC 7519), checked with a shared secret or the issuer's public key.
    Jwt,
    /// A header equals the secret. Proves the sender, not the body.
    Token,
    /// HTTP Basic credentials (RFC 7617) equal the secret `user:password`. Proves the sender, not the body.
    Basic,
    /// A value in the JSON body equals the secret. Proves the sender, not the body.
    BodyToken,
    /// A query parameter equals the secret. Proves the sender, not the body.
    QueryToken,
    /// A scheme that only code can say; `code` names it.
    Code,
    /// Nothing is proved: whoever knows the URL is believed.
    None,
}

/// A scheme that only code can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CodedScheme {
    /// Adyen's Standard webhook: a signature over some fields of each item, in the item.
    AdyenStandard,
    /// eBay's notifications: ECDSA over P-256 with SHA-1 over the body, in a header that is the Base64 of JSON. The secrets
    /// are eBay's public keys, in PEM.
    Ebay,
    /// Salesforce's Outbound Messages: the organisation's id in the XML, and nothing else. The secrets are such ids.
    SalesforceOutboundMessage,
    /// Amazon SNS: an RSA signature over some members, with a certificate that the message names. The secrets are the ARNs of
    /// the topics that are expected.
    AwsSns,
    /// PayPal: an RSA signature over headers and the body's CRC-32, with a certificate that a header names. The secrets are
    /// webhook ids.
    #[serde(rename = "paypal")]
    PayPal,
}

/// The digest of kinds `hmac` and `hash`, or the algorithm of kind `publicKey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// SHA-1 (FIPS 180-4). Sound in an HMAC, weak as a plain digest.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA over P-256 with SHA-256, the signature in DER (FIPS 186-5).
    EcdsaP256Sha256,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 to 8192 bits (RFC 8017 § 8.2).
    RsaPkcs1Sha256,
    /// RSA PKCS#1 v1.5 with SHA-512, 2048 to 8192 bits (RFC 8017 § 8.2).
    RsaPkcs1Sha512,
    /// RSA PSS with SHA-256, 2048 to 8192 bits (RFC 8017 § 8.1).
    RsaPssSha256,
    /// RSA PSS with SHA-512, 2048 to 8192 bits (RFC 8017 § 8.1).
    RsaPssSha512,
}

/// How the secret's text becomes the key's bytes. Default: utf8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// `utf8` the text as it is · `base64` decoded, padding optional · `hex` decoded · `prefixedBase64` a prefix such as
    /// `whsec_` is dropped when present, the rest decoded · `sha1OfUtf8` the SHA-1 of the text · `nfkdUtf8` the text in
    /// Unicode's form NFKD · `spki` a public key as PEM, or as the Base64 of its DER.
    pub decode: KeyDecode,
}

/// A decoding of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyDecode {
    /// The text's bytes.
    Utf8,
    /// Base64 (RFC 4648 § 4), padding optional.
    Base64,
    /// Base16 (RFC 4648 § 8), either case.
    Hex,
    /// Base64 after a `whsec_` (or, for public keys, `whpk_`) prefix, which may be missing (Standard Webhooks).
    PrefixedBase64,
    /// The SHA-1 of the text's bytes (Braintree).
    Sha1OfUtf8,
    /// The text in Unicode's normalization form KD (EasyPost).
    NfkdUtf8,
    /// A SubjectPublicKeyInfo (RFC 5280 § 4.1) as PEM, or as the Base64 of its DER.
    Spki,
}

impl Scheme {
    /// Headers that carry the secret itself: never to be stored, shown or forwarded.
    pub fn credential_headers(&self) -> Vec<&str> {
        match (self.kind, &self.signature) {
            (Kind::Jwt, Some(_)) if self.body_protected => Vec::new(),
            (Kind::Token | Kind::Jwt, Some(signature)) => {
                signature.from.headers.iter().map(String::as_str).collect()
            }
            (Kind::Basic, _) => vec!["authorization"],
            _ => Vec::new(),
        }
    }

    /// The query parameter that carries the secret itself: never to be stored, shown or forwarded.
    pub fn credential_query(&self) -> Option<&str> {
        let signature = self.signature.as_ref().filter(|_| self.kind == Kind::QueryToken)?;
        signature.from.query.as_deref()
    }

    /// Whether an endpoint must name secrets: not where nothing is proved, and not where an issuer publishes its keys.
    pub fn needs_secrets(&self) -> bool {
        self.kind != Kind::None && self.jwt.as_ref().is_none_or(|rule| rule.jwks_url.is_none())
    }

    /// Whether the provider's signature covers the URL that it calls, which must then be known.
    pub fn signs_url(&self) -> bool {
        let url = |part: &Part| matches!(part, Part::Url | Part::UrlUnescaped | Part::UrlEitherPort);
        let digests =
            |handshake: &Handshake| handshake.answer.sha256_hex.values().flatten().any(|item| item == "url");
        let in_token =
            |rule: &JwtRule| rule.url_sha256_claim.is_some() || rule.audience == Some(Audience::Url);
        self.signed.iter().any(url)
            || self.handshakes.iter().any(digests)
            || self.jwt.as_ref().is_some_and(in_token)
    }

    /// Whether a handshake has a challenge signed as deliveries are ([`HandshakeAnswer::token_and_hmac`]).
    pub(crate) fn signs_challenges(&self) -> bool {
        self.handshakes.iter().any(|handshake| handshake.answer.token_and_hmac.is_some())
    }

    /// Whether a handshake brings the secret of all later deliveries.
    pub fn brings_secret(&self) -> bool {
        self.handshakes.iter().any(|handshake| handshake.capture_secret.is_some())
    }

    /// What a person does with a secret that a handshake has brought.
    pub fn next_with_secret(&self) -> Option<&str> {
        self.handshakes.iter().find_map(|handshake| handshake.capture_secret.as_ref()?.next.as_deref())
    }

    /// Whether a handshake compares or uses the endpoint's verify token.
    pub fn needs_verify_token(&self) -> bool {
        let uses = |handshake: &Handshake| {
            let digests = handshake.answer.sha256_hex.values().flatten();
            handshake.verify_token.is_some()
                || handshake.answer.token_and_hmac.is_some()
                || digests.into_iter().any(|item| item == "verifyToken")
        };
        self.handshakes.iter().any(uses)
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}
