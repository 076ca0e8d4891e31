//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::check::{Check, Rules};
use super::currency::Currency;
use super::whole;
use super::wire_enum::wire_enum;

/// An amount of money in minor units, for ZAR in cents (`LedgerAmount` on the wire).
///
/// ```
/// use money_transfer_retailer::model::{Currency, Money};
///
/// assert_eq!(Money::zar(79_995).to_string(), "R 799.95");
/// assert_eq!(Money::new(-5, Currency::ZAR).to_string(), "-R 0.05");
/// assert_eq!(Money::new(1_000, "USD".parse()?).to_string(), "USD 10.00");
/// # Ok::<(), money_transfer_retailer::model::ParseCurrencyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Money {
    /// `amount`: minor units of the currency.
    #[serde(rename = "amount", deserialize_with = "whole::number")]
    pub minor_units: i64,
    /// `currency`: three digits on the wire.
    pub currency: Currency,
    /// `ledgerIndicator`: given only where the amount could be either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_indicator: Option<LedgerIndicator>,
}

impl Money {
    /// So many minor units of a currency.
    #[must_use]
    pub const fn new(minor_units: i64, currency: Currency) -> Self {
        Self {
            minor_units,
            currency,
            ledger_indicator: None,
        }
    }

    /// So many cents of South African rand.
    #[must_use]
    pub const fn zar(cents: i64) -> Self {
        Self::new(cents, Currency::ZAR)
    }

    /// The same amount, said to be a debit or a credit.
    #[must_use]
    pub fn with_ledger_indicator(mut self, indicator: LedgerIndicator) -> Self {
        self.ledger_indicator = Some(indicator);
        self
    }
}

/// For people: `R 799.95`, the letters where no symbol is the currency's alone (`USD 10.00`), plain minor units where the currency is unknown.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(exponent) = self.currency.exponent() else {
            return write!(
                f,
                "{} minor units of currency {}",
                self.minor_units, self.currency
            );
        };
        let letters = self.currency.letters().unwrap_or_default();
        let name = self.currency.symbol().unwrap_or(letters);
        let sign = if self.minor_units < 0 { "-" } else { "" };
        let units = self.minor_units.unsigned_abs();
        let per_major = 10_u64.pow(u32::from(exponent));
        let (major, minor) = (units / per_major, units % per_major);
        match usize::from(exponent) {
            0 => write!(f, "{sign}{name} {major}"),
            width => write!(f, "{sign}{name} {major}.{minor:0width$}"),
        }
    }
}

impl Check for Money {
    fn inspect(&self, rules: &mut Rules) {
        self.currency.inspect("currency", rules);
    }
}

wire_enum! {
    /// Which way an amount goes (`LedgerAmount_LedgerIndicator` on the wire).
    pub enum LedgerIndicator {
        Debit = "DEBIT",
        Credit = "CREDIT",
    }
}
