//! What was decided is delivered, whatever the weather: the same bytes, until a final answer.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule};
use money_transfer_retailer::{AdviceState, AttemptOutcome};
use support::{PATIENCE, Shop};

#[tokio::test]
async fn an_advice_outlives_many_refused_connections_and_is_delivered_once() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    shop.upstream.go_down().await.unwrap();
    order.confirm().await.unwrap();
    attempts_reach(&shop, 10).await;
    let pending = shop.till.advices().pending().unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].operation.name(), "confirmPayment");
    assert_eq!(pending[0].last_attempts[0].outcome, AttemptOutcome::NotSent);
    assert_ne!(pending[0].state, AdviceState::Rejected);

    shop.upstream.come_up().await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    assert_eq!(book.confirmations_of(id).received(), 1);
    assert_eq!(book.confirmations_of(id).accepted(), 1);
}

#[tokio::test]
async fn every_repeat_is_the_same_bytes_across_a_restart() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    let fault = Fault::status(500);
    shop.upstream
        .inject(Rule::on(Operation::ConfirmPayment).fault(fault));
    order.confirm().await.unwrap();
    attempts_reach(&shop, 3).await;
    let shop = shop.reopen().await;
    attempts_reach(&shop, 6).await;
    shop.upstream.clear_faults();
    shop.drained().await;
    let book = shop.upstream.book();
    let confirmations = book.confirmations_of(id);
    assert!(confirmations.received() >= 7);
    assert_eq!(confirmations.distinct_bodies(), 1);
    assert_eq!(confirmations.accepted(), 1);
}

#[tokio::test]
async fn an_advice_whose_answer_was_lost_is_settled_by_its_repeat() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    let lose = Rule::on(Operation::ConfirmPayment)
        .next(1)
        .fault(Fault::LoseAnswer);
    shop.upstream.inject(lose);
    order.confirm().await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    let confirmations = book.confirmations_of(id);
    assert_eq!((confirmations.received(), confirmations.accepted()), (2, 1));
    assert_eq!(
        book.count(Operation::LookupOrder),
        1,
        "the order itself was asked"
    );
    assert!(shop.till.advices().rejected().unwrap().is_empty());
}

#[tokio::test]
async fn what_a_gateway_answers_settles_nothing() {
    let shop = Shop::open().await;
    let statuses = [
        200, 301, 401, 403, 404, 405, 407, 408, 413, 425, 429, 502, 503,
    ];
    for (call, status) in (1..).zip(statuses) {
        let gateway = CannedAnswer::status(status).body("text/html", "<html>gateway</html>");
        let rule = Rule::on(Operation::ConfirmPayment).nth(call).fault(gateway);
        shop.upstream.inject(rule);
    }
    let order = shop.approved().await;
    let id = order.request_id();
    order.confirm().await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    let confirmations = book.confirmations_of(id);
    assert_eq!(confirmations.received(), 14);
    assert_eq!(confirmations.accepted(), 1);
    assert!(shop.till.advices().rejected().unwrap().is_empty());
}

#[tokio::test]
async fn what_the_service_itself_refuses_is_kept_for_an_operator_and_not_sent_again() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    let id = order.request_id();
    let refusal = Fault::error("UNABLE_TO_LOCATE_RECORD");
    shop.upstream
        .inject(Rule::on(Operation::ConfirmPayment).fault(refusal));
    order.confirm().await.unwrap();
    shop.drained().await;
    let shop = shop.reopen().await;
    let rejected = shop.till.advices().rejected().unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].request_id, id);
    assert_eq!(rejected[0].state, AdviceState::Rejected);
    let error = rejected[0].last_attempts[0].error.as_deref().unwrap();
    assert!(error.contains("UNABLE_TO_LOCATE_RECORD"), "{error}");
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);
}

#[tokio::test]
async fn an_advice_that_nobody_answers_holds_up_no_other() {
    let shop = Shop::open().await;
    let stuck = shop.approved().await;
    let hang = Rule::on(Operation::ConfirmPayment)
        .next(1)
        .fault(Fault::Hang);
    shop.upstream.inject(hang);
    let stuck_id = stuck.request_id();
    stuck.confirm().await.unwrap();
    let received = shop
        .upstream
        .wait_until(|book| book.confirmations_of(stuck_id).received() == 1);
    tokio::time::timeout(PATIENCE, received).await.unwrap();

    let order = shop.approved().await;
    let id = order.request_id();
    order.confirm().await.unwrap();
    let delivered = shop
        .upstream
        .wait_until(|book| book.confirmations_of(id).accepted() == 1);
    tokio::time::timeout(PATIENCE, delivered).await.unwrap();
    assert_eq!(
        shop.upstream.book().confirmations_of(stuck_id).accepted(),
        0
    );
    shop.drained().await;
}

/// Waits until the only pending advice was tried so often.
async fn attempts_reach(shop: &Shop, attempts: u32) {
    let reached = async {
        while shop.till.advices().pending().unwrap()[0].attempts < attempts {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}
