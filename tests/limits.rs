//! Once as much is pending as the till was told to allow, no new request is sent. A decision is never refused.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::model::{Money, ReversalReason};
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{Limit, Limits, OrderOutcome, RequestError};
use support::{Shop, order};

/// A shop whose upstream takes no confirmations.
async fn stuck(limits: Limits) -> Shop {
    let shop = Shop::open_with(|till| till.limits(limits)).await;
    let confirmations = Rule::on(Operation::ConfirmPayment).always();
    shop.upstream
        .inject(confirmations.fault(Fault::status(500)));
    shop
}

/// The limit that refuses a new order; `None` where it is approved.
async fn refused(shop: &Shop) -> Option<Limit> {
    let orders_before = shop.upstream.book().count(Operation::CreateOrder);
    match shop.till.create_order(order()).await {
        Ok(OrderOutcome::Approved(approved)) => {
            approved.reverse(ReversalReason::Cancelled).await.unwrap();
            None
        }
        Err(RequestError::LimitReached { limit, .. }) => {
            let orders = shop.upstream.book().count(Operation::CreateOrder);
            assert_eq!(orders, orders_before, "nothing was sent");
            Some(limit)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn so_many_pending_advices_stop_new_requests_until_one_is_settled() {
    let shop = stuck(Limits::default().pending(2)).await;
    let approvals = [
        shop.approved().await,
        shop.approved().await,
        shop.approved().await,
    ];
    for approved in approvals {
        approved.confirm().await.unwrap();
    }
    assert_eq!(refused(&shop).await, Some(Limit::Pending(2)));
    shop.upstream.clear_faults();
    shop.drained().await;
    assert_eq!(refused(&shop).await, None);
}

#[tokio::test]
async fn a_request_that_was_made_before_is_not_up_to_the_limits() {
    let shop = stuck(Limits::default().pending(1)).await;
    let request = order();
    let again = request.clone();
    let OrderOutcome::Approved(approved) = shop.till.create_order(request).await.unwrap() else {
        panic!("the simulator approves");
    };
    approved.confirm().await.unwrap();
    let outcome = shop.till.create_order(again).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Earlier(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_sum_of_unconfirmed_money_stops_new_requests_over_a_restart_too() {
    let most = Money::zar(2 * 79_995);
    let limits = Limits::default()
        .sum(most.clone())
        .sum(Money::zar(2 * 79_995));
    let shop = stuck(limits.clone()).await;
    shop.approved().await.confirm().await.unwrap();
    assert_eq!(refused(&shop).await, None);
    shop.approved().await.confirm().await.unwrap();
    assert_eq!(refused(&shop).await, Some(Limit::Sum(most.clone())));
    let shop = shop.reopen_with(|till| till.limits(limits)).await;
    assert_eq!(refused(&shop).await, Some(Limit::Sum(most)));
    shop.upstream.clear_faults();
    shop.till.deliver_now();
    shop.drained().await;
    assert_eq!(refused(&shop).await, None);
}

#[tokio::test]
async fn an_advice_that_is_pending_for_too_long_stops_new_requests() {
    let age = Duration::from_millis(200);
    let shop = stuck(Limits::default().age(age)).await;
    assert_eq!(refused(&shop).await, None);
    shop.approved().await.confirm().await.unwrap();
    tokio::time::sleep(2 * age).await;
    assert_eq!(refused(&shop).await, Some(Limit::Age(age)));
    shop.upstream.clear_faults();
    shop.till.deliver_now();
    shop.drained().await;
    assert_eq!(refused(&shop).await, None);
}
