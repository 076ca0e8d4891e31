//! Times on the wire: any offset is read, UTC with exactly three fraction digits is written.

use chrono::{DateTime, TimeDelta, Utc};

/// Reads a time with any offset (`Z`, `+02:00`, `+0200`) and 0 to 9 fraction digits.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let compact_offset = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z");
    let time = DateTime::parse_from_rfc3339(text).or_else(|_| compact_offset());
    time.ok().map(|time| time.to_utc())
}

/// Writes a time as the provider does.
pub(super) fn written(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The present moment.
pub(super) fn now() -> DateTime<Utc> {
    #[allow(
        clippy::disallowed_methods,
        reason = "the upstream has a clock of its own"
    )]
    Utc::now()
}

/// How long a quote stands.
pub(super) const QUOTE_LIFETIME: TimeDelta = TimeDelta::minutes(15);

#[cfg(test)]
mod tests {
    #[test]
    fn any_offset_and_any_fraction_is_written_as_utc_with_three_digits() {
        for (given, expected) in [
            ("2024-02-29T23:30:00+02:00", "2024-02-29T21:30:00.000Z"),
            ("2024-02-29T23:30:00.1Z", "2024-02-29T23:30:00.100Z"),
            (
                "2024-02-29T23:30:00.123456789-0130",
                "2024-03-01T01:00:00.123Z",
            ),
        ] {
            assert_eq!(
                super::read(given).map(super::written).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(super::read("yesterday"), None);
    }
}
