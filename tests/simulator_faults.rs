//! What the simulator promises of faults: what the client meets, and what has happened upstream all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use std::time::Duration;

use money_transfer_retailer::simulator::{
    CannedAnswer, Copy, Fault, Operation, OrderState, Rule, Simulator,
};
use reqwest::Method;
use serde_json::{Value, json};
use till::{Answer, Till, id, with_json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// How long a client waits here before it gives up on an answer that never comes.
const PATIENCE: Duration = Duration::from_millis(300);

/// What one createOrder meets.
async fn meet(fault: impl Into<Fault>) -> (Till, Value, reqwest::Result<Answer>) {
    let till = Till::open().await;
    till.simulator
        .inject(Rule::on(Operation::CreateOrder).next(1).fault(fault));
    let order = till.order(100);
    let outcome = till.try_post("/orders", &order).await;
    (till, order, outcome)
}

/// What one createOrder has met that is not answered by the time its client's patience ends.
async fn meet_in_vain(fault: Fault) -> (Till, Value) {
    let till = Till::open().await;
    till.simulator
        .inject(Rule::on(Operation::CreateOrder).next(1).fault(fault));
    let order = till.order(100);
    // Patience counts from the receipt, so that a slow machine proves nothing.
    let end_of_patience = async {
        till.simulator.received(Operation::CreateOrder, 1).await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        answered = till.try_post("/orders", &order) => panic!("{answered:?}"),
        () = end_of_patience => {}
    }
    (till, order)
}

/// How often a createOrder was received, how often the rules ran on it, and what status went out.
fn booked(till: &Till, order: &Value) -> (usize, u32, Option<u16>) {
    let book = till.simulator.book();
    let requests = book.requests_of(id(order));
    let answered = requests
        .messages()
        .last()
        .and_then(|message| message.answered());
    (
        requests.received(),
        requests.messages()[0].processed(),
        answered,
    )
}

fn is_cut(outcome: reqwest::Result<Answer>) -> bool {
    let error = outcome.unwrap_err();
    !error.is_connect()
}

#[tokio::test]
async fn refuse_and_close_before_cut_the_connection_and_process_nothing() {
    for fault in [Fault::Refuse, Fault::CloseBefore, Fault::TlsFailure] {
        let (till, order, outcome) = meet(fault).await;
        assert!(is_cut(outcome));
        assert_eq!(booked(&till, &order), (1, 0, None));
        assert!(till.simulator.book().order(id(&order)).is_none());
        assert_eq!(
            till.post("/orders", &order).await.status,
            201,
            "the fault was for one message"
        );
    }
}

#[tokio::test]
async fn hang_answers_and_processes_nothing() {
    let (till, order) = meet_in_vain(Fault::Hang).await;
    assert_eq!(booked(&till, &order), (1, 0, None));
}

#[tokio::test]
async fn process_and_hang_processes_and_answers_nothing() {
    let (till, order) = meet_in_vain(Fault::ProcessAndHang).await;
    assert_eq!(booked(&till, &order), (1, 1, None));
    assert!(till.simulator.book().order(id(&order)).is_some());
}

#[tokio::test]
async fn lose_answer_processes_and_cuts_the_connection() {
    let (till, order, outcome) = meet(Fault::LoseAnswer).await;
    assert!(is_cut(outcome));
    assert_eq!(booked(&till, &order), (1, 1, None));
    assert_eq!(
        till.post("/orders", &order).await.error(),
        (400, "DUPLICATE_RECORD")
    );
}

#[tokio::test]
async fn close_during_cuts_the_body_in_the_middle() {
    let (till, order, outcome) = meet(Fault::CloseDuring).await;
    assert!(is_cut(outcome));
    assert_eq!(booked(&till, &order).1, 1);
    assert_eq!(booked(&till, &order).2, None);
}

#[tokio::test]
async fn close_after_answers_and_closes_without_a_word() {
    let (till, order, outcome) = meet(Fault::CloseAfter).await;
    let approved = outcome.unwrap();
    assert_eq!(approved.status, 201);
    assert!(!approved.headers.contains_key("connection"));
    assert_eq!(booked(&till, &order), (1, 1, Some(201)));
    let raw = raw_post(&till, Some(Fault::CloseAfter), &till.order(1)).await;
    assert!(
        String::from_utf8(raw).unwrap().starts_with("HTTP/1.1 201"),
        "and then the end of the stream"
    );
}

#[tokio::test]
async fn slow_headers_and_slow_body_take_their_time() {
    let delay = Duration::from_millis(100);
    for fault in [Fault::SlowHeaders(delay), Fault::SlowBody(delay)] {
        let start = tokio::time::Instant::now();
        let (till, order, outcome) = meet(fault).await;
        let approved = outcome.unwrap();
        assert!(start.elapsed() >= delay);
        assert_eq!((approved.status, &approved.json["id"]), (201, &order["id"]));
        assert_eq!(booked(&till, &order), (1, 1, Some(201)));
    }
}

#[tokio::test]
async fn slow_headers_hold_back_the_head_and_a_slow_body_does_not() {
    let minute = Duration::from_secs(60);
    let till = Till::open().await;
    let late_head = [Fault::SlowHeaders(minute), Fault::SlowBody(minute)].map(|fault| {
        till.simulator.inject(Rule::any().next(1).fault(fault));
        with_json(till.request(Method::POST, "/orders"), &till.order(1)).send()
    });
    let [headers, body] = late_head;
    assert!(timeout(PATIENCE, headers).await.is_err());
    let response = timeout(Duration::from_secs(30), body)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(response.status().as_u16(), 201);
    assert!(timeout(PATIENCE, response.text()).await.is_err());
}

#[tokio::test]
async fn process_late_processes_after_the_client_has_left() {
    let (till, order) = meet_in_vain(Fault::ProcessLate(PATIENCE * 6)).await;
    assert_eq!(booked(&till, &order), (1, 0, None));
    let early = till.post("/orders/reversals", &till.reversal(&order)).await;
    assert_eq!(early.error(), (400, "UNABLE_TO_LOCATE_RECORD"));
    let book = till
        .simulator
        .wait_until(|book| book.order(id(&order)).is_some())
        .await;
    assert_eq!(book.order(id(&order)).unwrap().state(), OrderState::Created);
    assert_eq!(booked(&till, &order), (1, 1, None));
}

#[tokio::test]
async fn process_twice_runs_the_rules_twice_and_answers_one_of_them() {
    let (till, order, outcome) = meet(Fault::ProcessTwice(Copy::First)).await;
    assert_eq!(outcome.unwrap().status, 201);
    assert_eq!(booked(&till, &order), (1, 2, Some(201)));
    let (till, order, outcome) = meet(Fault::ProcessTwice(Copy::Second)).await;
    assert_eq!(outcome.unwrap().error(), (400, "DUPLICATE_RECORD"));
    assert_eq!(booked(&till, &order), (1, 2, Some(400)));
    let book = till.simulator.book();
    assert_eq!(
        (
            book.requests_of(id(&order)).processed(),
            book.requests_of(id(&order)).accepted()
        ),
        (2, 1)
    );
}

#[tokio::test]
async fn any_answer_can_be_given_in_the_rules_place() {
    let canned = CannedAnswer::status(503)
        .header("retry-after", "7")
        .body("text/html", "<h1>Busy</h1>");
    let (till, order, outcome) = meet(canned).await;
    let busy = outcome.unwrap();
    assert_eq!(
        (busy.status, busy.text.as_str(), busy.content_type.as_str()),
        (503, "<h1>Busy</h1>", "text/html")
    );
    assert_eq!(busy.headers["retry-after"], "7");
    assert_eq!(booked(&till, &order), (1, 0, Some(503)));
    let (_, _, outcome) = meet(Fault::status(204)).await;
    assert_eq!(outcome.unwrap().status, 204);
}

#[tokio::test]
async fn the_length_of_an_answer_is_that_of_its_body_whatever_its_headers_say() {
    let canned = CannedAnswer::status(503)
        .header("content-length", "7000")
        .header("transfer-encoding", "chunked")
        .body("text/html", "<h1>Busy</h1>");
    let (_, _, outcome) = meet(canned).await;
    let busy = outcome.unwrap();
    assert_eq!((busy.status, busy.text.as_str()), (503, "<h1>Busy</h1>"));
    assert_eq!(busy.headers["content-length"], "13");
}

#[tokio::test]
async fn an_error_can_be_given_in_the_rules_place() {
    let (till, order, outcome) = meet(Fault::Error {
        status: 504,
        error_type: "UPSTREAM_UNAVAILABLE".into(),
    })
    .await;
    let refused = outcome.unwrap();
    assert_eq!(refused.error(), (504, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(refused.json["id"], order["id"]);
    assert_eq!(
        till.simulator
            .book()
            .messages()
            .next()
            .unwrap()
            .error_type(),
        Some("UPSTREAM_UNAVAILABLE")
    );
    till.simulator
        .inject(Rule::any().fault(Fault::error("SYSTEM_ERROR")));
    let advice = till.advice(&order);
    let refused = till.post("/orders/confirmations", &advice).await;
    assert_eq!(
        (&refused.json["id"], &refused.json["originalId"]),
        (&advice["id"], &order["id"])
    );
}

#[tokio::test]
async fn garbage_is_no_http() {
    let (till, order, outcome) = meet(Fault::Garbage).await;
    assert!(is_cut(outcome));
    assert_eq!(booked(&till, &order), (1, 1, None));
}

#[tokio::test]
async fn a_huge_body_is_as_huge_as_asked_and_still_the_answer() {
    let (till, order, outcome) = meet(Fault::HugeBody(1_000_000)).await;
    let approved = outcome.unwrap();
    assert_eq!((approved.status, approved.text.len()), (201, 1_000_000));
    assert_eq!(approved.json["id"], order["id"]);
    assert_eq!(booked(&till, &order), (1, 1, Some(201)));
}

#[tokio::test]
async fn a_wrong_id_is_another_one() {
    let (till, order, outcome) = meet(Fault::WrongId).await;
    let approved = outcome.unwrap();
    assert_eq!(
        (approved.status, &approved.json["orderId"]),
        (201, &order["id"])
    );
    assert_ne!(approved.json["id"], order["id"]);
    assert_eq!(
        till.simulator.book().order(id(&order)).unwrap().state(),
        OrderState::Created
    );
}

#[tokio::test]
async fn a_tls_handshake_fails_with_or_without_a_fault() {
    let till = Till::open().await;
    let alert = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];
    let mut stream = TcpStream::connect(till.simulator.address()).await.unwrap();
    stream
        .write_all(&[0x16, 0x03, 0x01, 0x00, 0x05])
        .await
        .unwrap();
    let mut answered = [0; 7];
    stream.read_exact(&mut answered).await.unwrap();
    assert_eq!(answered, alert);
    assert_eq!(
        raw_post(&till, Some(Fault::TlsFailure), &till.order(1)).await,
        alert
    );
}

#[tokio::test]
async fn a_client_that_speaks_https_fails_at_the_handshake_and_sends_nothing() {
    let till = Till::open().await;
    let url = till.simulator.base_url().replace("http://", "https://");
    let failed = till.client.get(format!("{url}/orders")).send().await;
    assert!(failed.unwrap_err().is_connect());
    assert!(till.simulator.book().is_empty());
}

/// All bytes that come back to a createOrder on a connection of its own.
async fn raw_post(till: &Till, fault: Option<Fault>, order: &Value) -> Vec<u8> {
    if let Some(fault) = fault {
        till.simulator.inject(Rule::any().next(1).fault(fault));
    }
    let body = order.to_string();
    let request = with_json(till.request(Method::POST, "/orders"), order)
        .build()
        .unwrap();
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: here\r\nauthorization: {authorization}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        request.url().path(),
        body.len()
    );
    let mut stream = TcpStream::connect(till.simulator.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answered = Vec::new();
    stream.read_to_end(&mut answered).await.unwrap();
    answered
}

#[tokio::test]
async fn a_rule_is_for_its_operation_and_for_as_many_messages_as_it_says() {
    let till = Till::open().await;
    till.simulator.inject(
        Rule::on(Operation::ConfirmPayment)
            .next(2)
            .fault(Fault::status(500)),
    );
    till.simulator.inject(
        Rule::on(Operation::CreateOrder)
            .nth(2)
            .fault(Fault::status(501)),
    );
    let order = till.order(1);
    assert_eq!(till.post("/orders", &order).await.status, 201);
    assert_eq!(till.post("/orders", &till.order(1)).await.status, 501);
    assert_eq!(till.post("/orders", &till.order(1)).await.status, 201);
    let advice = till.advice(&order);
    for expected in [500, 500, 202] {
        assert_eq!(
            till.post("/orders/confirmations", &advice).await.status,
            expected
        );
    }
    let book = till.simulator.book();
    let confirmations = book.confirmations_of(id(&order));
    assert_eq!(
        (
            confirmations.received(),
            confirmations.processed(),
            confirmations.distinct_bodies()
        ),
        (3, 1, 1)
    );
    assert_eq!(
        book.order(id(&order)).unwrap().state(),
        OrderState::Confirmed
    );
}

#[tokio::test]
async fn a_rule_can_be_for_one_request_and_its_advices() {
    let till = Till::open().await;
    let order = till.order(1);
    till.simulator
        .inject(Rule::any().request(id(&order)).fault(Fault::status(502)));
    assert_eq!(till.post("/orders", &order).await.status, 502);
    assert_eq!(
        till.post("/orders/reversals", &till.reversal(&order))
            .await
            .status,
        502
    );
    assert_eq!(till.post("/orders", &till.order(1)).await.status, 201);
    till.simulator.clear_faults();
    assert_eq!(till.post("/orders", &order).await.status, 201);
}

#[tokio::test]
async fn the_oldest_rule_that_applies_decides() {
    let builder = Simulator::builder().inject(Rule::any().next(1).fault(Fault::status(500)));
    let till = Till::at(builder.inject(Rule::any().fault(Fault::status(502)))).await;
    for expected in [500, 502, 502] {
        assert_eq!(till.post("/orders", &till.order(1)).await.status, expected);
    }
}

#[tokio::test]
async fn rules_for_the_next_message_take_their_turns() {
    let till = Till::open().await;
    for status in [500, 502] {
        till.simulator
            .inject(Rule::any().next(1).fault(Fault::status(status)));
    }
    till.simulator
        .inject(Rule::any().nth(3).fault(Fault::status(504)));
    for expected in [500, 502, 504, 201] {
        assert_eq!(till.post("/orders", &till.order(1)).await.status, expected);
    }
}

#[tokio::test]
async fn faults_with_a_probability_are_the_same_for_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let rule = Rule::any().probability(0.5).fault(Fault::status(500));
        let till = Till::at(Simulator::builder().seed(seed).inject(rule)).await;
        let mut statuses = Vec::new();
        for _ in 0..32 {
            statuses.push(
                till.get("/admin/exchangerate?fromCurrency=710&toCurrency=840")
                    .await
                    .status,
            );
        }
        assert!(statuses.contains(&500) && statuses.contains(&200));
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_lost_confirmation_has_confirmed() {
    let till = Till::open().await;
    let order = till.order(1);
    till.post("/orders", &order).await;
    till.simulator
        .inject("confirm-payment:1:lose-answer".parse().unwrap());
    let advice = till.advice(&order);
    assert!(
        till.try_post("/orders/confirmations", &advice)
            .await
            .is_err()
    );
    assert_eq!(
        till.post("/orders/confirmations", &advice).await.error(),
        (400, "DUPLICATE_RECORD")
    );
    let book = till.simulator.book();
    assert_eq!(
        book.order(id(&order)).unwrap().confirmations(),
        [id(&advice)]
    );
    let confirmations = book.confirmations_of(id(&order));
    assert_eq!(
        (
            confirmations.received(),
            confirmations.processed(),
            confirmations.accepted()
        ),
        (2, 2, 1)
    );
    assert_eq!(json!(confirmations.messages()[0].advice_id()), advice["id"]);
    assert_ne!(
        book.order(id(&order)).unwrap().state(),
        OrderState::Reversed
    );
    assert!(book.redemption(id(&order)).is_none());
}
