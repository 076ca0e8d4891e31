//! What is in the way is told, and the delivery can be steered by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::time::Duration;

use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{
    AdviceId, AdviceState, Client, ClientBuilder, Credentials, CredentialsError, DecisionError,
    Health, LinkState, NotSentReason, OrderOutcome, RetryPolicy, Standing, Trouble, WaitError,
};
use support::{PATIENCE, Shop, approved, order, till};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Pauses that no test waits for.
fn patient() -> RetryPolicy {
    RetryPolicy::default().pauses(HOUR, HOUR)
}

async fn open(settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Shop {
    let upstream = Simulator::start().await.unwrap();
    let queue = tempfile::tempdir().unwrap();
    let builder = till(&upstream.base_url(), queue.path());
    let till = settings(builder).open().await.unwrap();
    Shop {
        upstream,
        till,
        queue,
    }
}

/// The health of `till`, once it is as wanted.
async fn health(till: &Client, wanted: impl Fn(&Health) -> bool) -> Health {
    let becomes = async {
        loop {
            let health = till.health();
            if wanted(&health) {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let became = tokio::time::timeout(PATIENCE, becomes).await;
    became.unwrap_or_else(|_| panic!("{:?}", till.health()))
}

async fn still_pending(till: &Client, id: AdviceId) {
    let waited = till.advices().wait(id, Duration::from_millis(200)).await;
    assert!(matches!(waited, Err(WaitError::StillPending)), "{waited:?}");
}

fn page(status: u16) -> Fault {
    CannedAnswer::status(status)
        .body("text/html", "<html>gateway</html>")
        .into()
}

#[tokio::test]
async fn health_names_what_is_in_the_way_and_is_well_again_when_it_is_gone() {
    let own = |status, error_type: &str| Fault::Error {
        status,
        error_type: error_type.to_owned(),
    };
    for (fault, trouble) in [
        (Fault::Hang, Trouble::NoAnswer),
        (Fault::LoseAnswer, Trouble::NoAnswer),
        (page(401), Trouble::Credentials),
        (page(407), Trouble::Credentials),
        (own(401, "AUTHENTICATION_ERROR"), Trouble::Credentials),
        (page(302), Trouble::WrongAddress),
        (page(404), Trouble::WrongAddress),
        (page(502), Trouble::Gateway),
        (Fault::status(500), Trouble::OutOfOrder),
        (page(200), Trouble::OutOfOrder),
    ] {
        let shop = Shop::open().await;
        assert!(shop.till.health().is_well());
        let order = shop.approved().await;
        let rule = Rule::on(Operation::ConfirmPayment).fault(fault.clone());
        shop.upstream.inject(rule);
        order.confirm().await.unwrap();
        let seen = health(&shop.till, |health| health.link != LinkState::Up).await;
        assert_eq!(seen.trouble, Some(trouble), "{fault:?}");
        assert!(!seen.is_well());
        assert_eq!(seen.pending, 1);
        shop.upstream.clear_faults();
        shop.drained().await;
        assert!(shop.till.health().is_well(), "{:?}", shop.till.health());
    }
}

#[tokio::test]
async fn an_upstream_that_takes_no_connection_is_unreachable_since_a_time() {
    let shop = Shop::open().await;
    let order = shop.approved().await;
    shop.upstream.go_down().await.unwrap();
    order.confirm().await.unwrap();
    let down = health(
        &shop.till,
        |health| matches!(health.link, LinkState::Down { failures, .. } if failures > 3),
    );
    assert_eq!(down.await.trouble, Some(Trouble::Unreachable));
    shop.upstream.come_up().await.unwrap();
    shop.drained().await;
    assert_eq!(shop.till.health().link, LinkState::Up);
}

#[tokio::test]
async fn failing_fast_nothing_is_tried_while_the_upstream_is_down_and_known_requests_are_known() {
    let shop = open(|till| till.fail_fast().retry_policy(patient())).await;
    let known = order();
    let first = approved(shop.till.create_order(known.clone()).await.unwrap());
    shop.upstream.go_down().await.unwrap();
    first.confirm().await.unwrap();
    health(&shop.till, |health| health.link != LinkState::Up).await;
    shop.upstream.come_up().await.unwrap();
    let messages = shop.upstream.book().messages().count();

    let OrderOutcome::NotSent(not_sent) = shop.till.create_order(order()).await.unwrap() else {
        panic!("it was tried");
    };
    assert_eq!(not_sent.reason, NotSentReason::Held);
    assert_eq!(shop.upstream.book().messages().count(), messages);
    let again = shop.till.create_order(known).await.unwrap();
    let OrderOutcome::Earlier(earlier) = again else {
        panic!("{again:?}");
    };
    assert_eq!(earlier.standing, Standing::Confirmed);

    // Nobody looks while the delivery is paused, so the till has to.
    shop.till.pause();
    let outcome = shop.till.create_order(order()).await.unwrap();
    let _ = approved(outcome).reverse(ReversalReason::Cancelled).await;
    shop.till.resume().await.unwrap();
    shop.till.deliver_now();
    shop.drained().await;
}

#[tokio::test]
async fn deliver_now_waits_for_no_pause_and_pause_holds_everything() {
    let shop = open(|till| till.retry_policy(patient())).await;
    let order = shop.approved().await;
    let rule = Rule::on(Operation::ConfirmPayment);
    shop.upstream.inject(rule.next(1).fault(Fault::status(500)));
    let advice = order.confirm().await.unwrap();
    shop.upstream.received(Operation::ConfirmPayment, 1).await;
    still_pending(&shop.till, advice.advice_id).await;

    shop.till.pause();
    shop.till.deliver_now();
    assert!(shop.till.health().is_paused && !shop.till.health().is_well());
    let empty = shop
        .till
        .advices()
        .wait_empty(Duration::from_millis(200))
        .await;
    assert_eq!(empty.unwrap_err().count, 1);
    let listed = shop.till.advices().pending().unwrap();
    assert_eq!(listed[0].state, AdviceState::Held);
    shop.till.resume().await.unwrap();
    shop.till.deliver_now();
    let ended = shop.till.advices().wait(advice.advice_id, PATIENCE).await;
    assert_eq!(ended.unwrap().unwrap().state, AdviceState::Accepted);
    shop.drained().await;
    assert_eq!(shop.upstream.book().count(Operation::ConfirmPayment), 2);
}

#[tokio::test]
async fn a_suspension_stands_over_a_restart_until_somebody_ends_it() {
    let shop = Shop::open().await;
    shop.till.pause();
    for _ in 0..8 {
        shop.approved().await.confirm().await.unwrap();
    }
    let refusal = Rule::on(Operation::ConfirmPayment).fault(Fault::error("ROUTING_ERROR"));
    shop.upstream.inject(refusal);
    shop.till.resume().await.unwrap();
    let suspended = health(&shop.till, |health| health.suspension.is_some()).await;
    shop.upstream.clear_faults();
    let shop = shop.reopen().await;
    let reopened = shop.till.health();
    assert_eq!(reopened.suspension, suspended.suspension);
    assert_eq!(
        reopened.suspension.unwrap().error_type.as_deref(),
        Some("ROUTING_ERROR")
    );
    let sent = shop.upstream.book().count(Operation::ConfirmPayment);
    let empty = shop
        .till
        .advices()
        .wait_empty(Duration::from_millis(200))
        .await;
    assert_eq!(empty.unwrap_err().count, 6);
    assert_eq!(shop.upstream.book().count(Operation::ConfirmPayment), sent);
    shop.till.resume().await.unwrap();
    shop.drained().await;
    let shop = shop.reopen().await;
    let health = shop.till.health();
    assert_eq!((health.suspension, health.rejected), (None, 2));
    for refused in shop.till.advices().rejected().unwrap() {
        let given_up = shop
            .till
            .abandon(refused.request_id, "paid back", "A. Adams");
        given_up.await.unwrap();
    }
    assert!(shop.till.health().is_well());
}

#[tokio::test]
async fn in_order_health_names_the_advice_that_all_others_wait_for() {
    let shop = open(|till| till.in_order().retry_policy(patient())).await;
    let (head, next) = (shop.approved().await, shop.approved().await);
    let rule = Rule::on(Operation::ConfirmPayment);
    shop.upstream.inject(rule.next(1).fault(Fault::status(500)));
    let head = head.confirm().await.unwrap();
    next.confirm().await.unwrap();
    let seen = health(&shop.till, |health| health.blocked_by.is_some()).await;
    assert_eq!(seen.blocked_by, Some(head.advice_id));
    assert_eq!(shop.upstream.book().count(Operation::ConfirmPayment), 1);
    shop.till.deliver_now();
    shop.drained().await;
    assert!(shop.till.health().is_well());
}

#[tokio::test]
async fn an_advice_of_a_quarantined_queue_is_waited_for() {
    let shop = open(|till| till.retry_policy(patient())).await;
    shop.till.pause();
    let advice = shop.approved().await.confirm().await.unwrap();
    shop.till.shutdown(PATIENCE).await;
    let builder = till(&shop.upstream.base_url(), shop.queue.path()).instance("another till");
    let till = builder.open().await.unwrap();
    still_pending(&till, advice.advice_id).await;
    till.adopt().await.unwrap();
    let ended = till.advices().wait(advice.advice_id, PATIENCE).await;
    assert_eq!(ended.unwrap().unwrap().state, AdviceState::Accepted);
}

#[tokio::test]
async fn credentials_of_another_user_are_refused_and_another_password_frees_what_is_held() {
    let shop = open(|till| till.retry_policy(patient())).await;
    let id = shop.approved().await.confirm().await.unwrap().request_id;
    shop.drained().await;
    let order = shop.approved().await;
    let rule = Rule::on(Operation::ConfirmPayment);
    shop.upstream.inject(rule.next(1).fault(page(401)));
    order.confirm().await.unwrap();
    health(&shop.till, |health| {
        health.trouble == Some(Trouble::Credentials)
    })
    .await;
    let other = Credentials::new("7654321", "password");
    let refused = shop.till.replace_credentials(other);
    assert_eq!(refused, Err(CredentialsError::AnotherUser));
    assert_eq!(shop.till.advices().pending_count(), 1);
    let same = Credentials::new("1234567", "password");
    shop.till.replace_credentials(same).unwrap();
    shop.drained().await;
    assert!(shop.till.health().is_well());
    assert_ne!(shop.till.transaction(id).unwrap(), None);
    assert!(shop.till.advices().rejected().unwrap().is_empty());
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_failed_handshake_is_told_as_such() {
    let upstream = Simulator::start().await.unwrap();
    let queue = tempfile::tempdir().unwrap();
    let https = upstream.base_url().replace("http:", "https:");
    let till = till(&https, queue.path()).open().await.unwrap();
    let outcome = till.create_order(order()).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::NotSent(_)), "{outcome:?}");
    assert_eq!(till.health().trouble, Some(Trouble::Tls));
    // What a till tries on its own account closes no way.
    assert_eq!(till.health().link, LinkState::Up);
}

#[tokio::test]
async fn nobody_waits_for_a_client_that_was_shut_down() {
    let shop = open(|till| till.retry_policy(patient())).await;
    let order = shop.approved().await;
    let confirmations = Rule::on(Operation::ConfirmPayment).always();
    shop.upstream
        .inject(confirmations.fault(Fault::status(500)));
    let advice = order.confirm().await.unwrap();
    shop.upstream.received(Operation::ConfirmPayment, 1).await;
    let (one, all) = (shop.till.clone(), shop.till.clone());
    let waiting_for_one =
        tokio::spawn(async move { one.advices().wait(advice.advice_id, HOUR).await });
    let waiting_for_all = tokio::spawn(async move { all.advices().wait_empty(HOUR).await });
    tokio::task::yield_now().await;
    shop.till.shutdown(PATIENCE).await;
    let waited = tokio::time::timeout(PATIENCE, waiting_for_one).await;
    let waited = waited.unwrap().unwrap();
    assert!(
        matches!(waited, Err(WaitError::Queue(DecisionError::Closed))),
        "{waited:?}"
    );
    let waited = tokio::time::timeout(PATIENCE, waiting_for_all).await;
    assert_eq!(waited.unwrap().unwrap().unwrap_err().count, 1);
}
