//! The time of a delivery: read from its text, compared with our clock.
use std::borrow::Cow;

use boathook_template::Slot;
use http::HeaderName;
use jiff::{Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};

use crate::{Diagnosis, Duration, TimeFormat, parsed::Parsed, request, signed_text::SignedText};

/// A timestamp rule, compiled.
pub(crate) struct Clock {
    pub(crate) from: ClockFrom,
    /// Tried in order; never empty.
    pub(crate) formats: Vec<TimeFormat>,
    /// How far the timestamp may be from our clock, both ways, boundary included.
    pub(crate) tolerance: Duration,
    /// Whether a stale or missing timestamp is refused.
    pub(crate) enforce: bool,
}

/// Where the timestamp is.
pub(crate) enum ClockFrom {
    /// In the signature's own text.
    Signature,
    Header(HeaderName),
    /// In the JSON body.
    Pointer(Slot),
    /// In the form body.
    Form(Box<str>),
}

impl Clock {
    /// The timestamp's text as received: this is what is signed, however the time would be written otherwise.
    pub(crate) fn text<'t, 'r: 't>(
        &self,
        parsed: &Parsed<'r>,
        in_signature: Option<&'t str>,
    ) -> Result<Cow<'t, str>, Diagnosis> {
        let text = match &self.from {
            ClockFrom::Signature => in_signature.map(Cow::Borrowed),
            ClockFrom::Header(name) => parsed
                .request
                .single(name)
                .map_err(|_| Diagnosis::TimestampUnreadable)?
                .map(|value| request::text(value).ok_or(Diagnosis::TimestampUnreadable))
                .transpose()?
                .map(Cow::Borrowed),
            ClockFrom::Pointer(slot) => parsed.pointed(*slot).unwrap_or_default(),
            ClockFrom::Form(name) => parsed.field(name).unwrap_or_default(),
        };
        text.filter(|text| !text.is_empty()).ok_or(Diagnosis::TimestampMissing)
    }

    /// The text where it must be known before the signature is checked: it is signed as a part, or stands in the signature.
    pub(crate) fn in_time<'t, 'r: 't>(
        &self,
        signed: &SignedText,
        parsed: &Parsed<'r>,
        in_signature: Option<&'t str>,
    ) -> Option<Result<Cow<'t, str>, Diagnosis>> {
        let early = signed.has_timestamp() || matches!(self.from, ClockFrom::Signature);
        early.then(|| self.text(parsed, in_signature))
    }

    /// The time of the delivery, when it is fresh. Where freshness is not enforced nothing is refused, and a time
    /// that cannot be read is none.
    pub(crate) fn check(
        &self,
        text: Result<&str, Diagnosis>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Diagnosis> {
        let time = text.and_then(|text| self.read(text).ok_or(Diagnosis::TimestampUnreadable));
        if !self.enforce {
            return Ok(time.ok());
        }
        let time = time?;
        let skew_nanos = time.as_nanosecond() - now.as_nanosecond();
        if skew_nanos.unsigned_abs() > self.tolerance.std().as_nanos() {
            let skew_millis = time.as_millisecond() - now.as_millisecond();
            return Err(Diagnosis::TimestampOutsideTolerance { skew_millis, tolerance: self.tolerance });
        }
        Ok(Some(time))
    }

    /// The text a provider would send at this time.
    pub(crate) fn write(&self, now: Timestamp) -> String {
        match self.formats.first() {
            Some(TimeFormat::UnixMillis) => now.as_millisecond().to_string(),
            Some(TimeFormat::Rfc3339) => now.to_string(),
            Some(TimeFormat::HttpDate) => now.strftime(HTTP_DATE).to_string(),
            Some(TimeFormat::UnixSeconds) | None => now.as_second().to_string(),
        }
    }

    fn read(&self, text: &str) -> Option<Timestamp> {
        self.formats.iter().find_map(|format| match format {
            TimeFormat::UnixSeconds => Timestamp::from_second(digits(text)?).ok(),
            TimeFormat::UnixMillis => Timestamp::from_millisecond(digits(text)?).ok(),
            TimeFormat::Rfc3339 if is_rfc3339(text.as_bytes()) => text.parse().ok(),
            TimeFormat::Rfc3339 => None,
            TimeFormat::HttpDate => http_date(text),
        })
    }
}

/// The preferred form of RFC 9110 § 5.6.7.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Reads what [`HTTP_DATE`] writes, and nothing else.
fn http_date(text: &str) -> Option<Timestamp> {
    let parsed = strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    let time: DateTime = parsed.to_datetime().ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (time.strftime(HTTP_DATE).to_string() == text).then_some(time)
}

/// Plain decimal digits without leading zeros. Where a header and the timestamp are signed side by side without a
/// separator, a zero that moves from one to the other would make the same delivery look like another.
fn digits(text: &str) -> Option<i64> {
    // The last time that jiff knows has 15 digits in milliseconds.
    let fits = (1..=15).contains(&text.len());
    let canonical = text == "0" || !text.starts_with('0');
    let next = |number: i64, byte: u8| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'));
    if fits && canonical { text.bytes().try_fold(0, next) } else { None }
}

