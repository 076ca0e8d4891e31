//! An exchange as the report shows it: masked, and otherwise as it went over the wire.

use std::collections::BTreeMap;

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::evidence::millis;
use super::masked_json::masked;
use super::masking::{MASK, Secrets, is_hidden};
use super::wire::{End, Exchange};

/// The evidence of an exchange.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExchangeEvidence {
    pub(crate) operation: Option<Operation>,
    pub(crate) sent_at: Timestamp,
    /// Until the end of the answer; `None` where the till did not wait for it.
    pub(crate) duration_millis: Option<u64>,
    pub(crate) method: String,
    /// Below the base URL.
    pub(crate) path: String,
    /// The query parameters, masked.
    pub(crate) query: BTreeMap<String, String>,
    /// The message, masked; `None` where it is all in the query.
    pub(crate) request: Option<Box<RawValue>>,
    pub(crate) http_status: Option<u16>,
    pub(crate) content_type: Option<String>,
    pub(crate) location: Option<String>,
    /// The answer, masked; `None` where it is no JSON, as nobody knows what is in it then.
    pub(crate) response: Option<Box<RawValue>>,
    pub(crate) response_bytes: usize,
    pub(crate) end: String,
}

impl ExchangeEvidence {
    pub(crate) fn of(exchange: &Exchange, secrets: &Secrets) -> ExchangeEvidence {
        let head = exchange.head.as_ref();
        let struck_out = |text: &String| secrets.strike_out(text);
        let query = exchange.sent.query.iter();
        ExchangeEvidence {
            operation: exchange.operation(),
            sent_at: exchange.sent_at,
            duration_millis: exchange.duration.map(millis),
            method: exchange.sent.method.to_string(),
            path: secrets.strike_out(&exchange.sent.path),
            query: query
                .map(|(name, value)| match is_hidden(name) {
                    true => (name.clone(), MASK.to_owned()),
                    false => (name.clone(), secrets.strike_out(value)),
                })
                .collect(),
            request: masked(&exchange.sent.body, secrets),
            http_status: head.map(|head| head.status),
            content_type: head.and_then(|head| head.content_type.as_ref().map(struck_out)),
            location: head.and_then(|head| head.location.as_ref().map(struck_out)),
            response: masked(&exchange.received, secrets),
            response_bytes: exchange.received.len(),
            end: secrets.strike_out(&end_words(&exchange.end)),
        }
    }
}

fn end_words(end: &End) -> String {
    match end {
        End::GivenUp => "the till did not wait for the end".to_owned(),
        End::NotConnected(why) => format!("no connection was made: {why}"),
        End::Broken => "the connection broke before an answer".to_owned(),
        End::CutOff => "the connection broke in the middle of the answer".to_owned(),
        End::Complete => "answered".to_owned(),
        End::Withheld => "answered; the answer was kept from the till".to_owned(),
    }
}
