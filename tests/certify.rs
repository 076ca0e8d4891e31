//! The certification run passes on a server that keeps to the interface, says what a server does not
//! offer, finds what a server does wrong, and tells nobody's secrets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use std::collections::BTreeSet;
use std::path::Path;

use money_transfer_retailer::simulator::{
    Builder, CannedAnswer, Fault, Operation, Rule, Simulator,
};
use run::{PASSWORD, Run, bare_run, names, run, run_at, text, walk_at};
use serde_json::Value;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

/// The operations that version 2.5 does not have.
const LATER: [Operation; 7] = [
    Operation::CancelOrder,
    Operation::CancelOrderReversal,
    Operation::UpdateOrderStatus,
    Operation::UpdateOrderPin,
    Operation::GetFeeQuoteByPost,
    Operation::GetExchangeRate,
    Operation::GetCustomerOrderHistory,
];

async fn run_against(simulator: Builder, timeout: &str) -> Run {
    let simulator = simulator.start().await.unwrap();
    run_at(&simulator.base_url(), timeout).await
}

#[tokio::test]
async fn every_flow_passes_on_the_simulator_that_comes_along() {
    let run = run(&[]).await;
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert_eq!(run.json["totals"]["notSupported"], 0);
    assert_eq!(run.operations("passed"), names(&Operation::ALL));
    assert_eq!(run.json["flows"].as_array().unwrap().len(), 34);
}

#[tokio::test]
async fn a_second_run_passes_on_the_same_server() {
    let simulator = Simulator::start().await.unwrap();
    for _ in 0..2 {
        let run = run_at(&simulator.base_url(), "5").await;
        assert_eq!(run.code, 0, "{}", run.out);
    }
}

#[tokio::test]
async fn what_the_providers_server_does_not_know_is_not_supported_and_no_fail() {
    let run = run_against(Simulator::builder().provider_quirks(true), "5").await;
    assert_eq!((run.code, run.failed()), (0, 0), "{}", run.out);
    assert_eq!(run.operations("notSupported"), names(&LATER));
    let steps = run.steps("not supported");
    assert!(steps.contains("cancel-order: cancelOrder is approved"));
    assert!(steps.contains("cancel-order-reversed: there is nothing to reverse"));
    assert!(!run.out.contains("operations not used"), "{}", run.out);
}

#[tokio::test]
async fn by_the_interfaces_own_table_the_same_is_not_supported() {
    let quirky = Simulator::builder().provider_quirks(true);
    let simulator = quirky.start().await.unwrap();
    let base_url = simulator.base_url();
    let mut arguments = vec!["--base-url", &base_url, "--user", "7654321"];
    arguments.extend(["--password-env", "PASSWORD", "--timeout", "5"]);
    arguments.push("--interface-table");
    let run = run(&arguments).await;
    assert_eq!((run.code, run.failed()), (0, 0), "{}", run.out);
    assert_eq!(run.operations("notSupported"), names(&LATER));
}

/// Flows that use every operation, and wait for nothing.
const QUICK: [&str; 11] = [
    "create-order",
    "create-order-reversed",
    "redeem-order",
    "redeem-order-reversed",
    "cancel-order",
    "cancel-order-reversed",
    "update-order-pin",
    "update-order-status",
    "fee-quote-by-post",
    "exchange-rate",
    "order-history",
];

/// A server without the later operations, which it answers in these words.
async fn run_without_the_later_ones(words: impl Into<Fault>) -> Run {
    let words = words.into();
    let simulator = Simulator::start().await.unwrap();
    for operation in LATER {
        simulator.inject(Rule::on(operation).fault(words.clone()));
    }
    walk_at(&simulator.base_url(), "5", &QUICK).await
}

#[tokio::test]
async fn a_later_operation_may_be_missing_in_any_words() {
    let html = "<html><body>Not Found</body></html>";
    let json = r#"{"timestamp":"2026-01-31T08:30:00Z","status":404,"error":"Not Found"}"#;
    let words: [Fault; 8] = [
        CannedAnswer::status(404).body("text/html", html).into(),
        CannedAnswer::status(404)
            .body("application/json", json)
            .into(),
        Fault::status(404),
        Fault::status(405),
        CannedAnswer::status(405).body("text/html", html).into(),
        Fault::status(501),
        CannedAnswer::status(501).body("text/html", html).into(),
        Fault::Error {
            status: 501,
            error_type: "TRANSACTION_NOT_SUPPORTED".into(),
        },
    ];
    for words in words {
        let run = run_without_the_later_ones(words.clone()).await;
        assert_eq!((run.code, run.failed()), (0, 0), "{words:?}: {}", run.out);
        assert_eq!(run.operations("notSupported"), names(&LATER), "{words:?}");
        let all_the_others = Operation::ALL
            .into_iter()
            .filter(|operation| !LATER.contains(operation));
        let passed = names(&all_the_others.collect::<Vec<_>>());
        assert_eq!(run.operations("passed"), passed, "{words:?}");
    }
}

