//! A confirmation can be for less than was approved, never for more, and never for two amounts.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::{Currency, Money};
use money_transfer_retailer::{Conflict, DecisionError, QueuedAdvice};
use support::Shop;

#[tokio::test]
async fn a_confirmation_for_less_says_so_to_the_upstream_and_in_the_lists() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    order.confirm_amount(Money::zar(50_000)).await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    let confirmations = book.confirmations_of(id);
    assert_eq!(confirmations.accepted(), 1);
    let sent = confirmations.messages()[0].json();
    assert_eq!(sent["amounts"]["approvedAmount"]["amount"], 50_000);
    let record = shop.till.transaction(id).unwrap().unwrap();
    assert_eq!(record.amount, Some(Money::zar(79_995)), "what was approved");
    assert_eq!(record.advice.unwrap().amount, Some(Money::zar(50_000)));
}

#[tokio::test]
async fn more_than_approved_a_negative_amount_or_another_currency_is_refused() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    let dollars = Money::new(10, "840".parse::<Currency>().unwrap());
    for amount in [Money::zar(79_996), Money::zar(-1), dollars] {
        let refused = shop.till.confirm_amount(id, amount).await;
        assert_conflict(refused, Conflict::NotApproved);
    }
    shop.till
        .confirm_amount(id, Money::zar(79_995))
        .await
        .unwrap();
    shop.drained().await;
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);
}

#[tokio::test]
async fn a_refused_amount_hands_the_approval_back_for_another_try() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let too_much = order.confirm_amount(Money::zar(80_000)).await.unwrap_err();
    let order = too_much.approved;
    order.confirm_amount(Money::zar(70_000)).await.unwrap();
}

#[tokio::test]
async fn the_same_decision_with_another_amount_is_a_typed_error_and_after_a_restart_too() {
    let shop = Shop::open().await;
    let part = Money::zar(50_000);
    let id = shop.approved().await.request_id();
    let first = shop.till.confirm_amount(id, part.clone()).await.unwrap();
    shop.drained().await;
    let shop = shop.reopen().await;
    let again = shop.till.confirm_amount(id, part).await.unwrap();
    assert_eq!(first, again);
    let other = shop.till.confirm_amount(id, Money::zar(50_001)).await;
    assert_conflict(other, Conflict::ConfirmedAmount);
    assert_conflict(shop.till.confirm(id).await, Conflict::ConfirmedAmount);
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);
}

/// In whatever words: what was approved is what is confirmed where nothing else is said.
#[tokio::test]
async fn all_of_what_was_approved_is_one_decision_in_both_of_its_forms() {
    let shop = Shop::open().await;
    let whole = Money::zar(79_995);
    let id = shop.approved().await.request_id();
    let first = shop.till.confirm(id).await.unwrap();
    let again = shop.till.confirm_amount(id, whole.clone()).await.unwrap();
    assert_eq!(first, again);
    let id = shop.approved().await.request_id();
    let first = shop.till.confirm_amount(id, whole).await.unwrap();
    assert_eq!(first, shop.till.confirm(id).await.unwrap());
}

fn assert_conflict(refused: Result<QueuedAdvice, DecisionError>, expected: Conflict) {
    match refused {
        Err(DecisionError::Conflict(conflict)) => assert_eq!(conflict, expected),
        other => panic!("{other:?}"),
    }
}
