//! Changes to an order that stands: updateOrderPin and updateOrderStatus. Both may come again without harm.

use super::{
    accounts::{Desk, Names, StatusUpdate, StoredOrder, UNKNOWN},
    answer::{Answer, Problem},
    call::Call,
    customers,
    outcome::{Outcome, Refusal},
    redemptions::redeemable,
    time,
};

/// updateOrderPin: the next redemption needs the new PIN, and has all its tries again.
pub(super) fn pin(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let order = named(desk, call)?;
    redeemable(desk.account, order)?;
    let order = &mut desk.account.orders[order];
    let profile_id = call.text("/customerProfileId");
    if profile_id.is_some() && profile_id != order.customer_profile_id.as_deref() {
        return Err(customers::CHECK_FAILED.into());
    }
    order.pin_block = call.text("/pin/pinBlock").map(str::to_owned);
    order.wrong_pins = 0;
    Ok(Answer::empty(204))
}

/// updateOrderStatus: tells of a change that has already happened; older news than the last is no news.
pub(super) fn status(desk: &mut Desk<'_>, call: &Call) -> Outcome {
    let order = named(desk, call)?;
    let order = &mut desk.account.orders[order];
    if let Some(remittance_ref) = call.text("/remittanceRef") {
        order.remittance_ref = Some(remittance_ref.to_owned());
    }
    let update = StatusUpdate {
        time: call.text("/updateTime").and_then(time::read),
        status: call.text("/status").unwrap_or_default().to_owned(),
        description: call.text("/statusDescription").map(str::to_owned),
    };
    if is_news(order, &update) {
        order.told = Some(update);
    }
    Ok(Answer::empty(204))
}

fn is_news(order: &StoredOrder, update: &StatusUpdate) -> bool {
    order
        .told
        .as_ref()
        .is_none_or(|told| told.time <= update.time)
}

/// The order that the message names, by one of its references.
fn named(desk: &Desk<'_>, call: &Call) -> Result<usize, Refusal> {
    let names = Names {
        redeem: call.text("/orderRedeemRef"),
        redeem_alt: call.text("/orderRedeemRefAlt"),
        remittance: call.text("/remittanceRef"),
        order_id: call.text("/orderId"),
    };
    if names.is_none() {
        return Err(Problem::missing("orderRedeemRef").into());
    }
    Ok(desk.account.order_named(&names).ok_or(UNKNOWN)?)
}
