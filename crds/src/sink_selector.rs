//! Choosing sinks by their labels.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Sinks by their labels. They come and go without a change of the endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SinkSelector {
    /// Every sink in the endpoint's namespace that has all of these labels, beside those that are named; at least one label.
    /// Each gets all the types that it wants itself, in the order of `events.key` where there is one, and none is required (`acknowledge`). An event goes to 16 sinks
    /// at most: of more, the first by name, and a condition says so.
    #[schemars(schema_with = "schema::labels")]
    pub match_labels: BTreeMap<String, String>,
}

impl SinkSelector {
    /// Whether a sink with these labels is meant. No label means none.
    pub fn selects(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let has = |(name, value): (&String, &String)| labels.is_some_and(|has| has.get(name) == Some(value));
        !self.match_labels.is_empty() && self.match_labels.iter().all(has)
    }
}
