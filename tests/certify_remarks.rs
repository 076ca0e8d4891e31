//! What an answer leaves out, or repeats wrongly, is a remark in the table and in the report, and no failure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use between::{Answer, Asked, Server};
use run::{Run, step, text, walk_at};
use serde_json::{Value, json};

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

type Change = fn(&mut Value);

/// A run against a server that changes the JSON of its successful answers to this line.
async fn run_changing(line: &'static str, flow: &str, change: Change) -> Run {
    let change = move |asked: &Asked, answer: Answer| {
        let mut json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if !asked.is(line) || !answer.is_success() || !json.is_object() {
            return answer;
        }
        change(&mut json);
        Answer {
            body: json.to_string().into(),
            ..answer
        }
    };
    let server = Server::start(change).await;
    walk_at(&server.base_url(), "2", &[flow]).await
}

/// The remark stands at the step, in the table and on the page, and nothing fails for it.
fn assert_remarked(run: &Run, flow: &str, name: &str, remark: &str) {
    assert_eq!(run.code, 0, "{remark}: {}", run.out);
    let step = step(run, flow, name);
    assert_eq!(step["verdict"], "pass");
    assert_eq!(step["remarks"], json!([remark]), "{}", run.out);
    let shown = remark.replace('\'', "&#39;");
    assert!(run.html.contains(&format!("<br>Remark: {shown}")));
    let first_words: Vec<&str> = remark.split(' ').take(2).collect();
    let in_the_table = format!("remark: {}", first_words.join(" "));
    assert!(run.out.contains(&in_the_table), "{}", run.out);
}

const CREATED: &str = "createOrder is approved";

#[tokio::test]
async fn members_that_the_interface_requires_and_an_answer_lacks_are_remarked() {
    let nothing: Change = |json| json["senderDetails"] = Value::Null;
    let no_member: Change = |json| {
        let json = json.as_object_mut().unwrap();
        json.remove("senderDetails");
    };
    let deep: Change = |json| json["originator"]["merchant"]["merchantName"]["city"] = Value::Null;
    let in_a_list: Change =
        |json| json["thirdPartyIdentifiers"][0]["transactionIdentifier"] = Value::Null;
    for (change, missing) in [
        (nothing, "senderDetails"),
        (no_member, "senderDetails"),
        (deep, "originator.merchant.merchantName.city"),
        (in_a_list, "thirdPartyIdentifiers.transactionIdentifier"),
    ] {
        let flow = "create-order-reversed";
        let run = run_changing("POST /orders", flow, change).await;
        let remark = format!("without the required {missing}");
        assert_remarked(&run, flow, CREATED, &remark);
    }
}

#[tokio::test]
async fn what_other_answers_lack_is_remarked_too() {
    let no_receiver: Change = |json| json["receiver"] = Value::Null;
    let no_id: Change = |json| *json = json!({ "requestId": json["requestId"] });
    for (line, flow, name, change, missing) in [
        (
            "GET /orders",
            "create-order-reversed",
            "the order does not stand",
            no_receiver,
            "receiver",
        ),
        (
            "GET /admin/fees",
            "fee-quote",
            "the amount includes the fee",
            no_receiver,
            "receiver",
        ),
        (
            "POST /orders/confirmations",
            "create-order",
            "the customer pays",
            no_id,
            "id, time, thirdPartyIdentifiers",
        ),
    ] {
        let run = run_changing(line, flow, change).await;
        let remark = format!("without the required {missing}");
        assert_remarked(&run, flow, name, &remark);
    }
}

#[tokio::test]
async fn of_an_error_the_remark_says_why_it_is_none() {
    let change = |asked: &Asked, answer: Answer| match asked.is("GET /orders") {
        true => Answer {
            body: json!({ "errorType": "UNABLE_TO_LOCATE_RECORD" })
                .to_string()
                .into(),
            ..answer
        },
        false => answer,
    };
    let server = Server::start(change).await;
    let flow = "lookup-order";
    let run = walk_at(&server.base_url(), "2", &[flow]).await;
    // Without these it is no ErrorDetail: the remark says why.
    let asked = step(&run, flow, "the reference is unknown");
    let missing = ["without the required errorMessage, id"];
    assert_eq!(asked["remarks"], json!(missing), "{}", run.out);
}

#[tokio::test]
async fn another_order_than_the_one_asked_about_is_remarked() {
    let another_reference: Change = |json| json["orderRedeemRef"] = json!("12345678901234567890");
    let flow = "create-order-reversed";
    let run = run_changing("GET /orders", flow, another_reference).await;
    let remark = "another orderRedeemRef than the message's";
    assert_remarked(&run, flow, "the order does not stand", remark);
    let another_order: Change = |json| json["orderId"] = json!("another");
    let remark = "another orderId than createOrder answered for this order";
    let flow = "redeem-order";
    let run = run_changing("POST /orders/redemptions", flow, another_order).await;
    assert_remarked(&run, flow, "the order is redeemed", remark);
    let flow = "cancel-order";
    let run = run_changing("POST /orders/cancel", flow, another_order).await;
    assert_remarked(&run, flow, "cancelOrder is approved", remark);
}

#[tokio::test]
async fn identifiers_that_come_back_as_others_are_remarked() {
    let other_terminal: Change = |json| json["originator"]["terminalId"] = json!("TILL9999");
    let other_client: Change = |json| json["client"]["id"] = json!("1");
    for (change, name) in [
        (other_terminal, "originator.terminalId"),
        (other_client, "client.id"),
    ] {
        let flow = "create-order-reversed";
        let run = run_changing("POST /orders", flow, change).await;
        let remark = format!("another {name} than the message's");
        assert_remarked(&run, flow, CREATED, &remark);
    }
    let flow = "create-order-reversed";
    let other_request: Change = |json| json["requestId"] = json!("another");
    let run = run_changing("POST /orders/reversals", flow, other_request).await;
    let remark = "another requestId than the message's";
    assert_remarked(&run, flow, "the cashier cancels", remark);
}

#[tokio::test]
async fn third_party_identifiers_that_get_lost_are_remarked() {
    let others: Change = |json| {
        json["thirdPartyIdentifiers"] =
            json!([{ "institutionId": "1", "transactionIdentifier": "1" }]);
    };
    let flow = "create-order-reversed";
    let run = run_changing("POST /orders/reversals", flow, others).await;
    let remark = "without thirdPartyIdentifiers that the message has";
    assert_remarked(&run, flow, "the cashier cancels", remark);
}

#[tokio::test]
async fn an_id_in_capitals_is_the_same_and_the_simulator_is_without_a_remark() {
    let in_capitals: Change = |json| json["id"] = text(&json["id"]).to_uppercase().into();
    let run = run_changing("POST /orders", "create-order-reversed", in_capitals).await;
    assert_eq!(run.code, 0, "{}", run.out);
    assert_eq!(run.json["remarks"], 0, "{}", run.out);
}
