//! Answers that are slow, too large, too many or no HTTP at all.

use std::time::Duration;

use money_transfer_retailer::model::{OrderStatus, ReversalReason, UpdateOrderStatusRequest};
use money_transfer_retailer::{OrderOutcome, Problem, QueryError, Unusable};

use crate::raw::answers::{answer, approval, good, json_answer, quote};
use crate::raw::desk::{Desk, SHORT, in_time, quoted};
use crate::raw::server::{Connection, Received, Upstream};
use crate::support::order;

/// Far more than the kernel can hold between the two ends of a connection.
const PLENTY_BYTES: usize = 64 * 1024 * 1024;

/// More than the kernel holds, and far less than [`PLENTY_BYTES`].
const KERNEL_BYTES: usize = 16 * 1024 * 1024;

/// Serves the first createOrder by `misbehave`, everything else well.
async fn upstream_that<F>(
    misbehave: impl Fn(Connection, Received) -> F + Copy + Send + Sync + 'static,
) -> Upstream
where
    F: Future<Output = ()> + Send,
{
    Upstream::start(move |mut connection| async move {
        while let Some(request) = connection.request().await {
            if request.path() == "/orders" {
                return misbehave(connection, request).await;
            }
            connection.say(good(&request)).await;
        }
    })
    .await
}

/// What a createOrder comes to that is not answered well; sees to it that it is reversed for the right reason.
async fn problem_of(desk: &Desk, upstream: &Upstream, reason: ReversalReason) -> Problem {
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    let OrderOutcome::Unknown(unknown) = outcome else {
        panic!("{outcome:?}");
    };
    desk.drained().await;
    let reversals = upstream.received_at("POST", "/orders/reversals");
    assert_eq!(reversals.len(), 1);
    assert_eq!(reversals[0].json()["reversalReason"], reason.as_str());
    assert_eq!(upstream.received_at("POST", "/orders").len(), 1);
    unknown.cause.problem
}

