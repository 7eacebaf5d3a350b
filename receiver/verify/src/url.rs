//! The public URL of an endpoint, as its provider has it. It is configured: what a request says of its own host can be forged.
use std::borrow::Cow;

use crate::limits::URL_BYTES_MAX;

/// A public URL, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl {
    /// Without its query and fragment, as written.
    base: Box<str>,
    /// The query as written, for requests that have none: what came is what counts.
    query: Option<Box<str>>,
    /// The base without a port, and with one: the written one or else the scheme's own.
    portless: Box<str>,
    ported: Box<str>,
}

/// How a URL is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlForm {
    AsIs,
    /// With the escapes that HubSpot decodes.
    Unescaped,
    /// Variant 0 without a port, variant 1 with one.
    EitherPort,
}

impl PublicUrl {
    /// Reads a URL such as `https://hooks.example.com/platform/github`; a fragment is dropped.
    ///
    /// # Errors
    /// What must be written.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "must be a URL such as https://hooks.example.com/path, of at most {URL_BYTES_MAX} visible characters"
            )
        };
        if text.len() > URL_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong());
        }
        let text = text.split('#').next().unwrap_or_default();
        let (base, query) =
            text.split_once('?').map_or((text, None), |(base, query)| (base, Some(query.into())));
        let (scheme, rest) = base.split_once("://").ok_or_else(wrong)?;
        let own_port = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return Err(wrong()),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let host_at = authority.rfind('@').map_or(0, |at| at + 1);
        // The colons of an IPv6 address stand in brackets.
        let bracket = authority.rfind(']').unwrap_or(host_at);
        let colon = authority.get(bracket..).and_then(|host| host.find(':')).map(|colon| bracket + colon);
        let (host, port) = match colon {
            Some(colon) => {
                (authority.get(..colon).unwrap_or_default(), authority.get(colon + 1..).unwrap_or_default())
            }
            None => (authority, own_port),
        };
        let named = host.get(host_at..).is_some_and(|host| !host.is_empty());
        if !named || !(1..=5).contains(&port.len()) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Self {
            base: base.into(),
            query,
            portless: format!("{scheme}://{host}{path}").into(),
            ported: format!("{scheme}://{host}:{port}{path}").into(),
        })
    }

    /// The bytes that are signed for a request with this query.
    pub(crate) fn signed(&self, query: Option<&str>, form: UrlForm, variant: usize) -> Cow<'_, [u8]> {
        let base = match (form, variant) {
            (UrlForm::EitherPort, 0) => &self.portless,
            (UrlForm::EitherPort, _) => &self.ported,
            (UrlForm::AsIs | UrlForm::Unescaped, _) => &self.base,
        };
        let text = match query.filter(|query| !query.is_empty()).or(self.query.as_deref()) {
            None => Cow::Borrowed(&**base),
            Some(query) => Cow::Owned(format!("{base}?{query}")),
        };
        match (form, text) {
            (UrlForm::Unescaped, text) => Cow::Owned(unescaped(&text).into_bytes()),
            (_, Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            (_, Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        }
    }
}

/// HubSpot's list of escapes that are decoded before it signs.
fn unescaped(url: &str) -> String {
    const DECODED: [(&str, char); 12] = [
        ("3A", ':'),
        ("2F", '/'),
        ("3F", '?'),
        ("40", '@'),
        ("21", '!'),
        ("24", '$'),
        ("27", '\''),
        ("28", '('),
        ("29", ')'),
        ("2A", '*'),
        ("2C", ','),
        ("3B", ';'),
    ];
    let mut text = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let code = after.get(..2).unwrap_or_default();
        match DECODED.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)) {
            Some((_, character)) => {
                text.push(*character);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                text.push('%');
                rest = after;
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(url: &str, query: Option<&str>, form: UrlForm, variant: usize) -> String {
        let url = PublicUrl::parse(url).expect(url);
        String::from_utf8(url.signed(query, form, variant).into_owned()).expect("text")
    }

    #[test]
    fn the_query_is_that_of_the_request_or_else_the_written_one() {
        let signed = |url, query| signed(url, query, UrlForm::AsIs, 0);
        assert_eq!(signed("https://a.example/p", None), "https://a.example/p");
        assert_eq!(signed("https://a.example/p?own=1", None), "https://a.example/p?own=1");
        assert_eq!(signed("https://a.example/p#f", Some("b=%27")), "https://a.example/p?b=%27");
        assert_eq!(signed("https://a.example/p?own=1", Some("b=2")), "https://a.example/p?b=2");
    }

    #[test]
    fn a_port_is_dropped_or_added_behind_the_host() {
        for (url, portless, ported) in [
            ("https://a.example/p", "https://a.example/p", "https://a.example:443/p"),
            ("http://a.example/p", "http://a.example/p", "http://a.example:80/p"),
            ("https://a.example:1234", "https://a.example", "https://a.example:1234"),
            ("https://u:p@a.example/p", "https://u:p@a.example/p", "https://u:p@a.example:443/p"),
            ("https://[::1]/p", "https://[::1]/p", "https://[::1]:443/p"),
            ("https://[::1]:8443/p", "https://[::1]/p", "https://[::1]:8443/p"),
        ] {
            assert_eq!(signed(url, None, UrlForm::EitherPort, 0), portless);
            assert_eq!(signed(url, None, UrlForm::EitherPort, 1), ported);
        }
    }

    #[test]
    fn the_escapes_of_the_list_are_decoded_and_no_others() {
        let url = "https://a.example/p?a=%3a%2F%3F%40%21%24%27%28%29%2A%2C%3B&b=%20%26%&c=%";
        assert_eq!(
            signed(url, None, UrlForm::Unescaped, 0),
            "https://a.example/p?a=:/?@!$'()*,;&b=%20%26%&c=%"
        );
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in [
            "",
            "a.example/p",
            "ftp://a.example",
            "https://",
            "https://a b/",
            "https://a:port/",
            "https://u@/",
            "https://a.example:/",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
