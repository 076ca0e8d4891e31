//! What the upstream does not take stays in the queue, with what it means: how urgent it is, and whether the
//! upstream refused it or does not offer it at all.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{
    AdviceRecord, AdviceState, Conflict, DecisionError, RequestId, Severity, Standing,
};
use support::{Shop, approved, cancellation, redemption};

const CANCELLED: ReversalReason = ReversalReason::Cancelled;

#[tokio::test]
async fn a_confirmation_that_the_upstream_does_not_offer_has_a_state_of_its_own() {
    let shop = Shop::open().await;
    refuse(&shop, Operation::ConfirmPayment, Fault::status(501));
    let id = shop.approved().await.request_id();
    shop.till.confirm(id).await.unwrap();
    let advice = only_refused(&shop).await;
    assert_eq!(advice.state, AdviceState::NotOffered);
    assert_eq!(advice.severity(), Severity::CustomerPaid);
    assert_eq!(advice.last_attempts[0].status, Some(501));
    // It keeps that state over a restart, and is neither sent again nor turned into its opposite.
    let shop = shop.reopen().await;
    assert_eq!(only_refused(&shop).await, advice);
    let refused = shop.till.reverse(id, CANCELLED).await.unwrap_err();
    assert!(matches!(
        refused,
        DecisionError::Conflict(Conflict::Confirmed)
    ));
    let book = shop.upstream.book();
    assert_eq!(book.confirmations_of(id).received(), 1);
    assert_eq!(book.reversals_of(id).received(), 0);
}

#[tokio::test]
async fn a_rejected_confirmation_of_a_redemption_is_a_financial_exception_and_never_a_reversal() {
    for answer in [Fault::error("UNABLE_TO_REDEEM"), Fault::status(501)] {
        let shop = Shop::open().await;
        let reference = shop.sold().await;
        refuse(&shop, Operation::ConfirmRedeem, answer);
        let redeemed = shop.till.redeem_order(redemption(&reference)).await;
        let redeemed = approved(redeemed.unwrap());
        let id = redeemed.request_id();
        redeemed.confirm().await.unwrap();
        let advice = only_refused(&shop).await;
        assert_eq!(advice.severity(), Severity::FinancialException);
        let shop = shop.reopen().await;
        assert_eq!(only_refused(&shop).await.severity(), advice.severity());
        assert_eq!(standing(&shop, id), Standing::Confirmed);
        assert_eq!(shop.upstream.book().reversals_of(id).received(), 0);
    }
}

#[tokio::test]
async fn a_rejected_confirmation_of_an_order_is_the_customers_money() {
    let shop = Shop::open().await;
    refuse(
        &shop,
        Operation::ConfirmPayment,
        Fault::error("UNABLE_TO_LOCATE_RECORD"),
    );
    shop.approved().await.confirm().await.unwrap();
    let advice = only_refused(&shop).await;
    assert_eq!(advice.state, AdviceState::Rejected);
    assert_eq!(advice.severity(), Severity::CustomerPaid);
}

#[tokio::test]
async fn a_rejected_reversal_needs_attention() {
    let shop = Shop::open().await;
    let reference = shop.sold().await;
    refuse(
        &shop,
        Operation::CancelOrderReversal,
        Fault::error("UNABLE_TO_LOCATE_RECORD"),
    );
    let cancelled = shop.till.cancel_order(cancellation(&reference)).await;
    let cancelled = approved(cancelled.unwrap());
    cancelled.reverse(CANCELLED).await.unwrap();
    assert_eq!(only_refused(&shop).await.severity(), Severity::Attention);
}

#[tokio::test]
async fn what_is_on_its_way_or_taken_is_nothing_to_worry_about() {
    let shop = Shop::open().await;
    refuse(&shop, Operation::ConfirmPayment, Fault::status(500));
    let id = shop.approved().await.request_id();
    shop.till.confirm(id).await.unwrap();
    let pending = shop.till.advices().pending().unwrap();
    assert_eq!(pending[0].severity(), Severity::Normal);
    shop.upstream.clear_faults();
    shop.drained().await;
    let record = shop.till.transaction(id).unwrap().unwrap();
    assert_eq!(record.advice.unwrap().severity(), Severity::Normal);
    assert!(shop.till.advices().rejected().unwrap().is_empty());
}

#[test]
fn the_worst_is_the_greatest() {
    let ordered = [
        Severity::Normal,
        Severity::Attention,
        Severity::CustomerPaid,
        Severity::FinancialException,
    ];
    assert!(ordered.is_sorted());
}

fn refuse(shop: &Shop, advice: Operation, answer: Fault) {
    shop.upstream.inject(Rule::on(advice).fault(answer));
}

async fn only_refused(shop: &Shop) -> AdviceRecord {
    shop.drained().await;
    let mut refused = shop.till.advices().rejected().unwrap();
    assert_eq!(refused.len(), 1, "{refused:?}");
    refused.remove(0)
}

fn standing(shop: &Shop, id: RequestId) -> Standing {
    shop.till.transaction(id).unwrap().unwrap().standing
}
