//! Every kind of answer, good and bad, and what it means for each kind of message.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::api::{InDoubt, NotSentReason};
use crate::model::{
    AdminMessage, CreateOrderResponse, ErrorType, FeeQuoteResponse, LookupOrderResponse,
    OrderHistoryResponse, ReversalReason,
};

const ID: &str = "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b";
const OTHER_ID: &str = "11111111-2222-4333-8444-555555555555";

/// Stands in every body, and must show in nothing that is said about a success.
const SECRET: &str = "Thandi";

#[derive(Clone, Copy)]
enum Message {
    Request,
    Advice,
    Query,
}

use Message::{Advice, Query, Request};

mod bodies;
use bodies::*;

/// A kind of body, made for the message that it answers.
type Body = fn(Message) -> Vec<u8>;

/// What is expected of an answer: as a request, an advice and a query.
type Row = (u16, &'static str, Body, [&'static str; 3]);

const FINE: [&str; 3] = ["approved", "accepted", "answered"];
const DOUBT: [&str; 3] = ["unknown", "repeated", "repeated"];
const OWN_NO: [&str; 3] = ["declined", "refused", "failed"];
const STRANGERS_NO: [&str; 3] = ["declined", "repeated", "failed"];
const NOT_OFFERED: [&str; 3] = ["declined", "refused", "not supported"];
const NO_SUCH_PATH: [&str; 3] = ["declined", "repeated", "not supported"];

#[rustfmt::skip]
const SUCCESSES: &[Row] = &[
    (200, "as documented", good_bytes, FINE),
    (201, "as documented", good_bytes, FINE),
    (202, "as documented", good_bytes, FINE),
    (203, "as documented, changed by a proxy", good_bytes, DOUBT),
    (204, "empty", empty, DOUBT),
    (205, "empty", empty, DOUBT),
    (206, "as documented", good_bytes, DOUBT),
    (226, "as documented", good_bytes, DOUBT),
    (200, "empty", empty, ["unknown", "repeated", "repeated"]),
    (202, "empty", empty, ["unknown", "accepted", "repeated"]),
    (202, "blanks", blank, ["unknown", "accepted", "repeated"]),
    (202, "text", text, DOUBT),
    (200, "HTML", html, DOUBT),
    (202, "HTML", html, DOUBT),
    (201, "truncated JSON", truncated, DOUBT),
    (201, "two JSON texts", trailing, DOUBT),
    (201, "JSON that is no object", other_json, ["unknown", "repeated", "repeated"]),
    (201, "latin-1 in a decoration", latin_1, FINE),
    (201, "byte order mark", byte_order_mark, FINE),
    (201, "UTF-16", utf_16, DOUBT),
    (201, "another id", another_id, ["unknown", "repeated", "answered"]),
    (201, "id in upper case", upper_case_id, FINE),
    (201, "no id", no_id, ["unknown", "repeated", "answered"]),
    (201, "id null", null_id, ["unknown", "repeated", "answered"]),
    (201, "id a number", number_id, ["unknown", "repeated", "answered"]),
    (201, "two ids", two_ids, ["unknown", "repeated", "answered"]),
    (201, "no amount", no_amount, ["unknown", "accepted", "repeated"]),
    (201, "amount a text", amount_in_words, ["unknown", "accepted", "repeated"]),
    (201, "amount with a fraction", amount_with_fraction, ["unknown", "accepted", "repeated"]),
    (201, "amount beyond 64 bits", amount_too_large, ["unknown", "accepted", "repeated"]),
    (201, "currency of 1 KiB", currency_too_long, ["unknown", "accepted", "answered"]),
    (201, "number beyond a double", huge_number, FINE),
    (201, "malformed decoration", malformed_decoration, FINE),
    (201, "identifiers too large", identifiers_too_large, ["unknown", "accepted", "answered"]),
    (201, "redeem reference of 1 KiB", redeem_ref_too_long, ["unknown", "accepted", "answered"]),
    (200, "ErrorDetail", own_detail, DOUBT),
    (201, "ErrorDetail", own_detail, DOUBT),
    (202, "ErrorDetail", own_detail, DOUBT),
    (202, "ErrorDetail in latin-1", latin_1_detail, DOUBT),
    (202, "ErrorDetail, byte order mark", marked_detail, DOUBT),
    (200, "error of a cloud function", function_error, DOUBT),
    (202, "error of a cloud function", function_error, DOUBT),
    (200, "JSON of a gateway", gateway_json, ["unknown", "repeated", "repeated"]),
];

