//! Paying out: redeemOrder.

use serde_json::{Value, json};

use super::{
    accounts::{Account, Desk, Place, UNKNOWN},
    answer::{Answer, Problem},
    call::Call,
    echo::echo,
    orders::{amount, identifiers, own_client_id},
    outcome::{Outcome, Refusal},
    records::{Leg, OrderState},
};

/// Wrong PINs that are answered as such; after them the retries are used up.
const WRONG_PINS: u32 = 3;

const NOT_REDEEMABLE: Problem = Problem::new("UNABLE_TO_REDEEM", "The order cannot be redeemed");
const REDEEMED: Problem = Problem::new("ALREADY_REDEEMED", "The order was redeemed before");
const OTHER_AMOUNT: Problem = Problem::new("INVALID_AMOUNT", "Not the amount of the order");
const OTHER_PIN: Problem = Problem::new("INCORRECT_PIN", "The PIN is not right");
const NO_MORE_PINS: Problem = Problem::new("PIN_RETRIES_EXCEEDED", "The PIN was wrong too often");

/// redeemOrder: approves a payout, which is redeemed for good once it is confirmed.
pub(super) fn redeem(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    if !desk.provider_quirks {
        given_all(call)?;
    }
    own_client_id(desk, call)?;
    desk.account.fresh(call)?;
    let reference = call.text("/orderRedeemRef").unwrap_or_default();
    let order = desk.account.order_by_reference(reference).ok_or(UNKNOWN)?;
    redeemable(desk.account, order)?;
    right_amount(desk, order, call)?;
    right_pin(desk, order, call)?;
    Ok(approve(desk, order, call))
}

fn given_all(call: &Call) -> Result<(), Problem> {
    let is_missing = |name: &&str| call.json.get(*name).is_none();
    let missing: Vec<&str> = ["amount", "pin"].into_iter().filter(is_missing).collect();
    Problem::if_missing(&missing)
}

/// What an order must be for money to go out on it, or for its PIN to change.
pub(super) fn redeemable(account: &Account, order: usize) -> Result<(), Problem> {
    let order = &account.orders[order];
    match order.shown.state() {
        OrderState::Created | OrderState::Reversed | OrderState::Cancelled => Err(NOT_REDEEMABLE),
        OrderState::Confirmed | OrderState::Redeemed if order.shown.is_taken() => Err(REDEEMED),
        OrderState::Confirmed | OrderState::Redeemed => match order.told_status() {
            None | Some("UNREDEEMED") => Ok(()),
            Some("REDEEMED") => Err(REDEEMED),
            Some(_) => Err(NOT_REDEEMABLE),
        },
    }
}

fn right_amount(desk: &Desk<'_>, order: usize, call: &Call) -> Result<(), Refusal> {
    if call.json.get("amount").is_none() {
        return Err(desk.missing("amount"));
    }
    let order = &desk.account.orders[order].shown;
    let same_currency = call.text("/amount/currency") == Some(&order.currency);
    if amount(&call.json) == order.amount && same_currency {
        return Ok(());
    }
    Err(OTHER_AMOUNT.into())
}

fn right_pin(desk: &mut Desk<'_>, order: usize, call: &Call) -> Result<(), Refusal> {
    let Some(given) = call.text("/pin/pinBlock") else {
        return Err(desk.missing("pin"));
    };
    let order = &mut desk.account.orders[order];
    if order.takes_pin(given) {
        return Ok(());
    }
    order.wrong_pins = order.wrong_pins.saturating_add(1);
    match order.wrong_pins {
        ..=WRONG_PINS => Err(OTHER_PIN.into()),
        _ => Err(NO_MORE_PINS.into()),
    }
}

fn approve(desk: &mut Desk<'_>, order: usize, call: &Call) -> Answer {
    let mut body = echo(call);
    body["thirdPartyIdentifiers"] = identifiers(desk, call, &[&receiver(desk, order, call)]);
    let id = call.id().unwrap_or_default();
    let shown = desk.account.orders[order].shown_mut();
    shown.redemptions.push(Leg::new(id));
    let place = Place::Redemption(order, shown.redemptions.len() - 1);
    body["orderId"] = json!(shown.leg.request_id);
    desk.account.register(id, place);
    Answer::json(201, body)
}

/// The receiver named in the message, or else the order's.
pub(super) fn receiver(desk: &Desk<'_>, order: usize, call: &Call) -> Value {
    let named = call.json.get("receiver");
    named
        .unwrap_or(&desk.account.orders[order].request["receiver"])
        .clone()
}
