//! A till may bring its own request id: asked again with it, the queue says what became of the request, and
//! sends nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::model::{CreateOrderRequest, RequestId, ReversalReason, Sensitive};
use money_transfer_retailer::simulator::{Fault, Operation, Rule};
use money_transfer_retailer::{OrderOutcome, RequestError, Standing, TransactionRecord};
use support::{Shop, approved, cancellation, order, order_of, redemption};

#[tokio::test]
async fn asked_again_each_standing_is_told_and_nothing_is_sent() {
    let shop = Shop::open().await;
    let known = one_of_each_standing(&shop).await;
    assert_told_and_not_sent(&shop, &known).await;
}

#[tokio::test]
async fn asked_again_after_a_restart_each_standing_is_told_and_nothing_is_sent() {
    let shop = Shop::open().await;
    let known = one_of_each_standing(&shop).await;
    let shop = shop.reopen().await;
    assert_told_and_not_sent(&shop, &known).await;
}

#[tokio::test]
async fn an_earlier_approval_can_be_confirmed_by_its_id() {
    let shop = Shop::open().await;
    let request = order();
    drop(approved(
        shop.till.create_order(request.clone()).await.unwrap(),
    ));
    let shop = shop.reopen().await;
    let earlier = earlier(&shop, request).await;
    assert!(earlier.receipt.order_redeem_ref.is_some());
    shop.till.confirm(earlier.request_id).await.unwrap();
    shop.drained().await;
    let book = shop.upstream.book();
    assert_eq!(book.confirmations_of(earlier.request_id).accepted(), 1);
    assert_eq!(book.requests_of(earlier.request_id).received(), 1);
}

#[tokio::test]
async fn a_request_that_is_still_under_way_is_told_as_such() {
    let shop = Shop::open().await;
    let slow = Fault::SlowHeaders(support::TIMEOUT / 2);
    shop.upstream
        .inject(Rule::on(Operation::CreateOrder).fault(slow));
    let request = order();
    let first = {
        let (till, request) = (shop.till.clone(), request.clone());
        tokio::spawn(async move { till.create_order(request).await })
    };
    shop.upstream.received(Operation::CreateOrder, 1).await;
    let earlier = earlier(&shop, request).await;
    assert_eq!(earlier.standing, Standing::UnderWay);
    drop(approved(first.await.unwrap().unwrap()));
    assert_eq!(shop.upstream.book().count(Operation::CreateOrder), 1);
}

#[tokio::test]
async fn another_amount_with_a_known_id_is_a_typed_error() {
    let shop = Shop::open().await;
    let request = order_of(79_995);
    drop(shop.till.create_order(request.clone()).await.unwrap());
    let other = with_id(order_of(79_996), request.id);
    assert_known(shop.till.create_order(other).await.map(drop), request.id);
    assert_eq!(shop.upstream.book().messages().count(), 1);
}

#[tokio::test]
async fn another_operation_with_a_known_id_is_a_typed_error() {
    let shop = Shop::open().await;
    let request = order();
    drop(shop.till.create_order(request.clone()).await.unwrap());
    let reference = Sensitive::from("12345678901234567890");
    let mut redemption = redemption(&reference);
    redemption.id = request.id;
    let refused = shop.till.redeem_order(redemption).await;
    assert_known(refused.map(drop), request.id);
    let mut cancellation = cancellation(&reference);
    cancellation.id = request.id;
    let refused = shop.till.cancel_order(cancellation).await;
    assert_known(refused.map(drop), request.id);
    assert_eq!(shop.upstream.book().messages().count(), 1);
}

