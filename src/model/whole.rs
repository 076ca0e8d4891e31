//! Whole numbers, as careless writers write them: `79995.0` is 79995.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Below it every whole number has a floating-point number of its own; from it on the digits written may be lost.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// Reads a whole number, with or without a fraction of zero.
pub(super) fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let whole = deserializer.deserialize_i64(Whole)?;
    T::try_from(whole).map_err(|_| Error::invalid_value(Unexpected::Signed(whole), &Whole))
}

/// Reads a whole number that may be absent.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let given: Option<Given<T>> = Option::deserialize(deserializer)?;
    Ok(given.map(|Given(whole)| whole))
}

struct Given<T>(T);

impl<'de, T: TryFrom<i64>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number(deserializer).map(Given)
    }
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        if number.fract() == 0.0 && number.abs() < EXACT_BELOW {
            Ok(number as i64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}
