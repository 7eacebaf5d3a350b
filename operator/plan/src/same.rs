//! Whether the cluster has already what we would apply.
use serde_json::{Map, Number, Value};

/// Whether applying `desired` would change nothing: each of its members is in `observed` with an equal value.
///
/// What `observed` has beyond that (defaults, `status`, `resourceVersion`, `managedFields`, members of others) does not
/// count, but for the `data` of a Secret, which must be exactly ours: an extra key there is somebody's secret in our
/// place. Lists must have the same length, and each element be within the one at its place. Numbers are compared by value.
///
/// - Where `desired` leaves out a member that was applied before, this cannot tell it from a default.
///   [`crate::objects()`] therefore writes a digest of all it renders into an annotation.
/// - Quantities are compared as text. The API server writes them shortest (`1000m` becomes `1`), so another spelling is
///   different each time; applying it is then a request that changes nothing.
/// - An extra key in a Secret belongs to another field manager, and an apply does not remove it: that takes an update of
///   the whole object.
pub fn is_within(desired: &Value, observed: &Value) -> bool {
    let is_secret = desired.get("kind").and_then(Value::as_str) == Some("Secret");
    let exact = !is_secret || desired.get("data") == observed.get("data");
    exact && value(desired, observed)
}

fn value(desired: &Value, observed: &Value) -> bool {
    match (desired, observed) {
        (Value::Object(desired), Value::Object(observed)) => members(desired, observed),
        (Value::Array(desired), Value::Array(observed)) => {
            desired.len() == observed.len() && desired.iter().zip(observed).all(|(d, o)| value(d, o))
        }
        (Value::Number(desired), Value::Number(observed)) => number(desired, observed),
        (desired, observed) => desired == observed,
    }
}

fn members(desired: &Map<String, Value>, observed: &Map<String, Value>) -> bool {
    desired.iter().all(|(name, desired)| observed.get(name).is_some_and(|observed| value(desired, observed)))
}

/// Whole numbers exactly, others as floating point: `1` and `1.0` are the same.
fn number(desired: &Number, observed: &Number) -> bool {
    let whole = |number: &Number| number.as_i128();
    match (whole(desired), whole(observed)) {
        (Some(desired), Some(observed)) => desired == observed,
        _ => desired.as_f64() == observed.as_f64(),
    }
}
