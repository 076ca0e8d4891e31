//! Currencies: three digits on the wire, three letters for people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::check::{Rules, THREE_DIGITS};

/// A text names no currency: neither letters of ISO 4217 nor three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency: expected letters or digits of ISO 4217, such as ZAR or 710")]
pub struct ParseCurrencyError;

/// A currency, written as its three-digit ISO 4217 code.
///
/// Codes that ISO 4217 does not have survive: they are kept as received and written back the same.
///
/// ```
/// use money_transfer_retailer::model::Currency;
///
/// let rand: Currency = "ZAR".parse()?;
/// assert_eq!(rand, "710".parse()?);
/// assert_eq!(rand, "zar".parse()?);
/// assert_eq!(rand, Currency::ZAR);
/// assert_eq!(rand.numeric(), "710");
/// # Ok::<(), money_transfer_retailer::model::ParseCurrencyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Currency(Code);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Code {
    Iso(iso_currency::Currency),
    Unknown(Box<str>),
}

impl Currency {
    /// South African rand, 710.
    pub const ZAR: Self = Self(Code::Iso(iso_currency::Currency::ZAR));

    /// The text on the wire: three digits, or whatever was received.
    #[must_use]
    pub fn numeric(&self) -> String {
        match &self.0 {
            Code::Iso(iso) => format!("{:03}", iso.numeric()),
            Code::Unknown(text) => text.to_string(),
        }
    }

    /// The three letters, where ISO 4217 has the currency.
    #[must_use]
    pub fn letters(&self) -> Option<&'static str> {
        match &self.0 {
            Code::Iso(iso) => Some(iso.code()),
            Code::Unknown(_) => None,
        }
    }

    /// How many digits follow the decimal separator, where ISO 4217 knows.
    #[must_use]
    pub fn exponent(&self) -> Option<u16> {
        match &self.0 {
            Code::Iso(iso) => iso.exponent(),
            Code::Unknown(_) => None,
        }
    }

    /// The symbol that people write, where it is that of no other currency and nobody could take it for another's.
    ///
    /// That is so for a few only: `$`, `£`, `¥`, `kr` and many others belong to several currencies.
    #[must_use]
    pub fn symbol(&self) -> Option<&'static str> {
        match self.letters()? {
            "ZAR" => Some("R"),
            "EUR" => Some("€"),
            "INR" => Some("₹"),
            "NGN" => Some("₦"),
            _ => None,
        }
    }

    /// Only three digits stand for a currency of ISO 4217 on the wire; letters are kept as what they are.
    fn from_wire(text: &str) -> Self {
        let number = if is_three_digits(text) {
            text.parse().ok()
        } else {
            None
        };
        match number.and_then(iso_currency::Currency::from_numeric) {
            Some(iso) => Self(Code::Iso(iso)),
            None => Self(Code::Unknown(text.into())),
        }
    }

    pub(super) fn inspect(&self, name: &str, rules: &mut Rules) {
        if let Code::Unknown(text) = &self.0 {
            rules.required_text(name, text, &[THREE_DIGITS]);
        }
    }
}

fn is_three_digits(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Takes the letters of ISO 4217, large or small, or any three digits.
impl FromStr for Currency {
    type Err = ParseCurrencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match iso_currency::Currency::from_code(&text.to_ascii_uppercase()) {
            Some(iso) => Ok(Self(Code::Iso(iso))),
            None if is_three_digits(text) => Ok(Self::from_wire(text)),
            None => Err(ParseCurrencyError),
        }
    }
}

/// Shows the letters, or the text on the wire where there are none.
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Code::Iso(iso) => f.write_str(iso.code()),
            Code::Unknown(text) => f.write_str(text),
        }
    }
}

/// Like `Display`, with an unknown text quoted: it may hold anything.
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Code::Iso(iso) => f.write_str(iso.code()),
            Code::Unknown(text) => fmt::Debug::fmt(text, f),
        }
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.numeric())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_wire(&String::deserialize(deserializer)?))
    }
}
