//! Where a signature (or a credential) is, and how it is written.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the signature is and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Where it is.
    pub from: SignatureFrom,
    /// How the text is built. Default: it is the signature alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grammar: Option<Grammar>,
    /// How the signature's bytes are written: `hex` (either case), `base64` (padded, canonical) or `base64url` (padding
    /// optional). Default: hex. For kinds `hmac`, `hash` and `publicKey`; others compare the text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// Where the signature is; exactly one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignatureFrom {
    /// Header names; the first that is present counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 1, max = 128)))]
    pub headers: Vec<String>,
    /// Header names, each of which may carry a signature; any may match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 1, max = 128)))]
    pub every_header: Vec<String>,
    /// A header name to which 1, 2, 3 … is appended, until one is missing; any may match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 126))]
    pub numbered_header: Option<String>,
    /// A JSON pointer into the body. For kind `bodyToken` a step may be `*`: every item of an array must hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub pointer: Option<String>,
    /// A field of a form body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub form: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub query: Option<String>,
}

/// How the text is built; exactly one member. Default: it is the signature alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grammar {
    /// A fixed text before the signature, such as `sha256=`; case matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub prefix: Option<String>,
    /// `t=1492774577,v1=5257a8…`: keys and values; unknown keys are ignored, a key may repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_value: Option<KeyValue>,
    /// `v1,K5oZ… v1,g0hM…`: elements; any may match, those of another version are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<List>,
    /// `1492774577,5257a8…,9af01c…`: the timestamp, then signatures, any of which may match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positional: Option<Positional>,
    /// `name|5257a8…&other|9af01c…`: names and signatures; any may match, and names mean nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Pairs>,
}

/// `t=1492774577,v1=5257a8…`: keys and values; unknown keys are ignored, a key may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyValue {
    /// Between the elements, such as `,`.
    #[schemars(length(min = 1, max = 4))]
    pub separator: String,
    /// The key of a signature, such as `v1`.
    #[schemars(length(min = 1, max = 64))]
    pub signature: String,
    /// The key of the timestamp, where it is in this header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub timestamp: Option<String>,
}

/// `v1,K5oZ… v1,g0hM…`: elements; any may match, those of another version are ignored. Without a tag every element is a
/// signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// Between the elements, such as one space.
    #[schemars(length(min = 1, max = 4))]
    pub separator: String,
    /// The version that counts, such as `v1`. Both this and `tagSeparator`, or neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub tag: Option<String>,
    /// Between version and signature, such as `,`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub tag_separator: Option<String>,
}

/// `1492774577,5257a8…,9af01c…`: the timestamp, then signatures, any of which may match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Positional {
    /// Between the elements, such as `,`.
    #[schemars(length(min = 1, max = 4))]
    pub separator: String,
}

/// `name|5257a8…&other|9af01c…`: names and signatures; any may match, and names mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pairs {
    /// Between the pairs, such as `&`.
    #[schemars(length(min = 1, max = 4))]
    pub separator: String,
    /// Between name and signature, such as `|`.
    #[schemars(length(min = 1, max = 4))]
    pub pair_separator: String,
}

/// How the signature's bytes are written: `hex` (either case), `base64` (padded, canonical) or `base64url` (padding
/// optional). Default: hex. For kinds `hmac`, `hash` and `publicKey`; others compare the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// Base 16, either case (RFC 4648 § 8).
    Hex,
    /// Base 64, padded, canonical (RFC 4648 § 4).
    Base64,
    /// Base 64 with the alphabet for URLs, padding optional, canonical (RFC 4648 § 5).
    Base64url,
}
