//! Who calls: the peer, or whom trusted proxies name.
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::limits::FORWARDED_HOPS_MAX;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front whose word counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrustedProxies(pub(crate) Vec<IpNet>);

impl TrustedProxies {
    /// The rightmost address of X-Forwarded-For (or else Forwarded, RFC 7239) that is no trusted proxy. What stands
    /// left of it was written by the caller. A hop that is no address ends the search: then it is the proxy that named it.
    pub(crate) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut source = peer.to_canonical();
        if !self.trusts(source) {
            return source;
        }
        for hop in hops(headers).take(FORWARDED_HOPS_MAX) {
            let Some(address) = address(hop) else { return source };
            source = address;
            if !self.trusts(source) {
                return source;
            }
        }
        source
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The hops, the nearest first.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let named = headers.contains_key(X_FORWARDED_FOR);
    let name = if named { X_FORWARDED_FOR } else { header::FORWARDED };
    let lines: Vec<&str> =
        // A line that is no text is no address, and ends the search.
        headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?")).collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .map(move |element| if named { element.trim() } else { forwarded_for(element) })
        .filter(move |element| !named || !element.is_empty())
}

/// The value of `for` in one element such as `for="[2001:db8::1]:80";proto=https`; empty where there is none.
fn forwarded_for(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value =
        pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value);
    value.unwrap_or_default().trim().trim_matches('"')
}

/// An address, with or without port, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn source(trusted: &str, peer: &str, headers: &[(HeaderName, &'static str)]) -> String {
        let trusted = TrustedProxies(trusted.split_whitespace().map(|text| text.parse().unwrap()).collect());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        trusted.source(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_peer_calls_whatever_headers_say() {
        assert_eq!(source("", "192.0.2.1", &[(X_FORWARDED_FOR, "203.0.113.9")]), "192.0.2.1");
        assert_eq!(source("10.0.0.0/8", "192.0.2.1", &[(X_FORWARDED_FOR, "203.0.113.9")]), "192.0.2.1");
        assert_eq!(source("", "::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_calls() {
        for (expected, headers) in [
            ("203.0.113.9", vec![(X_FORWARDED_FOR, "203.0.113.9")]),
            ("203.0.113.9", vec![(X_FORWARDED_FOR, "1.2.3.4, 203.0.113.9, 10.9.9.9")]),
            ("203.0.113.9", vec![(X_FORWARDED_FOR, "1.2.3.4"), (X_FORWARDED_FOR, "203.0.113.9:4711")]),
            ("2001:db8::1", vec![(header::FORWARDED, "for=1.2.3.4, For=\"[2001:db8::1]:80\";proto=https")]),
            ("203.0.113.9", vec![(header::FORWARDED, "for=1.2.3.4"), (X_FORWARDED_FOR, "203.0.113.9")]),
            // What a trusted proxy could not name is the proxy's.
            ("10.0.0.7", vec![(X_FORWARDED_FOR, "1.2.3.4, unknown")]),
            ("10.0.0.7", vec![(header::FORWARDED, "for=1.2.3.4, by=10.0.0.9")]),
            ("10.0.0.7", vec![]),
            // Only proxies all the way: the farthest.
            ("10.1.1.1", vec![(X_FORWARDED_FOR, "10.1.1.1, 10.2.2.2")]),
        ] {
            assert_eq!(source("10.0.0.0/8", "10.0.0.7", &headers), expected, "{headers:?}");
        }
    }
}
