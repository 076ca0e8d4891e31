//! A transaction is confirmed or reversed, never both; the same decision twice is one advice.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use money_transfer_retailer::model::{RequestId, ReversalReason};
use money_transfer_retailer::{Conflict, DecisionError};
use support::{Shop, order_of};
use tokio::sync::Barrier;

const CANCELLED: ReversalReason = ReversalReason::Cancelled;

#[tokio::test]
async fn the_same_decision_twice_is_one_advice() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    let first = shop.till.confirm(id).await.unwrap();
    let second = shop.till.confirm(id).await.unwrap();
    shop.drained().await;
    let third = shop.till.confirm(id).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first, third, "after its delivery, too");
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);
}

#[tokio::test]
async fn the_opposite_decision_is_a_typed_error() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    shop.till.confirm(id).await.unwrap();
    let refused = shop.till.reverse(id, CANCELLED).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::Confirmed)),
        "{refused}"
    );

    let id = shop.approved().await.request_id();
    shop.till.reverse(id, CANCELLED).await.unwrap();
    let refused = shop.till.confirm(id).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::Reversed)),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racing_decisions_exactly_one_wins() {
    let shop = Shop::open().await;
    let mut confirmations = 0;
    for round in 0..150 {
        let id = shop.approved().await.request_id();
        let start = Arc::new(Barrier::new(2));
        let confirm = {
            let (till, start) = (shop.till.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                // Every other round gives the reversal a head start.
                hesitate(round % 2 == 0).await;
                till.confirm(id).await
            })
        };
        let reverse = {
            let till = shop.till.clone();
            tokio::spawn(async move {
                start.wait().await;
                hesitate(round % 2 == 1).await;
                till.reverse(id, CANCELLED).await
            })
        };
        let (confirmed, reversed) = (confirm.await.unwrap(), reverse.await.unwrap());
        assert_ne!(confirmed.is_ok(), reversed.is_ok());
        shop.drained().await;
        let book = shop.upstream.book();
        let (confirmed, reversed) = (confirmed.is_ok(), reversed.is_ok());
        assert_eq!(book.confirmations_of(id).received(), usize::from(confirmed));
        assert_eq!(book.reversals_of(id).received(), usize::from(reversed));
        confirmations += usize::from(confirmed);
    }
    assert!((1..150).contains(&confirmations), "one side won every race");
}

/// Many at once are decided in one commit, in which the first must count for the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_racing_decisions_at_once_exactly_one_wins_for_each() {
    let shop = Shop::open().await;
    for _ in 0..5 {
        let mut racing = Vec::new();
        for _ in 0..30 {
            let id = shop.approved().await.request_id();
            racing.push((id, shop.till.clone(), shop.till.clone()));
        }
        let start = Arc::new(Barrier::new(2 * racing.len()));
        let race = racing.into_iter().map(|(id, one, other)| {
            let (confirm, reverse) = (Arc::clone(&start), Arc::clone(&start));
            let confirm = tokio::spawn(async move {
                confirm.wait().await;
                one.confirm(id).await.is_ok()
            });
            let reverse = tokio::spawn(async move {
                reverse.wait().await;
                other.reverse(id, CANCELLED).await.is_ok()
            });
            (id, confirm, reverse)
        });
        // All of them run before the first is waited for.
        for (id, confirm, reverse) in race.collect::<Vec<_>>() {
            let (confirmed, reversed) = (confirm.await.unwrap(), reverse.await.unwrap());
            assert_ne!(confirmed, reversed);
            shop.drained().await;
            let book = shop.upstream.book();
            assert_eq!(book.confirmations_of(id).received(), usize::from(confirmed));
            assert_eq!(book.reversals_of(id).received(), usize::from(reversed));
        }
    }
}

async fn hesitate(really: bool) {
    if really {
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

#[tokio::test]
async fn a_reason_that_the_interface_does_not_have_is_refused() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    let refused = shop
        .till
        .reverse(id, ReversalReason::from("BORED"))
        .await
        .unwrap_err();
    assert!(matches!(refused, DecisionError::UnknownReason), "{refused}");
    shop.till.confirm(id).await.unwrap();
}

#[tokio::test]
async fn a_refused_decision_hands_the_approval_back() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    shop.till.reverse(id, CANCELLED).await.unwrap();
    let handed_back = order.confirm().await.unwrap_err();
    assert_eq!(handed_back.approved.request_id(), id);
    handed_back.approved.reverse(CANCELLED).await.unwrap();
}

#[tokio::test]
async fn what_was_never_approved_cannot_be_decided_on() {
    let shop = Shop::open().await;
    let unknown = shop.till.confirm(RequestId::random()).await.unwrap_err();
    assert!(matches!(unknown, DecisionError::UnknownRequest));

    let declined = order_of(0);
    let id = declined.id;
    drop(shop.till.create_order(declined).await.unwrap());
    let refused = shop.till.confirm(id).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::Declined)),
        "{refused}"
    );
}
