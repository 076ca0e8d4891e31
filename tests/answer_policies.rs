//! How answers are read is up to a policy: in doubt by default, the interface's table, or one's own.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use money_transfer_retailer::policy::{
    AdviceMeaning, AnswerPolicy, AnsweredAdvice, AnsweredRequest, InDoubt, InterfaceTable,
    RequestMeaning,
};
use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule, Simulator};
use money_transfer_retailer::{AdviceState, OrderOutcome};
use support::{PATIENCE, Shop, order, till};

async fn open(policy: impl AnswerPolicy + 'static) -> Shop {
    let upstream = Simulator::start().await.unwrap();
    let queue = tempfile::tempdir().unwrap();
    let builder = till(&upstream.base_url(), queue.path()).answer_policy(policy);
    let till = builder.open().await.unwrap();
    Shop {
        upstream,
        till,
        queue,
    }
}

fn page(status: u16) -> Fault {
    CannedAnswer::status(status)
        .body("text/html", "<html>gateway</html>")
        .into()
}

/// Whether a createOrder that is answered so is declined, rather than reversed.
async fn is_declined(shop: &Shop, fault: Fault) -> bool {
    let rule = Rule::on(Operation::CreateOrder).next(1).fault(fault);
    shop.upstream.inject(rule);
    match shop.till.create_order(order()).await.unwrap() {
        OrderOutcome::Declined(_) => true,
        OrderOutcome::Unknown(_) => false,
        other => panic!("{other:?}"),
    }
}

/// How a confirmation ends whose first answer is this one.
async fn end(shop: &Shop, fault: Fault) -> AdviceState {
    let order = shop.approved().await;
    let rule = Rule::on(Operation::ConfirmPayment).next(1).fault(fault);
    shop.upstream.inject(rule);
    let advice = order.confirm().await.unwrap();
    let ended = shop.till.advices().wait(advice.advice_id, PATIENCE).await;
    ended.unwrap().unwrap().state
}

#[tokio::test]
async fn a_gateways_page_reverses_by_default_and_declines_by_the_table() {
    let (doubt, table) = (open(InDoubt).await, open(InterfaceTable).await);
    for (status, by_default) in [
        (502, false),
        (302, false),
        (429, false),
        (403, true),
        (501, true),
    ] {
        assert_eq!(
            is_declined(&doubt, page(status)).await,
            by_default,
            "{status}"
        );
        assert!(is_declined(&table, page(status)).await, "{status}");
    }
    for status in [500, 504] {
        assert!(!is_declined(&doubt, page(status)).await);
        assert!(!is_declined(&table, page(status)).await);
    }
}

#[tokio::test]
async fn a_gateways_page_is_repeated_by_default_and_obeyed_by_the_table() {
    use AdviceState as S;
    let (doubt, table) = (open(InDoubt).await, open(InterfaceTable).await);
    for (status, by_the_table) in [
        (200, S::Accepted),
        (502, S::Rejected),
        (404, S::Rejected),
        (504, S::Accepted),
    ] {
        assert_eq!(end(&doubt, page(status)).await, S::Accepted, "{status}");
        assert_eq!(end(&table, page(status)).await, by_the_table, "{status}");
    }
    let confirmations = doubt.upstream.book().count(Operation::ConfirmPayment);
    assert_eq!(confirmations, 8, "each was sent again");
    let confirmations = table.upstream.book().count(Operation::ConfirmPayment);
    assert_eq!(confirmations, 5, "after a 504 alone");
}

#[tokio::test]
async fn by_the_table_a_gateway_that_refuses_everything_suspends_the_delivery_too() {
    let shop = open(InterfaceTable).await;
    shop.till.pause();
    for _ in 0..8 {
        shop.approved().await.confirm().await.unwrap();
    }
    let rule = Rule::on(Operation::ConfirmPayment).fault(page(502));
    shop.upstream.inject(rule);
    shop.till.resume().await.unwrap();
    let suspended = async {
        while shop.till.health().suspension.is_none() {
            tokio::time::sleep(support::TIMEOUT / 40).await;
        }
    };
    tokio::time::timeout(PATIENCE, suspended).await.unwrap();
    assert_eq!(shop.till.health().suspension.unwrap().status, 502);
    shop.upstream.clear_faults();
    shop.till.resume().await.unwrap();
    shop.drained().await;
    assert_eq!(shop.till.advices().rejected().unwrap().len(), 2);
}

/// Takes a 410 for the word that an advice was taken, and a 599 to a request for a no.
struct Own;

impl AnswerPolicy for Own {
    fn advice(&self, answer: &AnsweredAdvice<'_>) -> AdviceMeaning {
        match answer.status {
            410 if answer.possibly_sent_before => AdviceMeaning::ArrivedEarlier,
            _ => InDoubt.advice(answer),
        }
    }

    fn request(&self, answer: &AnsweredRequest<'_>) -> RequestMeaning {
        match answer.status {
            599 => RequestMeaning::Declined,
            _ => InDoubt.request(answer),
        }
    }
}

#[tokio::test]
async fn a_policy_of_ones_own_is_asked_and_what_it_infers_is_listed() {
    let shop = open(Own).await;
    assert!(is_declined(&shop, page(599)).await);
    assert!(!is_declined(&shop, page(502)).await);
    shop.drained().await;
    assert_eq!(
        end(&shop, page(410)).await,
        AdviceState::Accepted,
        "never sent before"
    );
    let order = shop.approved().await;
    for fault in [Fault::status(500), page(410)] {
        let rule = Rule::on(Operation::ConfirmPayment).next(1).fault(fault);
        shop.upstream.inject(rule);
    }
    let advice = order.confirm().await.unwrap();
    shop.drained().await;
    let inferred = shop.till.advices().inferred().unwrap();
    let last = inferred.last().unwrap();
    assert_eq!(last.advice_id, advice.advice_id);
    assert_eq!(last.state, AdviceState::ArrivedEarlier);
}
