//! A queue belongs to one upstream, one user and one till; opened for another it is quarantined: nothing is
//! sent, and nothing is decided, until somebody adopts it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{
    Client, ClientBuilder, Credentials, DecisionError, OpenError, RequestError, RequestId,
};
use support::{PATIENCE, Shop, order, till};

/// What a till left behind that could not reach its upstream any more.
struct Left {
    shop: Shop,
    pending: RequestId,
    undecided: RequestId,
    unanswered: RequestId,
}

impl Left {
    async fn behind() -> Left {
        let shop = Shop::open().await;
        let undecided = shop.approved().await.request_id();
        let pending = shop.approved().await;
        let keep_back = Rule::on(Operation::CreateOrder).fault(Fault::ProcessAndHang);
        shop.upstream.inject(keep_back);
        let unanswered = order();
        let (id, till) = (unanswered.id, shop.till.with_timeout(PATIENCE));
        let asked = tokio::spawn(async move { till.create_order(unanswered).await.map(drop) });
        let received = shop
            .upstream
            .wait_until(|book| book.requests_of(id).received() == 1);
        tokio::time::timeout(PATIENCE, received).await.unwrap();
        shop.upstream.go_down().await.unwrap();
        let pending_id = pending.request_id();
        pending.confirm().await.unwrap();
        asked.await.unwrap().unwrap();
        shop.till.clone().shutdown(PATIENCE).await;
        shop.upstream.clear_faults();
        shop.upstream.come_up().await.unwrap();
        Left {
            shop,
            pending: pending_id,
            undecided,
            unanswered: id,
        }
    }

    fn builder(&self) -> ClientBuilder {
        till(&self.shop.upstream.base_url(), self.shop.queue.path())
    }
}

#[tokio::test]
async fn a_queue_of_another_upstream_sends_nothing_to_this_one() {
    let left = Left::behind().await;
    let production = Simulator::start().await.unwrap();
    let builder = till(&production.base_url(), left.shop.queue.path());
    let till = builder.open().await.unwrap();
    assert_quarantined(&till, &left).await;
    assert!(production.book().is_empty());
    assert_nothing_was_sent(&left);
}

#[tokio::test]
async fn a_queue_of_another_user_sends_nothing() {
    let left = Left::behind().await;
    let other = Credentials::new("7654321", "password");
    let till = left.builder().credentials(other).open().await.unwrap();
    assert_quarantined(&till, &left).await;
    assert_nothing_was_sent(&left);
}

#[tokio::test]
async fn a_queue_of_another_instance_sends_nothing() {
    let left = Left::behind().await;
    let till = left.builder().instance("till 8").open().await.unwrap();
    assert_quarantined(&till, &left).await;
    assert_nothing_was_sent(&left);
}

#[tokio::test]
async fn a_quarantined_queue_is_listed_and_takes_neither_requests_nor_decisions() {
    let left = Left::behind().await;
    let till = left.builder().instance("till 8").open().await.unwrap();
    let known = till.transaction(left.pending).unwrap().unwrap();
    assert!(known.advice.is_some());
    let undecided = till.advices().undecided().unwrap();
    assert_eq!(undecided[0].request_id, left.undecided);
    let pending = till.advices().pending().unwrap();
    assert!(pending.iter().any(|one| one.request_id == left.pending));

    let refused = till.create_order(order()).await.unwrap_err();
    assert!(
        matches!(refused, RequestError::Quarantined { .. }),
        "{refused}"
    );
    let id = left.undecided;
    let reason = ReversalReason::Cancelled;
    let refusals = [
        till.confirm(id).await.err(),
        till.reverse(id, reason).await.err(),
        till.complete(id).await.err(),
        till.tender_started(id).await.err(),
    ];
    for refused in refusals {
        assert!(
            matches!(refused, Some(DecisionError::Quarantined)),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_adopted_queue_is_taken_up_and_stays_adopted() {
    let left = Left::behind().await;
    let open = || left.builder().instance("till 8").open();
    let till = open().await.unwrap();
    let report = till.adopt().await.unwrap();
    assert!(!report.quarantined && !till.is_quarantined());
    assert_eq!((report.undecided, report.pending), (1, 2));
    till.advices().wait_empty(PATIENCE).await.unwrap();
    till.confirm(left.undecided).await.unwrap();
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let book = left.shop.upstream.book();
    assert_eq!(book.confirmations_of(left.pending).accepted(), 1);
    assert_eq!(book.confirmations_of(left.undecided).accepted(), 1);
    assert_eq!(book.reversals_of(left.unanswered).accepted(), 1);

    till.shutdown(PATIENCE).await;
    assert!(!open().await.unwrap().is_quarantined());
}

#[tokio::test]
async fn a_queue_that_was_adopted_is_no_longer_its_former_owners() {
    let left = Left::behind().await;
    let till = left.builder().instance("till 8").open().await.unwrap();
    till.adopt().await.unwrap();
    till.shutdown(PATIENCE).await;
    assert!(left.builder().open().await.unwrap().is_quarantined());
}

#[tokio::test]
async fn a_quarantine_that_nobody_adopts_leaves_the_queue_to_its_owner() {
    let left = Left::behind().await;
    let till = left.builder().instance("till 8").open().await.unwrap();
    till.shutdown(PATIENCE).await;
    let till = left.builder().open().await.unwrap();
    assert!(!till.is_quarantined());
    till.advices().wait_empty(PATIENCE).await.unwrap();
    let book = left.shop.upstream.book();
    assert_eq!(book.confirmations_of(left.pending).accepted(), 1);
}

#[tokio::test]
async fn a_changed_password_alone_is_no_other_owner() {
    let shop = Shop::open().await;
    shop.till.shutdown(PATIENCE).await;
    let builder = till(&shop.upstream.base_url(), shop.queue.path());
    let changed = Credentials::new("1234567", "a new password");
    let till = builder.credentials(changed).open().await.unwrap();
    assert!(!till.is_quarantined());
    assert!(!till.recovery().quarantined);
    drop(till.create_order(order()).await.unwrap());
}

#[tokio::test]
async fn a_second_open_is_an_error_that_names_the_path_and_the_holder() {
    let shop = Shop::open().await;
    let second = till(&shop.upstream.base_url(), shop.queue.path());
    let refused = second.open().await.unwrap_err();
    let OpenError::InUse { path, holder } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(path, shop.queue.path());
    assert_eq!(*holder, format!("process {}", std::process::id()));
    let text = refused.to_string();
    assert!(text.contains(holder), "{text}");
    assert!(text.contains(&*path.to_string_lossy()), "{text}");
    shop.approved().await.confirm().await.unwrap();
}

async fn assert_quarantined(till: &Client, left: &Left) {
    assert!(till.is_quarantined() && till.recovery().quarantined);
    assert_eq!(till.recovery().reversed, 0);
    // As long as many pauses and timeouts of this till.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(till.health().is_quarantined && !till.health().is_well());
    let known = till.transaction(left.pending).unwrap().unwrap();
    assert_eq!(known.advice.unwrap().state.to_string(), "next try now");
}

fn assert_nothing_was_sent(left: &Left) {
    let book = left.shop.upstream.book();
    assert_eq!(book.confirmations_of(left.pending).received(), 0);
    for id in [left.undecided, left.unanswered] {
        assert_eq!(book.confirmations_of(id).received(), 0);
        assert_eq!(book.reversals_of(id).received(), 0);
    }
}
