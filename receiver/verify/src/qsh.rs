//! The digest of a request's method, path and query by which Atlassian Connect binds a token to it (`qsh`).
//! <https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/#qsh>
use std::collections::BTreeMap;

use faster_hex::hex_string;
use sha2::{Digest as _, Sha256};

use crate::{RawRequest, form};

/// The lower-case hex SHA-256 of the canonical request; `None` where its query is no text.
pub(crate) fn digest(request: &RawRequest) -> Option<String> {
    let fields = form::fields(request.query.as_deref().unwrap_or_default())?;
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The token itself may stand in the query.
    for (name, value) in fields.iter().filter(|(name, _)| name != "jwt") {
        parameters.entry(form::encoded(name)).or_default().push(form::encoded(value));
    }
    let parameters = parameters.into_iter().map(|(name, mut values)| {
        values.sort();
        format!("{name}={}", values.join(","))
    });
    let query = parameters.collect::<Vec<_>>().join("&");
    let path = request.path.trim_end_matches('/').replace('&', "%26");
    let path = if path.is_empty() { "/" } else { &path };
    let canonical = format!("{}&{path}&{query}", request.method);
    Some(hex_string(&Sha256::digest(canonical)))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    fn of(method: Method, path: &str, query: Option<&str>) -> Option<String> {
        let headers = HeaderMap::new();
        digest(&RawRequest {
            method,
            path: path.into(),
            query: query.map(Into::into),
            headers,
            body: "".into(),
        })
    }

    fn sha256(text: &str) -> Option<String> {
        Some(hex_string(&Sha256::digest(text)))
    }

    #[test]
    fn a_request_is_written_in_one_way() {
        for (path, query, canonical) in [
            ("/hook", None, "POST&/hook&"),
            ("/hook/", Some(""), "POST&/hook&"),
            ("/", None, "POST&/&"),
            ("/a&b", None, "POST&/a%26b&"),
            ("/hook", Some("b=2&a=1&jwt=x"), "POST&/hook&a=1&b=2"),
            ("/hook", Some("a=2&a=1"), "POST&/hook&a=1,2"),
            ("/hook", Some("a=b+c*d%7e&%c3%a4=%2f"), "POST&/hook&%C3%A4=%2F&a=b%20c%2Ad~"),
        ] {
            assert_eq!(of(Method::POST, path, query), sha256(canonical), "{canonical}");
        }
        assert_eq!(of(Method::GET, "/hook", Some("a=%ff")), None);
    }
}
