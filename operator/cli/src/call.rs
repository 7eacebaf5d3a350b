//! Calling a receiver's data API.
use std::{fs, path::PathBuf};

use boathook_api::{Code, Problem};
use clap::Args;
use http::Method;
use reqwest::{Client, Url, redirect, retry};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::{
    Mistake,
    limits::{CALL_BYTES_MAX, SEND_TIME_MAX},
    post::root_cause,
};

/// Where the receiver is, and who asks.
#[derive(Debug, Args)]
pub(crate) struct ApiFlags {
    /// A receiver's data API. In a cluster first: `kubectl port-forward deployment/boathook-default 9091`.
    #[arg(long, env = "BOATHOOK_API_URL", value_name = "URL", default_value = "http://127.0.0.1:9091")]
    url: Url,
    /// The file with the token: `view` is enough to read, `operate` is for acting, too.
    #[arg(
        long,
        env = "BOATHOOK_TOKEN_FILE",
        value_name = "FILE",
        default_value = "boathook-data/api-tokens/operate"
    )]
    token_file: PathBuf,
    /// The namespace of names that are written without one.
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
}

/// A receiver that answers.
pub(crate) struct Api {
    runtime: Runtime,
    client: Client,
    url: Url,
    token: Zeroizing<String>,
}

impl ApiFlags {
    /// Makes ready to call.
    ///
    /// # Errors
    /// The token cannot be read, or nothing can be sent from this machine.
    pub(crate) fn api(&self) -> Result<Api, Mistake> {
        let file = self.token_file.display();
        let token = fs::read_to_string(&self.token_file).map(Zeroizing::new).map_err(|error| {
            Mistake(format!(
                "cannot read the token in {file} ({error}): name the file with --token-file; a receiver has it in \
                 `api-tokens` of its data folder, unless its --api-tokens says otherwise"
            ))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let client = Client::builder()
            .user_agent(concat!("Boathook/", env!("CARGO_PKG_VERSION")))
            .timeout(SEND_TIME_MAX)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .build();
        Ok(Api {
            runtime: runtime.map_err(|error| Mistake(format!("cannot start ({error}): try again")))?,
            client: client.map_err(|error| {
                Mistake(format!("no TLS client ({error}): are CA certificates installed?"))
            })?,
            url: self.url.clone(),
            token,
        })
    }

    /// A name with its namespace.
    pub(crate) fn named(&self, name: &str) -> String {
        if name.contains('/') { name.to_owned() } else { format!("{}/{name}", self.namespace) }
    }
}

impl Api {
    /// Reads from a route; `query` is an object whose members are its parameters.
    ///
    /// # Errors
    /// What the receiver says is wrong, or that it does not answer.
    pub(crate) fn read<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, Mistake> {
        let mut url = self.to(path)?;
        let members = serde_json::to_value(query).unwrap_or_default();
        for (name, value) in members.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &text);
        }
        self.call(Method::GET, url, None)?.map_err(told)
    }

    /// Reads what may not be there.
    ///
    /// # Errors
    /// See [`Api::read`].
    pub(crate) fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Mistake> {
        match self.call(Method::GET, self.to(path)?, None)? {
            Ok(found) => Ok(Some(found)),
            Err(Problem { error }) if error.code == Code::NotFound => Ok(None),
            Err(problem) => Err(told(problem)),
        }
    }

    /// Acts.
    ///
    /// # Errors
    /// See [`Api::read`].
    pub(crate) fn act<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Mistake> {
        let body = serde_json::to_string(body).map_err(|error| Mistake(error.to_string()))?;
        self.call(method, self.to(path)?, Some(body))?.map_err(told)
    }

    fn to(&self, path: &str) -> Result<Url, Mistake> {
        self.url.join(path).map_err(|error| {
            Mistake(format!("--url {} is no address ({error}): write http://HOST:PORT", self.url))
        })
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        url: Url,
        body: Option<String>,
    ) -> Result<Result<T, Problem>, Mistake> {
        let place = url.origin().ascii_serialization();
        let request = self.client.request(method, url).bearer_auth(self.token.trim());
        let request = body.into_iter().fold(request, |request, body| request.body(body));
        let answered = self.runtime.block_on(async {
            let mut response = request.send().await?;
            let (status, mut text) = (response.status(), Vec::new());
            while let Some(chunk) = response.chunk().await? {
                text.extend_from_slice(&chunk);
                if text.len() > CALL_BYTES_MAX {
                    break;
                }
            }
            Ok((status, text))
        });
        let (status, text) = answered.map_err(|error: reqwest::Error| {
            let next = "is a receiver there, with this --api? In a cluster, is the port forwarded?";
            Mistake(format!("no answer from {place} ({}): {next}", root_cause(&error)))
        })?;
        if status.is_success() {
            // An answer without a body is nothing, which some callers want.
            let text = if text.is_empty() { b"null" } else { &*text };
            return serde_json::from_slice(text).map(Ok).map_err(|error| {
                Mistake(format!(
                    "{place} answers what this program does not know ({error}): is --url a receiver's --api?"
                ))
            });
        }
        let problem = serde_json::from_slice(&text).map(Err);
        problem.map_err(|_| Mistake(format!("{place} answers {status}: is --url a receiver's --api?")))
    }
}

/// What the receiver says is wrong.
fn told(Problem { error }: Problem) -> Mistake {
    Mistake(format!("{}: {}", error.message, error.next))
}

/// For programs.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    format!("{:#}\n", serde_json::to_value(value).unwrap_or(Value::Null))
}
