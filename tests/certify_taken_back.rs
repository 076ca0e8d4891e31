//! What was reversed is tried out: a server that takes a reversal, says so in every lookup, and pays out all
//! the same does not pass the certification run, nor does one that keeps an order cancelled.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use between::{Answer, Asked, Server};
use run::{step, text, walk_at};
use serde_json::json;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/paying_anyway.rs"]
mod paying_anyway;

#[tokio::test]
async fn an_order_that_was_reversed_and_is_paid_out_all_the_same_fails() {
    for flow in [
        "create-order-reversed",
        "create-order-answer-lost",
        "reversals-repeated",
        "order-decided-once",
        "redeem-order-declined",
        "cancel-order",
    ] {
        let server = paying_anyway::Server::in_spite_of("UNABLE_TO_REDEEM").await;
        let run = walk_at(&server.base_url(), "2", &[flow]).await;
        assert_eq!(run.code, 1, "{flow}: {}", run.out);
        let paid = step(&run, flow, "the order cannot be redeemed");
        assert_eq!(paid["verdict"], "fail", "{flow}: {}", run.out);
        assert!(text(&paid["seen"]).starts_with("approved R "), "{flow}");
        // Nobody was paid: what the server approved is taken back.
        let approved = text(&paid["requestId"]).to_owned();
        assert!(server.reversed().contains(&approved), "{flow}: {}", run.out);
    }
}

/// A server that takes the reversal of a cancellation, says that the order stands again, and pays nobody.
async fn keeping_it_cancelled() -> Server {
    let is_reversed = std::sync::atomic::AtomicBool::new(false);
    Server::start(move |asked: &Asked, answer: Answer| {
        use std::sync::atomic::Ordering;
        if asked.is("POST /orders/cancel/reversals") {
            is_reversed.store(true, Ordering::SeqCst);
        }
        if !is_reversed.load(Ordering::SeqCst) || !asked.is("POST /orders/redemptions") {
            return answer;
        }
        let refusal = json!({
            "errorType": "UNABLE_TO_REDEEM", "errorMessage": "cancelled", "id": asked.json["id"],
        });
        Answer {
            status: 400,
            body: refusal.to_string().into(),
            ..answer
        }
    })
    .await
}

#[tokio::test]
async fn an_order_whose_cancellation_was_reversed_can_be_paid_out_again() {
    for flow in [
        "cancel-order-reversed",
        "cancel-order-timed-out",
        "cancel-order-answer-lost",
    ] {
        let server = keeping_it_cancelled().await;
        let run = walk_at(&server.base_url(), "2", &[flow]).await;
        assert_eq!(run.code, 1, "{flow}: {}", run.out);
        let again = step(&run, flow, "the order stands again");
        assert_eq!(again["verdict"], "pass", "{flow}: {}", run.out);
        let paid = step(&run, flow, "the order is redeemed");
        assert_eq!(paid["verdict"], "fail", "{flow}: {}", run.out);
    }
}

#[tokio::test]
async fn a_confirmed_order_is_paid_out_whatever_reversal_came_later() {
    let server = Server::start(|_: &Asked, answer: Answer| answer).await;
    let flow = "order-decided-once";
    let run = walk_at(&server.base_url(), "2", &[flow]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let paid = step(&run, flow, "the order is redeemed for good");
    assert_eq!(paid["verdict"], "pass", "{}", run.out);
}
