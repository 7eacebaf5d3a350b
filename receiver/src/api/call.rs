//! Reading a call: its path, its query and its body, under their bounds.
use boathook_api::Problem;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::invalid;
use crate::limits::{CALL_BYTES_MAX, CALL_TIME_MAX};

/// A call as it came.
pub(super) struct Call {
    pub(super) method: Method,
    /// Percent-decoded.
    pub(super) segments: Vec<String>,
    query: String,
    body: Bytes,
}

impl Call {
    pub(super) async fn read(request: Request<Incoming>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let next = "send less, or in time";
        let body = timeout(CALL_TIME_MAX, Limited::new(body, CALL_BYTES_MAX).collect())
            .await
            .map_err(|_| invalid("the body did not end in time", next))?
            .map_err(|error| invalid(format!("the body cannot be read: {error}"), next))?;
        Ok(Self {
            method: head.method,
            segments: head.uri.path().split('/').skip(1).map(decoded).collect(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: body.to_bytes(),
        })
    }

    /// The query as a type that has these members.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut members = Map::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            let number = (name == "limit").then(|| value.parse::<u64>().ok()).flatten();
            let value = number.map_or_else(|| Value::from(&*value), Value::from);
            members.insert(name.into_owned(), value);
        }
        typed("query", Value::Object(members))
    }

    /// The body as this type; an empty one is an empty object.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let text = if self.body.is_empty() { b"{}" } else { &*self.body };
        let value = serde_json::from_slice(text).map_err(|error| {
            invalid(format!("the body is no JSON: {error}"), "send an object, or no body at all")
        })?;
        typed("body", value)
    }
}

fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.inner().to_string());
        let place = if path == "." { String::new() } else { format!(" at `{path}`") };
        invalid(format!("the {what} is wrong{place}: {error}"), "see receiver/api/openapi.json")
    })
}

fn decoded(segment: &str) -> String {
    // In a query `+` is a space; in a path it is itself.
    let segment = segment.replace('+', "%2B");
    form_urlencoded::parse(segment.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}
