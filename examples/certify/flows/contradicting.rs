//! Decisions that come against an earlier one, or about nothing: what was decided stands.

use money_transfer_retailer::Operation;
use money_transfer_retailer::model::{ErrorType, OrderStatus, RequestId};

use super::super::expectation::Expectation;
use super::super::inventions::Order;
use super::super::walk::{Walk, Walked};

/// Each advice comes when one that is taken for it would change the order.
pub(super) async fn about_nothing(walk: &mut Walk) -> Walked {
    let sale = walk.sale();
    let (unpaid, order) = walk.approved("createOrder is approved", sale).await?;
    let what = "a payment of nothing is confirmed";
    contradict_nothing(walk, what, Operation::ConfirmPayment).await?;
    let expected = Expectation::declined(&[ErrorType::UnableToRedeem]);
    walk.step("the order is not confirmed", order.redemption(), expected)
        .await?;
    walk.not_yet_confirmed(&order).await?;
    walk.confirm("the customer pays", unpaid).await?;
    walk.leave(&order, OrderStatus::Unredeemed);
    walk.still_redeemable(&order).await?;
    let what = "a payment of nothing is reversed";
    contradict_nothing(walk, what, Operation::ReversePayment).await?;
    walk.still_redeemable(&order).await?;
    payouts_of_nothing(walk, &order).await
}

/// What was wrongly confirmed could not be reversed any more, and the other way round.
async fn payouts_of_nothing(walk: &mut Walk, order: &Order) -> Walked {
    let approved = walk.redeem("redeemOrder is approved", order, order.redemption());
    let approved = approved.await?;
    let what = "a payout of nothing is confirmed";
    contradict_nothing(walk, what, Operation::ConfirmRedeem).await?;
    walk.redemption_undecided(order).await?;
    walk.reverse("the recipient is not paid", approved).await?;
    walk.still_redeemable(order).await?;
    let approved = walk.redeem("the order is redeemed", order, order.redemption());
    let approved = approved.await?;
    let what = "a payout of nothing is reversed";
    contradict_nothing(walk, what, Operation::ReverseRedeem).await?;
    walk.redemption_undecided(order).await?;
    walk.confirm("the recipient is paid", approved).await?;
    walk.leave(order, OrderStatus::Redeemed);
    walk.redeemed(order).await
}

async fn contradict_nothing(walk: &mut Walk, what: &str, operation: Operation) -> Walked {
    walk.contradict(what, operation, RequestId::random()).await
}

/// An order ends in exactly one of: confirmed, reversed.
pub(super) async fn of_an_order(walk: &mut Walk) -> Walked {
    let sale = walk.sale();
    let (approved, order) = walk.approved("createOrder is approved", sale).await?;
    let request_id = approved.request_id();
    walk.not_yet_confirmed(&order).await?;
    walk.reverse("the cashier cancels", approved).await?;
    walk.leave(&order, OrderStatus::Cancelled);
    walk.does_not_stand(&order).await?;
    let what = "what was reversed is confirmed";
    walk.contradict(what, Operation::ConfirmPayment, request_id)
        .await?;
    walk.does_not_stand(&order).await?;
    walk.cannot_be_redeemed(&order).await?;
    let sale = walk.sale();
    let (approved, order) = walk.approved("another order is created", sale).await?;
    let request_id = approved.request_id();
    walk.not_yet_confirmed(&order).await?;
    walk.confirm("the customer pays", approved).await?;
    walk.leave(&order, OrderStatus::Unredeemed);
    walk.still_redeemable(&order).await?;
    let what = "what was confirmed is reversed";
    walk.contradict(what, Operation::ReversePayment, request_id)
        .await?;
    walk.still_redeemable(&order).await?;
    walk.pay_out(&order, order.redemption()).await
}

/// The same of a redemption.
pub(super) async fn of_a_redemption(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let approved = walk.redeem("redeemOrder is approved", &order, order.redemption());
    let approved = approved.await?;
    let request_id = approved.request_id();
    walk.redemption_undecided(&order).await?;
    walk.reverse("the recipient is not paid", approved).await?;
    walk.still_redeemable(&order).await?;
    let what = "what was reversed is confirmed";
    walk.contradict(what, Operation::ConfirmRedeem, request_id)
        .await?;
    walk.still_redeemable(&order).await?;
    let approved = walk.redeem("the order is redeemed", &order, order.redemption());
    let approved = approved.await?;
    let request_id = approved.request_id();
    walk.redemption_undecided(&order).await?;
    walk.confirm("the recipient is paid", approved).await?;
    walk.leave(&order, OrderStatus::Redeemed);
    walk.redeemed(&order).await?;
    let what = "what was confirmed is reversed";
    walk.contradict(what, Operation::ReverseRedeem, request_id)
        .await?;
    walk.redeemed(&order).await
}
