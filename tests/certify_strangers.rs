//! A certification run asks as somebody whom the server does not know, and for others: who shows a stranger an
//! order fails, and what the interface leaves open is a remark.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use std::sync::{Arc, Mutex};

use between::{Answer, Asked, Server};
use money_transfer_retailer::simulator::Simulator;
use run::{Run, step, text, walk_at};
use serde_json::{Value, json};

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

const FLOW: &str = "strangers";
const WRONG: &str = "the password is wrong";
const NONE: &str = "there are no credentials";

fn remarks(step: &Value) -> &[Value] {
    step["remarks"].as_array().unwrap()
}

/// A run against a server that answers a stranger's lookup so.
async fn run_with_a_stranger_answered(status: u16, body: &'static str) -> Run {
    let shown = Mutex::new(Vec::new());
    let change = move |asked: &Asked, answer: Answer| {
        if !asked.is("GET /orders") || answer.is_success() {
            shown.lock().unwrap().push(answer.body.clone());
            return answer;
        }
        let body = match body {
            "THE ORDER" => shown.lock().unwrap().last().cloned().unwrap(),
            body => body.into(),
        };
        Answer {
            status,
            body,
            ..answer
        }
    };
    let server = Server::start(change).await;
    walk_at(&server.base_url(), "1", &[FLOW]).await
}

#[tokio::test]
async fn a_stranger_who_is_refused_is_a_pass_without_a_remark() {
    let error = r#"{"errorType":"AUTHENTICATION_ERROR","errorMessage":"","id":"1"}"#;
    for (status, body) in [(401, ""), (403, ""), (400, error), (401, error)] {
        let run = run_with_a_stranger_answered(status, body).await;
        assert_eq!(run.code, 0, "{status}: {}", run.out);
        for name in [WRONG, NONE] {
            let asked = step(&run, FLOW, name);
            assert!(remarks(asked).is_empty(), "{status}: {}", run.out);
            assert!(text(&asked["seen"]).contains(&format!("HTTP {status}")));
        }
    }
}

#[tokio::test]
async fn a_stranger_who_is_shown_the_order_is_a_fail() {
    for (status, body) in [(200, "THE ORDER"), (200, "{}"), (500, "")] {
        let run = run_with_a_stranger_answered(status, body).await;
        assert_eq!(run.code, 1, "{status}: {}", run.out);
        for name in [WRONG, NONE] {
            let asked = step(&run, FLOW, name);
            assert_eq!(asked["verdict"], "fail", "{status}: {}", run.out);
        }
    }
}

#[tokio::test]
async fn a_server_that_takes_any_password_is_remarked_on_as_long_as_it_shows_nothing() {
    let simulator = Simulator::start().await.unwrap();
    let run = walk_at(&simulator.base_url(), "2", &[FLOW]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let asked = step(&run, FLOW, WRONG);
    let seen = "refused: UNABLE_TO_LOCATE_RECORD (HTTP 400)";
    assert_eq!(asked["seen"], seen, "{}", run.out);
    assert_eq!(remarks(asked).len(), 1);
    assert!(remarks(step(&run, FLOW, NONE)).is_empty());
}

#[tokio::test]
async fn a_stranger_asks_once_and_for_the_same_order() {
    let lookups = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&lookups);
    let change = move |asked: &Asked, answer: Answer| {
        if asked.is("GET /orders") {
            let line = asked.line.clone();
            heard.lock().unwrap().push((line, answer.is_success()));
        }
        answer
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "2", &[FLOW]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let lookups = lookups.lock().unwrap();
    let refused = lookups.iter().filter(|(_, is_success)| !is_success);
    assert_eq!(refused.count(), 2, "{lookups:?}");
    let (line, _) = &lookups[0];
    assert!(
        lookups.iter().all(|(other, _)| other == line),
        "{lookups:?}"
    );
}

/// A run against a server that takes any client's order: it answers a sale in the till's name by its own.
async fn run_with_any_client() -> Run {
    let approved = Mutex::new(Value::Null);
    let change = move |asked: &Asked, answer: Answer| {
        let mut approved = approved.lock().unwrap();
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut changed = asked.json.clone();
        changed["orderRedeemRef"] = json!("12345678901234567890");
        let (status, body) = match () {
            () if asked.is("POST /orders") && json["errorType"] == "AUTHENTICATION_ERROR" => {
                *approved = asked.json["id"].clone();
                (201, changed.to_string().into())
            }
            () if !approved.is_null() && asked.json["requestId"] == *approved => {
                (202, asked.json.to_string().into())
            }
            () => (answer.status, answer.body.clone()),
        };
        let answer = answer.with("location", "/orders/1");
        Answer {
            status,
            body,
            ..answer
        }
    };
    let server = Server::start(change).await;
    walk_at(&server.base_url(), "2", &["other-parties"]).await
}

#[tokio::test]
async fn orders_of_another_client_are_taken_back_where_they_are_approved() {
    let run = run_with_any_client().await;
    assert_eq!(run.code, 0, "{}", run.out);
    let approved = step(&run, "other-parties", "the client is another one");
    assert!(text(&approved["seen"]).starts_with("approved R "));
    let remark = "this server does not hold the client's id against the user name";
    assert_eq!(*remarks(approved), [json!(remark)], "{}", run.out);
    let sent = &approved["exchanges"][0]["request"];
    assert_ne!(sent["client"]["id"], "7654321");
    let reversed = step(&run, "other-parties", "it was approved, and is taken back");
    assert_eq!(reversed["requestId"], approved["requestId"]);
}

#[tokio::test]
async fn orders_of_others_that_are_declined_are_a_pass_without_a_remark() {
    let change = |asked: &Asked, answer: Answer| match asked.is("POST /orders") {
        true => Answer {
            status: 400,
            body: r#"{"errorType":"ROUTING_ERROR","errorMessage":"","id":"1"}"#.into(),
            ..answer
        },
        false => answer,
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "2", &["other-parties"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    assert_eq!(run.json["remarks"], 0, "{}", run.out);
}
