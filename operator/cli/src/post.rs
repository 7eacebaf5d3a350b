//! Sending a request once, and what was answered.
use std::{error::Error as StdError, fmt::Write as _, iter};

use boathook_verify::RawRequest;
use http::{
    HeaderName,
    header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use reqwest::{Client, Response, Url, redirect, retry};

use crate::{
    Ended, Mistake,
    limits::{ANSWER_BYTES_MAX, SEND_TIME_MAX},
};

/// Headers of an answer that say what it means.
const TELLING: [HeaderName; 4] = [CONTENT_TYPE, RETRY_AFTER, LOCATION, ALLOW];

/// Sends the request to the URL, with the query that the request has.
///
/// # Errors
/// Nothing could be sent from this machine. A receiver that does not answer is no mistake of the caller.
pub(crate) fn post(url: &Url, request: RawRequest) -> Result<Ended, Mistake> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Mistake(format!("cannot start ({error}): try again")))?;
    let agent = concat!("Boathook/", env!("CARGO_PKG_VERSION"));
    let client = Client::builder()
        .user_agent(agent)
        .timeout(SEND_TIME_MAX)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .build()
        .map_err(|error| Mistake(format!("no TLS client ({error}): are CA certificates installed?")))?;
    Ok(runtime.block_on(answered(&client, url, request)).unwrap_or_else(|error| {
        // Without path and query, in which a secret may be.
        let place = url.origin().ascii_serialization();
        let note = format!("no answer from {place} ({}): is a receiver there?", root_cause(&error));
        Ended { good: false, output: String::new(), notes: vec![note] }
    }))
}

async fn answered(client: &Client, url: &Url, request: RawRequest) -> Result<Ended, reqwest::Error> {
    let RawRequest { method, path: _, query, headers, body } = request;
    let mut url = url.clone();
    url.set_query(query.as_deref());
    let mut response = client.request(method, url).headers(headers).body(body).send().await?;
    let status = response.status();
    let mut output = format!("{status}\n");
    for name in TELLING {
        for value in response.headers().get_all(&name) {
            let _ = writeln!(output, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    let (body, is_whole) = beginning(&mut response).await?;
    if !body.is_empty() {
        let _ = writeln!(output, "\n{}", String::from_utf8_lossy(&body));
    }
    let cut = (!is_whole).then(|| format!("the answer is longer: {ANSWER_BYTES_MAX} bytes are shown"));
    Ok(Ended { good: status.is_success(), output, notes: cut.into_iter().collect() })
}

/// The beginning of the body, and whether that is all of it.
async fn beginning(response: &mut Response) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            body.truncate(ANSWER_BYTES_MAX);
            return Ok((body, false));
        }
    }
    Ok((body, true))
}

/// The innermost cause, which is the one that tells something.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    let causes = iter::successors(Some(error as &dyn StdError), |&error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}
