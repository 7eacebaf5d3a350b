//! The HTTP client of all sinks: no request of it reaches an address that the guard refuses.
//!
//! Checked in two places, because neither sees all: a literal address in a URL never reaches the resolver, and what
//! a name stands for is known only there. The resolver's answer is the one that is connected to, so a name that
//! changes its mind between check and call gains nothing.
use std::{
    error::Error as StdError,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use reqwest::{
    Client, Request, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect, retry,
};

use crate::{AddressGuard, Forbidden, limits};

const USER_AGENT: &str = concat!("Boathook/", env!("CARGO_PKG_VERSION"));

/// One client, made when the first sink asks for it: an idle receiver without `http` sinks carries no certificates.
#[derive(Debug)]
pub(crate) struct SharedClient {
    guard: AddressGuard,
    client: OnceLock<Client>,
}

/// A client that obeys the guard.
#[derive(Debug, Clone)]
pub(crate) struct GuardedClient {
    guard: AddressGuard,
    client: Client,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The address is refused.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Anything else; without the URL, which may carry a secret.
    #[error("{}", root_cause(.0))]
    Transport(reqwest::Error),
}

impl SharedClient {
    pub(crate) fn new(guard: AddressGuard) -> Self {
        Self { guard, client: OnceLock::new() }
    }

    /// The client; connections are pooled over all sinks.
    pub(crate) fn guarded(&self) -> Result<GuardedClient, reqwest::Error> {
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let client = build(&self.guard)?;
                self.client.get_or_init(|| client)
            }
        };
        Ok(GuardedClient { guard: self.guard.clone(), client: client.clone() })
    }
}

impl GuardedClient {
    /// Checks a literal address in the URL; a name is checked when it is resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        literal_address(url).map_or(Ok(()), |address| self.guard.check(address))
    }

    /// Sends once and waits for the head of the answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, SendError> {
        self.check(request.url())?;
        self.client.execute(request).await.map_err(|error| match refused_by_resolver(&error) {
            Some(forbidden) => SendError::Forbidden(forbidden),
            None => SendError::Transport(error.without_url()),
        })
    }
}

fn build(guard: &AddressGuard) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(GuardedResolver(guard.clone())))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .pool_max_idle_per_host(limits::POOL_IDLE_PER_HOST_MAX)
        .pool_idle_timeout(limits::POOL_IDLE_TIME_MAX)
        .http2_keep_alive_interval(limits::HTTP2_PING_INTERVAL)
        .http2_keep_alive_timeout(limits::HTTP2_PING_TIMEOUT)
        .build()
}

/// The system's resolver without the refused addresses.
struct GuardedResolver(AddressGuard);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(permitted(&guard, found)?.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be called; an error when there is none.
fn permitted(
    guard: &AddressGuard,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, Box<dyn StdError + Send + Sync>> {
    let mut refused = None;
    let addresses: Vec<_> = found
        .filter(|address| guard.check(address.ip()).map_err(|why| refused = Some(why)).is_ok())
        .collect();
    match (addresses.is_empty(), refused) {
        (false, _) => Ok(addresses),
        (true, Some(forbidden)) => Err(forbidden.into()),
        (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()),
    }
}

/// The address in the URL. The parser has already turned every spelling (`0x7f.1`, `2130706433`) into the usual one.
fn literal_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn refused_by_resolver(error: &reqwest::Error) -> Option<Forbidden> {
    chain(error).find_map(|cause| cause.downcast_ref::<Forbidden>()).copied()
}

/// The innermost cause, which is the one that tells something.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::ForbiddenKind;

    #[tokio::test]
    async fn a_refused_address_is_not_called_in_whatever_spelling() {
        let client = SharedClient::new(AddressGuard::default()).guarded().unwrap();
        for url in [
            "http://127.0.0.1:1/",
            "http://0x7f.1:1/",
            "http://2130706433:1/",
            "http://127.0.0.1.:1/",
            "http://[::1]:1/",
            "http://[::ffff:127.0.0.1]:1/",
            "http://[::ffff:7f00:1]:1/",
            "http://localhost:1/",
        ] {
            let error = client.send(Request::new(Method::POST, url.parse().unwrap())).await.unwrap_err();
            assert!(
                matches!(error, SendError::Forbidden(Forbidden { kind: ForbiddenKind::Loopback, .. })),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn a_name_with_one_permitted_address_is_called_there_alone() {
        let guard = AddressGuard::default();
        let found: [SocketAddr; 2] = ["169.254.169.254:0".parse().unwrap(), "10.0.0.1:0".parse().unwrap()];
        let [refused, fine] = found;
        assert_eq!(permitted(&guard, found.into_iter()).unwrap(), [fine]);
        let error = permitted(&guard, [refused].into_iter()).unwrap_err();
        assert_eq!(error.downcast_ref::<Forbidden>().unwrap().kind, ForbiddenKind::Metadata);
        assert!(permitted(&guard, [].into_iter()).unwrap_err().downcast_ref::<Forbidden>().is_none());
    }

    #[test]
    fn the_client_is_made_when_it_is_first_asked_for() {
        let shared = SharedClient::new(AddressGuard::default());
        assert!(shared.client.get().is_none());
        shared.guarded().unwrap();
        assert!(shared.client.get().is_some());
    }
}
