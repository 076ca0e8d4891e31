//! How long the other side asks to be left alone: the header `Retry-After`, in seconds or as a date.
//!
//! 1. A date is counted from the answer's own `Date`: both are of one clock, and it need not be the till's.
//! 2. Without a `Date` it is counted from the till's clock; a moment that has passed asks for no pause.
//! 3. What is neither is no request at all. Whoever waits bounds what is asked.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::model::Timestamp;

/// The three forms of a date in HTTP (RFC 9110, 5.6.7): today's, and two that must still be read.
const DATE_FORMS: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// The pause that the header's text asks for, if it can be read.
pub(super) fn asked_pause(
    text: &str,
    date: Option<&str>,
    now: impl FnOnce() -> Timestamp,
) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a number can hold are as many as it can.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(text)?;
    let from_millis = match date.and_then(http_date) {
        Some(date) => date.timestamp_millis(),
        None => now().unix_millis(),
    };
    let pause_millis = until.timestamp_millis().saturating_sub(from_millis);
    Some(Duration::from_millis(
        u64::try_from(pause_millis).unwrap_or(0),
    ))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let read = |form| NaiveDateTime::parse_from_str(text.trim(), form).ok();
    let date = DATE_FORMS.into_iter().find_map(read)?;
    Some(date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06T08:49:37Z, the moment of the examples in RFC 9110.
    const NOW_MILLIS: i64 = 784_111_777_000;

    fn asked(text: &str, date: Option<&str>) -> Option<u64> {
        let now = || Timestamp::from_unix_millis(NOW_MILLIS).unwrap();
        asked_pause(text, date, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_are_taken_as_they_are_and_bounded_by_what_can_be_counted() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7\t", Some(7)),
            ("18446744073709551616", Some(u64::MAX)),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(asked(text, None), seconds, "{text:?}");
        }
    }

    #[test]
    fn every_form_of_a_date_in_http_is_read() {
        for text in [
            "Sun, 06 Nov 1994 08:50:37 GMT",
            "Sunday, 06-Nov-94 08:50:37 GMT",
            "Sun Nov  6 08:50:37 1994",
        ] {
            assert_eq!(asked(text, None), Some(60), "{text:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_answer_where_it_has_one() {
        let until = "Sun, 06 Nov 1994 08:50:37 GMT";
        let date = Some("Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(asked(until, date), Some(30));
        assert_eq!(
            asked(until, Some("Sunday, 06-Nov-94 08:50:27 GMT")),
            Some(10)
        );
        assert_eq!(asked(until, Some("today")), Some(60), "the till's clock");
    }

    #[test]
    fn a_date_that_has_passed_asks_for_no_pause() {
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:36 GMT", None), Some(0));
        assert_eq!(asked("Thu, 01 Jan 1970 00:00:00 GMT", None), Some(0));
    }

    #[test]
    fn a_date_that_is_none_asks_for_nothing() {
        for text in [
            "Mon, 06 Nov 1994 08:50:37 GMT",
            "Sun, 06 Nov 1994 08:50:37 CET",
            "Sun, 31 Feb 1994 08:50:37 GMT",
            "1994-11-06T08:50:37Z",
            "Sun, 06 Nov 1994",
        ] {
            assert_eq!(asked(text, None), None, "{text:?}");
        }
    }
}
