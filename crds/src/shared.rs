//! What both kinds use.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// One key of a Secret in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), extend("pattern" = schema::NAME))]
    pub name: String,
    /// The key in its `data`.
    #[schemars(length(min = 1, max = 253), extend("pattern" = schema::KEY))]
    pub key: String,
}
