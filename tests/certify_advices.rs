//! The evidence of a certification run shows every message that the server got, and of every confirmation
//! and reversal each sending, what came of it, and whether its end was answered or inferred.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use std::collections::BTreeSet;
use std::time::Duration;

use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use run::{Run, run, step, text, walk_at};
use serde_json::Value;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

#[path = "certify/paying_anyway.rs"]
mod paying_anyway;

const ADVICES: [Operation; 5] = [
    Operation::ConfirmPayment,
    Operation::ReversePayment,
    Operation::ConfirmRedeem,
    Operation::ReverseRedeem,
    Operation::CancelOrderReversal,
];

/// The message of a step, as it was sent.
fn sent(step: &Value) -> &Value {
    &step["exchanges"][0]["request"]
}

fn all_steps(run: &Run) -> impl Iterator<Item = &Value> {
    let flows = run.json["flows"].as_array().unwrap();
    flows
        .iter()
        .flat_map(|flow| flow["steps"].as_array().unwrap())
}

#[tokio::test]
async fn every_message_that_the_server_got_is_in_the_report() {
    let simulator = Simulator::start().await.unwrap();
    // So that the first requests of the flow below have time enough, and are taken back.
    let slow_quote = Fault::SlowHeaders(Duration::from_millis(800));
    simulator.inject(Rule::on(Operation::GetFeeQuote).nth(2).fault(slow_quote));
    let run = walk_at(&simulator.base_url(), "5", &[]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let told = |id| {
        let ids = all_steps(&run).filter_map(|step| step[id].as_str());
        ids.collect::<BTreeSet<_>>()
    };
    let (requests, advices) = (told("requestId"), told("adviceId"));
    let book = simulator.book();
    for message in book.messages() {
        if let Some(id) = message.advice_id() {
            assert!(advices.contains(id), "{:?} {id}", message.operation());
        }
        if let Some(id) = message.request_id() {
            assert!(requests.contains(id), "{:?} {id}", message.operation());
        }
    }
}

#[tokio::test]
async fn a_try_that_is_answered_in_time_is_told_with_its_reversal() {
    let simulator = Simulator::start().await.unwrap();
    let slow_quote = Fault::SlowHeaders(Duration::from_millis(800));
    simulator.inject(Rule::on(Operation::GetFeeQuote).fault(slow_quote));
    let flow = "create-order-timed-out";
    let run = walk_at(&simulator.base_url(), "5", &[flow]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let answered = step(&run, flow, "no answer to createOrder in time, try 1");
    assert!(text(&answered["expected"]).contains("no answer within 4"));
    assert!(text(&answered["seen"]).starts_with("approved R "));
    let taken_back = step(&run, flow, "try 1 was answered, and is taken back");
    assert_eq!(taken_back["requestId"], answered["requestId"]);
    assert_eq!(taken_back["seen"], "delivered (HTTP 202)");
    let reversed = step(&run, flow, "the client reverses it by itself");
    assert_eq!(sent(reversed)["reversalReason"], "TIMEOUT");
}

#[tokio::test]
async fn an_advice_is_shown_as_the_server_got_it() {
    let simulator = Simulator::start().await.unwrap();
    let run = walk_at(&simulator.base_url(), "5", &[]).await;
    let book = simulator.book();
    for operation in ADVICES {
        let shown = all_steps(&run).filter(|step| step["operation"] == operation.name());
        let shown: Vec<&Value> = shown.collect();
        assert!(!shown.is_empty(), "{operation}");
        for step in shown {
            let id = text(&step["adviceId"]);
            let mut got = book.messages_of(operation);
            let got = got.find(|message| message.advice_id() == Some(id));
            assert_eq!(*sent(step), got.unwrap().json(), "{operation}");
        }
    }
    let schema = |flow, name| text(&step(&run, flow, name)["advice"]["schema"]).to_owned();
    let schemas = [
        ("create-order", "the customer pays"),
        ("redeem-order-reversed", "the recipient is not paid"),
        ("cancel-order-reversed", "the sender is not refunded"),
    ];
    assert_eq!(
        schemas.map(|(flow, name)| schema(flow, name)),
        [
            "MoneyTransferConfirmation",
            "MoneyTransferReversal",
            "MoneyTransferCancelOrderReversal"
        ]
    );
    assert!(run.html.contains("Sent: MoneyTransferCancelOrderReversal"));
}

#[tokio::test]
async fn every_sending_of_an_advice_is_told() {
    let simulator = Simulator::start().await.unwrap();
    for fault in [Fault::status(503), Fault::CloseBefore] {
        simulator.inject(Rule::on(Operation::ConfirmPayment).next(1).fault(fault));
    }
    let run = walk_at(&simulator.base_url(), "5", &["create-order"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let confirmed = step(&run, "create-order", "the customer pays");
    assert_eq!(confirmed["seen"], "delivered (HTTP 202, attempt 3)");
    let advice = &confirmed["advice"];
    assert_eq!(
        (&advice["ending"], &advice["attemptCount"]),
        (&"delivered".into(), &3.into())
    );
    let attempts = advice["attempts"].as_array().unwrap();
    let told = |name| {
        attempts
            .iter()
            .map(|one| one[name].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("number"), [1, 2, 3]);
    assert_eq!(told("outcome"), ["unknown", "unknown", "accepted"]);
    assert_eq!(told("httpStatus"), [503.into(), Value::Null, 202.into()]);
    let problem = "HTTP status 503, which is not the service's own word";
    assert_eq!(attempts[0]["problem"], problem);
    assert_eq!(attempts[2]["problem"], Value::Null);
    let mut times = told("endedAt");
    times.insert(0, advice["decidedAt"].clone());
    assert!(
        times.is_sorted_by_key(|time| text(time).to_owned()),
        "{times:?}"
    );
    assert!(run.html.contains("<td>503</td>") && run.html.contains("attempts: 3"));
}

#[tokio::test]
async fn an_advice_that_arrived_earlier_is_told_as_inferred() {
    let simulator = Simulator::start().await.unwrap();
    let lost = Rule::on(Operation::ConfirmPayment)
        .next(1)
        .fault(Fault::LoseAnswer);
    simulator.inject(lost);
    let run = walk_at(&simulator.base_url(), "5", &["create-order"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let confirmed = step(&run, "create-order", "the customer pays");
    let words = "inferred: arrived earlier (DUPLICATE_RECORD, HTTP 400, attempt 2)";
    assert_eq!(confirmed["seen"], words);
    assert_eq!(confirmed["advice"]["ending"], "inferred");
    let last = &confirmed["advice"]["attempts"][1];
    assert_eq!(
        (&last["httpStatus"], &last["errorType"]),
        (&400.into(), &"DUPLICATE_RECORD".into())
    );
    assert_eq!(run.json["advices"]["inferred"], 1);
    assert!(run.html.contains(words));
}

/// A run of a flow whose first createOrder never arrives.
async fn run_with_a_lost_request(more: &[&str]) -> Run {
    let simulator = Simulator::start().await.unwrap();
    simulator.inject(Rule::on(Operation::CreateOrder).next(1).fault(Fault::Hang));
    let base_url = simulator.base_url();
    let mut arguments = vec!["--base-url", &base_url, "--user", "7654321"];
    arguments.extend(["--password-env", "PASSWORD", "--timeout", "0.5"]);
    arguments.extend(["--only", "create-order-timed-out"]);
    arguments.extend(more);
    run(&arguments).await
}

#[tokio::test]
async fn a_reversal_of_what_never_arrived_is_told_as_inferred() {
    let run = run_with_a_lost_request(&[]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let reversed = step(
        &run,
        "create-order-timed-out",
        "the client reverses it by itself",
    );
    let words = "inferred: nothing to reverse (UNABLE_TO_LOCATE_RECORD, HTTP 400";
    assert!(text(&reversed["seen"]).starts_with(words), "{}", run.out);
    assert_eq!(reversed["advice"]["state"], "nothing to reverse");
    assert_eq!(
        run.json["answerPolicy"],
        "in doubt repeat, in doubt reverse"
    );
}

#[tokio::test]
async fn by_the_interfaces_own_table_the_first_refusal_of_that_reversal_ends_it() {
    let run = run_with_a_lost_request(&["--interface-table"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let policy = "the interface's own table, to the letter";
    assert_eq!(run.json["answerPolicy"], policy);
    assert!(
        run.html
            .contains("<dd>the interface&#39;s own table, to the letter</dd>")
    );
    assert!(run.out.contains(policy), "{}", run.out);
    let reversed = step(
        &run,
        "create-order-timed-out",
        "the client reverses it by itself",
    );
    let words =
        "reversePayment rejected after 1 attempt, refused: UNABLE_TO_LOCATE_RECORD (HTTP 400)";
    assert_eq!(reversed["seen"], words);
    let queues = step(&run, "queues", "nothing was rejected");
    assert_eq!(queues["verdict"], "pass", "it was expected");
}

#[tokio::test]
async fn by_the_interfaces_own_table_an_order_can_be_paid_after_such_a_refusal() {
    for (operation, flow) in [
        (Operation::RedeemOrder, "redeem-order-timed-out"),
        (Operation::CancelOrder, "cancel-order-timed-out"),
    ] {
        let simulator = Simulator::start().await.unwrap();
        // The first cancelOrder of its flow is answered.
        let timed_out = if operation == Operation::CancelOrder {
            2
        } else {
            1
        };
        simulator.inject(Rule::on(operation).nth(timed_out).fault(Fault::Hang));
        let base_url = simulator.base_url();
        let mut arguments = vec!["--base-url", &base_url, "--user", "7654321"];
        arguments.extend(["--password-env", "PASSWORD", "--timeout", "0.5"]);
        arguments.extend(["--only", flow, "--interface-table"]);
        let run = run(&arguments).await;
        assert_eq!(run.code, 0, "{flow}: {}", run.out);
        let reversed = step(&run, flow, "the client reverses it by itself");
        assert!(text(&reversed["seen"]).contains("rejected after 1 attempt"));
        let paid = step(&run, flow, "the order is redeemed for good");
        assert_eq!(paid["verdict"], "pass", "{flow}: {}", run.out);
    }
}

#[tokio::test]
async fn by_the_interfaces_own_table_a_gateways_refusal_ends_a_confirmation() {
    let simulator = Simulator::start().await.unwrap();
    simulator.inject(
        Rule::on(Operation::ConfirmPayment)
            .next(1)
            .fault(Fault::status(503)),
    );
    let base_url = simulator.base_url();
    let mut arguments = vec!["--base-url", &base_url, "--user", "7654321"];
    arguments.extend(["--password-env", "PASSWORD", "--only", "create-order"]);
    arguments.push("--interface-table");
    let run = run(&arguments).await;
    assert_eq!(run.code, 1, "{}", run.out);
    let confirmed = step(&run, "create-order", "the customer pays");
    assert!(text(&confirmed["seen"]).contains("rejected after 1 attempt,"));
}

#[tokio::test]
async fn a_confirmation_that_the_server_does_not_offer_fails() {
    let simulator = Simulator::start().await.unwrap();
    simulator.inject(Rule::on(Operation::ConfirmPayment).fault(Fault::status(501)));
    let run = walk_at(&simulator.base_url(), "1", &["create-order"]).await;
    assert_eq!(run.code, 1, "{}", run.out);
}

#[tokio::test]
async fn an_order_is_looked_up_before_and_after_each_decision() {
    let run = run(&[]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let mut decisions = 0;
    for flow in run.json["flows"].as_array().unwrap() {
        for around in flow["steps"].as_array().unwrap().windows(3) {
            let [before, decision, after] = around else {
                unreachable!("three at a time");
            };
            let name = text(&decision["step"]);
            let by_itself = name.ends_with("taken back") || name.ends_with("by itself");
            if decision["advice"].is_null() || by_itself {
                continue;
            }
            decisions += 1;
            for looked_up in [before, after] {
                assert_eq!(
                    looked_up["operation"], "lookupOrder",
                    "{}: {name}",
                    flow["flow"]
                );
            }
        }
    }
    assert!(decisions > 20, "{decisions}");
}

#[tokio::test]
async fn a_server_that_pays_twice_has_its_second_redemption_reversed() {
    let server = paying_anyway::Server::in_spite_of("ALREADY_REDEEMED").await;
    let run = walk_at(&server.base_url(), "5", &["redeem-order"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let again = step(&run, "redeem-order", "the order is redeemed again");
    assert!(
        text(&again["seen"]).starts_with("approved R "),
        "{}",
        run.out
    );
    let remarks = again["remarks"].as_array().unwrap().iter().map(text);
    let is_it = |remark: &&str| remark.starts_with("this server pays the same order out twice");
    let remark = remarks.into_iter().find(is_it).unwrap();
    assert!(run.html.contains(&format!("Remark: {remark}")));
    assert!(run.out.contains("remark: this server pays the same"));
    let reversed = step(&run, "redeem-order", "nobody is paid twice");
    assert_eq!(reversed["seen"], "delivered (HTTP 202)");
    assert_eq!(reversed["requestId"], again["requestId"]);
    assert_eq!(server.reversed(), [text(&again["requestId"])]);
}