#[rustfmt::skip]
const FAILURES: &[Row] = &[
    (301, "HTML", html, DOUBT),
    (302, "empty", empty, DOUBT),
    (304, "empty", empty, DOUBT),
    (307, "ErrorDetail", own_detail, OWN_NO),
    (400, "ErrorDetail", own_detail, OWN_NO),
    (400, "ErrorDetail in latin-1", latin_1_detail, OWN_NO),
    (400, "ErrorDetail, byte order mark", marked_detail, OWN_NO),
    (400, "ErrorDetail, unknown errorType", unknown_error_type, OWN_NO),
    (400, "error of a cloud function", function_error, OWN_NO),
    (400, "text", text, OWN_NO),
    (400, "HTML", html, OWN_NO),
    (400, "empty", empty, OWN_NO),
    (401, "HTML", html, STRANGERS_NO),
    (401, "ErrorDetail", own_detail, OWN_NO),
    (402, "empty", empty, STRANGERS_NO),
    (403, "HTML", html, STRANGERS_NO),
    (403, "ErrorDetail", own_detail, OWN_NO),
    (404, "HTML", html, NO_SUCH_PATH),
    (404, "empty", empty, NO_SUCH_PATH),
    (404, "error of a cloud function", function_error, NO_SUCH_PATH),
    (404, "ErrorDetail", own_detail, OWN_NO),
    (405, "HTML", html, NO_SUCH_PATH),
    (405, "ErrorDetail", own_detail, OWN_NO),
    (407, "HTML", html, STRANGERS_NO),
    (408, "empty", empty, DOUBT),
    (408, "ErrorDetail", own_detail, OWN_NO),
    (409, "JSON of a gateway", gateway_json, STRANGERS_NO),
    (411, "HTML", html, STRANGERS_NO),
    (413, "HTML", html, STRANGERS_NO),
    (415, "HTML", html, STRANGERS_NO),
    (421, "empty", empty, STRANGERS_NO),
    (422, "ErrorDetail", own_detail, OWN_NO),
    (425, "empty", empty, DOUBT),
    (429, "HTML", html, DOUBT),
    (429, "ErrorDetail", own_detail, OWN_NO),
    (431, "HTML", html, STRANGERS_NO),
    (451, "HTML", html, STRANGERS_NO),
    (499, "empty", empty, STRANGERS_NO),
    (500, "ErrorDetail", own_detail, DOUBT),
    (500, "error of a cloud function", function_error, DOUBT),
    (500, "HTML", html, DOUBT),
    (500, "empty", empty, DOUBT),
    (501, "empty", empty, NOT_OFFERED),
    (501, "HTML", html, NOT_OFFERED),
    (501, "ErrorDetail", own_detail, NOT_OFFERED),
    (502, "HTML", html, DOUBT),
    (502, "error of a cloud function", function_error, DOUBT),
    (502, "ErrorDetail", own_detail, OWN_NO),
    (503, "HTML", html, DOUBT),
    (503, "JSON of a gateway", gateway_json, DOUBT),
    (503, "empty", empty, DOUBT),
    (503, "ErrorDetail", own_detail, OWN_NO),
    (503, "ErrorDetail in latin-1", latin_1_detail, OWN_NO),
    (504, "ErrorDetail", own_detail, DOUBT),
    (504, "HTML", html, DOUBT),
    (505, "HTML", html, DOUBT),
    (511, "HTML", html, DOUBT),
    (520, "HTML", html, DOUBT),
    (599, "empty", empty, DOUBT),
    (999, "HTML", html, DOUBT),
];

/// What is expected of an answer whose body did not end as it should.
#[rustfmt::skip]
const CUT_OFF: &[Row] = &[
    (201, "as documented", good_bytes, DOUBT),
    (202, "truncated JSON", truncated, DOUBT),
    (202, "empty", empty, DOUBT),
    (400, "truncated JSON", truncated, STRANGERS_NO),
    (400, "empty", empty, STRANGERS_NO),
    (400, "ErrorDetail", own_detail, OWN_NO),
    (404, "truncated JSON", truncated, ["declined", "repeated", "repeated"]),
    (404, "ErrorDetail", own_detail, OWN_NO),
    (405, "empty", empty, ["declined", "repeated", "repeated"]),
    (501, "empty", empty, ["declined", "repeated", "not supported"]),
    (503, "truncated JSON", truncated, DOUBT),
];

