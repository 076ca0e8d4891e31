//! An order whose earlier reversal is not settled is not asked for again, unless somebody insists: a late reversal
//! could reopen what was paid out.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::{OrderStatus, ReversalReason, Sensitive};
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{OrderOutcome, ReceiptKey, RequestError, RequestId, Standing};
use support::{Shop, approved, cancellation, redemption};

#[tokio::test]
async fn a_redemption_whose_reversal_is_pending_holds_up_the_next_for_its_order() {
    let shop = Shop::open().await;
    let reference = shop.sold().await;
    let reversed = pending_reversal(&shop, &reference).await;
    assert_refused_for(&shop, &reference, reversed).await;
    let shop = shop.reopen().await;
    assert_refused_for(&shop, &reference, reversed).await;
    assert_eq!(shop.upstream.book().count(Operation::RedeemOrder), 1);

    shop.upstream.clear_faults();
    shop.drained().await;
    let again = shop.till.redeem_order(redemption(&reference)).await;
    approved(again.unwrap()).confirm().await.unwrap();
    shop.drained().await;
}

#[tokio::test]
async fn another_order_is_not_held_up() {
    let shop = Shop::open().await;
    let (reference, other) = (shop.sold().await, shop.sold().await);
    pending_reversal(&shop, &reference).await;
    let redeemed = shop.till.redeem_order(redemption(&other)).await.unwrap();
    approved(redeemed).confirm().await.unwrap();
}

#[tokio::test]
async fn whoever_insists_is_let_through() {
    let shop = Shop::open().await;
    let reference = shop.sold().await;
    pending_reversal(&shop, &reference).await;
    let insistent = shop.till.despite_earlier_reversal();
    let outcome = insistent
        .redeem_order(redemption(&reference))
        .await
        .unwrap();
    // The upstream has not heard of the reversal, and says so itself.
    assert!(matches!(outcome, OrderOutcome::Declined(_)), "{outcome:?}");
    assert_eq!(shop.upstream.book().count(Operation::RedeemOrder), 2);
}

#[tokio::test]
async fn a_cancellation_is_complete_once_the_sender_is_refunded() {
    let shop = Shop::open().await;
    let reference = shop.sold().await;
    let cancelled = shop.till.cancel_order(cancellation(&reference)).await;
    let id = approved(cancelled.unwrap()).request_id();
    let shop = shop.reopen().await;
    let undecided = shop.till.advices().undecided().unwrap();
    assert_eq!(undecided[0].operation.name(), "cancelOrder");
    shop.till.complete(id).await.unwrap();
    shop.till.complete(id).await.unwrap();
    let shop = shop.reopen().await;
    let record = shop.till.transaction(id).unwrap().unwrap();
    assert_eq!(record.standing, Standing::Completed);
    assert!(record.advice.is_none());
    let book = shop.upstream.book();
    assert_eq!(book.reversals_of(id).received(), 0);
    assert_eq!(book.confirmations_of(id).received(), 0);
}

#[tokio::test]
async fn a_cancellation_whose_reversal_is_pending_holds_up_the_payout_of_its_order() {
    let shop = Shop::open().await;
    let reference = shop.sold().await;
    let cancelled = shop.till.cancel_order(cancellation(&reference)).await;
    shop.upstream
        .inject(Rule::on(Operation::CancelOrderReversal).fault(Fault::status(500)));
    let cancelled = approved(cancelled.unwrap());
    let id = cancelled.request_id();
    cancelled.reverse(ReversalReason::Cancelled).await.unwrap();
    assert_refused_for(&shop, &reference, id).await;
    shop.upstream.clear_faults();
    shop.drained().await;
    let query = money_transfer_retailer::model::LookupOrderQuery::builder()
        .order_redeem_ref(reference)
        .build();
    let order = shop.till.lookup_order(query).await.unwrap();
    assert_eq!(order.status, Some(OrderStatus::Unredeemed));
}

/// A redemption without an answer, whose reversal the upstream keeps answering with 500.
async fn pending_reversal(shop: &Shop, reference: &Sensitive) -> RequestId {
    let lose = Rule::on(Operation::RedeemOrder).next(1);
    shop.upstream.inject(lose.fault(Fault::LoseAnswer));
    shop.upstream
        .inject(Rule::on(Operation::ReverseRedeem).fault(Fault::status(500)));
    let request = redemption(reference);
    let id = request.id;
    let outcome = shop.till.redeem_order(request).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
    id
}

async fn assert_refused_for(shop: &Shop, reference: &Sensitive, earlier: RequestId) {
    let redeemed = shop.till.redeem_order(redemption(reference)).await;
    let cancelled = shop.till.cancel_order(cancellation(reference)).await;
    for refused in [redeemed.map(drop), cancelled.map(drop)] {
        match refused {
            Err(RequestError::EarlierReversalPending { reversed, .. }) => {
                assert_eq!(reversed, earlier);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_order_whose_receipt_cannot_be_read_any_more_is_known_by_the_end_of_its_reference() {
    let shop = Shop::open_with(|till| till.receipt_key(ReceiptKey::new([1; 32]))).await;
    let reference = shop.sold().await;
    let reversed = pending_reversal(&shop, &reference).await;
    let shop = shop
        .reopen_with(|till| till.receipt_key(ReceiptKey::new([2; 32])))
        .await;
    assert_refused_for(&shop, &reference, reversed).await;
}
