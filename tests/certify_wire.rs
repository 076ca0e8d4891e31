//! The certification run holds every answer against the interface as HTTP, too: its status, what it is
//! labelled, whether all of it comes; and shows each message as it went over the wire, masked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use std::time::Duration;

use between::{Answer, Asked, Server};
use money_transfer_retailer::model::ReversalReason;
use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use run::certify::conduct::{Matter, faults};
use run::certify::wire::{Exchange, Sent, Wire};
use run::{Run, names, step, text, walk_at};
use serde_json::{Value, json};

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

/// A server that succeeds with another status.
async fn succeeding_with(status: u16, line: &'static str) -> Server {
    let change = move |asked: &Asked, answer: Answer| match asked.is(line) && answer.is_success() {
        true => Answer { status, ..answer },
        false => answer,
    };
    Server::start(change).await
}

#[tokio::test]
async fn a_success_with_another_status_than_the_documented_one_fails() {
    use Operation as O;
    let wrong = [
        (O::CreateOrder, 200, "POST /orders", "create-order"),
        (
            O::RedeemOrder,
            200,
            "POST /orders/redemptions",
            "redeem-order",
        ),
        (O::CancelOrder, 201, "POST /orders/cancel", "cancel-order"),
        (
            O::ConfirmPayment,
            200,
            "POST /orders/confirmations",
            "create-order",
        ),
        (
            O::ReversePayment,
            201,
            "POST /orders/reversals",
            "create-order-reversed",
        ),
        (O::LookupOrder, 202, "GET /orders", "create-order"),
        (
            O::UpdateOrderStatus,
            200,
            "PUT /orders/status",
            "update-order-status",
        ),
        (
            O::CreateOrUpdateCustomer,
            200,
            "POST /admin/customers",
            "customers",
        ),
        (O::GetFeeQuote, 201, "GET /admin/fees", "fee-quote"),
    ];
    for (operation, status, line, flow) in wrong {
        let server = succeeding_with(status, line).await;
        let run = walk_at(&server.base_url(), "2", &[flow]).await;
        assert_eq!(run.code, 1, "{operation}: {}", run.out);
        assert_eq!(run.operations("failed"), names(&[operation]), "{}", run.out);
        let words = format!("HTTP {status} where the interface has ");
        assert!(run.html.contains(&words), "{operation}: {}", run.out);
    }
}

#[tokio::test]
async fn a_customer_that_is_known_is_changed_with_200_or_201() {
    for status in [200, 201] {
        let change = move |asked: &Asked, answer: Answer| match answer.is_success()
            && asked.is("POST /admin/customers")
            && asked.json["customerProfileId"].is_string()
        {
            true => Answer { status, ..answer },
            false => answer,
        };
        let server = Server::start(change).await;
        let run = walk_at(&server.base_url(), "2", &["customers"]).await;
        assert_eq!(run.code, 0, "{status}: {}", run.out);
    }
}

#[tokio::test]
async fn a_reversal_of_a_cancellation_is_taken_with_200_or_202() {
    for status in [200, 202] {
        let server = succeeding_with(status, "POST /orders/cancel/reversals").await;
        let run = walk_at(&server.base_url(), "2", &["cancel-order-reversed"]).await;
        assert_eq!(run.code, 0, "{status}: {}", run.out);
    }
}

#[tokio::test]
async fn a_body_that_is_labelled_as_something_else_than_json_fails() {
    let change = |asked: &Asked, answer: Answer| match asked.is("POST /orders") {
        true => answer.with("content-type", "text/html"),
        false => answer,
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "2", &["create-order"]).await;
    assert_eq!(run.code, 1);
    let created = step(&run, "create-order", "createOrder is approved");
    assert!(text(&created["seen"]).contains("a JSON body that is labelled text/html"));
    // The flow goes on all the same: the order was approved, and is confirmed.
    assert_eq!(run.operations("failed"), names(&[Operation::CreateOrder]));
}