/// Whether the text has the shape of RFC 3339 § 5.6 with at most nine fractional digits; jiff reads much more.
fn is_rfc3339(text: &[u8]) -> bool {
    let Some((date_and_time, rest)) = text.split_at_checked(19) else { return false };
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match fraction.split_at_checked(length) {
                Some((_, offset)) if (1..=9).contains(&length) => offset,
                _ => return false,
            }
        }
    };
    fits(date_and_time, b"0000-00-00T00:00:00")
        && (fits(rest, b"Z") || fits(rest, b"+00:00") || fits(rest, b"-00:00"))
}

/// Whether the text has digits where the picture has zeros, and else the picture's characters, in either case.
fn fits(text: &[u8], picture: &[u8]) -> bool {
    text.len() == picture.len()
        && text.iter().zip(picture).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte.eq_ignore_ascii_case(wanted),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2024-05-06T07:08:09.5Z";

    fn clock(formats: &[TimeFormat]) -> Clock {
        Clock {
            from: ClockFrom::Signature,
            formats: formats.to_vec(),
            tolerance: Duration::from_secs(300),
            enforce: true,
        }
    }

    fn now() -> Timestamp {
        NOW.parse().expect("a time")
    }

    #[test]
    fn times_are_read_in_their_format_only() {
        use TimeFormat::{HttpDate, Rfc3339, UnixMillis, UnixSeconds};
        for (formats, text, nanos) in [
            (&[UnixSeconds][..], "1492774577", Some(1_492_774_577_000_000_000)),
            (&[UnixSeconds], "0", Some(0)),
            (&[UnixMillis], "1492774577123", Some(1_492_774_577_123_000_000)),
            (&[UnixSeconds, UnixMillis], "1492774577123", Some(1_492_774_577_123_000_000)),
            (&[Rfc3339, UnixSeconds], "1492774577", Some(1_492_774_577_000_000_000)),
            (&[Rfc3339], "1970-01-01T00:00:01Z", Some(1_000_000_000)),
            (&[Rfc3339], "1970-01-01t01:00:01.123456789+01:00", Some(1_123_456_789)),
            (&[Rfc3339], "1969-12-31T17:00:00.5-07:00", Some(500_000_000)),
            (&[UnixSeconds], "1492774577123", None),
            (&[UnixSeconds], "+1492774577", None),
            (&[UnixSeconds], "-1", None),
            (&[UnixSeconds], " 1492774577", None),
            (&[UnixSeconds], "1492774577.0", None),
            (&[UnixSeconds], "01492774577", None),
            (&[UnixSeconds], "١٢٣", None),
            (&[UnixMillis], "99999999999999999999999999", None),
            (&[UnixSeconds, UnixMillis], "1970-01-01T00:00:01Z", None),
            (&[Rfc3339], "1970-01-01T00:00:01", None),
            (&[Rfc3339], "1970-01-01T00:00:01+01", None),
            (&[Rfc3339], "1970-01-01 00:00:01Z", None),
            (&[Rfc3339], "1970-01-01T00:00Z", None),
            (&[Rfc3339], "1970-01-01T00:00:01.Z", None),
            (&[Rfc3339], "1970-01-01T00:00:01.1234567890Z", None),
            (&[Rfc3339], "1970-13-01T00:00:01Z", None),
            (&[Rfc3339], "1970-01-01T00:00:01Z[UTC]", None),
            (&[Rfc3339], "1970-01-01", None),
            (&[HttpDate], "Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000_000_000)),
            (&[HttpDate], "Mon, 06 Nov 1994 08:49:37 GMT", None),
            (&[HttpDate], "Sun, 6 Nov 1994 08:49:37 GMT", None),
            (&[HttpDate], "Sunday, 06-Nov-94 08:49:37 GMT", None),
        ] {
            assert_eq!(clock(formats).read(text).map(Timestamp::as_nanosecond), nanos, "{formats:?} {text}");
        }
    }

    #[test]
    fn the_tolerance_counts_both_ways_and_includes_its_boundary() {
        let clock = clock(&[TimeFormat::Rfc3339]);
        for (text, skew_millis) in [
            ("2024-05-06T07:03:09.5Z", None),
            ("2024-05-06T07:13:09.5Z", None),
            ("2024-05-06T07:03:09.499Z", Some(-300_001)),
            ("2024-05-06T07:13:09.501Z", Some(300_001)),
        ] {
            let told = match clock.check(Ok(text), now()) {
                Ok(_) => None,
                Err(Diagnosis::TimestampOutsideTolerance { skew_millis, .. }) => Some(skew_millis),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(told, skew_millis, "{text}");
        }
    }

    #[test]
    fn nothing_is_refused_for_its_time_where_freshness_is_not_enforced() {
        let clock = Clock { enforce: false, ..clock(&[TimeFormat::UnixSeconds]) };
        assert_eq!(clock.check(Ok("1"), now()), Ok(Some(Timestamp::from_second(1).expect("in range"))));
        assert_eq!(clock.check(Ok("soon"), now()), Ok(None));
        assert_eq!(clock.check(Err(Diagnosis::TimestampMissing), now()), Ok(None));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let all =
            [TimeFormat::UnixSeconds, TimeFormat::UnixMillis, TimeFormat::Rfc3339, TimeFormat::HttpDate];
        for format in all {
            let clock = clock(&[format]);
            assert!(clock.check(Ok(&clock.write(now())), now()).is_ok(), "{format:?}");
        }
    }
}