fn why(problem: Problem) -> Unusable {
    match problem {
        Problem::Unusable { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_whose_head_does_not_come_in_time_is_a_timeout() {
    for said in ["", "HTTP/1.1 201 Created\r\ncontent-type:"] {
        let upstream = upstream_that(move |mut connection, _| async move {
            connection.say(said).await;
            connection.until_closed().await;
        })
        .await;
        let desk = Desk::open_with(&upstream.base_url(), |till| till.timeout(SHORT)).await;
        let problem = problem_of(&desk, &upstream, ReversalReason::Timeout).await;
        assert_eq!(problem, Problem::TimedOut);
    }
}

#[tokio::test]
async fn an_answer_whose_body_drips_is_cut_off_when_the_time_is_up() {
    let upstream = upstream_that(|mut connection, _| async move {
        let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut heard = connection.say(head).await;
        // No single wait is long: only the whole is.
        while heard {
            heard = connection.say("1\r\n \r\n").await;
            tokio::time::sleep(SHORT / 30).await;
        }
    })
    .await;
    let desk = Desk::open_with(&upstream.base_url(), |till| till.timeout(SHORT)).await;
    let problem = problem_of(&desk, &upstream, ReversalReason::ResponseNotFinal).await;
    assert_eq!(why(problem), Unusable::CutOff);
}

/// Takes a createOrder's answer of which `head` is the head, and which goes on and on.
async fn assert_read_no_further(head: &'static str, piece: &'static str, ending: Unusable) {
    let upstream = upstream_that(move |mut connection, _| async move {
        let mut heard = connection.say(head).await;
        let pieces = piece.repeat(64 * 1024 / piece.len());
        let mut said = 0;
        while heard && said < PLENTY_BYTES {
            heard = connection.say(&pieces).await;
            said += pieces.len();
        }
    })
    .await;
    let desk = Desk::open_with(&upstream.base_url(), |till| till.body_limit(10_000)).await;
    let problem = problem_of(&desk, &upstream, ReversalReason::ResponseNotFinal).await;
    assert_eq!(why(problem), ending);
    let taken = upstream.said_bytes();
    assert!(taken < KERNEL_BYTES, "{taken} bytes were taken");
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_read_to_the_limit_and_no_further() {
    let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\r\n";
    assert_read_no_further(head, "{\"a\":1} ", Unusable::TooLarge).await;
}

#[tokio::test]
async fn a_chunked_body_without_an_end_is_read_to_the_limit_and_no_further() {
    let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_read_no_further(head, "5\r\n12345\r\n", Unusable::TooLarge).await;
}

#[tokio::test]
async fn a_body_that_announces_more_than_fits_into_memory_is_read_to_the_limit_and_no_further() {
    let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 9000000000000000000\r\n\r\n";
    assert_read_no_further(head, "{\"a\":1} ", Unusable::TooLarge).await;
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
    const LIMIT: usize = 2_000;
    for (length, fits) in [(LIMIT, true), (LIMIT + 1, false)] {
        let upstream = upstream_that(move |mut connection, request| async move {
            let approval = String::from_utf8(approval(&request)).unwrap();
            let (_, body) = approval.split_once("\r\n\r\n").unwrap();
            let padded = format!("{body:<length$}");
            let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n";
            connection
                .say(format!("{head}content-length: {length}\r\n\r\n{padded}"))
                .await;
            connection.until_closed().await;
        })
        .await;
        let desk = Desk::open_with(&upstream.base_url(), |till| till.body_limit(LIMIT)).await;
        let outcome = desk.till.create_order(order()).await.unwrap();
        assert_eq!(outcome.approved().is_some(), fits, "{length}");
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_not_read_for_ever() {
    let upstream = upstream_that(|mut connection, _| async move {
        let mut heard = connection.say("HTTP/1.1 201 Created\r\n").await;
        let lines = "x-filler: 0123456789\r\n".repeat(1_000);
        let mut said = 0;
        while heard && said < PLENTY_BYTES {
            heard = connection.say(&lines).await;
            said += lines.len();
        }
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    let problem = problem_of(&desk, &upstream, ReversalReason::Timeout).await;
    assert_eq!(problem, Problem::ConnectionLost);
    assert!(upstream.said_bytes() < KERNEL_BYTES);
}

#[tokio::test]
async fn bytes_that_are_no_http_leave_the_outcome_unknown() {
    let garbage: [&[u8]; 5] = [
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00 and so on",
        b"<html>busy</html>\r\n\r\n",
        b"HTTP/9.9 201 Created\r\n\r\n",
        b"HTTP/1.1 99 Too Low\r\ncontent-length: 0\r\n\r\n",
    ];
    for bytes in garbage {
        let upstream = upstream_that(move |mut connection, _| async move {
            connection.say(bytes).await;
            connection.until_closed().await;
        })
        .await;
        let desk = Desk::open(&upstream.base_url()).await;
        let problem = problem_of(&desk, &upstream, ReversalReason::Timeout).await;
        assert_eq!(problem, Problem::ConnectionLost, "{bytes:?}");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let upstream = upstream_that(|mut connection, request| async move {
        for interim in [
            "100 Continue\r\n",
            "102 Processing\r\n",
            "103 Early Hints\r\nlink: </>\r\n",
        ] {
            connection.say(format!("HTTP/1.1 {interim}\r\n")).await;
        }
        connection.say(approval(&request)).await;
        connection.until_closed().await;
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    let outcome = desk.till.create_order(order()).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
}

#[tokio::test]
async fn an_upstream_that_switches_protocols_has_not_answered() {
    let upstream = upstream_that(|mut connection, _| async move {
        let switch =
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
        connection.say(switch).await;
        connection.until_closed().await;
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    let outcome = in_time(desk.till.create_order(order())).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn an_http_1_0_answer_is_an_answer() {
    let upstream = Upstream::start(|mut connection: Connection| async move {
        let request = connection.request().await.unwrap();
        let answer = String::from_utf8(approval(&request)).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = "HTTP/1.0 201 Created\r\ncontent-type: application/json\r\n\r\n";
        connection.say(format!("{head}{body}")).await;
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    for connection in 1..=3 {
        let outcome = desk.till.create_order(order()).await.unwrap();
        assert!(matches!(outcome, OrderOutcome::Approved(_)), "{outcome:?}");
        assert_eq!(upstream.connections(), connection);
    }
}

#[tokio::test]
async fn a_second_answer_is_never_taken_for_the_answer_to_the_next_message() {
    let upstream = Upstream::answering(|request| {
        let mut answer = good(request);
        let mut another = quote(request);
        another["feeQuote"]["feeAmount"]["amount"] = 999_999.into();
        answer.extend(json_answer(200, &another));
        answer
    })
    .await;
    assert_each_quote_is_its_own(&upstream).await;
}

#[tokio::test]
async fn the_body_of_an_answer_that_has_none_is_never_taken_for_the_next_answer() {
    let upstream = Upstream::answering(|request| match request.method() {
        "PUT" => {
            let mut answer = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
            let other = serde_json::json!({ "feeQuote": null });
            answer.extend(json_answer(200, &other));
            answer
        }
        _ => good(request),
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    for number in 1..=20 {
        desk.till.update_order_status(on_hold()).await.unwrap();
        assert_eq!(quoted(&desk.till, number).await, number);
    }
}

#[tokio::test]
async fn an_update_is_done_with_each_success_that_is_empty_or_its_echo() {
    let echo = r#"{"orderRedeemRef":"1234567890"}"#;
    for (status, body) in [(200, ""), (200, echo), (202, echo), (201, " ")] {
        let upstream = Upstream::answering(move |_| answer(status, "application/json", body)).await;
        let desk = Desk::open(&upstream.base_url()).await;
        desk.till.update_order_status(on_hold()).await.unwrap();
        assert_eq!(upstream.received().len(), 1);
    }
}

#[tokio::test]
async fn an_update_is_in_doubt_with_a_page_an_error_or_json_of_somebody_else_for_a_success() {
    let detail = r#"{"errorType":"FORMAT_ERROR","errorMessage":"no","id":"1"}"#;
    for (status, body) in [
        (200, "<html></html>"),
        (200, detail),
        (200, r#"{"message":"ok"}"#),
        (202, "[]"),
        (301, ""),
    ] {
        let upstream = Upstream::answering(move |_| answer(status, "application/json", body)).await;
        let desk = Desk::open(&upstream.base_url()).await;
        let doubt = desk.till.update_order_status(on_hold()).await.unwrap_err();
        assert!(matches!(doubt, QueryError::Unanswered { .. }), "{doubt:?}");
    }
}

fn on_hold() -> UpdateOrderStatusRequest {
    UpdateOrderStatusRequest::builder()
        .update_time("2026-01-31T08:30:00Z".parse().unwrap())
        .order_redeem_ref("1234567890")
        .status(OrderStatus::OnHold)
        .build()
}

#[tokio::test]
async fn an_answer_that_is_longer_than_it_says_does_not_spoil_the_next_one() {
    let upstream = Upstream::answering(|request| {
        let mut answer = good(request);
        answer.extend_from_slice(b"{\"feeQuote\":null}");
        answer
    })
    .await;
    assert_each_quote_is_its_own(&upstream).await;
}

async fn assert_each_quote_is_its_own(upstream: &Upstream) {
    let desk = Desk::open(&upstream.base_url()).await;
    for number in 1..=30 {
        // Lets what is too much arrive before, and with, the next message.
        tokio::time::sleep(Duration::from_millis(number % 3)).await;
        let amount = i64::try_from(number).unwrap();
        assert_eq!(quoted(&desk.till, amount).await, amount);
    }
}
