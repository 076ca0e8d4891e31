//! A flow of the certification run passes for what it has checked: one that ends early without saying why
//! has failed, and so has one whose answers are not those that it needs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use between::{Answer, Asked, Server};
use money_transfer_retailer::simulator::{Fault, Operation, Rule, Simulator};
use run::certify::arguments::{self, Command, Options};
use run::certify::evidence::Verdict;
use run::certify::flows::{Flow, Walking, flow, walk_these};
use run::certify::walk::{Stop, Walk};
use run::{PASSWORD, step, text, walk_at};
use serde_json::{Value, json};

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

fn options(base_url: &str) -> Box<Options> {
    let arguments = ["--base-url", base_url, "--user", "1", "--password-env", "P"];
    let arguments = arguments.into_iter().map(str::to_owned);
    match arguments::read(arguments, |_| Some(PASSWORD.to_owned())) {
        Ok(Command::Run(options)) => options,
        _ => panic!("the arguments are those of a run"),
    }
}

type Walker = for<'a> fn(&'a mut Walk) -> Walking<'a>;

#[tokio::test]
async fn a_flow_that_ends_and_does_not_say_why_has_failed() {
    let fine: Walker = |walk| {
        Box::pin(async {
            walk.find("it is so", "so", Ok("so".to_owned()));
            Ok(())
        })
    };
    let silent: Walker = |_| Box::pin(async { Err(Stop::Flow) });
    let nothing_done: Walker = |_| Box::pin(async { Ok(()) });
    let early: Walker = |walk| {
        Box::pin(async {
            walk.find("it is not so", "so", Err("not so".to_owned()));
            walk.find("it is so", "so", Ok("so".to_owned()));
            Err(Stop::Flow)
        })
    };
    let told: Walker = |walk| {
        Box::pin(async {
            walk.find("it is not so", "so", Err("not so".to_owned()));
            Err(Stop::Flow)
        })
    };
    let added = "the flow is walked to its end: the flow ended here, and no step says why";
    for (walk, verdict, steps) in [
        (fine, Verdict::Pass, &["it is so: so"][..]),
        (silent, Verdict::Fail, &[added]),
        (nothing_done, Verdict::Fail, &[added]),
        (
            early,
            Verdict::Fail,
            &["it is not so: not so", "it is so: so", added],
        ),
        (told, Verdict::Fail, &["it is not so: not so"]),
    ] {
        let simulator = Simulator::start().await.unwrap();
        let server = options(&simulator.base_url()).server.unwrap();
        let flows: [Flow; 1] = [flow("tried", "a flow", walk)];
        let mut out = Vec::new();
        let evidence = walk_these(&flows, &server, &[], &mut out).await.unwrap();
        let tried = &evidence.flows[0];
        let shown = tried.steps.iter();
        let shown = shown.map(|step| format!("{}: {}", step.step, step.seen));
        assert_eq!(shown.collect::<Vec<_>>(), steps);
        assert_eq!(tried.verdict, verdict, "{steps:?}");
    }
}

/// A server that changes the JSON of its answers to this line.
async fn changing(line: &'static str, change: fn(&mut Value)) -> Server {
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
    Server::start(change).await
}

#[tokio::test]
async fn an_approval_that_is_lost_has_to_be_one() {
    type Change = fn(&mut Value);
    let no_reference: Change = |json| json["orderRedeemRef"] = Value::Null;
    let another_id: Change = |json| json["id"] = json!("another");
    let another_amount: Change = |json| json["amount"]["amount"] = json!(1);
    let flow = "create-order-answer-lost";
    let lost = "the approval of createOrder is lost";
    for (change, name, seen) in [
        (
            no_reference,
            "the order can be looked up",
            "no reference in the approval",
        ),
        (
            another_id,
            lost,
            "not approved: another id than the request's (HTTP 201)",
        ),
        (
            another_amount,
            lost,
            "not approved: another amount (HTTP 201)",
        ),
    ] {
        let server = changing("POST /orders", change).await;
        let run = walk_at(&server.base_url(), "0.5", &[flow]).await;
        assert_eq!(run.code, 1, "{}", run.out);
        let failed = step(&run, flow, name);
        assert_eq!(failed["verdict"], "fail", "{}", run.out);
        assert!(text(&failed["seen"]).starts_with(seen), "{}", run.out);
    }
}