#[tokio::test]
async fn what_the_interface_does_not_demand_is_a_remark_and_no_fail() {
    let change = |asked: &Asked, answer: Answer| match asked.line.starts_with("POST /orders") {
        true => answer.without("content-type").without("location"),
        false => answer,
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "2", &["create-order"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let created = step(&run, "create-order", "createOrder is approved");
    let remarks = created["remarks"].as_array().unwrap();
    assert_eq!(
        remarks,
        &["no Content-Type", "no Location of the new order"]
    );
    assert_eq!(run.json["remarks"], 3);
    assert!(run.out.contains("remarks: 3"), "{}", run.out);
}

#[tokio::test]
async fn the_report_tells_status_type_and_location_of_each_operation() {
    let simulator = Simulator::start().await.unwrap();
    let run = walk_at(&simulator.base_url(), "2", &["create-order"]).await;
    let created = &run.json["operations"][0];
    assert_eq!(text(&created["operation"]), "createOrder");
    assert_eq!(created["success"], json!([201]));
    let answers = json!([
        { "httpStatus": 201, "contentType": "application/json", "withLocation": true, "count": 1 }
    ]);
    assert_eq!(created["answers"], answers);
    assert!(run.html.contains("1 × 201, application/json, Location"));
    let created = step(&run, "create-order", "createOrder is approved");
    let location = text(&created["exchanges"][0]["location"]);
    assert!(
        location.ends_with(text(&created["requestId"])),
        "{location}"
    );
}

/// A server that takes 800 ms for a quote, so that an order has half of that, and then meets this.
async fn run_with_a_broken_answer(fault: Fault) -> Run {
    let simulator = Simulator::start().await.unwrap();
    let slow_quote = Fault::SlowHeaders(Duration::from_millis(800));
    simulator.inject(Rule::on(Operation::GetFeeQuote).fault(slow_quote));
    simulator.inject(Rule::on(Operation::CreateOrder).next(1).fault(fault));
    walk_at(&simulator.base_url(), "2", &["create-order-timed-out"]).await
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_an_unknown_outcome_as_expected() {
    let slow = Fault::SlowBody(Duration::from_secs(60));
    for (fault, end) in [
        (slow, "the till did not wait for the end"),
        (
            Fault::CloseDuring,
            "the connection broke in the middle of the answer",
        ),
    ] {
        let run = run_with_a_broken_answer(fault.clone()).await;
        assert_eq!(run.code, 0, "{fault:?}: {}", run.out);
        let flow = "create-order-timed-out";
        let unknown = step(&run, flow, "no answer to createOrder in time, try 1");
        assert!(
            text(&unknown["seen"]).contains("was cut off"),
            "{fault:?}: {}",
            run.out
        );
        assert_eq!(unknown["exchanges"][0]["httpStatus"], 201);
        assert_eq!(unknown["exchanges"][0]["end"], end);
        // The answer began, and cannot be used: that is another reason than no answer at all.
        let reversed = step(&run, flow, "the client reverses it by itself");
        let sent = &reversed["exchanges"][0]["request"];
        assert_eq!(sent["reversalReason"], "RESPONSE_NOT_FINAL", "{fault:?}");
        assert!(text(&reversed["expected"]).starts_with("RESPONSE_NOT_FINAL"));
        assert_eq!(reversed["seen"], "delivered (HTTP 202)");
    }
}

#[tokio::test]
async fn no_answer_at_all_is_reversed_as_a_timeout() {
    for fault in [Fault::ProcessAndHang, Fault::LoseAnswer] {
        let run = run_with_a_broken_answer(fault.clone()).await;
        assert_eq!(run.code, 0, "{fault:?}: {}", run.out);
        let reversed = step(
            &run,
            "create-order-timed-out",
            "the client reverses it by itself",
        );
        let sent = &reversed["exchanges"][0]["request"];
        assert_eq!(sent["reversalReason"], "TIMEOUT", "{fault:?}");
    }
}

#[tokio::test]
async fn a_body_that_never_comes_to_its_end_fails_where_an_answer_was_expected() {
    let simulator = Simulator::start().await.unwrap();
    let hanging = Fault::SlowBody(Duration::from_secs(60));
    simulator.inject(Rule::on(Operation::CreateOrder).fault(hanging));
    let run = walk_at(&simulator.base_url(), "0.5", &["create-order"]).await;
    assert_eq!(run.code, 1);
    let created = step(&run, "create-order", "createOrder is approved");
    assert!(
        text(&created["seen"]).contains("was cut off"),
        "{}",
        run.out
    );
    // What the client sent to mend it, it sent while the till was closed.
    let exchanges = created["exchanges"].as_array().unwrap();
    let operations: Vec<&str> = exchanges
        .iter()
        .map(|exchange| text(&exchange["operation"]))
        .collect();
    assert_eq!(operations, ["createOrder", "reversePayment"]);
}

#[tokio::test]
async fn an_order_whose_approval_is_lost_must_not_stand() {
    let taken_but_not_obeyed = Fault::status(202);
    for (operation, flow, failed) in [
        (
            Operation::ReversePayment,
            "create-order-answer-lost",
            "the order does not stand",
        ),
        (
            Operation::ReverseRedeem,
            "redeem-order-answer-lost",
            "the order is redeemed",
        ),
    ] {
        let simulator = Simulator::start().await.unwrap();
        let run = walk_at(&simulator.base_url(), "0.5", &[flow]).await;
        assert_eq!(run.code, 0, "{}", run.out);
        simulator.inject(Rule::on(operation).fault(taken_but_not_obeyed.clone()));
        let run = walk_at(&simulator.base_url(), "0.5", &[flow]).await;
        assert_eq!(run.code, 1, "{operation}: {}", run.out);
        assert!(
            run.steps("fail").contains(&format!("{flow}: {failed}")),
            "{}",
            run.out
        );
    }
}

#[tokio::test]
async fn an_advice_whose_answer_is_lost_is_repeated_as_the_same_message() {
    let simulator = Simulator::start().await.unwrap();
    let flows = ["confirmations-repeated", "reversals-repeated"];
    let run = walk_at(&simulator.base_url(), "2", &flows).await;
    assert_eq!(run.code, 0, "{}", run.out);
    for (flow, name) in [
        (flows[0], "the customer pays"),
        (flows[0], "the recipient is paid"),
        (flows[1], "the recipient is not paid"),
        (flows[1], "the cashier cancels"),
    ] {
        let step = step(&run, flow, name);
        let exchanges = step["exchanges"].as_array().unwrap();
        assert_eq!(
            exchanges[0]["end"],
            "answered; the answer was kept from the till"
        );
        assert_eq!(exchanges[0]["httpStatus"], 202);
        if text(&step["seen"]) != "delivered (HTTP 202, attempt 2)" {
            assert!(text(&step["seen"]).starts_with("inferred: arrived earlier"));
        }
        assert_eq!(exchanges[0]["request"], exchanges[1]["request"]);
    }
}

#[tokio::test]
async fn what_was_decided_stands_whatever_comes_later() {
    let simulator = Simulator::start().await.unwrap();
    let flows = [
        "advices-about-nothing",
        "order-decided-once",
        "redemption-decided-once",
    ];
    let run = walk_at(&simulator.base_url(), "1", &flows).await;
    assert_eq!(run.code, 0, "{}", run.out);
    for (flow, name, seen) in [
        (
            flows[0],
            "a payout of nothing is reversed",
            "UNABLE_TO_LOCATE_RECORD",
        ),
        (
            flows[1],
            "what was reversed is confirmed",
            "DUPLICATE_RECORD",
        ),
        (
            flows[1],
            "what was confirmed is reversed",
            "DUPLICATE_RECORD",
        ),
        (
            flows[2],
            "what was reversed is confirmed",
            "UNABLE_TO_REDEEM",
        ),
        (
            flows[2],
            "what was confirmed is reversed",
            "ALREADY_REDEEMED",
        ),
    ] {
        let words = format!("refused: {seen} (HTTP 400)");
        assert_eq!(step(&run, flow, name)["seen"], words.as_str());
    }
    // A server may take it, as long as nothing comes of it.
    let take = |asked: &Asked, answer: Answer| {
        let is_advice = asked.line.ends_with("reversals") || asked.line.ends_with("confirmations");
        match is_advice && !answer.is_success() {
            true => Answer {
                status: 202,
                body: Vec::new(),
                ..answer
            },
            false => answer,
        }
    };
    let server = Server::start(take).await;
    let run = walk_at(&server.base_url(), "1", &flows).await;
    assert_eq!(run.code, 0, "{}", run.out);
}

#[tokio::test]
async fn a_confirmed_order_that_is_reversed_all_the_same_fails() {
    // A server on which the second order is cancelled once it was reversed.
    let reversed = std::sync::atomic::AtomicUsize::new(0);
    let change = move |asked: &Asked, answer: Answer| {
        use std::sync::atomic::Ordering;
        let count = match asked.is("POST /orders/reversals") {
            true => reversed.fetch_add(1, Ordering::SeqCst) + 1,
            false => reversed.load(Ordering::SeqCst),
        };
        let body = String::from_utf8_lossy(&answer.body).replace("UNREDEEMED", "CANCELLED");
        match count > 1 && asked.is("GET /orders") {
            true => Answer {
                body: body.into_bytes(),
                ..answer
            },
            false => answer,
        }
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "0.5", &["order-decided-once"]).await;
    assert_eq!(run.code, 1, "{}", run.out);
    let failed = run.steps("fail");
    assert!(
        failed.contains("order-decided-once: the order can still be redeemed"),
        "{}",
        run.out
    );
}

#[tokio::test]
async fn a_server_without_tls_at_an_address_with_it_cannot_be_reached() {
    let simulator = Simulator::start().await.unwrap();
    let with_tls = simulator.base_url().replace("http:", "https:");
    let run = walk_at(&with_tls, "0.3", &["create-order"]).await;
    assert_eq!(run.code, 1);
    assert!(run.out.contains("broken off"), "{}", run.out);
    assert_eq!(run.steps("fail").len(), 1, "{}", run.out);
    assert!(run.out.contains("not sent: "), "{}", run.out);
}

/// The sendings of an advice, with these bodies.
fn sendings(bodies: &[Value]) -> Vec<Exchange> {
    let wire = Wire::default();
    for body in bodies {
        wire.begin(Sent {
            method: "POST".parse().unwrap(),
            path: "/orders/reversals".to_owned(),
            query: Vec::new(),
            body: body.to_string().into_bytes(),
        });
    }
    wire.claim_rest()
}

#[test]
fn an_advice_of_the_till_that_is_not_as_the_interface_has_it_fails() {
    let good = json!({
        "id": "a", "requestId": "r", "time": "2026-01-31T08:30:00.000Z", "reversalReason": "TIMEOUT",
        "thirdPartyIdentifiers": [{ "institutionId": "1", "transactionIdentifier": "own" }],
    });
    let matter = Matter {
        request_id: "r".to_owned(),
        request: sendings(std::slice::from_ref(&good)).pop(),
        is_approved: false,
        reason: Some(ReversalReason::Timeout),
    };
    let sent = |change: &dyn Fn(&mut Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    assert!(faults(&sendings(&[good.clone(), good.clone()]), &matter).is_empty());
    let later = sent(&|advice| advice["time"] = "2026-01-31T08:30:01.000Z".into());
    let words = |bodies: &[Value]| faults(&sendings(bodies), &matter).join("; ");
    assert!(words(&[good.clone(), later]).contains("other bytes"));
    for (change, fault) in [
        (("requestId", json!("other")), "another request"),
        (
            ("thirdPartyIdentifiers", json!([])),
            "other third-party identifiers",
        ),
        (("reversalReason", json!("CANCELLED")), "another reason"),
        (("amounts", json!({})), "carries amounts"),
        (
            ("pin", json!({ "pinBlock": "0" })),
            "personal data or a PIN",
        ),
    ] {
        let (name, value) = change;
        let body = sent(&|advice| advice[name] = value.clone());
        assert!(words(&[body]).contains(fault), "{name}");
    }
}

#[test]
fn what_a_server_made_its_identifier_is_not_the_tills_personal_data() {
    let advice = json!({
        "id": "a", "requestId": "r", "time": "2026-01-31T08:30:00.000Z",
        "thirdPartyIdentifiers": [{ "institutionId": "1", "accountNumber": "62000000001" }],
    });
    let matter = |request: &Value| Matter {
        request_id: "r".to_owned(),
        request: sendings(std::slice::from_ref(request)).pop(),
        is_approved: false,
        reason: None,
    };
    let faults = |advice: &Value| faults(&sendings(std::slice::from_ref(advice)), &matter(advice));
    assert_eq!(faults(&advice), Vec::<String>::new());
    let mut own = advice.clone();
    own["accountNumber"] = "62000000001".into();
    assert_eq!(faults(&own).len(), 1);
}

#[tokio::test]
async fn what_is_sent_while_a_till_is_closed_is_held_against_the_interface_too() {
    let change = |asked: &Asked, answer: Answer| {
        let status = match () {
            () if asked.is("POST /orders") => 502,
            () if asked.is("POST /orders/reversals") => 200,
            () => answer.status,
        };
        Answer { status, ..answer }
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "0.5", &["create-order-reversed"]).await;
    assert_eq!(run.code, 1);
    let failed = run.steps("fail");
    assert!(
        failed.contains("queues: what was sent outside of the steps"),
        "{}",
        run.out
    );
}

#[tokio::test]
async fn a_request_that_is_not_approved_has_no_approval_to_lose() {
    let simulator = Simulator::start().await.unwrap();
    simulator.inject(Rule::on(Operation::CreateOrder).fault(Fault::error("INVALID_AMOUNT")));
    let flow = "create-order-answer-lost";
    let run = walk_at(&simulator.base_url(), "0.5", &[flow]).await;
    assert_eq!(run.code, 1);
    let lost = step(&run, flow, "the approval of createOrder is lost");
    assert_eq!(lost["seen"], "not approved: INVALID_AMOUNT (HTTP 400)");
    simulator.clear_faults();
    let run = walk_at(&simulator.base_url(), "0.5", &[flow]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let lost = step(&run, flow, "the approval of createOrder is lost");
    let words = "HTTP 201, kept from the till; to the till unknown: the connection broke";
    assert!(text(&lost["seen"]).starts_with(words), "{}", run.out);
}

#[tokio::test]
async fn a_customer_whose_record_keeps_the_old_name_fails() {
    let change = |asked: &Asked, answer: Answer| {
        let body = String::from_utf8_lossy(&answer.body).replace("Mokoena-Dlamini", "Mokoena");
        match asked.is("GET /admin/customers") {
            true => Answer {
                body: body.into_bytes(),
                ..answer
            },
            false => answer,
        }
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "2", &["customers"]).await;
    assert_eq!(run.code, 1, "{}", run.out);
    assert_eq!(run.steps("fail").len(), 1, "{}", run.out);
}