#[rustfmt::skip]
const TOO_LARGE: &[Row] = &[
    (201, "truncated JSON", truncated, DOUBT),
    (202, "empty", empty, DOUBT),
    (400, "truncated JSON", truncated, OWN_NO),
    (404, "truncated JSON", truncated, NO_SUCH_PATH),
    (503, "truncated JSON", truncated, DOUBT),
];

fn answer(status: u16, body: Vec<u8>, body_end: BodyEnd) -> Answer {
    Answer {
        status,
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        body: Bytes::from(body),
        body_end,
    }
}

fn request(result: Result<Answer, NoAnswer>) -> RequestOutcome<CreateOrderResponse> {
    of_request(
        result,
        Operation::CreateOrder,
        ID.parse().unwrap(),
        &InDoubt,
    )
}

fn advice(result: Result<Answer, NoAnswer>) -> AdviceOutcome {
    of_advice(result, Operation::ConfirmPayment, ID.parse().unwrap())
}

fn query(result: Result<Answer, NoAnswer>) -> QueryOutcome<LookupOrderResponse> {
    of_query(result, Operation::LookupOrder, None)
}

/// What an answer means in one word for each kind of message.
fn in_words(make: impl Fn(Message) -> Result<Answer, NoAnswer>) -> [&'static str; 3] {
    let request = match request(make(Request)) {
        RequestOutcome::Approved(_) => "approved",
        RequestOutcome::Declined(_) => "declined",
        RequestOutcome::NotSent(_) => "not sent",
        RequestOutcome::Unknown(_) => "unknown",
    };
    let advice = match advice(make(Advice)) {
        AdviceOutcome::Accepted { .. } => "accepted",
        AdviceOutcome::Refused(_) => "refused",
        AdviceOutcome::NotSent(_) => "not sent",
        AdviceOutcome::Unknown(_) => "repeated",
    };
    let query = match query(make(Query)) {
        QueryOutcome::Answered(_) => "answered",
        QueryOutcome::NotSupported { .. } => "not supported",
        QueryOutcome::Failed(_) => "failed",
        QueryOutcome::NotSent(_) => "not sent",
        QueryOutcome::Unknown(_) => "repeated",
    };
    [request, advice, query]
}

/// Every row with how its body ends, and the word for that.
fn rows() -> impl Iterator<Item = (BodyEnd, &'static str, &'static Row)> {
    let complete = SUCCESSES.iter().chain(FAILURES);
    let complete = complete.map(|row| (BodyEnd::Complete, "", row));
    let cut_off = CUT_OFF
        .iter()
        .map(|row| (BodyEnd::CutOff, ", cut off", row));
    let too_large = TOO_LARGE.iter();
    let too_large = too_large.map(|row| (BodyEnd::TooLarge, ", beyond the limit", row));
    complete.chain(cut_off).chain(too_large)
}

