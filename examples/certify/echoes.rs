//! What an answer repeats of its message, and of the order that the message is about.

use std::collections::BTreeMap;

use money_transfer_retailer::Operation;
use serde_json::Value;

use super::wire::Exchange;

/// An identifier: where it stands in a message, and what a query calls it.
struct Identifier {
    pointer: &'static str,
    query: Option<&'static str>,
}

const IDENTIFIERS: [Identifier; 15] = [
    of("/id", None),
    of("/requestId", None),
    of("/client/id", None),
    of("/receiver/id", Some("receiverId")),
    of("/settlementEntity/id", Some("settlementEntityId")),
    of("/originator/institution/id", Some("originatorInstId")),
    of("/originator/terminalId", None),
    of("/originator/merchant/merchantId", Some("merchantId")),
    of("/orderRedeemRef", Some("orderRedeemRef")),
    of("/orderRedeemRefAlt", None),
    of("/customerProfileId", Some("customerProfileId")),
    of("/fromCurrency", Some("fromCurrency")),
    of("/toCurrency", Some("toCurrency")),
    of("/stan", None),
    of("/rrn", None),
];

const fn of(pointer: &'static str, query: Option<&'static str>) -> Identifier {
    Identifier { pointer, query }
}

/// The id of each order, by its redeem reference: as createOrder answered.
#[derive(Default)]
pub(crate) struct OrderIds(BTreeMap<String, String>);

impl OrderIds {
    pub(crate) fn learn(&mut self, exchange: &Exchange) {
        let answer = exchange.response();
        let told = |name: &str| answer[name].as_str().map(str::to_owned);
        if exchange.operation() == Some(Operation::CreateOrder)
            && let (Some(redeem_ref), Some(order_id)) = (told("orderRedeemRef"), told("orderId"))
        {
            self.0.insert(redeem_ref, order_id);
        }
    }

    fn of(&self, exchange: &Exchange) -> Option<&str> {
        let redeem_ref = sent(exchange, "/orderRedeemRef", Some("orderRedeemRef"))?;
        self.0.get(redeem_ref.as_str()?).map(String::as_str)
    }
}

/// The identifiers in a successful answer that are others than those of its message.
pub(crate) fn others(exchange: &Exchange, order_ids: &OrderIds) -> Vec<String> {
    let answer = exchange.response();
    let mut others = Vec::new();
    for Identifier { pointer, query } in IDENTIFIERS {
        let (sent, echoed) = (sent(exchange, pointer, query), told(&answer, pointer));
        if let (Some(sent), Some(echoed)) = (sent, echoed)
            && !is_same(&sent, echoed)
        {
            let name = pointer[1..].replace('/', ".");
            others.push(format!("another {name} than the message's"));
        }
    }
    if let (Some(order_id), Some(echoed)) = (order_ids.of(exchange), told(&answer, "/orderId"))
        && !is_same(&order_id.into(), echoed)
    {
        others.push("another orderId than createOrder answered for this order".to_owned());
    }
    if !keeps_identifiers(&exchange.request(), &answer) {
        others.push("without thirdPartyIdentifiers that the message has".to_owned());
    }
    others
}

/// What the till sent there, in the message or in the query.
fn sent(exchange: &Exchange, pointer: &str, query: Option<&str>) -> Option<Value> {
    let in_query = || {
        let mut pairs = exchange.sent.query.iter();
        let (_, value) = pairs.find(|(name, _)| Some(name.as_str()) == query)?;
        Some(Value::from(value.as_str()))
    };
    told(&exchange.request(), pointer)
        .cloned()
        .or_else(in_query)
}

fn told<'a>(message: &'a Value, pointer: &str) -> Option<&'a Value> {
    message.pointer(pointer).filter(|value| !value.is_null())
}

/// Of an id the case does not matter.
fn is_same(sent: &Value, echoed: &Value) -> bool {
    match (sent.as_str(), echoed.as_str()) {
        (Some(sent), Some(echoed)) => sent.eq_ignore_ascii_case(echoed),
        _ => sent == echoed,
    }
}

/// An answer that has any has all that were sent, and perhaps more.
fn keeps_identifiers(message: &Value, answer: &Value) -> bool {
    let of = |json: &Value| json["thirdPartyIdentifiers"].as_array().cloned();
    match (of(message), of(answer)) {
        (Some(sent), Some(kept)) => sent.iter().all(|one| kept.contains(one)),
        _ => true,
    }
}
