//! A request as its provider would send it: what the caller gives, and what the scheme adds.
use std::path::PathBuf;

use boathook_verify::{RawRequest, Rejection, Scheme, Setup, Verifier};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use jiff::Timestamp;

use crate::{
    Mistake, demands,
    given_header::GivenHeader,
    keys::Keys,
    sender::{Sender, SenderFlags},
    target::Target,
};

#[derive(Debug, Clone, Args)]
pub(crate) struct OutgoingFlags {
    #[command(flatten)]
    sender: SenderFlags,
    /// A file with the secret.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A header beside those that sign; give it again for a second one.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<GivenHeader>,
}

/// A request that is not signed yet.
pub(crate) struct Outgoing {
    pub(crate) request: RawRequest,
    pub(crate) sender: Sender,
    /// The headers that were given, as they were spelt.
    given: Vec<GivenHeader>,
    keys: Keys,
}

impl OutgoingFlags {
    /// Puts a request together. Where no content type is given, it is the one that the provider would send.
    pub(crate) fn outgoing(
        &self,
        method: Method,
        target: Target,
        body: Vec<u8>,
    ) -> Result<Outgoing, Mistake> {
        let Self { sender, secret_file, header: given } = self;
        let sender = sender.sender_or(None)?;
        let keys = Keys::of_files(secret_file)?;
        let mut headers = HeaderMap::new();
        for GivenHeader { spelt: _, name, value } in given {
            headers.append(name, value.clone());
        }
        if let Some(kind) = demands::content_type(&sender.scheme).filter(|_| !body.is_empty()) {
            headers.entry(CONTENT_TYPE).or_insert(kind);
        }
        let (path, query) = target;
        let request = RawRequest { method, path, query, headers, body: Bytes::from(body) };
        Ok(Outgoing { request, sender, given: given.clone(), keys })
    }
}

impl Outgoing {
    /// Adds what the provider adds.
    pub(crate) fn sign(&mut self, public_url: Option<&str>, now: Timestamp) -> Result<(), Mistake> {
        let Self { request, sender: Sender { name, scheme }, keys, given: _ } = self;
        if let Some(reason) = demands::unsignable(scheme) {
            return Err(Mistake(format!("{name}: requests cannot be signed here: {reason}")));
        }
        let told = |header: &str| {
            format!(
                "{name}: the signature covers the header {header}: give it with --header '{header}: VALUE'"
            )
        };
        let missing: Vec<String> = demands::missing_headers(scheme, &request.headers).map(told).collect();
        if !missing.is_empty() {
            return Err(Mistake(missing.join("\n")));
        }
        let setup = Setup { secrets: &keys.secrets, public_url, ..Setup::default() };
        let verifier = Verifier::compile(&timeless(scheme), &setup);
        let verifier = verifier.map_err(|errors| keys.mistake(name, &errors))?;
        verifier.sign(request, now).map_err(|Rejection { code: _, diagnosis }| {
            Mistake(format!("{name}: cannot be signed as it is given: {diagnosis}"))
        })?;
        // What a scheme of the caller's own demands may exclude what it has signed.
        verifier.verify(request, now).map(drop).map_err(|Rejection { code: _, diagnosis }| {
            Mistake(format!(
                "{name}: what is signed here would be refused ({diagnosis}): change the scheme, or what is given"
            ))
        })
    }

    /// All headers with their names as the caller or the scheme spells them.
    pub(crate) fn spelt_headers(&self) -> impl Iterator<Item = (String, &HeaderValue)> {
        self.request.headers.iter().map(|(name, value)| {
            let given = self.given.iter().map(|given| given.spelt.clone());
            let mut spellings = given.chain(demands::header_names(&self.sender.scheme));
            let spelt = spellings.find(|spelt| spelt.eq_ignore_ascii_case(name.as_str()));
            (spelt.unwrap_or_else(|| name.to_string()), value)
        })
    }
}

/// The scheme without its judgement of freshness: a time in the body is the caller's own.
fn timeless(scheme: &Scheme) -> Scheme {
    let mut scheme = scheme.clone();
    scheme.timestamp.iter_mut().for_each(|rule| rule.enforce = false);
    scheme
}