#[tokio::test]
async fn an_answer_that_broke_off_on_its_way_is_no_approval_that_got_lost() {
    let simulator = Simulator::start().await.unwrap();
    simulator.inject(Rule::on(Operation::CreateOrder).fault(Fault::CloseDuring));
    let flow = "create-order-answer-lost";
    let run = walk_at(&simulator.base_url(), "0.5", &[flow]).await;
    assert_eq!(run.code, 1, "{}", run.out);
    let lost = step(&run, flow, "the approval of createOrder is lost");
    assert_eq!(
        lost["seen"],
        "not approved: the answer broke off (HTTP 201)"
    );
    let end = "the connection broke in the middle of the answer";
    assert_eq!(lost["exchanges"][0]["end"], end);
}

#[tokio::test]
async fn an_advice_against_a_decision_is_acknowledged_by_its_own_id_or_by_no_body() {
    let flow = "advices-about-nothing";
    let name = "a payment of nothing is reversed";
    for (status, body, fault) in [
        (202, "", None),
        (202, "{}", None),
        (202, "{\"id\":\"ITS OWN\"}", None),
        (
            202,
            "{\"id\":\"another\"}",
            Some("another id than the advice's (HTTP 202)"),
        ),
        (
            202,
            "{\"id\":7}",
            Some("another id than the advice's (HTTP 202)"),
        ),
        (202, "thanks", Some("no JSON object (HTTP 202)")),
        (202, "[]", Some("no JSON object (HTTP 202)")),
        (200, "{}", Some("HTTP 200 where the interface has 202")),
    ] {
        let take = move |asked: &Asked, answer: Answer| {
            if !asked.is("POST /orders/reversals") || answer.is_success() {
                return answer;
            }
            let own = text(&asked.json["id"]).to_uppercase();
            let body = body.replace("ITS OWN", &own).into_bytes();
            Answer {
                status,
                body,
                ..answer
            }
        };
        let server = Server::start(take).await;
        let run = walk_at(&server.base_url(), "1", &[flow]).await;
        let seen = text(&step(&run, flow, name)["seen"]);
        assert_eq!(run.code == 1, fault.is_some(), "{body}: {}", run.out);
        assert!(seen.contains(fault.unwrap_or("taken (HTTP 202)")), "{seen}");
    }
}

/// A server that takes an advice about nothing for one about the last order or redemption.
async fn hitting_the_last(advice: &'static str) -> Server {
    let is_hit = std::sync::atomic::AtomicBool::new(false);
    let change = move |asked: &Asked, answer: Answer| {
        use std::sync::atomic::Ordering;
        if asked.is(advice) && !answer.is_success() && !is_hit.swap(true, Ordering::SeqCst) {
            return Answer {
                status: 202,
                body: Vec::new(),
                ..answer
            };
        }
        let status = if advice == "POST /orders/reversals" {
            "CANCELLED"
        } else {
            "REDEEMED"
        };
        let body = String::from_utf8_lossy(&answer.body).replace("UNREDEEMED", status);
        match is_hit.load(Ordering::SeqCst) && asked.is("GET /orders") {
            true => Answer {
                body: body.into(),
                ..answer
            },
            false => answer,
        }
    };
    Server::start(change).await
}

#[tokio::test]
async fn an_advice_about_nothing_that_changes_an_order_fails() {
    for (advice, name) in [
        ("POST /orders/reversals", "the order can still be redeemed"),
        (
            "POST /orders/redemptions/confirmations",
            "the order can still be redeemed",
        ),
    ] {
        let server = hitting_the_last(advice).await;
        let run = walk_at(&server.base_url(), "0.5", &["advices-about-nothing"]).await;
        assert_eq!(run.code, 1, "{advice}: {}", run.out);
        let failed = run.steps("fail");
        let named = format!("advices-about-nothing: {name}");
        assert!(failed.contains(&named), "{advice}: {}", run.out);
    }
}
