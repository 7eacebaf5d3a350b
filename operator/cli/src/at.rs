//! The time at which a request is judged or signed, as a flag says it.
use std::str::FromStr;

use jiff::Timestamp;

/// When a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At this time.
    Time(Timestamp),
    /// At no time: freshness does not count.
    Never,
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self::Never) } else { time(text).map(Self::Time) }
    }
}

/// A time in RFC 3339, or `now`.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::now());
    }
    text.parse().map_err(|_| "is no time: write one such as 2026-01-02T03:04:05Z, or now".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_rfc_3339_or_as_a_word() {
        let known = Timestamp::from_second(0).unwrap();
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(At::Time(known)));
        assert_eq!("none".parse(), Ok(At::Never));
        assert!(matches!("now".parse(), Ok(At::Time(_))));
        assert!(time("none").is_err() && time("yesterday").is_err());
    }
}
