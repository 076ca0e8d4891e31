//! getExchangeRate: what one currency is worth in another.

use serde::{Deserialize, Serialize};

use super::check::{Check, Rules};
use super::currency::Currency;
use super::decimal::Decimal;
use super::defaults::{Defaults, Fill, set_absent};
use super::query::Pairs;
use super::sensitive::Sensitive;

/// Asks for an exchange rate: the parameters of getExchangeRate.
#[derive(Debug, Clone, PartialEq, Eq, bon::Builder)]
#[builder(on(String, into))]
#[non_exhaustive]
pub struct ExchangeRateQuery {
    /// `fromCurrency`: three digits on the wire; required.
    pub from_currency: Currency,
    /// `toCurrency`: three digits on the wire; required.
    pub to_currency: Currency,
    /// `receiverId`: id of the provider; from the defaults.
    pub receiver_id: Option<String>,
    /// `settlementEntity` (so called here only): its id; from the defaults.
    pub settlement_entity: Option<String>,
}

impl ExchangeRateQuery {
    /// Names and values of the parameters, not yet percent-encoded.
    #[must_use]
    pub fn to_query_pairs(&self) -> Vec<(&'static str, Sensitive)> {
        let mut pairs = Pairs::default();
        pairs.text("fromCurrency", Some(&self.from_currency.numeric()));
        pairs.text("toCurrency", Some(&self.to_currency.numeric()));
        pairs.text("receiverId", self.receiver_id.as_ref());
        pairs.text("settlementEntity", self.settlement_entity.as_ref());
        pairs.done()
    }
}

impl Fill for ExchangeRateQuery {
    fn fill(&mut self, defaults: &Defaults) {
        set_absent(&mut self.receiver_id, defaults.receiver_id());
        set_absent(&mut self.settlement_entity, defaults.settlement_entity_id());
    }
}

impl Check for ExchangeRateQuery {
    fn inspect(&self, rules: &mut Rules) {
        self.from_currency.inspect("fromCurrency", rules);
        self.to_currency.inspect("toCurrency", rules);
    }
}

/// An exchange rate: getExchangeRate, `ExchangeRate` on the wire.
///
/// Servers answer it bare or wrapped (`MoneyTransferExchangeRateResponse`): both are read, it is written bare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase", try_from = "BareOrWrapped")]
#[non_exhaustive]
pub struct ExchangeRate {
    /// `rate`: how much of `to_currency` one unit of `from_currency` is worth; exact.
    pub rate: Decimal,
    /// `fromCurrency`: three digits on the wire.
    pub from_currency: Currency,
    /// `toCurrency`: three digits on the wire.
    pub to_currency: Currency,
}

/// An exchange rate in its wrapping: `MoneyTransferExchangeRateResponse` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExchangeRateResponse {
    /// `exchangeRate`: the rate.
    pub exchange_rate: ExchangeRate,
}

/// Both shapes of the answer at once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BareOrWrapped {
    exchange_rate: Option<Wrapped>,
    rate: Option<Decimal>,
    from_currency: Option<Currency>,
    to_currency: Option<Currency>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped {
    rate: Decimal,
    from_currency: Currency,
    to_currency: Currency,
}

#[derive(Debug, thiserror::Error)]
#[error("no exchange rate: rate, fromCurrency and toCurrency are required")]
struct NoRate;

impl TryFrom<BareOrWrapped> for ExchangeRate {
    type Error = NoRate;

    fn try_from(wire: BareOrWrapped) -> Result<Self, Self::Error> {
        if let Some(Wrapped {
            rate,
            from_currency,
            to_currency,
        }) = wire.exchange_rate
        {
            return Ok(Self {
                rate,
                from_currency,
                to_currency,
            });
        }
        match (wire.rate, wire.from_currency, wire.to_currency) {
            (Some(rate), Some(from_currency), Some(to_currency)) => Ok(Self {
                rate,
                from_currency,
                to_currency,
            }),
            _ => Err(NoRate),
        }
    }
}
