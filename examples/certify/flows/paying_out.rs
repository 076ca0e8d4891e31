//! redeemOrder: pay a money transfer out.

use std::cell::Cell;

use money_transfer_retailer::model::{
    EncryptedPin, ErrorType, Money, OrderStatus, RedeemOrderRequest,
};

use super::super::expectation::Expectation;
use super::super::inventions::{self, Order};
use super::super::walk::{Walk, Walked};

/// After so many wrong PINs their number must have counted.
const MOST_WRONG_PINS: usize = 10;

/// The interface does not forbid it in so many words, and a retailer should know.
const PAID_TWICE: &str = "this server pays the same order out twice: only the till keeps a second recipient \
                          from the money";

pub(super) async fn successful(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    walk.pay_out(&order, order.redemption()).await?;
    let request = order.redemption();
    // Servers of an earlier version approve it.
    let expected =
        Expectation::declined(&[ErrorType::AlreadyRedeemed, ErrorType::UnableToRedeem]).or(
            Expectation::answer("approved by servers of an earlier version", |_| true),
        );
    let again = walk
        .step("the order is redeemed again", request, expected)
        .await?;
    let Some(approved) = again else {
        let redeemed = [OrderStatus::Redeemed];
        return walk
            .status("the order stays redeemed", &order, &redeemed)
            .await;
    };
    walk.remark(PAID_TWICE);
    // What becomes of the first redemption then is that server's secret.
    walk.forget(&order);
    walk.redemption_undecided(&order).await?;
    walk.reverse("nobody is paid twice", approved).await?;
    let either = [OrderStatus::Redeemed, OrderStatus::Unredeemed];
    walk.status("the order, as the server sees it", &order, &either)
        .await
}

pub(super) async fn declined(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let mut other_amount = order.redemption();
    other_amount.amount = Some(Money::zar(order.sale.amount.minor_units + 100));
    let mut other_order = order.redemption();
    other_order.order_redeem_ref = inventions::redeem_ref(&walk.world.secrets);
    let refused = [
        (
            "the amount is wrong",
            other_amount,
            &[ErrorType::InvalidAmount][..],
        ),
        (
            "the PIN is wrong",
            wrong_pin(walk, &order),
            &[ErrorType::IncorrectPin],
        ),
        (
            "the reference is unknown",
            other_order,
            &[ErrorType::UnableToLocateRecord, ErrorType::InvalidRedeemRef],
        ),
    ];
    for (what, request, reasons) in refused {
        walk.step(what, request, Expectation::declined(reasons))
            .await?;
        walk.still_redeemable(&order).await?;
    }
    walk.queue_is_empty("nothing is left to decide or to deliver");
    walk.pay_out(&order, order.redemption()).await?;
    let sale = walk.sale();
    let (unpaid, order) = walk.approved("another order is created", sale).await?;
    walk.not_yet_confirmed(&order).await?;
    let expected = Expectation::declined(&[ErrorType::UnableToRedeem]);
    walk.step("the order is not confirmed", order.redemption(), expected)
        .await?;
    walk.not_yet_confirmed(&order).await?;
    walk.reverse("the other order is reversed", unpaid).await?;
    walk.leave(&order, OrderStatus::Cancelled);
    walk.does_not_stand(&order).await?;
    walk.cannot_be_redeemed(&order).await
}

pub(super) async fn pin_retries(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let used_up = Cell::new(false);
    for count in 1..=MOST_WRONG_PINS {
        let words = match count {
            MOST_WRONG_PINS => "declined: PIN_RETRIES_EXCEEDED",
            _ => "declined: INCORRECT_PIN or PIN_RETRIES_EXCEEDED",
        };
        let expected = Expectation::seeing(words, |seen| {
            used_up.set(seen.error_type() == Some(&ErrorType::PinRetriesExceeded));
            let one_more = seen.error_type() == Some(&ErrorType::IncorrectPin);
            used_up.get() || one_more && count < MOST_WRONG_PINS
        });
        let request = wrong_pin(walk, &order);
        walk.step(format!("wrong PIN number {count}"), request, expected)
            .await?;
        if used_up.get() {
            break;
        }
        walk.still_redeemable(&order).await?;
    }
    // Some providers hold such an order back.
    walk.forget(&order);
    let either = [OrderStatus::Unredeemed, OrderStatus::OnHold];
    walk.status("the order, its PIN retries used up", &order, &either)
        .await
}

pub(super) async fn reversed(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    let approved = walk.redeem("redeemOrder is approved", &order, order.redemption());
    let approved = approved.await?;
    walk.redemption_undecided(&order).await?;
    walk.reverse("the recipient is not paid", approved).await?;
    walk.still_redeemable(&order).await?;
    walk.pay_out(&order, order.redemption()).await
}

pub(super) async fn timed_out(walk: &mut Walk) -> Walked {
    let order = walk.paid().await?;
    walk.time_out("no answer to redeemOrder in time", || order.redemption())
        .await?;
    walk.still_redeemable(&order).await?;
    walk.pay_out(&order, order.redemption()).await
}

fn wrong_pin(walk: &Walk, order: &Order) -> RedeemOrderRequest {
    let pin: EncryptedPin = inventions::pin(&walk.world.secrets);
    order.redemption_with(&pin)
}
