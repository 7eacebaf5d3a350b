//! What a JSON Web Token must say.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{is_false, is_true, yes};
use crate::Duration;

/// What a JSON Web Token (RFC 7519) must be and say, for kind `jwt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtRule {
    /// The algorithms (RFC 7518 § 3.1, RFC 8037) that are accepted, all of one family: a token cannot choose another.
    #[schemars(length(min = 1, max = 3))]
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where the issuer publishes its public keys (RFC 7517), for endpoints that name neither secrets nor another URL.
    /// Default: the Secret holds the key.
    #[serde(default, rename = "jwksURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub jwks_url: Option<String>,
    /// The claim `iss` must be one of these, unless the endpoint says another. Default: not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 1, max = 512)))]
    pub issuers: Vec<String>,
    /// What the claim `aud` must name: `url` the public URL, `configured` what the endpoint says, which then must say it.
    /// Default: what the endpoint says, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// Whether the endpoint must say the claim `email`: where anybody may have a token of this issuer for any audience.
    /// Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub email_configured: bool,
    /// Whether the claim `exp` must be there; where it is, it counts. Default: true.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub expires: bool,
    /// How old the claim `iat` may be. Default: it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_max: Option<Duration>,
    /// How far our clock may be from the issuer's. Default: 1m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leeway: Option<Duration>,
    /// The claim that is the hex SHA-256 of the body; without a body it must not be there. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub body_sha256_claim: Option<String>,
    /// The claim that is the digest of method, path and query, as Atlassian Connect makes it (`qsh`). Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub qsh_claim: Option<String>,
    /// The claim that is the hex SHA-256 of the public URL with the query as received. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub url_sha256_claim: Option<String>,
}

/// What the claim `aud` must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// The public URL.
    Url,
    /// What the endpoint says.
    Configured,
}

/// A signature algorithm of JSON Web Tokens. `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RS256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RS384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RS512,
    /// RSA PSS with SHA-256.
    PS256,
    /// ECDSA over P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}
