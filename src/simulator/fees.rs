//! What a transfer costs: getFeeQuote, by query or by body.

use serde_json::{Value, json};

use super::{
    accounts::Desk,
    answer::{Answer, Problem},
    call::Call,
    checks::demand,
    orders::amount,
    outcome::{Outcome, Refusal},
    time,
};

/// South African rand: the currency of quotes that name none.
const RAND: &str = "710";

/// The parameters of getFeeQuote that the interface requires.
const REQUIRED: &[&str] = &[
    "amount",
    "amountIncludesFee",
    "originatorInstId",
    "receiverId",
];

/// getFeeQuote by query.
pub(super) fn quote(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let total = number(call.parameter("amount"))?;
    let includes_fee = flag(call.parameter("amountIncludesFee"))?;
    demand(call, REQUIRED)?;
    let quote = split(
        desk,
        total.unwrap_or_default(),
        includes_fee.unwrap_or_default(),
        RAND,
    )?;
    Ok(Answer::json(
        200,
        json!({
            "originator": originator(call),
            "receiver": institution(call.parameter("receiverId")),
            "feeQuote": quote,
        }),
    ))
}

/// getFeeQuote by body: the same rules; the parties are those of the message.
pub(super) fn quote_by_post(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let includes_fees = call.json["amountIncludesFees"] == true;
    let currency = call.text("/amount/currency").unwrap_or(RAND);
    let quote = split(desk, amount(&call.json), includes_fees, currency)?;
    let quote_id = desk.uuid();
    Ok(Answer::json(
        200,
        json!({
            "originator": call.json["originator"],
            "receiver": call.json["receiver"],
            "settlementEntity": call.json["settlementEntity"],
            "senderDetails": call.json["senderDetails"],
            "recipientDetails": call.json["recipientDetails"],
            "feeQuote": quote,
            "quoteId": quote_id,
            "expiryDateTime": time::written(time::now() + time::QUOTE_LIFETIME),
        }),
    ))
}

/// Fee and transfer are each cut to whole cents, so that they may miss the total by one.
fn split(
    desk: &mut Desk<'_>,
    total: i64,
    includes_fee: bool,
    currency: &str,
) -> Result<Value, Problem> {
    if total <= 0 {
        return Err(Problem::new(
            "INVALID_AMOUNT",
            "The amount is not above zero",
        ));
    }
    let (fee, transfer) = if includes_fee {
        (total / 10, nine_tenths(total))
    } else {
        (desk.random.i64(0..=9), total)
    };
    let ledger = |amount: i64| json!({ "amount": amount, "currency": currency });
    Ok(json!({
        "feeAmount": ledger(fee),
        "transferAmount": ledger(transfer),
        "totalAmount": ledger(total),
    }))
}

/// Without a product that could overflow.
fn nine_tenths(total: i64) -> i64 {
    total / 10 * 9 + total % 10 * 9 / 10
}

/// A number in a query that is none leads to a page that does not exist.
fn number(text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let number = text.map(str::parse).transpose();
    number.map_err(|_| Answer::html(404).into())
}

fn flag(text: Option<&str>) -> Result<Option<bool>, Refusal> {
    let flag = text
        .map(|text| text.to_ascii_lowercase().parse())
        .transpose();
    flag.map_err(|_| Answer::html(404).into())
}

/// The query tells the ids alone; the rest is filled so that the answer is whole.
fn originator(call: &Call) -> Value {
    json!({
        "institution": institution(call.parameter("originatorInstId")),
        "terminalId": "00000000",
        "merchant": {
            "merchantType": "0000",
            "merchantId": call.parameter("merchantId").unwrap_or("000000000000000"),
            "merchantName": { "name": "Merchant", "city": "City", "region": "ZA", "country": "ZA" },
        },
    })
}

fn institution(id: Option<&str>) -> Value {
    json!({ "id": id, "name": "Institution" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn nine_tenths_are_cut_to_whole_cents() {
        assert_eq!(super::nine_tenths(15), 13);
        assert_eq!(super::nine_tenths(100), 90);
        assert_eq!(super::nine_tenths(1), 0);
        assert_eq!(super::nine_tenths(i64::MAX), 8_301_034_833_169_298_226);
    }
}
