//! What the simulator promises of requests that are no messages, and of HEAD, whatever fault they meet.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "simulator/till.rs"]
mod till;

use std::time::Duration;

use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule};
use reqwest::Method;
use till::{Answer, Till, answer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const QUOTE: &str = "/admin/fees?amount=100&amountIncludesFee=true&originatorInstId=7&receiverId=9";

/// The bytes that come back until the connection ends.
async fn raw(till: &Till, request: String) -> Vec<u8> {
    let mut stream = TcpStream::connect(till.simulator.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut said));
    // A reset ends it as well.
    let _reset = read.await.unwrap();
    said
}

/// The bytes that a HEAD of a quote comes to.
async fn head_of_quote(till: &Till, fault: Option<Fault>) -> String {
    if let Some(fault) = fault {
        let rule = Rule::on(Operation::GetFeeQuote).next(1).fault(fault);
        till.simulator.inject(rule);
    }
    // `12345678901:secret`, in base 64.
    let request = format!(
        "HEAD /moneytransfer/v2{QUOTE} HTTP/1.1\r\nhost: upstream\r\n\
         authorization: Basic MTIzNDU2Nzg5MDE6c2VjcmV0\r\nconnection: close\r\n\r\n"
    );
    String::from_utf8(raw(till, request).await).unwrap()
}

fn is_page(answer: &Answer, status: u16) -> bool {
    answer.status == status && answer.content_type.starts_with("text/html")
}

#[tokio::test]
async fn a_head_has_no_body_whatever_fault_it_meets() {
    let till = Till::open().await;
    for fault in [
        None,
        Some(Fault::CloseAfter),
        Some(Fault::SlowBody(Duration::from_millis(50))),
        Some(Fault::SlowHeaders(Duration::from_millis(50))),
        Some(Fault::HugeBody(100_000)),
        Some(Fault::WrongId),
        Some(CannedAnswer::status(503).body("text/html", "<html>").into()),
        Some(Fault::error("SYSTEM_ERROR")),
    ] {
        let said = head_of_quote(&till, fault.clone()).await;
        assert!(said.starts_with("HTTP/1.1 "), "{fault:?}: {said}");
        assert_eq!(
            said.find("\r\n\r\n"),
            Some(said.len() - 4),
            "{fault:?}: {said}"
        );
        assert!(!said.contains("content-length: 0"), "{fault:?}: {said}");
    }
}

#[tokio::test]
async fn a_head_that_is_cut_short_ends_within_its_headers() {
    let till = Till::open().await;
    let said = head_of_quote(&till, Some(Fault::CloseDuring)).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(!said.contains("\r\n\r\n"), "{said}");
    for nothing in [Fault::CloseBefore, Fault::LoseAnswer, Fault::Refuse] {
        assert_eq!(head_of_quote(&till, Some(nothing)).await, "");
    }
}

#[tokio::test]
async fn a_head_of_what_cannot_be_asked_for_is_a_page_without_its_body() {
    let till = Till::open().await;
    for (path, status) in [
        ("/nowhere", 404),
        ("/orders/cancel", 405),
        ("/testServerAdmin/reset", 405),
    ] {
        let head = answer(till.request(Method::HEAD, path)).await.unwrap();
        assert!(is_page(&head, status), "{path}: {head:?}");
        assert_eq!(head.text, "", "{path}");
    }
    assert_eq!(till.simulator.book().strays(), 3);
}

#[tokio::test]
async fn methods_that_nobody_knows_are_a_405_and_targets_that_are_no_path_a_404() {
    let till = Till::open().await;
    for (request, status) in [
        ("BREW /moneytransfer/v2/orders", "405"),
        ("get /moneytransfer/v2/orders", "405"),
        ("OPTIONS /moneytransfer/v2/orders", "405"),
        ("TRACE /moneytransfer/v2/admin/fees", "405"),
        ("PATCH /moneytransfer/v2/orders/pin/", "405"),
        ("BREW /moneytransfer/v2/nowhere", "404"),
        ("OPTIONS *", "404"),
        ("CONNECT upstream:443", "404"),
        ("GET http://upstream/moneytransfer/v2/nowhere", "404"),
    ] {
        let request_text =
            format!("{request} HTTP/1.1\r\nhost: upstream\r\nconnection: close\r\n\r\n");
        let said = String::from_utf8(raw(&till, request_text).await).unwrap();
        assert_eq!(said.split(' ').nth(1), Some(status), "{request}: {said}");
        assert!(said.contains("<html>"), "{request}: {said}");
    }
    assert!(till.simulator.book().is_empty());
}

#[tokio::test]
async fn what_is_no_message_meets_no_fault_and_uses_none_up() {
    let till = Till::open().await;
    till.simulator
        .inject(Rule::any().next(1).fault(Fault::Refuse));
    assert!(is_page(&till.get("/nowhere").await, 404));
    let deleted = answer(till.request(Method::DELETE, "/orders")).await;
    assert!(is_page(&deleted.unwrap(), 405));
    let reset = till.request(Method::POST, "/testServerAdmin/reset?clientId=1");
    assert_eq!(answer(reset).await.unwrap().status, 204);
    assert!(till.try_post("/orders", &till.order(1)).await.is_err());
    assert_eq!(till.post("/orders", &till.order(1)).await.status, 201);
}
