//! Each way a sale can go, over real sockets: what the till learns, and what the upstream receives.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::error::Error;

use money_transfer_retailer::model::{ErrorType, LookupOrderQuery, OrderStatus, ReversalReason};
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{NotSentReason, OrderOutcome, Problem};
use support::{Shop, order, order_of};

#[tokio::test]
async fn an_approved_order_is_confirmed_exactly_once() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let (id, identifiers) = (
        order.request_id(),
        order.response().third_party_identifiers.clone(),
    );
    assert!(order.response().order_redeem_ref.is_some());
    let queued = order.confirm().await.unwrap();
    shop.drained().await;

    let book = shop.upstream.book();
    let confirmations = book.confirmations_of(id);
    assert_eq!((confirmations.received(), confirmations.accepted()), (1, 1));
    assert_eq!(book.reversals_of(id).received(), 0);
    let sent = confirmations.messages()[0].json();
    assert_eq!(sent["id"], queued.advice_id.to_string());
    assert_eq!(sent["requestId"], id.to_string());
    assert_eq!(
        sent["thirdPartyIdentifiers"],
        serde_json::from_str::<serde_json::Value>(identifiers.as_json()).unwrap()
    );
    let time = sent["time"].as_str().unwrap();
    let millis = &time[time.len() - "000Z".len()..time.len() - 1];
    assert!(millis.parse::<u16>().is_ok(), "{time}");
    assert_eq!(
        time.find('.').map(|dot| time.len() - dot),
        Some(".000Z".len())
    );
}

#[tokio::test]
async fn a_confirmed_order_can_be_looked_up_and_redeemed() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let reference = order.response().order_redeem_ref.clone().unwrap();
    order.confirm().await.unwrap();
    shop.drained().await;
    let query = LookupOrderQuery::builder()
        .order_redeem_ref(reference)
        .build();
    let found = shop.till.lookup_order(query).await.unwrap();
    assert_eq!(found.status, Some(OrderStatus::Unredeemed));
    assert_eq!(found.amount.unwrap().minor_units, 79_995);
}

#[tokio::test]
async fn a_declined_order_leaves_no_advice() {
    let shop = Shop::open().await;
    let request = order_of(500_001);
    let id = request.id;
    let outcome = shop.till.create_order(request).await.unwrap();
    let OrderOutcome::Declined(declined) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(declined.operation, Operation::CreateOrder);
    assert_eq!(declined.request_id, Some(id));
    assert_eq!(declined.status, 400);
    assert_eq!(declined.error_type(), Some(&ErrorType::DailyLimitExceeded));
    assert_eq!(shop.till.advices().pending_count(), 0);
    assert!(shop.till.advices().undecided().unwrap().is_empty());
    assert_eq!(shop.upstream.book().messages().count(), 1);
}

