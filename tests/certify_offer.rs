//! What a server offers it offers every time: an operation that works once, and is missing at another time, is
//! a fail, and so is a cancelOrder whose reversal the server does not take.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use run::{Run, names, step, text, walk_at};

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

/// A run of these flows, in which the rules hold.
async fn run_with(rules: impl IntoIterator<Item = Rule>, flows: &[&str]) -> Run {
    let simulator = Simulator::start().await.unwrap();
    for rule in rules {
        simulator.inject(rule);
    }
    walk_at(&simulator.base_url(), "2", flows).await
}

#[tokio::test]
async fn an_operation_that_worked_once_must_not_be_missing_later() {
    for status in [501, 404, 405] {
        let second = Rule::on(Operation::UpdateOrderStatus).nth(2);
        let flow = "update-order-status";
        let run = run_with([second.fault(Fault::status(status))], &[flow]).await;
        assert_eq!(run.code, 1, "{status}: {}", run.out);
        let missing = step(&run, flow, "the same news arrive again");
        assert_eq!(missing["verdict"], "fail", "{status}: {}", run.out);
        let words = format!("not offered (HTTP {status}), but this server has answered it before");
        assert!(text(&missing["seen"]).starts_with(&words), "{}", run.out);
        assert_eq!(run.operations("notSupported"), names(&[]), "{status}");
    }
}

#[tokio::test]
async fn an_operation_that_is_declined_is_known_too() {
    let first = Rule::on(Operation::CancelOrder).nth(1);
    let first = first.fault(Fault::error("INVALID_AMOUNT"));
    let second = Rule::on(Operation::CancelOrder).nth(2);
    let second = second.fault(Fault::status(404));
    let flows = ["cancel-order", "cancel-order-reversed"];
    let run = run_with([first, second], &flows).await;
    let missing = step(&run, flows[1], "cancelOrder is approved");
    assert_eq!(missing["verdict"], "fail", "{}", run.out);
    assert_eq!(run.operations("notSupported"), names(&[]), "{}", run.out);
}

#[tokio::test]
async fn an_operation_that_was_missing_at_first_and_works_later_is_no_pass() {
    let first = Rule::on(Operation::CancelOrder).nth(1);
    let flows = ["cancel-order", "cancel-order-reversed"];
    let run = run_with([first.fault(Fault::status(404))], &flows).await;
    assert_eq!(run.code, 1, "{}", run.out);
    let offered = step(
        &run,
        "offer",
        "an operation is offered every time, or never",
    );
    assert_eq!(offered["seen"], "at times only: cancelOrder");
    assert!(run.out.contains("operations that failed (1): cancelOrder"));
}

#[tokio::test]
async fn a_server_that_cancels_has_to_take_the_reversal() {
    for status in [501, 404, 405] {
        let missing = Rule::on(Operation::CancelOrderReversal).fault(Fault::status(status));
        let simulator = Simulator::start().await.unwrap();
        simulator.inject(missing);
        let flow = "cancel-order-reversed";
        let run = walk_at(&simulator.base_url(), "0.5", &[flow]).await;
        assert_eq!(run.code, 1, "{status}: {}", run.out);
        let reversed = step(&run, flow, "the sender is not refunded");
        assert_eq!(reversed["verdict"], "fail", "{status}: {}", run.out);
        assert!(text(&reversed["seen"]).contains(&format!("HTTP {status}")));
    }
}

#[tokio::test]
async fn a_server_that_knows_neither_a_cancellation_nor_its_reversal_does_not_fail() {
    let missing = |operation| Rule::on(operation).fault(Fault::status(501));
    let both = [Operation::CancelOrder, Operation::CancelOrderReversal];
    let run = run_with(both.map(missing), &["cancel-order-reversed"]).await;
    assert_eq!((run.code, run.failed()), (0, 0), "{}", run.out);
    assert_eq!(run.operations("notSupported"), names(&both));
}

#[tokio::test]
async fn a_gateway_that_says_no_tells_nothing_of_what_is_offered() {
    let first = Rule::on(Operation::CancelOrder).nth(1);
    let first = first.fault(Fault::status(403));
    let second = Rule::on(Operation::CancelOrder).nth(2);
    let second = second.fault(Fault::status(404));
    let flows = ["cancel-order", "cancel-order-reversed"];
    let run = run_with([first, second], &flows).await;
    let missing = step(&run, flows[1], "cancelOrder is approved");
    assert_eq!(missing["verdict"], "not supported", "{}", run.out);
}
