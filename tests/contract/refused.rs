//! A query with a parameter that the interface would refuse is not sent.

use std::time::Duration;

use money_transfer_retailer::model::*;
use money_transfer_retailer::{Client, QueryError};
use serde_json::json;

use crate::boundaries::edges;
use crate::facts::{FACTS, resolve};
use crate::support::Shop;

/// Asks with this text as the value of one parameter, all others being right.
async fn ask(
    till: &Client,
    operation: &str,
    parameter: &str,
    text: &str,
) -> Result<(), QueryError> {
    match operation {
        "lookupOrder" => look_up(till, parameter, text).await,
        "getCustomerInfo" => ask_for_customer(till, parameter, text).await,
        "getFeeQuote" => ask_for_fee(till, parameter, text).await,
        "getExchangeRate" => ask_for_rate(till, parameter, text).await,
        "getCustomerOrderHistory" => ask_for_history(till, parameter, text).await,
        unknown => panic!("{unknown} has no query here"),
    }
}

async fn look_up(till: &Client, parameter: &str, text: &str) -> Result<(), QueryError> {
    let mut query = LookupOrderQuery::builder().order_redeem_ref("1").build();
    match parameter {
        "merchantId" => query.merchant_id = Some(text.to_owned()),
        "receiverId" => query.receiver_id = Some(text.to_owned()),
        unknown => panic!("{unknown} is not set here"),
    }
    till.lookup_order(query).await.map(drop)
}

async fn ask_for_customer(till: &Client, parameter: &str, text: &str) -> Result<(), QueryError> {
    let mut query = CustomerInfoQuery::builder().id_number("1").build();
    match parameter {
        "idNumber" => query.id_number = text.into(),
        "idCountryCode" => query.id_country_code = Some(text.to_owned()),
        "merchantId" => query.merchant_id = Some(text.to_owned()),
        "receiverId" => query.receiver_id = Some(text.to_owned()),
        unknown => panic!("{unknown} is not set here"),
    }
    till.customer_info(query).await.map(drop)
}

async fn ask_for_fee(till: &Client, parameter: &str, text: &str) -> Result<(), QueryError> {
    let mut query = FeeQuoteQuery::builder()
        .amount(1)
        .amount_includes_fee(true)
        .build();
    match parameter {
        "amount" => query.amount = text.parse().unwrap(),
        "merchantId" => query.merchant_id = Some(text.to_owned()),
        "originatorInstId" => query.originator_inst_id = Some(text.to_owned()),
        "receiverId" => query.receiver_id = Some(text.to_owned()),
        unknown => panic!("{unknown} is not set here"),
    }
    till.fee_quote(query).await.map(drop)
}

async fn ask_for_rate(till: &Client, parameter: &str, text: &str) -> Result<(), QueryError> {
    let mut query = ExchangeRateQuery::builder()
        .from_currency(Currency::ZAR)
        .to_currency(Currency::ZAR)
        .build();
    // What a till reads from its own configuration.
    let currency = serde_json::from_value(json!(text)).unwrap();
    match parameter {
        "fromCurrency" => query.from_currency = currency,
        "toCurrency" => query.to_currency = currency,
        unknown => panic!("{unknown} is not set here"),
    }
    till.exchange_rate(query).await.map(drop)
}

async fn ask_for_history(till: &Client, parameter: &str, text: &str) -> Result<(), QueryError> {
    let mut query = OrderHistoryQuery::builder()
        .customer_profile_id("1")
        .build();
    match parameter {
        "customerProfileId" => query.customer_profile_id = text.to_owned(),
        "merchantId" => query.merchant_id = Some(text.to_owned()),
        "receiverId" => query.receiver_id = Some(text.to_owned()),
        unknown => panic!("{unknown} is not set here"),
    }
    till.order_history(query).await.map(drop)
}

/// A value of a query parameter, and whether the interface allows it.
struct Value {
    operation: &'static str,
    parameter: &'static str,
    text: String,
    is_allowed: bool,
}

/// Every parameter that has a constraint, with the values at its edges.
fn values() -> Vec<Value> {
    let paths = FACTS["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut found = Vec::new();
    for operation in operations {
        for fact in operation["parameters"].as_array().into_iter().flatten() {
            let (allowed, refused) = at_the_edges(fact);
            let texts = allowed.into_iter().map(|text| (text, true));
            let texts = texts.chain(refused.into_iter().map(|text| (text, false)));
            found.extend(texts.map(|(text, is_allowed)| Value {
                operation: operation["operationId"].as_str().unwrap(),
                parameter: fact["name"].as_str().unwrap(),
                text,
                is_allowed,
            }));
        }
    }
    found
}

fn at_the_edges(fact: &'static serde_json::Value) -> (Vec<String>, Vec<String>) {
    let schema = resolve(&fact["schema"]);
    if let Some(edges) = edges(schema) {
        return (edges.allowed, edges.refused);
    }
    if schema["minimum"] == 0 {
        let texts = |numbers: [i64; 2]| numbers.map(|number| number.to_string()).to_vec();
        return (texts([0, i64::MAX]), texts([-1, i64::MIN]));
    }
    match fact["required"] == true && schema["type"] == "string" {
        true => (vec!["1".to_owned()], vec![String::new()]),
        false => (vec![], vec![]),
    }
}

#[tokio::test]
async fn every_parameter_at_an_edge_is_sent_and_beyond_it_is_refused_before_sending() {
    let shop = Shop::open().await;
    let till = shop.till.with_deadline(Duration::from_secs(20));
    let (mut sent, mut refused) = (0, 0);
    for value in values() {
        let asked = ask(&till, value.operation, value.parameter, &value.text).await;
        let told = format!("{} {} {:?}", value.operation, value.parameter, value.text);
        match asked {
            Err(QueryError::Invalid { source, .. }) => {
                let paths: Vec<&str> = source.iter().map(Violation::path).collect();
                assert!(!value.is_allowed, "{told}");
                assert_eq!(paths, [value.parameter], "{told}");
                refused += 1;
            }
            // Whatever the upstream says to it.
            _ => {
                assert!(value.is_allowed, "{told}");
                sent += 1;
            }
        }
    }
    println!("{sent} values of parameters were sent, {refused} were refused");
    assert_eq!(shop.upstream.book().messages().count(), sent);
    assert!(sent >= 25 && refused >= 35, "only {sent} and {refused}");
}
