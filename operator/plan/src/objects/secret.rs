//! The one Secret that receivers read.
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Need, draft::Draft};
use crate::names::TABLE_KEY;

/// The document under its key; nothing of it stands anywhere else in an object.
pub(super) fn render(need: &Need<'_>) -> Draft {
    let data = json!({ TABLE_KEY: STANDARD.encode(need.table_json) });
    Draft::new("v1", "Secret", need, vec![("type", "Opaque".into()), ("data", data)])
}
