//! A request that was sent has an outcome: declined, confirmed, reversed, or waiting for the till.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::RequestError;
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use support::{PATIENCE, Shop, order, till};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_outlives_the_runtime_of_its_caller() {
    let shop = Shop::open().await;
    let slow = Fault::SlowHeaders(support::TIMEOUT / 2);
    shop.upstream
        .inject(Rule::on(Operation::CreateOrder).fault(slow));
    let request = order();
    let id = request.id;
    let till = shop.till.clone();
    let caller = std::thread::spawn(move || {
        let short_lived = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        short_lived.unwrap().block_on(async {
            let waited = till.create_order(request);
            assert!(
                tokio::time::timeout(support::TIMEOUT / 8, waited)
                    .await
                    .is_err()
            );
        });
    });
    caller.join().unwrap();
    let reversed = shop
        .upstream
        .wait_until(|book| book.reversals_of(id).accepted() == 1);
    tokio::time::timeout(PATIENCE, reversed).await.unwrap();
}

#[tokio::test]
async fn a_request_that_a_shutdown_breaks_off_is_reversed_after_the_next_open() {
    let shop = Shop::open().await;
    let id = broken_off(&shop).await;
    let next = till(&shop.upstream.base_url(), shop.queue.path())
        .open()
        .await
        .unwrap();
    next.advices().wait_empty(PATIENCE).await.unwrap();
    let book = shop.upstream.book();
    assert_eq!(book.reversals_of(id).accepted(), 1);
    assert_eq!(
        book.reversals_of(id).messages()[0].json()["reversalReason"],
        "TIMEOUT"
    );
}

/// Shuts the till down while the upstream, which has processed the request, keeps its answer back.
async fn broken_off(shop: &Shop) -> money_transfer_retailer::RequestId {
    let keep_back = Rule::on(Operation::CreateOrder).fault(Fault::ProcessAndHang);
    shop.upstream.inject(keep_back);
    let request = order();
    let id = request.id;
    let patient = shop.till.with_timeout(PATIENCE);
    let waiting = tokio::spawn(async move { patient.create_order(request).await });
    let received = shop
        .upstream
        .wait_until(|book| book.requests_of(id).received() == 1);
    tokio::time::timeout(PATIENCE, received).await.unwrap();
    let remaining = shop.till.clone().shutdown(Duration::from_millis(50)).await;
    assert!(remaining.broken_off);
    let outcome = waiting.await.unwrap();
    assert!(!matches!(outcome, Ok(ref outcome) if format!("{outcome:?}").starts_with("Approved")));
    shop.upstream.clear_faults();
    id
}

#[tokio::test]
async fn a_till_that_is_shut_down_takes_no_request() {
    let shop = Shop::open().await;
    let clone = shop.till.clone();
    shop.till.shutdown(PATIENCE).await;
    let refused = clone.create_order(order()).await.unwrap_err();
    assert!(matches!(refused, RequestError::Closed { .. }), "{refused}");
    assert!(shop.upstream.book().is_empty());
}
