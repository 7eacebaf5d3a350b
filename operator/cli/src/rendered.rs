//! What sinks would get of an event, for `events` and `explain`.
use std::fmt::Write as _;

use boathook_api::{Body, Header, RenderedDelivery, RenderedEvent};

use crate::{Mistake, call::Api, table::plain};

/// Asks a receiver.
pub(crate) fn rendered(api: &Api, uid: &str) -> Result<RenderedEvent, Mistake> {
    api.read(&format!("/v1/events/{uid}/rendered"), &())
}

/// Like a request, sink by sink.
pub(crate) fn text(event: &RenderedEvent) -> String {
    let RenderedEvent { uid, key, deliveries } = event;
    let key = key.as_deref().map_or_else(String::new, |key| format!(", key {}", plain(key)));
    let mut text = String::new();
    for RenderedDelivery { sink, state: _, attempt, destination, headers, body, error } in deliveries {
        let _ = writeln!(text, "{sink} would get of {uid}{key}, attempt {attempt}:");
        if let Some(error) = error {
            let _ = writeln!(text, "  nothing: {}", plain(error));
        }
        if let Some(destination) = destination {
            let _ = writeln!(text, "  to {}", plain(destination));
        }
        for Header { name, value } in headers {
            let _ = writeln!(text, "  {name}: {}", plain(value));
        }
        match body {
            Some(Body::Text(body)) => {
                text.push('\n');
                for line in body.lines() {
                    let _ = writeln!(text, "  {}", plain(line));
                }
            }
            Some(Body::Base64(body)) => {
                let _ = writeln!(text, "\n  (no text; in Base64) {body}");
            }
            None => {}
        }
    }
    text
}
