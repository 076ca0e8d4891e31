//! Points in time, as the interface writes them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, FixedOffset, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_MILLI: u32 = 1_000_000;

/// A text that was expected to be a date and time as RFC 3339 has it is none. The text is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date and time, such as 2026-01-31T08:30:00.000Z")]
pub struct ParseTimestampError;

/// A point in time with the offset it was given in, in whole milliseconds.
///
/// Reads any RFC 3339 text (no to nine fraction digits, any offset); writes three fraction digits, always, and keeps
/// the offset (`Z` when it is zero). Digits beyond the millisecond are cut when read, so that what was written reads back
/// equal. Order and equality are those of the instants: the offset has no part in them.
///
/// ```
/// use money_transfer_retailer::model::Timestamp;
///
/// let time: Timestamp = "2026-01-31T10:30:00+02:00".parse()?;
/// assert_eq!(time.to_string(), "2026-01-31T10:30:00.000+02:00");
/// assert_eq!(time, "2026-01-31T08:30:00Z".parse()?);
/// # Ok::<(), money_transfer_retailer::model::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<FixedOffset>);

impl Timestamp {
    /// The beginning of 1970, in UTC.
    #[must_use]
    pub fn unix_epoch() -> Self {
        Self(DateTime::UNIX_EPOCH.fixed_offset())
    }

    /// The instant so many milliseconds after the Unix epoch, in UTC; `None` outside the years 0 to 9999.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        Self::from_datetime(DateTime::<Utc>::from_timestamp_millis(millis)?.fixed_offset())
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Cuts to milliseconds; `None` where RFC 3339 has no words for it: outside the years 0 to 9999, or with an offset that
    /// is not of whole minutes.
    #[must_use]
    pub fn from_datetime(time: DateTime<FixedOffset>) -> Option<Self> {
        if !(0..=9999).contains(&time.year()) || time.offset().local_minus_utc() % 60 != 0 {
            return None;
        }
        let whole_millis = time.nanosecond() / NANOS_PER_MILLI * NANOS_PER_MILLI;
        time.with_nanosecond(whole_millis).map(Self)
    }

    /// The date and time for calculations with `chrono`.
    #[must_use]
    pub const fn datetime(&self) -> DateTime<FixedOffset> {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| ParseTimestampError)?;
        Self::from_datetime(time).ok_or(ParseTimestampError)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
