//! What the simulator promises of bodies: each member that the interface has is looked at as the interface has it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[allow(dead_code, reason = "the contract tests use all of it")]
#[path = "contract/facts.rs"]
mod facts;
#[path = "simulator/till.rs"]
mod till;

use facts::{Extent, FACTS, example, places, schemas};
use money_transfer_retailer::simulator::Operation;
use reqwest::Method;
use serde_json::{Value, json};
use till::{Answer, Till, answer, with_json};

/// The operations with a body, each with the name of its schema.
fn with_body() -> Vec<(Operation, &'static str)> {
    let schema_of = |operation: Operation| {
        let method = operation.method().as_str().to_lowercase();
        let body = &FACTS["paths"][operation.path()][method]["requestBody"];
        let reference = body["content"]["application/json"]["schema"]["$ref"].as_str()?;
        Some((operation, reference.rsplit('/').next()?))
    };
    Operation::ALL.into_iter().filter_map(schema_of).collect()
}

async fn send(till: &Till, operation: Operation, message: &Value) -> Answer {
    let request = till.request(operation.method(), operation.path());
    answer(with_json(request, message)).await.unwrap()
}

/// What no reader takes for a value of this schema.
fn unfit(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("array") => json!({}),
        Some("string") | None => json!([]),
        Some("integer") => json!(1.5),
        _ => json!("neither a number nor a flag"),
    }
}

#[tokio::test]
async fn every_required_member_is_missed_by_its_path() {
    let till = Till::open().await;
    let mut missed = 0;
    for (operation, schema) in with_body() {
        let full = example(schema, Extent::Full);
        let places = places(&schemas()[schema]);
        for place in places.iter().filter(|place| place.is_required) {
            let mut message = full.clone();
            *message.pointer_mut(&place.pointer).unwrap() = Value::Null;
            let refused = send(&till, operation, &message).await;
            assert_eq!(
                refused.error(),
                (400, "FORMAT_ERROR"),
                "{operation}: {}",
                place.path
            );
            let expected = json!([format!("{} may not be null", place.path)]);
            assert_eq!(refused.json["detailMessage"], expected, "{operation}");
            missed += 1;
        }
    }
    println!("{missed} required members");
    assert!(missed > 100, "only {missed}");
}

#[tokio::test]
async fn every_optional_member_may_be_missing() {
    let till = Till::open().await;
    for (operation, schema) in with_body() {
        let full = example(schema, Extent::Full);
        let places = places(&schemas()[schema]);
        for place in places.iter().filter(|place| !place.is_required) {
            let mut message = full.clone();
            *message.pointer_mut(&place.pointer).unwrap() = Value::Null;
            let answer = send(&till, operation, &message).await;
            let is_needed = NEEDED.contains(&(operation, place.path.as_str()));
            let is_missed = answer.error() == (400, "FORMAT_ERROR");
            assert_eq!(is_missed, is_needed, "{operation}: {}", place.path);
        }
    }
}

/// What the rules of an operation need although its shape does not: by the interface it may be missing, and the
/// provider's server breaks without it. createOrUpdateCustomer goes by the identity number alone.
const NEEDED: [(Operation, &str); 8] = [
    (Operation::CreateOrder, "newCustomer"),
    (Operation::CreateOrder, "receiver"),
    (Operation::CreateOrder, "settlementEntity"),
    (Operation::CreateOrder, "senderDetails.idNumber"),
    (Operation::RedeemOrder, "amount"),
    (Operation::RedeemOrder, "pin"),
    (Operation::CreateOrUpdateCustomer, "customerDetails"),
    (
        Operation::CreateOrUpdateCustomer,
        "customerDetails.idNumber",
    ),
];

#[tokio::test]
async fn every_member_of_another_kind_is_a_400_in_plain_text() {
    let till = Till::open().await;
    let mut unread = 0;
    for (operation, schema) in with_body() {
        let full = example(schema, Extent::Full);
        let places = places(&schemas()[schema]);
        for place in places {
            let mut message = full.clone();
            *message.pointer_mut(&place.pointer).unwrap() = unfit(place.schema);
            let refused = send(&till, operation, &message).await;
            let seen = (refused.status, refused.content_type.as_str());
            assert_eq!(seen, (400, "text/plain"), "{operation}: {}", place.path);
            unread += 1;
        }
    }
    println!("{unread} members of another kind");
    assert!(unread > 300, "only {unread}");
}

