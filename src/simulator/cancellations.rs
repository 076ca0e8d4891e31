//! Taking an order back before anyone redeemed it: cancelOrder.

use serde_json::json;

use super::{
    accounts::{Desk, Place, StoredOrder, UNKNOWN},
    answer::{Answer, Problem},
    call::{Call, text},
    customers,
    echo::echo,
    orders::identifiers,
    outcome::Outcome,
    records::{Leg, OrderState},
    redemptions::receiver,
};

const REDEEMED: Problem = Problem::new("ALREADY_REDEEMED", "The order was redeemed before");
const NOT_IN_FORCE: Problem = Problem::new("TRANSACTION_DECLINED", "The order is not in force");
const OTHER_PIN: Problem = Problem::new("INCORRECT_PIN", "The PIN is not right");

/// cancelOrder: takes effect with its answer, and is undone by its reversal.
pub(super) fn cancel(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    desk.account.fresh(call)?;
    let reference = call.text("/orderRedeemRef").unwrap_or_default();
    let order = desk.account.order_by_reference(reference).ok_or(UNKNOWN)?;
    named_right(&desk.account.orders[order], call)?;
    cancellable(&desk.account.orders[order], call)?;
    Ok(approve(desk, order, call))
}

/// The redeem reference decides. An alternative one is held against the order only if the order has told its own: the
/// interface documents it as required, so that clients which were told none bring whatever they have.
fn named_right(order: &StoredOrder, call: &Call) -> Result<(), Problem> {
    match (call.text("/orderRedeemRefAlt"), &order.redeem_ref_alt) {
        (Some(given), Some(own)) if given != own => Err(UNKNOWN),
        _ => Ok(()),
    }
}

fn cancellable(order: &StoredOrder, call: &Call) -> Result<(), Problem> {
    if order.shown.is_taken() {
        return Err(REDEEMED);
    }
    if order.shown.state() != OrderState::Confirmed {
        return Err(NOT_IN_FORCE);
    }
    match order.told_status() {
        None | Some("UNREDEEMED") => {}
        Some("REDEEMED") => return Err(REDEEMED),
        Some(_) => return Err(NOT_IN_FORCE),
    }
    let id_number = call.text("/idNumber");
    if id_number.is_some() && id_number != text(&order.request, "/senderDetails/idNumber") {
        return Err(customers::CHECK_FAILED);
    }
    if call
        .text("/pin/pinBlock")
        .is_some_and(|given| !order.takes_pin(given))
    {
        return Err(OTHER_PIN);
    }
    Ok(())
}

fn approve(desk: &mut Desk<'_>, order: usize, call: &Call) -> Answer {
    let mut body = echo(call);
    body["thirdPartyIdentifiers"] = identifiers(desk, call, &[&receiver(desk, order, call)]);
    // An answer has to name one; what the client brought is not made the order's by that.
    let alternative = match call.text("/orderRedeemRefAlt") {
        Some(given) => given.to_owned(),
        None => desk.tell_alternative(order),
    };
    let id = call.id().unwrap_or_default();
    let stored = &mut desk.account.orders[order];
    body["amount"] = stored.request["amount"].clone();
    body["orderId"] = json!(stored.shown.leg.request_id);
    body["orderRedeemRef"] = json!(stored.shown.redeem_ref);
    body["orderRedeemRefAlt"] = json!(alternative);
    let shown = stored.shown_mut();
    shown.cancellations.push(Leg::new(id));
    let place = Place::Cancellation(order, shown.cancellations.len() - 1);
    desk.account.register(id, place);
    Answer::json(200, body)
}
