//! Choosing events by what they say: rules over the body, or one CEL expression.
#![expect(unreachable_pub, reason = "the derive of the CEL rules repeats the struct in a scope of its own")]
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// Which events are wanted, by what they say: exactly one of `match` and `cel`. Default: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.match) != has(self.cel)").message("exactly one of match and cel must be set"))]
#[serde(rename_all = "camelCase")]
pub struct EventFilter {
    /// Rules over the body: an event is wanted if all of them hold. Exactly one of `match` and `cel`.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32))]
    pub rules: Vec<MatchRule>,
    /// A CEL expression that is true for what is wanted, over `event` (its `id`, `type`, `key`, `tenant`, `uid`,
    /// `receivedAt`, `endpoint`, `namespace` and `headers`; what is missing is an empty text) and `body`. Where it cannot
    /// be evaluated (a member is missing, kinds do not fit) the event is not wanted: ask `has(body.member)` first. `all`,
    /// `exists` and their like do not nest; a pattern of `matches` is a literal. Exactly one of `match` and `cel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub cel: Option<String>,
}

/// One rule over the body. Where the value is missing (`null` is missing, too) or of another kind, it does not hold; only
/// `NotEquals` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MatchRule {
    /// The value in the body: a JSON pointer such as `/data/priority`, or its members with dots, `data.priority`. Where a
    /// provider wraps a document, the inner one is looked at.
    #[schemars(length(min = 1, max = 1024))]
    pub field: String,
    /// How it is compared: `Equals`, `NotEquals`; `Contains`: a text has this part, or a list this item; `GreaterThan`,
    /// `LessThan`: numbers, or times in RFC 3339; `In`: it is one of this list; `Regex`: a text in which this is found, as
    /// the Rust crate `regex` reads it; `Exists`: it is there, or with `value: false` it is not.
    pub operator: MatchOperator,
    /// What it is compared with: a number or a text for `GreaterThan` and `LessThan`, a list for `In`, a text for `Regex`,
    /// `true` or `false` for `Exists` (default: true), anything for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::anything")]
    pub value: Option<Value>,
}

/// How a value of the body is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MatchOperator {
    /// It is this; `1` is `1.0`.
    Equals,
    /// It is not this, or is missing.
    NotEquals,
    /// A text has this part, or a list this item.
    Contains,
    /// It is a number above this, or a time after it.
    GreaterThan,
    /// It is a number below this, or a time before it.
    LessThan,
    /// It is one of these.
    In,
    /// It is a text in which this is found.
    Regex,
    /// It is there.
    Exists,
}