/// A till that was told "confirmed" of another order would pay this one out.
#[tokio::test]
async fn another_order_with_the_id_of_a_redemption_or_a_cancellation_is_a_typed_error() {
    let shop = Shop::open().await;
    let (one, other) = (shop.sold().await, shop.sold().await);
    let mut request = redemption(&one);
    let id = request.id;
    let redeemed = approved(shop.till.redeem_order(request.clone()).await.unwrap());
    redeemed.confirm().await.unwrap();
    shop.drained().await;
    let same = shop.till.redeem_order(request.clone()).await;
    assert!(matches!(same, Ok(OrderOutcome::Earlier(_))), "{same:?}");
    request.order_redeem_ref = other.clone();
    let refused = shop.till.redeem_order(request).await;
    assert_known(refused.map(drop), id);

    let mut request = cancellation(&other);
    let id = request.id;
    drop(approved(
        shop.till.cancel_order(request.clone()).await.unwrap(),
    ));
    let same = shop.till.cancel_order(request.clone()).await;
    assert!(matches!(same, Ok(OrderOutcome::Earlier(_))), "{same:?}");
    request.order_redeem_ref = one;
    let refused = shop.till.cancel_order(request).await;
    assert_known(refused.map(drop), id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_tasks_that_ask_with_one_id_one_is_sent() {
    let shop = Shop::open().await;
    for _ in 0..20 {
        let request = order();
        let ask = || {
            let (till, request) = (shop.till.clone(), request.clone());
            tokio::spawn(async move { till.create_order(request).await.unwrap() })
        };
        let (one, other) = (ask(), ask());
        let outcomes = [one.await.unwrap(), other.await.unwrap()];
        let count = |wanted: fn(&OrderOutcome<_>) -> bool| {
            outcomes.iter().filter(|outcome| wanted(outcome)).count()
        };
        assert_eq!(
            count(|outcome| matches!(outcome, OrderOutcome::Approved(_))),
            1
        );
        assert_eq!(
            count(|outcome| matches!(outcome, OrderOutcome::Earlier(_))),
            1
        );
        let book = shop.upstream.book();
        assert_eq!(book.requests_of(request.id).received(), 1);
        assert_eq!(book.reversals_of(request.id).received(), 0);
    }
}

/// A request of each standing, with that standing.
async fn one_of_each_standing(shop: &Shop) -> Vec<(CreateOrderRequest, Standing)> {
    let mut known = Vec::new();
    let undecided = order();
    drop(approved(ask(shop, &undecided).await));
    known.push((undecided, Standing::Undecided));

    let confirmed = order();
    let approval = approved(ask(shop, &confirmed).await);
    approval.confirm().await.unwrap();
    known.push((confirmed, Standing::Confirmed));

    let reversed = order();
    let approval = approved(ask(shop, &reversed).await);
    approval.reverse(ReversalReason::Cancelled).await.unwrap();
    known.push((reversed, Standing::Reversed));

    let declined = order_of(500_001);
    drop(ask(shop, &declined).await);
    known.push((declined, Standing::Declined));

    shop.upstream.inject(
        Rule::on(Operation::CreateOrder)
            .next(1)
            .fault(Fault::LoseAnswer),
    );
    let unknown = order();
    drop(ask(shop, &unknown).await);
    known.push((unknown, Standing::Reversed));

    shop.drained().await;
    shop.upstream.go_down().await.unwrap();
    let not_sent = order();
    drop(ask(shop, &not_sent).await);
    known.push((not_sent, Standing::NotSent));
    shop.upstream.come_up().await.unwrap();
    known
}

async fn ask(
    shop: &Shop,
    request: &CreateOrderRequest,
) -> money_transfer_retailer::CreateOrderOutcome {
    shop.till.create_order(request.clone()).await.unwrap()
}

async fn assert_told_and_not_sent(shop: &Shop, known: &[(CreateOrderRequest, Standing)]) {
    let before = shop.upstream.book().messages().count();
    for (request, standing) in known {
        let earlier = earlier(shop, request.clone()).await;
        assert_eq!(earlier.standing, *standing);
        assert_eq!(earlier.request_id, request.id);
        assert_eq!(earlier.amount, Some(request.amount.clone()));
        let is_decided = matches!(standing, Standing::Confirmed | Standing::Reversed);
        assert_eq!(earlier.advice.is_some(), is_decided, "{standing:?}");
    }
    assert_eq!(shop.upstream.book().messages().count(), before);
}

async fn earlier(shop: &Shop, request: CreateOrderRequest) -> TransactionRecord {
    match shop.till.create_order(request).await.unwrap() {
        OrderOutcome::Earlier(record) => *record,
        other => panic!("not known: {other:?}"),
    }
}

fn assert_known(refused: Result<(), RequestError>, id: RequestId) {
    match refused {
        Err(RequestError::KnownRequest { request_id, .. }) => assert_eq!(request_id, id),
        other => panic!("{other:?}"),
    }
}

fn with_id(mut request: CreateOrderRequest, id: RequestId) -> CreateOrderRequest {
    request.id = id;
    request
}
