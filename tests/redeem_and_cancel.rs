//! Paying out and cancelling: the same dual messaging as selling, with their own advices.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::{
    CancelOrderRequest, EncryptedPin, EncryptionParameters, ErrorType, LookupOrderQuery, Money,
    OrderStatus, RedeemOrderRequest, ReversalReason, Sensitive, UpdateOrderPinRequest,
};
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{Conflict, DecisionError, OrderOutcome};
use support::{Shop, approved, order};

const PIN: &str = "0123456789ABCDEF";
const OTHER_PIN: &str = "FEDCBA9876543210";

#[tokio::test]
async fn an_order_is_paid_out_and_its_redemption_confirmed() {
    let shop = Shop::open().await;
    let reference = sold(&shop).await;
    let outcome = shop
        .till
        .redeem_order(redemption(&reference, PIN))
        .await
        .unwrap();
    let redemption = approved(outcome);
    let id = redemption.request_id();
    assert_eq!(redemption.response().amount.minor_units, 79_995);
    redemption.confirm().await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    assert_eq!(book.count(Operation::ConfirmRedeem), 1);
    assert_eq!(book.confirmations_of(id).accepted(), 1);
    assert_eq!(status(&shop, &reference).await, Some(OrderStatus::Redeemed));
}

#[tokio::test]
async fn a_wrong_pin_is_declined_and_leaves_no_advice() {
    let shop = Shop::open().await;
    let reference = sold(&shop).await;
    let outcome = shop
        .till
        .redeem_order(redemption(&reference, OTHER_PIN))
        .await
        .unwrap();
    let OrderOutcome::Declined(declined) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(declined.error_type(), Some(&ErrorType::IncorrectPin));
    assert_eq!(shop.till.advices().pending_count(), 0);
}

#[tokio::test]
async fn a_redemption_that_nobody_answered_is_reversed_and_the_order_can_be_redeemed_again() {
    let shop = Shop::open().await;
    let reference = sold(&shop).await;
    let lose = Rule::on(Operation::RedeemOrder)
        .next(1)
        .fault(Fault::LoseAnswer);
    shop.upstream.inject(lose);
    let outcome = shop
        .till
        .redeem_order(redemption(&reference, PIN))
        .await
        .unwrap();
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    shop.drained().await;
    assert_eq!(shop.upstream.book().count(Operation::ReverseRedeem), 1);
    assert_eq!(
        status(&shop, &reference).await,
        Some(OrderStatus::Unredeemed)
    );
    let again = shop
        .till
        .redeem_order(redemption(&reference, PIN))
        .await
        .unwrap();
    approved(again).confirm().await.unwrap();
    shop.drained().await;
    assert_eq!(status(&shop, &reference).await, Some(OrderStatus::Redeemed));
}

#[tokio::test]
async fn a_cancellation_is_completed_without_a_message() {
    let shop = Shop::open().await;
    let reference = sold(&shop).await;
    let cancelled = approved(
        shop.till
            .cancel_order(cancellation(&reference))
            .await
            .unwrap(),
    );
    let id = cancelled.request_id();
    cancelled.complete().await.unwrap();
    assert!(shop.till.advices().undecided().unwrap().is_empty());
    assert_eq!(
        status(&shop, &reference).await,
        Some(OrderStatus::Cancelled)
    );
    let too_late = shop
        .till
        .reverse(id, ReversalReason::Cancelled)
        .await
        .unwrap_err();
    assert!(
        matches!(too_late, DecisionError::Conflict(Conflict::Completed)),
        "{too_late}"
    );
}

#[tokio::test]
async fn a_cancellation_can_be_reversed_and_not_confirmed() {
    let shop = Shop::open().await;
    let reference = sold(&shop).await;
    let cancelled = approved(
        shop.till
            .cancel_order(cancellation(&reference))
            .await
            .unwrap(),
    );
    let refused = shop.till.confirm(cancelled.request_id()).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::NoSuchAdvice)),
        "{refused}"
    );
    cancelled.reverse(ReversalReason::Cancelled).await.unwrap();
    shop.drained().await;
    assert_eq!(
        shop.upstream.book().count(Operation::CancelOrderReversal),
        1
    );
    assert_eq!(
        status(&shop, &reference).await,
        Some(OrderStatus::Unredeemed)
    );
}

#[tokio::test]
async fn only_a_cancellation_can_be_completed() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    let refused = shop.till.complete(id).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::NoSuchAdvice)),
        "{refused}"
    );
}

#[tokio::test]
async fn a_new_pin_takes_effect_at_the_next_redemption() {
    let shop = Shop::open().await;
    let reference = sold(&shop).await;
    let update = UpdateOrderPinRequest::builder()
        .order_redeem_ref(reference.clone())
        .pin(pin(OTHER_PIN))
        .build();
    shop.till.update_order_pin(update).await.unwrap();
    let outcome = shop
        .till
        .redeem_order(redemption(&reference, OTHER_PIN))
        .await
        .unwrap();
    approved(outcome)
        .reverse(ReversalReason::Cancelled)
        .await
        .unwrap();
    shop.drained().await;
}

/// Sells an order with [`PIN`], and returns its redeem reference.
async fn sold(shop: &Shop) -> Sensitive {
    let mut request = order();
    request.pin = Some(pin(PIN));
    let order = approved(shop.till.create_order(request).await.unwrap());
    let reference = order.response().order_redeem_ref.clone().unwrap();
    order.confirm().await.unwrap();
    shop.drained().await;
    reference
}

fn redemption(reference: &Sensitive, pin_block: &str) -> RedeemOrderRequest {
    RedeemOrderRequest::builder()
        .order_redeem_ref(reference.clone())
        .amount(Money::zar(79_995))
        .pin(pin(pin_block))
        .build()
}

fn cancellation(reference: &Sensitive) -> CancelOrderRequest {
    CancelOrderRequest::builder()
        .order_redeem_ref(reference.clone())
        .build()
}

fn pin(block: &str) -> EncryptedPin {
    EncryptedPin::builder()
        .pin_block(block)
        .encryption_parameters(
            EncryptionParameters::builder()
                .account_number("123456789012")
                .build(),
        )
        .build()
}

async fn status(shop: &Shop, reference: &Sensitive) -> Option<OrderStatus> {
    let query = LookupOrderQuery::builder()
        .order_redeem_ref(reference.clone())
        .build();
    shop.till.lookup_order(query).await.unwrap().status
}