/// Run with `--nocapture` to see the table.
#[test]
fn every_answer_means_what_the_table_says() {
    let mut wrong = Vec::new();
    show("answer", "body", ["request", "advice", "query"]);
    show("---", "---", ["---"; 3]);
    for (body_end, ending, (status, name, body, expected)) in rows() {
        let make = |message| Ok(answer(*status, body(message), body_end));
        let found = in_words(make);
        show(&status.to_string(), &format!("{name}{ending}"), found);
        if found != *expected {
            wrong.push(format!(
                "{status} {name}{ending}: {found:?}, not {expected:?}"
            ));
        }
    }
    for (name, make, expected) in NO_ANSWERS {
        let found = in_words(|_| Err(make()));
        show("none", name, found);
        if found != *expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn show(answer: &str, body: &str, [request, advice, query]: [&str; 3]) {
    println!("| {answer:6} | {body:36} | {request:8} | {advice:8} | {query:13} |");
}

type NoAnswerRow = (&'static str, fn() -> NoAnswer, [&'static str; 3]);

const NO_ANSWERS: &[NoAnswerRow] = &[
    ("timed out", NoAnswer::timed_out, DOUBT),
    ("connection lost", NoAnswer::connection_lost, DOUBT),
    ("never connected", not_sent, ["not sent"; 3]),
];

fn not_sent() -> NoAnswer {
    NoAnswer::NotSent(NotSent {
        operation: Operation::CreateOrder,
        request_id: None,
        reason: NotSentReason::Connect,
        source: "refused".into(),
    })
}

#[test]
fn what_the_content_type_claims_changes_nothing() {
    for content_type in [
        None,
        Some("text/html"),
        Some("application/json; charset=latin1"),
    ] {
        for (body_end, _, (status, name, body, expected)) in rows() {
            let found = in_words(|message| {
                let mut answer = answer(*status, body(message), body_end);
                answer.content_type = content_type.map(str::to_owned);
                Ok(answer)
            });
            assert_eq!(found, *expected, "{status} {name} as {content_type:?}");
        }
    }
}

#[test]
fn an_update_is_answered_by_a_204_without_a_body() {
    for operation in [Operation::UpdateOrderStatus, Operation::UpdateOrderPin] {
        let updated = |body: &str| {
            let answer = answer(204, body.into(), BodyEnd::Complete);
            of_query::<()>(Ok(answer), operation, None)
        };
        assert!(matches!(updated(""), QueryOutcome::Answered(())));
        let other = updated(&detail("FORMAT_ERROR", "no"));
        assert!(matches!(other, QueryOutcome::Unknown(_)), "{other:?}");
    }
}

#[test]
fn an_update_is_answered_by_whoever_names_its_id() {
    let id = RequestId::random();
    for operation in [Operation::UpdateOrderStatus, Operation::UpdateOrderPin] {
        for (named, is_answer) in [(id, true), (RequestId::random(), false)] {
            let body = format!(r#"{{"id":"{named}"}}"#);
            let answer = answer(200, body.as_str().into(), BodyEnd::Complete);
            let outcome = of_query::<()>(Ok(answer), operation, Some(id));
            let found = matches!(outcome, QueryOutcome::Answered(()));
            assert_eq!(found, is_answer, "{outcome:?}");
        }
    }
}

#[test]
fn a_history_tells_what_of_it_cannot_be_read() {
    let body = r#"{"orders":[{"status":"REDEEMED"},7,{"status":"CANCELLED"}]}"#;
    let operation = Operation::GetCustomerOrderHistory;
    let answer = answer(200, body.into(), BodyEnd::Complete);
    let outcome: QueryOutcome<OrderHistoryResponse> = of_query(Ok(answer), operation, None);
    let QueryOutcome::Answered(history) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(history.skipped, ["orders[1]"]);
    assert_eq!(history.orders.len(), 2);
}

#[test]
fn json_of_somebody_else_answers_no_query_and_no_update() {
    let is_unknown = |operation, body: &str| match operation {
        Operation::GetFeeQuote => asked::<FeeQuoteResponse>(operation, body),
        Operation::GetCustomerOrderHistory => asked::<OrderHistoryResponse>(operation, body),
        Operation::UpdateOrderStatus | Operation::UpdateOrderPin => asked::<()>(operation, body),
        _ => asked::<AdminMessage>(operation, body),
    };
    for (operation, own) in [
        (Operation::GetFeeQuote, r#"{"receiver":{"id":"1"}}"#),
        (Operation::GetCustomerInfo, r#"{"customerProfileId":"1"}"#),
        (Operation::CreateOrUpdateCustomer, r#"{"originator":{}}"#),
        (Operation::GetCustomerOrderHistory, r#"{"orders":[]}"#),
        (Operation::UpdateOrderStatus, r#"{"orderRedeemRef":"1"}"#),
        (Operation::UpdateOrderPin, r#"{"orderRedeemRef":"1"}"#),
    ] {
        for body in [r#"{"message":"ok"}"#, "{}", "[]", r#"{"receiver":null}"#] {
            assert!(is_unknown(operation, body), "{operation}: {body}");
        }
        assert!(!is_unknown(operation, own), "{operation}: {own}");
    }
}

/// Whether a 200 with this body leaves the outcome unknown.
fn asked<R: QueryMessage>(operation: Operation, body: &str) -> bool {
    let answer = answer(200, body.into(), BodyEnd::Complete);
    matches!(
        of_query::<R>(Ok(answer), operation, None),
        QueryOutcome::Unknown(_)
    )
}

#[test]
fn what_the_service_says_is_understood_in_any_encoding() {
    for body in [own_detail, latin_1_detail, marked_detail] {
        let answer = answer(400, body(Advice), BodyEnd::Complete);
        let AdviceOutcome::Refused(refusal) = advice(Ok(answer)) else {
            panic!("a 400 is the service's own word");
        };
        assert_eq!(refusal.error_type(), Some(&ErrorType::FormatError));
        assert_eq!(refusal.excerpt, None);
    }
}

#[test]
fn a_reversal_says_whether_there_was_an_answer() {
    let reason = |result| match request(result) {
        RequestOutcome::Unknown(unanswered) => unanswered.reversal_reason(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(Err(NoAnswer::timed_out())), ReversalReason::Timeout);
    let lost = reason(Err(NoAnswer::connection_lost()));
    assert_eq!(lost, ReversalReason::Timeout);
    for (body_end, _, (status, name, body, expected)) in rows() {
        if expected[0] == "unknown" {
            let answer = answer(*status, body(Request), body_end);
            let found = reason(Ok(answer));
            assert_eq!(found, ReversalReason::ResponseNotFinal, "{status} {name}");
        }
    }
}

#[test]
fn the_wish_to_be_left_alone_is_kept_with_every_doubt() {
    let pause = Duration::from_secs(7);
    for (body_end, _, (status, name, body, expected)) in rows() {
        let mut answer = answer(*status, body(Advice), body_end);
        answer.retry_after = Some(pause);
        match advice(Ok(answer)) {
            AdviceOutcome::Unknown(unanswered) => {
                assert_eq!(unanswered.retry_after, Some(pause), "{status} {name}");
                assert_eq!(unanswered.status(), Some(*status));
            }
            _ => assert_ne!(expected[1], "repeated"),
        }
    }
}

#[test]
fn the_body_of_a_success_is_never_quoted() {
    for (body_end, _, (status, name, body, _)) in rows() {
        if !(200..300).contains(status) {
            continue;
        }
        let make = |message| Ok(answer(*status, body(message), body_end));
        let said = [
            format!("{:?}", make(Request)),
            format!("{:?}", request(make(Request))),
            format!("{:?}", advice(make(Advice))),
            format!("{:?}", query(make(Query))),
            shown(request(make(Request))),
        ];
        for said in said {
            assert!(!said.contains(SECRET), "{status} {name}: {said}");
            assert!(!said.contains(OTHER_ID), "{status} {name}: {said}");
        }
    }
}

fn shown(outcome: RequestOutcome<CreateOrderResponse>) -> String {
    match outcome {
        RequestOutcome::Unknown(unanswered) => unanswered.to_string(),
        RequestOutcome::Declined(declined) => declined.to_string(),
        RequestOutcome::NotSent(not_sent) => not_sent.to_string(),
        RequestOutcome::Approved(_) => String::new(),
    }
}

#[test]
fn of_a_failure_only_the_beginning_is_quoted() {
    let body = "é".repeat(10_000).into_bytes();
    let AdviceOutcome::Unknown(unanswered) = advice(Ok(answer(502, body, BodyEnd::Complete)))
    else {
        panic!("a 502 is a doubt");
    };
    let excerpt = unanswered.excerpt.unwrap();
    assert!((100..=EXCERPT_BYTES).contains(&excerpt.expose().len()));
}

#[test]
fn no_body_however_broken_makes_reading_panic() {
    let mut random = fastrand::Rng::with_seed(11);
    let statuses = [200, 201, 202, 204, 302, 400, 404, 429, 500, 501, 503];
    for _ in 0..20_000 {
        let (_, _, (_, _, body, _)) = rows().nth(random.usize(..rows().count())).unwrap();
        let status = statuses[random.usize(..statuses.len())];
        let seed = random.u64(..);
        in_words(|message| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut body = body(message);
            body.truncate(2_000);
            for _ in 0..random.usize(..4) {
                break_at_random(&mut body, &mut random);
            }
            Ok(answer(status, body, BodyEnd::Complete))
        });
    }
}

fn break_at_random(body: &mut Vec<u8>, random: &mut fastrand::Rng) {
    const PIECES: &[u8] = b"{}[]\",:\\u0e-n\xff\0";
    let at = random.usize(..=body.len());
    match random.u8(..3) {
        0 => body.truncate(at),
        1 => body.insert(at, PIECES[random.usize(..PIECES.len())]),
        _ if at < body.len() => body[at] ^= 1 << random.u8(..8),
        _ => {}
    }
}
