//! Small documents from elsewhere, such as an issuer's keys: under the same guard as sinks, and bounded.
use std::time::Duration;

use http::header::CACHE_CONTROL;
use reqwest::{Method, Request, Url};

use crate::{client::GuardedClient, limits::FETCH_TIME_MAX};

/// Fetches documents.
#[derive(Debug, Clone)]
pub struct Fetcher(pub(crate) GuardedClient);

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its bytes.
    pub body: Vec<u8>,
    /// For how long it may be kept, where its server says so (RFC 9111 § 5.2.2.1).
    pub max_age: Option<Duration>,
}

impl Fetcher {
    /// Gets the document at a URL; redirects are not followed.
    ///
    /// # Errors
    /// Why there is none: a refused address, a failed connection, a status other than 200, more than `bytes_max` bytes, more
    /// time than [`FETCH_TIME_MAX`].
    pub async fn get(&self, url: &str, bytes_max: usize) -> Result<Fetched, String> {
        let url: Url = url.parse().map_err(|_| "it is no URL".to_owned())?;
        let fetched = tokio::time::timeout(FETCH_TIME_MAX, self.document(url, bytes_max)).await;
        fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH_TIME_MAX.as_secs())))
    }

    /// Visits a URL for what that does there; redirects are not followed, and what is answered does not matter.
    ///
    /// # Errors
    /// Why it is not known to be done: a refused address, a failed connection, a status outside 200 to 299, more time than
    /// [`FETCH_TIME_MAX`].
    pub async fn visit(&self, url: &str) -> Result<(), String> {
        let url: Url = url.parse().map_err(|_| "it is no URL".to_owned())?;
        let visited = async {
            let answer = self.0.send(Request::new(Method::GET, url)).await;
            let status = answer.map_err(|error| error.to_string())?.status();
            let told = || format!("it was answered with status {}", status.as_u16());
            if status.is_success() { Ok(()) } else { Err(told()) }
        };
        let visited = tokio::time::timeout(FETCH_TIME_MAX, visited).await;
        visited.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH_TIME_MAX.as_secs())))
    }

    async fn document(&self, url: Url, bytes_max: usize) -> Result<Fetched, String> {
        let answer = self.0.send(Request::new(Method::GET, url)).await;
        let mut answer = answer.map_err(|error| error.to_string())?;
        if answer.status().as_u16() != 200 {
            return Err(format!("it was answered with status {}", answer.status().as_u16()));
        }
        let directives = answer.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        let max_age = directives.and_then(max_age);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| "the answer broke off".to_owned())? {
            if body.len() + chunk.len() > bytes_max {
                return Err(format!("it is longer than {bytes_max} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { body, max_age })
    }
}

fn max_age(directives: &str) -> Option<Duration> {
    let mut directives = directives.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;
    use crate::{AddressGuard, client::SharedClient};

    /// A server that answers each request with the status in its path, and points elsewhere; its address.
    fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let head: Vec<String> = BufReader::new(&stream)
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let status = head.first().and_then(|line| line.get(5..8)).unwrap_or("500");
                let answer = format!(
                    "HTTP/1.1 {status} -\r\nLocation: /200\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                drop((&stream).write_all(answer.as_bytes()));
            }
        });
        address
    }

    #[tokio::test]
    async fn a_visit_counts_with_a_status_of_success_alone_and_goes_where_it_was_sent() {
        let server = server();
        let guard = AddressGuard { loopback: true, allow: Vec::new() };
        let fetcher = Fetcher(SharedClient::new(guard).guarded().unwrap());
        for (status, done) in [(200, true), (204, true), (302, false), (403, false), (500, false)] {
            let visited = fetcher.visit(&format!("{server}/{status}?Token=t")).await;
            assert_eq!(visited.is_ok(), done, "{status}: {visited:?}");
        }
        assert!(fetcher.visit("no URL").await.is_err());
        let guarded = Fetcher(SharedClient::new(AddressGuard::default()).guarded().unwrap());
        let refused = guarded.visit(&format!("{server}/200")).await.unwrap_err();
        assert!(refused.contains("loopback"), "{refused}");
    }

    #[test]
    fn the_age_that_a_server_allows_is_read() {
        for (directives, seconds) in [
            ("public, max-age=21000, must-revalidate", Some(21_000)),
            ("max-age=0", Some(0)),
            ("s-maxage=5", None),
            ("max-age=soon", None),
            ("no-store", None),
        ] {
            assert_eq!(max_age(directives), seconds.map(Duration::from_secs), "{directives}");
        }
    }
}
