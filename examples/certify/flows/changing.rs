//! What can happen to an order that stands: it is cancelled, it gets another PIN, news of it arrive.

use money_transfer_retailer::model::{
    CancelOrderResponse, ErrorType, OrderStatus, UpdateOrderPinRequest, UpdateOrderStatusRequest,
};
use money_transfer_retailer::{Approved, Operation};

use super::super::evidence::now;
use super::super::expectation::{Expectation, same};
use super::super::inventions::{self, Order};
use super::super::walk::{Walk, Walked};

pub(super) async fn cancelled(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let approved = cancel(walk, &order).await?;
    // A cancellation takes effect with its answer.
    walk.does_not_stand(&order).await?;
    let completed = approved.complete().await;
    let completed = completed.map_err(|handed_back| handed_back.to_string());
    walk.find(
        "the sender is refunded",
        "completed",
        completed.map(|()| "completed".to_owned()),
    );
    walk.leave(&order, OrderStatus::Cancelled);
    walk.does_not_stand(&order).await?;
    walk.cannot_be_redeemed(&order).await?;
    walk.queue_is_empty("nothing is left to decide or to deliver");
    Ok(())
}

pub(super) async fn cancel_reversed(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    cancel_and_reverse(walk, &order).await?;
    walk.pay_out(&order, order.redemption()).await
}

pub(super) async fn cancel_timed_out(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    // A server that does not know the operation would not know its reversal either, and the reversal of
    // a request that may have arrived is repeated for ever: so one that is answered comes first.
    cancel_and_reverse(walk, &order).await?;
    walk.time_out("no answer to cancelOrder in time", || order.cancellation())
        .await?;
    walk.stands_again(&order).await?;
    walk.pay_out(&order, order.redemption()).await
}

pub(super) async fn cancel_answer_lost(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    // As above: the server has to know the operation.
    cancel_and_reverse(walk, &order).await?;
    let what = "the approval of cancelOrder is lost";
    walk.lose_answer(what, order.cancellation(), &order.sale.amount)
        .await?;
    walk.stands_again(&order).await?;
    walk.pay_out(&order, order.redemption()).await
}

async fn cancel_and_reverse(walk: &mut Walk, order: &Order) -> Walked {
    let approved = match cancel(walk, order).await {
        Ok(approved) => approved,
        Err(stop) => {
            walk.reversal_not_offered_either(Operation::CancelOrder);
            return Err(stop);
        }
    };
    walk.leave(order, OrderStatus::Cancelled);
    walk.does_not_stand(order).await?;
    walk.reverse("the sender is not refunded", approved).await?;
    walk.leave(order, OrderStatus::Unredeemed);
    walk.stands_again(order).await
}

pub(super) async fn pin_updated(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let pin = inventions::pin(&walk.world.secrets);
    let update = UpdateOrderPinRequest::builder()
        .pin(pin.clone())
        .order_redeem_ref(order.redeem_ref.clone())
        .maybe_order_id(order.order_id.clone())
        .build();
    walk.ask("the order gets another PIN", update, "accepted", |()| true)
        .await?;
    walk.still_redeemable(&order).await?;
    let expected = Expectation::declined(&[ErrorType::IncorrectPin]);
    walk.step("the old PIN is wrong now", order.redemption(), expected)
        .await?;
    walk.still_redeemable(&order).await?;
    walk.pay_out(&order, order.redemption_with(&pin)).await
}

pub(super) async fn status_updated(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let update = UpdateOrderStatusRequest::builder()
        .update_time(now())
        .order_redeem_ref(order.redeem_ref.clone())
        .status(OrderStatus::OnHold)
        .build();
    for what in [
        "the receiver is told of a change",
        "the same news arrive again",
    ] {
        walk.ask(what, update.clone(), "accepted", |()| true)
            .await?;
    }
    // What a lookup says is the provider's own view, which need not be what the receiver was told.
    let either = [OrderStatus::OnHold, OrderStatus::Unredeemed];
    walk.forget(&order);
    walk.status("the order, as the server sees it", &order, &either)
        .await
}

async fn cancel(walk: &mut Walk, order: &Order) -> Walked<Approved<CancelOrderResponse>> {
    let amount = &order.sale.amount;
    let words = format!("approved {amount}");
    walk.ask(
        "cancelOrder is approved",
        order.cancellation(),
        words,
        |approved| same(&approved.response().amount, amount),
    )
    .await
}