#[tokio::test]
async fn an_error_of_a_server_that_knows_the_operation_is_a_fail() {
    for status in [400, 404, 405] {
        let error_type = "TRANSACTION_NOT_SUPPORTED".into();
        let run = run_without_the_later_ones(Fault::Error { status, error_type }).await;
        assert_eq!(run.code, 1, "{status}: {}", run.out);
        assert_eq!(run.operations("notSupported"), names(&[]), "{status}");
        let words = format!("declined: TRANSACTION_NOT_SUPPORTED (HTTP {status})");
        assert!(run.html.contains(&words), "{status}: {}", run.out);
        // Which rates there are is the provider's own business.
        let failed = run.operations("failed");
        assert!(failed.contains("getFeeQuoteByPost"), "{failed:?}");
        assert!(!failed.contains("getExchangeRate"), "{failed:?}");
    }
}

#[tokio::test]
async fn an_operation_that_was_always_there_must_not_be_missing_in_any_words() {
    for status in [501, 404, 405] {
        let rule = Rule::on(Operation::GetFeeQuote).fault(Fault::status(status));
        let simulator = Simulator::start().await.unwrap();
        simulator.inject(rule);
        let run = walk_at(&simulator.base_url(), "5", &["fee-quote", "lookup-order"]).await;
        assert_eq!(run.code, 1, "{status}: {}", run.out);
        assert_eq!(run.operations("notSupported"), BTreeSet::new());
        assert_eq!(run.operations("failed"), names(&[Operation::GetFeeQuote]));
        let words = format!("not offered (HTTP {status}), but this operation is part of every");
        assert!(run.html.contains(&words), "{}", run.out);
    }
}

#[tokio::test]
async fn a_server_that_offers_nothing_fails() {
    let nothing = Rule::any().fault(Fault::status(501));
    let run = run_against(Simulator::builder().inject(nothing), "1").await;
    assert_eq!((run.code, &run.json["verdict"]), (1, &"fail".into()));
    assert!(run.operations("passed").is_empty(), "{}", run.out);
    let failed = run.steps("fail");
    assert!(failed.contains("create-order: what it would cost"));
    assert!(failed.contains("minimum: the operations of version 2.5 are offered, and work"));
}

