//! An event and its body as the values of CEL.
use std::collections::HashMap;

use cel::common::{
    types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
    value::Val,
};
use serde_json::Value;

use super::cel_check::HEADERS;
use crate::Event;

/// The body, borrowing its texts; `values` is raised by how many values it has. Whole numbers are `int`, as literals are in
/// CEL: `body.n + 1` would else be an error.
pub(super) fn body_value<'v>(value: &'v Value, values: &mut usize) -> Box<dyn Val + 'v> {
    *values += 1;
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::String(text) => Box::new(CelString::from(&**text)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| body_value(item, values)).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(members) => {
            let member = |(name, value): (&'v String, &'v Value)| {
                (CelMapKey::String(CelString::from(&**name)), body_value(value, values))
            };
            let members: HashMap<_, _> = members.iter().map(member).collect();
            Box::new(CelMap::from(members))
        }
    }
}

/// `event` and about how many bytes it has; its headers only where they are asked for, under their names in lower case,
/// several of one name with a comma between them.
pub(super) fn event_value(event: &Event, with_headers: bool) -> (Box<dyn Val + '_>, usize) {
    let optional =
        |text: &'_ Option<Box<str>>| CelString::from(text.as_deref().unwrap_or_default().to_owned());
    let mut members: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> = HashMap::new();
    let mut bytes = 0;
    let mut add = |name: &'static str, text: CelString<'static>| {
        bytes += text.inner().len();
        members.insert(CelMapKey::from(name), Box::new(text));
    };
    add("id", optional(&event.id));
    add("type", optional(&event.event_type));
    add("key", optional(&event.key));
    add("tenant", optional(&event.tenant));
    add("uid", event.uid.to_string().into());
    add("receivedAt", event.received_at.to_string().into());
    add("endpoint", event.endpoint.name().to_owned().into());
    add("namespace", event.endpoint.namespace().to_owned().into());
    if with_headers {
        let mut headers: HashMap<CelMapKey<'_>, Box<dyn Val + '_>> = HashMap::new();
        for name in event.head.headers.keys() {
            let values = event.head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            let text = values.collect::<Vec<_>>().join(", ");
            bytes += name.as_str().len() + text.len();
            headers.insert(CelMapKey::from(name.as_str()), Box::new(CelString::from(text)));
        }
        members.insert(CelMapKey::from(HEADERS), Box::new(CelMap::from(headers)));
    }
    (Box::new(CelMap::from(members)), bytes)
}
