//! Forms of text that the API server will ask for: names, hosts, keys, quantities.
use crate::limits::{HOST_BYTES_MAX, LABEL_BYTES_MAX};

/// Units of quantities.
const UNITS: [(&str, f64); 16] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// An RFC 1123 label: lower-case letters, digits and inner `-`.
pub(super) fn is_label(text: &str) -> bool {
    let outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= LABEL_BYTES_MAX
        && text.starts_with(outer)
        && text.ends_with(outer)
        && text.chars().all(|c| outer(c) || c == '-')
}

/// An RFC 1123 subdomain: labels and dots. What hosts and most names are.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= HOST_BYTES_MAX && text.split('.').all(is_label)
}

/// The key of an annotation, or the name of a resource: `name` or `domain/name`.
pub(super) fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let outer = |c: char| c.is_ascii_alphanumeric();
    prefix.is_none_or(is_subdomain)
        && name.len() <= LABEL_BYTES_MAX
        && name.starts_with(outer)
        && name.ends_with(outer)
        && name.chars().all(|c| outer(c) || ['-', '_', '.'].contains(&c))
}

/// The key of a value in a Secret.
pub(super) fn is_data_key(text: &str) -> bool {
    let all = text.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c));
    (1..=HOST_BYTES_MAX).contains(&text.len()) && all && ![".", ".."].contains(&text)
}

/// The value of a quantity that is not negative, near enough to compare two.
pub(super) fn quantity(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let exponent = || unit.strip_prefix(['e', 'E'])?.parse::<i8>().ok().map(|power| 10f64.powi(power.into()));
    let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale).or_else(exponent)?;
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_api_server_takes() {
        for (text, label, subdomain, key) in [
            ("default", true, true, true),
            ("a-1", true, true, true),
            ("hooks.example.com", false, true, true),
            ("nginx.ingress.kubernetes.io/proxy-body-size", false, false, true),
            ("Team_A", false, false, true),
            ("", false, false, false),
            ("-a", false, false, false),
            ("a-", false, false, false),
            ("a..b", false, false, true),
            ("*.example.com", false, false, false),
            ("a/b/c", false, false, false),
            ("/a", false, false, false),
            (&"a".repeat(64), false, false, false),
        ] {
            assert_eq!((is_label(text), is_subdomain(text), is_key(text)), (label, subdomain, key), "{text}");
        }
        assert!(is_subdomain(&format!("{}a", "a.".repeat(126))));
        assert!(!is_subdomain(&format!("{}a", "a.".repeat(127))));
    }

    #[test]
    fn quantities_are_compared_by_value() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("500m", Some(0.5)),
            (".5", Some(0.5)),
            ("1.5Gi", Some(1_610_612_736.0)),
            ("1e3", Some(1_000.0)),
            ("2E", Some(2e18)),
            ("0", Some(0.0)),
            ("", None),
            ("Gi", None),
            ("1 Gi", None),
            ("1GB", None),
            ("-1", None),
            ("1.2.3", None),
            ("inf", None),
        ] {
            assert_eq!(quantity(text), value, "{text}");
        }
    }
}