#[tokio::test]
async fn a_run_of_nothing_but_what_is_not_supported_has_not_passed() {
    let simulator = Simulator::builder().provider_quirks(true);
    let simulator = simulator.start().await.unwrap();
    let run = walk_at(&simulator.base_url(), "5", &["exchange-rate"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    assert_eq!(run.json["verdict"], "not supported");
}

#[tokio::test]
async fn a_server_that_knows_no_operation_at_all_fails() {
    let simulator = Simulator::start().await.unwrap();
    let elsewhere = simulator.base_url().replace("/v2", "/v3");
    let run = run_at(&elsewhere, "1").await;
    assert_eq!(run.code, 1);
    assert!(
        run.steps("fail")
            .contains("create-order: what it would cost")
    );
}

#[tokio::test]
async fn an_order_that_is_answered_with_garbage_fails() {
    let garbage = CannedAnswer::status(201).body("application/json", "{\"id\":");
    let rule = Rule::on(Operation::CreateOrder).fault(garbage);
    let run = run_against(Simulator::builder().inject(rule), "0.3").await;
    assert_eq!(run.code, 1);
    assert!(
        run.steps("fail")
            .contains("create-order: createOrder is approved")
    );
    assert!(run.operations("failed").contains("createOrder"));
    // Nothing of it existed upstream, and nothing is left over.
    assert!(
        run.steps("pass").contains("queues: nothing is pending"),
        "{}",
        run.out
    );
}

#[tokio::test]
async fn bytes_that_are_no_http_fail() {
    let rule = Rule::on(Operation::RedeemOrder).fault(Fault::Garbage);
    let run = run_against(Simulator::builder().inject(rule), "0.5").await;
    assert_eq!(run.code, 1);
    assert!(
        run.steps("fail")
            .contains("redeem-order: the order is redeemed")
    );
    assert!(
        !run.operations("failed").contains("createOrder"),
        "{}",
        run.out
    );
}

#[tokio::test]
async fn a_confirmation_that_is_refused_fails() {
    let rule = Rule::on(Operation::ConfirmPayment).fault(Fault::error("UNABLE_TO_LOCATE_RECORD"));
    let run = run_against(Simulator::builder().inject(rule), "1").await;
    assert_eq!(run.code, 1);
    let failed = run.steps("fail");
    assert!(
        failed.contains("create-order: the customer pays"),
        "{}",
        run.out
    );
    assert!(failed.contains("queues: nothing was rejected"));
    assert!(
        run.html
            .contains("rejected after 1 attempt, refused: UNABLE_TO_LOCATE_RECORD (HTTP 400)")
    );
}

#[tokio::test]
async fn a_confirmation_that_is_never_taken_fails() {
    let simulator = Simulator::start().await.unwrap();
    simulator.inject(Rule::on(Operation::ConfirmRedeem).fault(Fault::status(503)));
    let run = walk_at(&simulator.base_url(), "0.3", &["redeem-order"]).await;
    assert_eq!(run.code, 1);
    let failed = run.steps("fail");
    assert!(
        failed.contains("redeem-order: the recipient is paid"),
        "{}",
        run.out
    );
    assert!(failed.contains("queues: nothing is pending"));
}

#[tokio::test]
async fn an_advice_that_is_taken_but_not_obeyed_fails() {
    let simulator = Simulator::start().await.unwrap();
    for advice in [Operation::ReversePayment, Operation::ConfirmRedeem] {
        simulator.inject(Rule::on(advice).fault(Fault::status(202)));
    }
    let flows = ["create-order-reversed", "redeem-order"];
    let run = walk_at(&simulator.base_url(), "0.3", &flows).await;
    assert_eq!(run.code, 1);
    let failed = run.steps("fail");
    for step in [
        "create-order-reversed: the order does not stand",
        "redeem-order: the order is redeemed for good",
    ] {
        assert!(failed.contains(step), "{step}: {}", run.out);
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_ends_the_run() {
    let simulator = Simulator::start().await.unwrap();
    simulator.go_down().await.unwrap();
    // Long enough for a busy machine to find out that nobody is there.
    let run = run_at(&simulator.base_url(), "5").await;
    assert_eq!(run.code, 1);
    assert!(run.out.contains("broken off"), "{}", run.out);
    assert_eq!(run.failed(), 1, "{}", run.out);
}

#[tokio::test]
async fn one_flow_can_be_walked_alone() {
    let run = run(&["--only", "create-order-reversed"]).await;
    assert_eq!(run.code, 0, "{}", run.out);
    let flows = run.json["flows"].as_array().unwrap();
    let flows: Vec<&str> = flows.iter().map(|flow| text(&flow["flow"])).collect();
    assert_eq!(flows, ["create-order-reversed", "orders-as-left", "queues"]);
    // Nobody is to take that for a run of all flows.
    assert_eq!(
        run.json["only"],
        serde_json::json!(["create-order-reversed"])
    );
    assert!(run.html.contains("<dd>only create-order-reversed</dd>"));
    assert!(run.out.contains("only these flows: create-order-reversed"));
}

#[tokio::test]
async fn neither_the_table_nor_the_report_tells_a_secret() {
    let simulator = Simulator::start().await.unwrap();
    let quoting = format!(
        r#"{{"errorType":"FORMAT_ERROR","errorMessage":"{PASSWORD} <b>'7'</b> Mokoena","id":"1"}}"#
    );
    let quoting = CannedAnswer::status(400).body("application/json", quoting);
    simulator.inject(Rule::on(Operation::GetExchangeRate).fault(quoting));
    let run = run_at(&simulator.base_url(), "5").await;
    let json = run.json.to_string();
    let told = [&run.out, &run.html, &json];
    let secrets = secrets_in(&simulator);
    assert!(secrets.len() > 100, "there was nothing to search for");
    for secret in secrets {
        assert!(
            !told.iter().any(|told| told.contains(&*secret)),
            "{secret} is told"
        );
    }
    assert!(
        run.html.contains("*** &lt;b&gt;&#39;7&#39;&lt;/b&gt; ***"),
        "quoted, masked and escaped"
    );
}

/// What the simulator has seen that nobody else should.
fn secrets_in(simulator: &Simulator) -> BTreeSet<String> {
    let book = simulator.book();
    let mut secrets: BTreeSet<String> = BTreeSet::from([PASSWORD.to_owned()]);
    secrets.extend(
        book.orders()
            .map(|order| order.order_redeem_ref().to_owned()),
    );
    for message in book.messages() {
        collect(&message.json(), &mut secrets);
    }
    secrets
}

fn collect(value: &Value, secrets: &mut BTreeSet<String>) {
    const SECRET: [&str; 7] = [
        "idNumber",
        "contactNumber",
        "firstName",
        "lastName",
        "pinBlock",
        "accountNumber",
        "orderRedeemRef",
    ];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if SECRET.contains(&name.as_str()) => {
                        secrets.insert(text.to_owned());
                    }
                    _ => collect(member, secrets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secrets)),
        _ => {}
    }
}

#[tokio::test]
async fn the_report_has_fields_that_stay() {
    let run = run(&["--only", "create-order-reversed"]).await;
    let members = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        members(&run.json).join(" "),
        "advices answerPolicy clientId crateName crateVersion endedAt flows format interfaceVersion only operations \
         remarks serverHost serverIsSimulator startedAt timeoutMillis totals transport verdict"
    );
    let flow = &run.json["flows"][0];
    assert_eq!(members(flow).join(" "), "about flow steps verdict");
    let step = &flow["steps"][2];
    assert_eq!(
        members(step).join(" "),
        "advice adviceId durationMillis exchanges expected number operation remarks requestId seen \
         startedAt step verdict"
    );
    assert_eq!(text(&step["operation"]), "reversePayment");
    assert_eq!(
        members(&run.json["operations"][0]).join(" "),
        "answers failed isMinimum notSupported operation passed success"
    );
    assert_eq!(
        members(&run.json["operations"][0]["answers"][0]).join(" "),
        "contentType count httpStatus withLocation"
    );
    assert_eq!(
        members(&step["exchanges"][0]).join(" "),
        "contentType durationMillis end httpStatus location method operation path query request \
         response responseBytes sentAt"
    );
    assert_eq!(
        members(&step["advice"]).join(" "),
        "attemptCount attempts decidedAt ending schema state"
    );
    assert_eq!(
        members(&step["advice"]["attempts"][0]).join(" "),
        "endedAt errorType httpStatus number outcome problem"
    );
}

#[tokio::test]
async fn a_server_somewhere_else_has_a_minute_for_an_answer() {
    let here = run(&["--only", "lookup-order"]).await;
    assert_eq!(here.json["timeoutMillis"], 5_000);
    let simulator = Simulator::start().await.unwrap();
    let base_url = simulator.base_url();
    let elsewhere = ["--base-url", &base_url, "--user", "7654321"];
    let mut arguments = elsewhere.to_vec();
    arguments.extend(["--password-env", "PASSWORD", "--only", "lookup-order"]);
    assert_eq!(run(&arguments).await.json["timeoutMillis"], 60_000);
    let asked = walk_at(&base_url, "0.5", &["lookup-order"]).await;
    assert_eq!(asked.json["timeoutMillis"], 500);
}

#[tokio::test]
async fn the_extension_says_which_report_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (name, written) in [
        ("a.html", &["a.html"][..]),
        ("b.json", &["b.json"]),
        ("c", &["c.html", "c.json"]),
        ("d.2026", &["d.2026.html", "d.2026.json"]),
    ] {
        let path = folder.path().join(name);
        let arguments = ["--only", "lookup-order", "--report", path.to_str().unwrap()];
        let (code, ..) = bare_run(arguments.map(str::to_owned).to_vec()).await;
        assert_eq!(code, 0);
        assert_eq!(files_in(folder.path()), written, "{name}");
        for file in written {
            std::fs::remove_file(folder.path().join(file)).unwrap();
        }
    }
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn bad_arguments_have_an_exit_code_of_their_own() {
    let at = ["--base-url", "http://127.0.0.1:9/moneytransfer/v2"];
    let far = ["--base-url", "http://upstream.example/moneytransfer/v2"];
    let as_user = ["--user", "1", "--password-env", "PASSWORD"];
    let bad: [(&[&str], &str); 10] = [
        (&["--frobnicate"], "no argument"),
        (&["--only"], "needs a value"),
        (&["--only", "sell-everything"], "none of the flows"),
        (&["--timeout", "soon"], "no number of seconds"),
        (&["--user", "1"], "without --base-url"),
        (&at, "--user is needed"),
        (&[at[0], at[1], "--user", "1"], "--password-env is needed"),
        (
            &[at[0], at[1], "--user", "1", "--password-env", "NOWHERE"],
            "not set",
        ),
        (&["--merchant", "7"], "merchantId"),
        (&["--report", "/nowhere/at/all"], "cannot be written"),
    ];
    for (arguments, words) in bad {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let (code, _, err) = bare_run(arguments.clone()).await;
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
    let plain: Vec<String> = far
        .iter()
        .chain(&as_user)
        .map(|text| (*text).to_owned())
        .collect();
    assert_eq!(bare_run(plain).await.0, 2, "plain http to another machine");
}

#[tokio::test]
async fn the_help_names_the_flows_and_the_exit_codes() {
    let (code, out, _) = bare_run(vec!["--help".to_owned()]).await;
    assert_eq!(code, 0);
    assert!(out.contains("redeem-order-timed-out") && out.contains("2 for bad arguments"));
    assert!(out.contains("The operations of version 2.5 are the least"));
}
