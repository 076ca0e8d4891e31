//! A request that the upstream says it knows already: it may have been sent twice on its way. It is listed for a
//! person, and never reversed automatically.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::{ErrorType, ReversalReason};
use money_transfer_retailer::simulator::{Copy, Fault, Operation, OrderState, Rule};
use money_transfer_retailer::{
    Conflict, DecisionError, OrderOutcome, RequestId, Standing, TransactionRecord,
};
use support::{Shop, cancellation, order};

#[tokio::test]
async fn it_is_declined_and_listed_for_a_person_after_a_restart_too() {
    let shop = Shop::open().await;
    let id = sent_twice(&shop).await;
    let shop = shop.reopen().await;
    let duplicates = duplicates(&shop);
    let [record] = &duplicates[..] else {
        panic!("{duplicates:?}");
    };
    assert_eq!(record.request_id, id);
    assert_eq!(record.standing, Standing::Duplicate);
    assert!(shop.till.advices().undecided().unwrap().is_empty());
    assert_eq!(shop.till.recovery().undecided, 0);
    let book = shop.upstream.book();
    assert_eq!(book.reversals_of(id).received(), 0, "nothing is reversed");
    assert_eq!(book.order(id).unwrap().state(), OrderState::Created);
}

#[tokio::test]
async fn it_is_never_confirmed_and_can_be_reversed_by_whoever_has_looked() {
    let shop = Shop::open().await;
    let id = sent_twice(&shop).await;
    let refused = shop.till.confirm(id).await.unwrap_err();
    assert!(
        matches!(refused, DecisionError::Conflict(Conflict::Declined)),
        "{refused}"
    );
    shop.till
        .reverse(id, ReversalReason::Cancelled)
        .await
        .unwrap();
    shop.drained().await;
    assert!(duplicates(&shop).is_empty());
    let book = shop.upstream.book();
    assert_eq!(book.order(id).unwrap().state(), OrderState::Reversed);
}

/// The other copy has cancelled the order, and nobody has refunded the sender.
#[tokio::test]
async fn a_cancellation_that_was_sent_twice_is_not_lost_sight_of() {
    let shop = Shop::open().await;
    let reference = shop.sold().await;
    let twice = Rule::on(Operation::CancelOrder).fault(Fault::ProcessTwice(Copy::Second));
    shop.upstream.inject(twice);
    let outcome = shop.till.cancel_order(cancellation(&reference)).await;
    assert!(
        matches!(outcome, Ok(OrderOutcome::Declined(_))),
        "{outcome:?}"
    );
    let duplicates = duplicates(&shop);
    assert_eq!(duplicates.len(), 1);
    assert_eq!(duplicates[0].operation.name(), "cancelOrder");
    assert_eq!(duplicates[0].receipt.order_redeem_ref, Some(reference));
}

#[tokio::test]
async fn every_other_refusal_is_none_of_it() {
    let shop = Shop::open().await;
    drop(shop.till.create_order(support::order_of(0)).await.unwrap());
    assert!(duplicates(&shop).is_empty());
}

/// Asks for an order that is sent twice on its way, so that the till hears the answer to the second copy.
async fn sent_twice(shop: &Shop) -> RequestId {
    let twice = Rule::on(Operation::CreateOrder).fault(Fault::ProcessTwice(Copy::Second));
    shop.upstream.inject(twice);
    let request = order();
    let id = request.id;
    let outcome = shop.till.create_order(request).await.unwrap();
    let OrderOutcome::Declined(declined) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(declined.error_type(), Some(&ErrorType::DuplicateRecord));
    id
}

fn duplicates(shop: &Shop) -> Vec<TransactionRecord> {
    shop.till.advices().duplicates().unwrap()
}
