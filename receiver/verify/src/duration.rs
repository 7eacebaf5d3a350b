//! Durations as people write them: `500ms`, `5s`, `72h`, `7d`.
use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A span of time with units: `ms`, `s`, `m`, `h`, `d`; several may follow each other (`1h30m`). Whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

impl Duration {
    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// A span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The span for arithmetic.
    pub const fn std(self) -> std::time::Duration {
        self.0
    }
}

/// Text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write a whole number and a unit, such as 500ms, 5s, 10m, 72h or 7d")]
pub struct InvalidDuration(Box<str>);

/// Milliseconds per unit, largest first (the order in which they are written).
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDuration(text.chars().take(64).collect());
        let (mut rest, mut total) = (text, 0u64);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
            let number: u64 = number.parse().map_err(|_| invalid())?;
            total =
                number.checked_mul(*scale).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
            rest = tail;
        }
        if text.is_empty() { Err(invalid()) } else { Ok(Self::from_millis(total)) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let (name, scale) = UNITS
            .iter()
            .find(|(_, scale)| millis.is_multiple_of(u128::from(*scale)) && millis > 0)
            .unwrap_or(&("s", 1_000));
        write!(f, "{}{name}", millis / u128::from(*scale))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 32, "pattern": "^([0-9]+(ms|s|m|h|d))+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_units_and_written_back_shortest() {
        for (text, millis, written) in [
            ("500ms", 500, "500ms"),
            ("5s", 5_000, "5s"),
            ("5000ms", 5_000, "5s"),
            ("1h30m", 5_400_000, "90m"),
            ("72h", 259_200_000, "3d"),
            ("0s", 0, "0s"),
        ] {
            let read: Duration = text.parse().expect(text);
            assert_eq!(read, Duration::from_millis(millis), "{text}");
            assert_eq!(read.to_string(), written, "{text}");
        }
    }

    #[test]
    fn durations_without_a_number_or_a_known_unit_are_refused() {
        for text in ["", "5", "s", "5 s", "-5s", "1.5h", "5w", "99999999999999999999d", "99999999999999d"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
