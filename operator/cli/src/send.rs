//! `send`: a signed request to a receiver, as its provider would send it.
use std::{io::Read, path::PathBuf};

use boathook_verify::Scheme;
use clap::Args;
use http::{HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use reqwest::Url;
use uuid::Builder;

use crate::{
    Ended, Mistake, demands, input,
    limits::REQUEST_BYTES_MAX,
    outgoing::{Outgoing, OutgoingFlags},
    post::post,
    target,
};

/// Sign a request as the provider would, POST it, and show the answer.
///
/// Where the event's id is in a header that is not given, it gets one that was never there. Exit status: 0 for an
/// answer of 2xx.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    outgoing: OutgoingFlags,
    /// The URL as it is registered at the provider, where that is signed. Default: the URL that is called.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The event's type, for providers that send it in a header.
    #[arg(long, value_name = "TYPE")]
    event: Option<HeaderValue>,
    /// A file with the body; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Where it is sent, http or https.
    #[arg(value_name = "URL", value_parser = url)]
    url: Url,
}

pub(crate) fn run(flags: &Flags, stdin: &mut dyn Read) -> Result<Ended, Mistake> {
    let Flags { outgoing, public_url, event, body, url } = flags;
    let body = input::read(body, stdin, REQUEST_BYTES_MAX)?;
    let called = url.as_str();
    let target = target::read(called).map_err(|message| Mistake(format!("URL: the path {message}")))?;
    let mut outgoing = outgoing.outgoing(Method::POST, target, body)?;
    name_event(&mut outgoing, event.as_ref())?;
    outgoing.sign(Some(public_url.as_deref().unwrap_or(called)), Timestamp::now())?;
    post(url, outgoing.request)
}

/// Says in headers which event it is, and of which type.
fn name_event(outgoing: &mut Outgoing, event: Option<&HeaderValue>) -> Result<(), Mistake> {
    let Scheme { id, event_type, .. } = &outgoing.sender.scheme;
    let headers = &mut outgoing.request.headers;
    let name = |header: &str| header.parse::<HeaderName>().ok();
    if let Some(header) = demands::lone_header(id.first()).and_then(name) {
        let fresh = Builder::from_random_bytes(rand::random()).into_uuid().to_string();
        headers.entry(header).or_insert_with(|| fresh.parse().expect("a UUID is visible ASCII"));
    }
    let Some(event) = event else { return Ok(()) };
    let Some(header) = demands::lone_header(event_type.first()).and_then(name) else {
        let from = event_type.first().map_or("nowhere", String::as_str);
        return Err(Mistake(format!(
            "--event: {} has no header that is the type (it is read from {from}): write it into the body, or give \
             --header",
            outgoing.sender.name
        )));
    };
    headers.insert(header, event.clone());
    Ok(())
}

fn url(text: &str) -> Result<Url, String> {
    let read = text.parse().ok().filter(|url: &Url| ["http", "https"].contains(&url.scheme()));
    let mut url = read.ok_or("is no URL such as http://127.0.0.1:8080/github")?;
    url.set_fragment(None);
    Ok(url)
}
