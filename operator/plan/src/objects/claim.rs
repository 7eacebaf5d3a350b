//! The volume of a local store.
use serde_json::{Value, json};

use super::{Need, draft::Draft};

/// The claim. It has no owner, so that nothing but a person's hand deletes accepted events.
///
/// `ReadWriteOnce`, not `ReadWriteOncePod`: the latter needs a CSI driver that knows it, a claim's mode can never change,
/// and two pods on one node are kept apart by the lock on the data folder anyway.
pub(super) fn render(need: &Need<'_>) -> Draft {
    let store = &need.class.store;
    let spec: Value = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": store.size() } },
        "storageClassName": store.storage_class_name,
    });
    Draft::new("v1", "PersistentVolumeClaim", need, vec![("spec", spec)])
}
