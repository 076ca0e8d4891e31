//! Answers that get lost on their way back: what took effect is reversed or repeated, as the same message.

use money_transfer_retailer::model::{OrderStatus, Sensitive};
use serde_json::Value;

use super::super::inventions::Order;
use super::super::walk::{Stop, Walk, Walked};

pub(super) async fn order_answer_lost(walk: &mut Walk) -> Walked {
    let sale = walk.sale();
    let what = "the approval of createOrder is lost";
    let answer = walk.lose_answer(what, sale.request(), &sale.amount).await?;
    // The till never knew the reference: it is told to look whether the reversal reached the order.
    let Some(redeem_ref) = told(&answer, "orderRedeemRef") else {
        let none = "no reference in the approval: nobody can look whether it was reversed";
        let what = "the order can be looked up";
        walk.find(what, "a redeem reference", Err(none.to_owned()));
        return Err(Stop::Flow);
    };
    let order = Order {
        redeem_ref,
        redeem_ref_alt: told(&answer, "orderRedeemRefAlt"),
        order_id: None,
        sale,
    };
    walk.leave(&order, OrderStatus::Cancelled);
    walk.does_not_stand(&order).await?;
    walk.cannot_be_redeemed(&order).await
}

fn told(answer: &Value, name: &str) -> Option<Sensitive> {
    answer[name].as_str().map(Sensitive::from)
}

pub(super) async fn redemption_answer_lost(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let what = "the approval of redeemOrder is lost";
    walk.lose_answer(what, order.redemption(), &order.sale.amount)
        .await?;
    walk.still_redeemable(&order).await?;
    walk.pay_out(&order, order.redemption()).await
}

pub(super) async fn confirmations(walk: &mut Walk) -> Walked {
    let sale = walk.sale();
    let (approved, order) = walk.approved("createOrder is approved", sale).await?;
    walk.not_yet_confirmed(&order).await?;
    walk.confirm_repeatedly("the customer pays", approved)
        .await?;
    walk.leave(&order, OrderStatus::Unredeemed);
    walk.still_redeemable(&order).await?;
    let approved = walk.redeem("redeemOrder is approved", &order, order.redemption());
    let approved = approved.await?;
    walk.redemption_undecided(&order).await?;
    walk.confirm_repeatedly("the recipient is paid", approved)
        .await?;
    walk.leave(&order, OrderStatus::Redeemed);
    walk.redeemed(&order).await
}

pub(super) async fn reversals(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let approved = walk.redeem("redeemOrder is approved", &order, order.redemption());
    let approved = approved.await?;
    walk.redemption_undecided(&order).await?;
    walk.reverse_repeatedly("the recipient is not paid", approved)
        .await?;
    walk.still_redeemable(&order).await?;
    let sale = walk.sale();
    let (approved, order) = walk.approved("another order is created", sale).await?;
    walk.not_yet_confirmed(&order).await?;
    walk.reverse_repeatedly("the cashier cancels", approved)
        .await?;
    walk.leave(&order, OrderStatus::Cancelled);
    walk.does_not_stand(&order).await?;
    walk.cannot_be_redeemed(&order).await
}
