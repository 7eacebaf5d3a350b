//! URLs that a request names, and that we visit only where they are the sender's own.
use crate::limits::URL_BYTES_MAX;

/// An `https` URL, taken apart: written so plainly that every parser reads it alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SenderUrl<'u> {
    /// In lower case, without user and port.
    pub(crate) host: &'u str,
    /// From the first slash, without a query.
    pub(crate) path: &'u str,
    pub(crate) query: Option<&'u str>,
}

impl<'u> SenderUrl<'u> {
    /// `None` where it is no such URL: another scheme, a user, a port other than 443, capitals or escapes in host or path,
    /// steps such as `..`, a fragment, anything that is not visible ASCII.
    pub(crate) fn read(url: &'u str) -> Option<Self> {
        let plain = url.len() <= URL_BYTES_MAX
            && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#\"<>^`{|}".contains(&byte));
        let rest = url.strip_prefix("https://").filter(|_| plain)?;
        let (authority, rest) = rest.split_at(rest.find('/')?);
        let host = authority.strip_suffix(":443").unwrap_or(authority);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let of_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        let steps = path.split('/').any(|step| step.starts_with('.'));
        let sound = host.bytes().all(of_host) && path.bytes().all(of_path) && !steps;
        sound.then_some(Self { host, path, query })
    }

    /// Whether it is a document there, with nothing that a query could change.
    pub(crate) fn is_document(&self) -> bool {
        self.query.is_none() && !self.path.ends_with('/')
    }
}

/// Whether the host is Amazon SNS's in some region: `sns.eu-west-1.amazonaws.com`, in China with `.cn` after it.
pub(crate) fn is_sns(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(is_region)
}

/// `us-gov-west-1`. Anybody's bucket may have the name `sns`, and is at `sns.s3.amazonaws.com`, `sns.s3-us-west-1.…`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match &*parts {
        [country, areas @ .., number] => {
            let areas = !areas.is_empty() && areas.iter().all(|area| letters(area));
            let number = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            country.len() == 2 && letters(country) && areas && number
        }
        _ => false,
    }
}

/// The URL at which a subscription to an SNS topic is confirmed, where it is one.
pub(crate) fn is_sns_confirmation(url: &str) -> bool {
    let confirms = |url: SenderUrl<'_>| {
        let asked = url.query.is_some_and(|query| query.starts_with("Action=ConfirmSubscription&"));
        is_sns(url.host) && url.path == "/" && asked
    };
    SenderUrl::read(url).is_some_and(confirms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_urls_are_read() {
        let read = |url| SenderUrl::read(url).map(|url| (url.host, url.path, url.query));
        assert_eq!(read("https://a.example/b/c.pem"), Some(("a.example", "/b/c.pem", None)));
        assert_eq!(read("https://a.example:443/?b=c"), Some(("a.example", "/", Some("b=c"))));
        for url in [
            "http://a.example/b",
            "HTTPS://a.example/b",
            "https://a.example",
            "https://A.example/b",
            "https://a.example:8443/b",
            "https://a.example:0443/b",
            "https://user@a.example/b",
            "https://user:443@a.example/b",
            "https://a.example\\@b.example/c",
            "https://a.example/b/../c",
            "https://a.example/./c",
            "https://a.example/%2e%2e/c",
            "https://a.example/b#c",
            "https://a.example/b c",
            "https://a.example/b\n",
            "https://a.example/é",
            "https://[::1]/b",
            "//a.example/b",
            "",
        ] {
            assert_eq!(read(url), None, "{url}");
        }
        assert_eq!(read(&format!("https://a.example/{}", "b".repeat(URL_BYTES_MAX))), None);
    }

    #[test]
    fn hosts_of_sns_are_told_from_others() {
        for host in [
            "sns.us-east-1.amazonaws.com",
            "sns.us-gov-west-1.amazonaws.com",
            "sns.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_sns(host), "{host}");
        }
        for host in [
            "sns.amazonaws.com",
            "sns..amazonaws.com",
            "sns.us-east-1.amazonaws.com.evil.example",
            "sns.evil.example",
            "evil.sns.us-east-1.amazonaws.com",
            "sns.bucket.s3.amazonaws.com",
            "sns.s3.amazonaws.com",
            "sns.s3-us-west-1.amazonaws.com",
            "sns.us-east.amazonaws.com",
            "sns.1.amazonaws.com",
            "sns.us-east-1.amazonaws.org",
            "xsns.us-east-1.amazonaws.com",
            "sns.us-east-1xamazonaws.com",
        ] {
            assert!(!is_sns(host), "{host}");
        }
    }

    #[test]
    fn a_confirmation_is_that_and_nothing_else() {
        let of = |rest: &str| is_sns_confirmation(&format!("https://sns.us-east-1.amazonaws.com/{rest}"));
        assert!(of("?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:1:t&Token=2"));
        assert!(!of("?Action=Unsubscribe&SubscriptionArn=a"));
        assert!(!of("x?Action=ConfirmSubscription&Token=2"));
        assert!(!of(""));
        assert!(!is_sns_confirmation("https://evil.example/?Action=ConfirmSubscription&Token=2"));
    }
}