#[tokio::test]
async fn an_order_that_never_left_leaves_no_advice() {
    let shop = Shop::open().await;
    shop.upstream.go_down().await.unwrap();
    let request = order();
    let id = request.id;
    let outcome = shop.till.create_order(request).await.unwrap();
    let OrderOutcome::NotSent(not_sent) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(not_sent.operation, Operation::CreateOrder);
    assert_eq!(not_sent.request_id, Some(id));
    assert_eq!(not_sent.reason, NotSentReason::Connect);
    assert_eq!(shop.till.advices().pending_count(), 0);
    assert!(shop.upstream.book().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_reversed_with_reason_timeout() {
    let shop = Shop::open().await;
    let lose = Rule::on(Operation::CreateOrder).fault(Fault::LoseAnswer);
    shop.upstream.inject(lose);
    let request = order();
    let id = request.id;
    let outcome = shop.till.create_order(request).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(unknown.operation, Operation::CreateOrder);
    assert_eq!(unknown.cause.problem, Problem::ConnectionLost);
    assert!(unknown.cause.source().is_some(), "{unknown:?}");
    shop.drained().await;

    let book = shop.upstream.book();
    assert!(book.order(id).is_some(), "the upstream had processed it");
    let reversals = book.reversals_of(id);
    assert_eq!((reversals.received(), reversals.accepted()), (1, 1));
    let sent = reversals.messages()[0].json();
    assert_eq!(sent["reversalReason"], "TIMEOUT");
    assert_eq!(sent["id"], unknown.reversal_id.to_string());
    assert!(sent.get("amounts").is_none());
    assert_eq!(book.confirmations_of(id).received(), 0);
}

#[tokio::test]
async fn an_upstream_that_hangs_is_reversed_with_reason_timeout_once_nothing_can_be_on_its_way() {
    let shop = Shop::open().await;
    shop.upstream
        .inject(Rule::on(Operation::CreateOrder).fault(Fault::Hang));
    let request = order();
    let id = request.id;
    let outcome = shop.till.create_order(request).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(unknown.cause.problem, Problem::TimedOut);
    shop.drained().await;

    // The upstream knows no such order. That alone settles nothing while the order may still be on
    // its way, so the same reversal was repeated until then.
    let book = shop.upstream.book();
    let reversals = book.reversals_of(id);
    assert!(reversals.received() > 1, "{}", reversals.received());
    assert_eq!(reversals.distinct_bodies(), 1);
    assert_eq!(reversals.messages()[0].json()["reversalReason"], "TIMEOUT");
    assert!(shop.till.advices().rejected().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_fault_is_reversed_with_reason_response_not_final() {
    let shop = Shop::open().await;
    let fault = Fault::status(500);
    shop.upstream
        .inject(Rule::on(Operation::CreateOrder).fault(fault));
    let request = order();
    let id = request.id;
    let outcome = shop.till.create_order(request).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(unknown.cause.problem, Problem::ServerFault { status: 500 });
    shop.drained().await;
    let book = shop.upstream.book();
    let sent = book.reversals_of(id).messages()[0].json();
    assert_eq!(sent["reversalReason"], "RESPONSE_NOT_FINAL");
}

#[tokio::test]
async fn an_approval_that_cannot_be_used_is_reversed_with_reason_response_not_final() {
    for unusable in [Fault::WrongId, Fault::Garbage, Fault::CloseDuring] {
        let shop = Shop::open().await;
        let spoil = Rule::on(Operation::CreateOrder).fault(unusable.clone());
        shop.upstream.inject(spoil);
        let request = order();
        let id = request.id;
        let outcome = shop.till.create_order(request).await.unwrap();
        assert!(
            matches!(outcome, OrderOutcome::Unknown(_)),
            "{unusable:?}: {outcome:?}"
        );
        shop.drained().await;
        let book = shop.upstream.book();
        let reversals = book.reversals_of(id);
        assert_eq!(
            (reversals.received(), reversals.accepted()),
            (1, 1),
            "{unusable:?}"
        );
        // Bytes that are no HTTP are no answer at all.
        let reason = match unusable {
            Fault::Garbage => "TIMEOUT",
            _ => "RESPONSE_NOT_FINAL",
        };
        assert_eq!(
            reversals.messages()[0].json()["reversalReason"],
            reason,
            "{unusable:?}"
        );
    }
}

#[tokio::test]
async fn a_cashier_who_cancels_sends_a_reversal_with_reason_cancelled() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    order.reverse(ReversalReason::Cancelled).await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    let reversals = book.reversals_of(id);
    assert_eq!((reversals.received(), reversals.accepted()), (1, 1));
    assert_eq!(
        reversals.messages()[0].json()["reversalReason"],
        "CANCELLED"
    );
    assert_eq!(book.confirmations_of(id).received(), 0);
}

#[tokio::test]
async fn a_till_that_stops_waiting_gets_its_approval_reversed() {
    let shop = Shop::open().await;
    let slow = Fault::SlowHeaders(support::TIMEOUT / 2);
    shop.upstream
        .inject(Rule::on(Operation::CreateOrder).fault(slow));
    let request = order();
    let id = request.id;
    let waited = tokio::time::timeout(support::TIMEOUT / 8, shop.till.create_order(request)).await;
    assert!(waited.is_err(), "the till stopped waiting");
    let reversed = shop
        .upstream
        .wait_until(|book| book.reversals_of(id).accepted() == 1);
    tokio::time::timeout(support::PATIENCE, reversed)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_approval_that_the_till_drops_stays_undecided_and_can_be_confirmed_by_its_id() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    let shop = shop.reopen().await;
    let undecided = shop.till.advices().undecided().unwrap();
    assert_eq!(undecided.len(), 1);
    assert_eq!(undecided[0].request_id, id);
    shop.till.confirm(id).await.unwrap();
    shop.drained().await;
    assert_eq!(shop.upstream.book().confirmations_of(id).accepted(), 1);
}