/// What the provider's server does without, although the interface requires it.
const DONE_WITHOUT: [(Operation, &str); 2] = [
    (Operation::LookupOrder, "receiverId"),
    (Operation::GetCustomerInfo, "receiverId"),
];

/// A value that the simulator can read, for each parameter that is required somewhere.
fn value_of(parameter: &str) -> &'static str {
    match parameter {
        "amount" => "100",
        "amountIncludesFee" => "true",
        "fromCurrency" | "toCurrency" => "710",
        _ => "9",
    }
}

/// The queries, each with the parameters that it needs.
fn queries() -> Vec<(Operation, Vec<&'static str>)> {
    let required_by = |operation: Operation| {
        let parameters = &FACTS["paths"][operation.path()]["get"]["parameters"];
        let parameters = parameters.as_array().unwrap().iter();
        let required = parameters.filter(|parameter| parameter["required"] == true);
        let names = required.map(|parameter| parameter["name"].as_str().unwrap());
        let mut names: Vec<&str> = names.collect();
        if operation == Operation::LookupOrder {
            // Demanded by the provider's server, not by the interface.
            names.push("orderRedeemRef");
        }
        (operation, names)
    };
    let queries = Operation::ALL.into_iter();
    let queries = queries.filter(|operation| operation.method() == Method::GET);
    queries.map(required_by).collect()
}

async fn ask(till: &Till, operation: Operation, names: &[&str]) -> Answer {
    let pairs = names
        .iter()
        .map(|name| format!("{name}={}", value_of(name)));
    let query = pairs.collect::<Vec<_>>().join("&");
    till.get(&format!("{}?{query}", operation.path())).await
}

#[tokio::test]
async fn every_required_parameter_is_missed_by_its_name() {
    let till = Till::open().await;
    let mut missed = 0;
    for (operation, names) in queries() {
        let whole = ask(&till, operation, &names).await;
        assert_ne!(whole.error(), (400, "FORMAT_ERROR"), "{operation}");
        for name in &names {
            let mut others = names.clone();
            others.retain(|other| other != name);
            let refused = ask(&till, operation, &others).await;
            if DONE_WITHOUT.contains(&(operation, name)) {
                assert_eq!(refused.error(), whole.error(), "{operation}: {name}");
                continue;
            }
            assert_eq!(refused.error(), (400, "FORMAT_ERROR"), "{operation}");
            let expected = json!([format!("{name} may not be null")]);
            assert_eq!(refused.json["detailMessage"], expected, "{operation}");
            missed += 1;
        }
    }
    println!("{missed} required parameters");
    assert_eq!(missed, 10);
}

#[tokio::test]
async fn a_query_without_any_parameter_is_told_all_that_it_lacks() {
    let till = Till::open().await;
    let refused = till.get("/admin/fees").await;
    let lacking = [
        "amount may not be null",
        "amountIncludesFee may not be null",
        "originatorInstId may not be null",
        "receiverId may not be null",
    ];
    assert_eq!(refused.json["detailMessage"], json!(lacking));
}

#[tokio::test]
async fn a_number_beyond_64_bits_is_no_amount() {
    let till = Till::open().await;
    let mut order = till.order(1);
    order["amount"]["amount"] = json!(9_223_372_036_854_775_808_u64);
    let refused = till.post("/orders", &order).await;
    assert_eq!(
        (refused.status, refused.content_type.as_str()),
        (400, "text/plain")
    );
    order["amount"]["amount"] = json!(i64::MAX);
    let refused = till.post("/orders", &order).await;
    assert_eq!(refused.error(), (400, "MONTHLY_LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn an_order_has_a_location_whatever_its_id_is() {
    let till = Till::open().await;
    for (id, segment) in [
        (
            "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b",
            "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b",
        ),
        ("a b/ünïque?#", "a%20b%2F%C3%BCn%C3%AFque%3F%23"),
    ] {
        let mut order = till.order(1);
        order["id"] = json!(id);
        let approved = till.post("/orders", &order).await;
        assert_eq!((approved.status, &approved.json["id"]), (201, &json!(id)));
        let expected = format!("{}/orders/{segment}", till.simulator.base_url());
        assert_eq!(approved.headers["location"], expected.as_str());
    }
}
