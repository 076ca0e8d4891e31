//! The parameters of every query bear the names and obey the constraints of the interface.

use std::collections::BTreeSet;

use money_transfer_retailer::model::*;
use serde_json::{Value, json};

use crate::facts::FACTS;

struct Query {
    operation: &'static str,
    full: Vec<(&'static str, Sensitive)>,
    /// The paths that the check complains of when nothing is given but what the compiler demands.
    demanded: Vec<String>,
}

pub(crate) fn defaults() -> Defaults {
    let merchant_name = MerchantName::builder()
        .name("Shop")
        .city("Cape Town")
        .region("WC")
        .country("ZA")
        .build();
    let merchant = Merchant::builder()
        .merchant_type("5411")
        .merchant_id("123456789012345")
        .merchant_name(merchant_name)
        .build();
    let originator = Originator::builder()
        .institution(Institution::new("retailer", "Retailer"))
        .terminal_id("12345678")
        .merchant(merchant)
        .build();
    Defaults::builder()
        .originator(originator)
        .client(Institution::new("retailer", "Retailer"))
        .receiver(Institution::new("provider", "Provider"))
        .settlement_entity(Institution::new("settler", "Settler"))
        .build()
}

fn demanded(query: &impl Check) -> Vec<String> {
    let violations = query.check().err().into_iter().flatten();
    violations
        .map(|violation| violation.path().to_owned())
        .collect()
}

/// Checks before and after filling in the defaults, and takes the parameters.
macro_rules! query {
    ($operation:literal, $least:expr, $full:expr) => {{
        let mut full = $full;
        full.fill(&defaults());
        assert_eq!(full.check(), Ok(()), $operation);
        Query {
            operation: $operation,
            full: full.to_query_pairs(),
            demanded: demanded(&$least),
        }
    }};
}

fn queries() -> Vec<Query> {
    let time: Timestamp = "2026-01-31T10:30:00+02:00".parse().unwrap();
    vec![
        query!(
            "lookupOrder",
            LookupOrderQuery::default(),
            LookupOrderQuery::builder()
                .order_redeem_ref("1")
                .remittance_ref("2")
                .build()
        ),
        query!(
            "getCustomerInfo",
            CustomerInfoQuery::builder().id_number("").build(),
            CustomerInfoQuery::builder()
                .id_number("1")
                .id_type(IdType::Passport)
                .id_country_code("ZA")
                .build()
        ),
        query!(
            "getFeeQuote",
            FeeQuoteQuery::builder()
                .amount(-1)
                .amount_includes_fee(true)
                .build(),
            FeeQuoteQuery::builder()
                .amount(79_995)
                .amount_includes_fee(false)
                .id_number("1")
                .sender_cell("+2782")
                .recipient_cell("+2783")
                .build()
        ),
        query!(
            "getExchangeRate",
            ExchangeRateQuery::builder()
                .from_currency(no_currency())
                .to_currency(no_currency())
                .build(),
            ExchangeRateQuery::builder()
                .from_currency(Currency::ZAR)
                .to_currency("USD".parse().unwrap())
                .build()
        ),
        query!(
            "getCustomerOrderHistory",
            OrderHistoryQuery::builder().customer_profile_id("").build(),
            OrderHistoryQuery::builder()
                .customer_profile_id("1")
                .from_date_time(time)
                .to_date_time(time)
                .status(OrderStatus::Redeemed)
                .payment_type("CARD")
                .payment_identifier_name("PAN")
                .payment_identifier_value("1")
                .build()
        ),
    ]
}

fn no_currency() -> Currency {
    serde_json::from_value(json!("")).unwrap()
}

fn parameters(operation: &str) -> Vec<&'static Value> {
    let operations = FACTS["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let found = operations
        .into_iter()
        .find(|candidate| candidate["operationId"] == operation)
        .unwrap();
    found["parameters"].as_array().unwrap().iter().collect()
}

#[test]
fn every_query_parameter_of_the_interface_is_spoken_and_no_other() {
    let mut count = 0;
    for query in queries() {
        let expected: BTreeSet<_> = parameters(query.operation)
            .iter()
            .map(|p| p["name"].as_str().unwrap())
            .collect();
        let spoken: BTreeSet<_> = query.full.iter().map(|(name, _)| *name).collect();
        assert_eq!(spoken, expected, "{}", query.operation);
        assert_eq!(query.full.len(), expected.len(), "{}", query.operation);
        count += expected.len();
    }
    println!("{count} query parameters");
}

#[test]
fn every_operation_with_parameters_has_a_query() {
    let operations = FACTS["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let with_parameters = operations.filter(|operation| operation["parameters"].is_array());
    let expected: BTreeSet<_> = with_parameters
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(
        queries()
            .iter()
            .map(|query| query.operation)
            .collect::<BTreeSet<_>>(),
        expected
    );
}

#[test]
fn the_values_of_query_parameters_obey_the_interface() {
    for query in queries() {
        for parameter in parameters(query.operation) {
            let name = parameter["name"].as_str().unwrap();
            let text = query
                .full
                .iter()
                .find(|(spoken, _)| *spoken == name)
                .unwrap()
                .1
                .expose();
            let value = match parameter["schema"]["type"].as_str() {
                Some("integer" | "boolean") => serde_json::from_str(text).unwrap(),
                _ => json!(text),
            };
            let mut schema = parameter["schema"].clone();
            schema["components"] = FACTS["components"].clone();
            assert!(
                jsonschema::is_valid(&schema, &value),
                "{} {name}",
                query.operation
            );
        }
    }
}

#[test]
fn a_query_without_a_required_parameter_does_not_pass() {
    for query in queries() {
        let required = parameters(query.operation)
            .into_iter()
            .filter(|p| p["required"] == true);
        // The compiler demands a truth value.
        for name in required
            .map(|p| p["name"].as_str().unwrap())
            .filter(|name| *name != "amountIncludesFee")
        {
            assert!(
                query.demanded.iter().any(|path| path == name),
                "{} {name}",
                query.operation
            );
        }
    }
}

#[test]
fn what_a_query_says_itself_wins_over_the_defaults() {
    let mut query = LookupOrderQuery::builder()
        .order_redeem_ref("1")
        .receiver_id("other")
        .build();
    query.fill(&defaults());
    assert_eq!(query.receiver_id.as_deref(), Some("other"));
    assert_eq!(query.merchant_id.as_deref(), Some("123456789012345"));
}

#[test]
fn a_lookup_needs_a_reference_and_a_history_by_payment_type_needs_the_payment() {
    let lookup = LookupOrderQuery::builder().receiver_id("1").build();
    assert_eq!(demanded(&lookup), ["orderRedeemRef"]);
    let history = OrderHistoryQuery::builder()
        .customer_profile_id("1")
        .receiver_id("1")
        .payment_type("CARD")
        .build();
    assert_eq!(
        demanded(&history),
        ["paymentIdentifierName", "paymentIdentifierValue"]
    );
}
