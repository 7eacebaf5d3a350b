//! Reading the provider's time, and whether it is near enough to ours.
use jiff::{SignedDuration, Timestamp};

use crate::{Duration, TimeFormat};

/// Decimal digits of a Unix time in milliseconds until the year 5138; a longer number is no time.
const DIGITS_MAX: usize = 14;

impl TimeFormat {
    /// `None` when the text is not of this format.
    pub(crate) fn read(self, text: &str) -> Option<Timestamp> {
        match self {
            Self::UnixSeconds => Timestamp::from_second(digits(text)?).ok(),
            Self::UnixMillis => Timestamp::from_millisecond(digits(text)?).ok(),
            Self::Rfc3339 => text.parse().ok(),
        }
    }

    /// The text that [`TimeFormat::read`] reads as this time.
    pub(crate) fn write(self, time: Timestamp) -> String {
        match self {
            Self::UnixSeconds => time.as_second().to_string(),
            Self::UnixMillis => time.as_millisecond().to_string(),
            Self::Rfc3339 => time.to_string(),
        }
    }
}

/// The time minus our clock in milliseconds, when it is farther away than `tolerance`; the bound itself is inside.
pub(crate) fn skew_outside(time: Timestamp, now: Timestamp, tolerance: Duration) -> Option<i64> {
    let skew = time.duration_since(now);
    let allowed = SignedDuration::try_from(tolerance.std()).unwrap_or(SignedDuration::MAX);
    (skew.abs() > allowed).then(|| i64::try_from(skew.as_millis()).unwrap_or(i64::MAX))
}

fn digits(text: &str) -> Option<i64> {
    let plain =
        !text.is_empty() && text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_strictly() {
        let expected = Timestamp::from_second(1_614_265_330).ok();
        assert_eq!(TimeFormat::UnixSeconds.read("1614265330"), expected);
        assert_eq!(TimeFormat::UnixMillis.read("1614265330000"), expected);
        assert_eq!(TimeFormat::Rfc3339.read("2021-02-25T15:02:10Z"), expected);
        assert_eq!(TimeFormat::Rfc3339.read("2021-02-25T16:02:10.000000000+01:00"), expected);
        for text in ["", "-5", "+5", " 5", "5 ", "1e9", "0x5", "999999999999999", "٥"] {
            assert_eq!(TimeFormat::UnixSeconds.read(text), None, "{text}");
        }
        for text in ["2021-02-25T15:02:10", "2021-02-25", "soon", ""] {
            assert_eq!(TimeFormat::Rfc3339.read(text), None, "{text}");
        }
    }

    #[test]
    fn the_tolerance_holds_both_ways_with_its_bound_inside() {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        let tolerance = Duration::from_secs(300);
        for (seconds, skew) in [
            (1_000_000, None),
            (999_700, None),
            (1_000_300, None),
            (999_699, Some(-301_000)),
            (1_000_301, Some(301_000)),
        ] {
            let time = Timestamp::from_second(seconds).expect("in range");
            assert_eq!(skew_outside(time, now, tolerance), skew, "{seconds}");
        }
    }
}
