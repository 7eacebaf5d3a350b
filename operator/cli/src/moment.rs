//! A time as people write it: RFC 3339, or how long ago.
use std::str::FromStr;

use boathook_verify::Duration;
use jiff::{SignedDuration, Timestamp};

/// A moment, known when the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    pub(crate) fn time(self) -> Timestamp {
        self.seen_from(Timestamp::now())
    }

    fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(duration) => {
                let ago = SignedDuration::try_from(duration.std()).unwrap_or(SignedDuration::MAX);
                now.saturating_sub(ago).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = |_| text.parse().map(Self::Ago);
        text.parse().map(Self::At).or_else(ago).map_err(|_| {
            "must be a time such as 2026-01-31T12:00:00Z, or how long ago: 90s, 30m, 2h, 7d".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let time = Timestamp::UNIX_EPOCH;
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(Moment::At(time)));
        let two_hours_ago = "2h".parse::<Moment>().expect("it is one").seen_from(time);
        assert_eq!(time.duration_since(two_hours_ago), SignedDuration::from_hours(2));
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
