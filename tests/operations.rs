//! The promise: each of the 17 operations is what the interface says it is. The facts of `contract/` against the table of
//! operations, and against what is really sent over a socket, from a call of the till to the bytes on the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[allow(dead_code, reason = "the contract tests use all of it")]
#[path = "contract/facts.rs"]
mod facts;
#[path = "http/mod.rs"]
mod raw;
mod support;

use std::collections::BTreeSet;

use facts::{Extent, FACTS, example, validator};
use money_transfer_retailer::Client;
use money_transfer_retailer::model::{
    AdminMessage, CancelOrderRequest, Currency, CustomerInfoQuery, EncryptedPin,
    EncryptionParameters, ExchangeRateQuery, FeeQuoteQuery, FeeQuoteRequest, IdType, Kind,
    LookupOrderQuery, Money, Operation, OrderHistoryQuery, OrderStatus, PersonalDetails,
    RedeemOrderRequest, ReversalReason, Timestamp, UpdateOrderPinRequest, UpdateOrderStatusRequest,
};
use raw::answers::json_answer;
use raw::desk::Desk;
use raw::server::{Received, Upstream};
use serde_json::Value;
use support::{approved, order};

/// An operation as the interface has it.
#[derive(Clone, Copy)]
struct Fact {
    method: &'static str,
    path: &'static str,
    says: &'static Value,
}

fn all_facts() -> Vec<Fact> {
    let paths = FACTS["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&'static String, &'static Value)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, says)| Fact { method, path, says })
    };
    paths.iter().flat_map(of_path).collect()
}

impl Fact {
    fn named(name: &str) -> Fact {
        let mut facts = all_facts().into_iter();
        facts.find(|fact| fact.name() == name).unwrap()
    }

    /// The operation that was called.
    fn of(request: &Received) -> Fact {
        let is_it = |fact: &Fact| {
            fact.method.eq_ignore_ascii_case(request.method()) && fact.path == request.path()
        };
        let found = all_facts().into_iter().find(is_it);
        found.unwrap_or_else(|| panic!("{} is no operation", request.head))
    }

    fn name(self) -> &'static str {
        self.says["operationId"].as_str().unwrap()
    }

    fn kind(self) -> Kind {
        match self.says["x-kind"].as_str().unwrap() {
            "request" => Kind::Request,
            "advice" => Kind::Advice,
            "query" => Kind::Query,
            "update" => Kind::Update,
            unknown => panic!("{unknown} is no kind of message"),
        }
    }

    fn successes(self) -> Vec<u16> {
        let statuses = self.says["responses"].as_object().unwrap().keys();
        let statuses = statuses.filter(|status| status.starts_with('2'));
        statuses.map(|status| status.parse().unwrap()).collect()
    }

    fn parameters(self) -> BTreeSet<&'static str> {
        let parameters = self.says["parameters"].as_array().into_iter().flatten();
        parameters
            .map(|fact| fact["name"].as_str().unwrap())
            .collect()
    }

    /// The name of the schema of what is sent.
    fn request_schema(self) -> Option<&'static str> {
        schema_name(&self.says["requestBody"])
    }

    fn response_schema(self, status: u16) -> Option<&'static str> {
        schema_name(&self.says["responses"][status.to_string()])
    }
}

fn schema_name(message: &'static Value) -> Option<&'static str> {
    let reference = message["content"]["application/json"]["schema"]["$ref"].as_str()?;
    reference.rsplit('/').next()
}

#[test]
fn the_table_of_operations_says_what_the_interface_says() {
    assert_eq!(all_facts().len(), Operation::ALL.len());
    for operation in Operation::ALL {
        let fact = Fact::named(operation.name());
        assert_eq!(
            operation.method().as_str(),
            fact.method.to_uppercase(),
            "{operation}"
        );
        assert_eq!(operation.path(), fact.path, "{operation}");
        assert_eq!(operation.kind(), fact.kind(), "{operation}");
        let statuses: BTreeSet<u16> = operation.success().iter().copied().collect();
        assert_eq!(
            statuses,
            fact.successes().into_iter().collect(),
            "{operation}"
        );
        let named = |other: Option<Operation>| other.map(Operation::name);
        let by = |key: &str| fact.says[key].as_str();
        assert_eq!(
            named(operation.confirmed_by()),
            by("x-confirmed-by"),
            "{operation}"
        );
        assert_eq!(
            named(operation.reversed_by()),
            by("x-reversed-by"),
            "{operation}"
        );
    }
}

/// A documented answer: the schema's smallest example, with what has to be that of the request.
fn documented(request: &Received, status: u16) -> Vec<u8> {
    let Some(schema) = Fact::of(request).response_schema(status) else {
        return format!("HTTP/1.1 {status} Documented\r\n\r\n").into_bytes();
    };
    let mut answer = example(schema, Extent::Minimal);
    let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    for echoed in ["id", "requestId", "time", "amount"] {
        if let (Some(place), Some(value)) = (answer.get_mut(echoed), asked.get(echoed)) {
            *place = value.clone();
        }
    }
    json_answer(status, &answer)
}

/// Calls every operation with everything in it that fits, and sees that each is taken for done.
async fn call_everything(till: &Client) {
    sell_pay_out_and_cancel(till).await;
    ask_everything(till).await;
    update_everything(till).await;
}

async fn sell_pay_out_and_cancel(till: &Client) {
    let sold = approved(till.create_order(order()).await.unwrap());
    sold.confirm().await.unwrap();
    let not_sold = approved(till.create_order(order()).await.unwrap());
    not_sold.reverse(ReversalReason::Cancelled).await.unwrap();
    // Nobody waits for an earlier reversal to arrive.
    let till = till.despite_earlier_reversal();
    let paid = approved(till.redeem_order(redemption()).await.unwrap());
    paid.confirm().await.unwrap();
    let not_paid = approved(till.redeem_order(redemption()).await.unwrap());
    not_paid.reverse(ReversalReason::Cancelled).await.unwrap();
    let cancelled = approved(till.cancel_order(cancellation()).await.unwrap());
    cancelled.complete().await.unwrap();
    let restored = approved(till.cancel_order(cancellation()).await.unwrap());
    restored.reverse(ReversalReason::Cancelled).await.unwrap();
}

async fn ask_everything(till: &Client) {
    let time: Timestamp = "2026-01-31T10:30:00+02:00".parse().unwrap();
    let lookup = LookupOrderQuery::builder()
        .order_redeem_ref("1")
        .remittance_ref("2");
    till.lookup_order(lookup.build()).await.unwrap();
    let customer = CustomerInfoQuery::builder()
        .id_number("A&B=C D/1+2%")
        .id_type(IdType::Passport)
        .id_country_code("ZA");
    till.customer_info(customer.build()).await.unwrap();
    let fee = FeeQuoteQuery::builder()
        .amount(79_995)
        .amount_includes_fee(false)
        .id_number("1")
        .sender_cell("+27821234567")
        .recipient_cell("+27831234567");
    till.fee_quote(fee.build()).await.unwrap();
    let fee = FeeQuoteRequest::builder()
        .amount(Money::zar(1))
        .amount_includes_fees(true);
    till.fee_quote_by_post(fee.build()).await.unwrap();
    let rate = ExchangeRateQuery::builder()
        .from_currency(Currency::ZAR)
        .to_currency("USD".parse().unwrap());
    till.exchange_rate(rate.build()).await.unwrap();
    let history = OrderHistoryQuery::builder()
        .customer_profile_id("1")
        .from_date_time(time)
        .to_date_time(time)
        .status(OrderStatus::Redeemed)
        .payment_type("CARD")
        .payment_identifier_name("PAN")
        .payment_identifier_value("1");
    till.order_history(history.build()).await.unwrap();
}

async fn update_everything(till: &Client) {
    let details = PersonalDetails::builder().id_number("7001015009087");
    let customer = AdminMessage::builder().customer_details(details.build());
    till.create_or_update_customer(customer.build())
        .await
        .unwrap();
    let status = UpdateOrderStatusRequest::builder()
        .update_time("2026-01-31T08:30:00Z".parse().unwrap())
        .order_redeem_ref("1234567890")
        .status(OrderStatus::OnHold);
    till.update_order_status(status.build()).await.unwrap();
    let new_pin = UpdateOrderPinRequest::builder()
        .pin(pin())
        .order_redeem_ref("1234567890");
    till.update_order_pin(new_pin.build()).await.unwrap();
}

fn pin() -> EncryptedPin {
    let account = EncryptionParameters::builder().account_number("123456789012");
    EncryptedPin::builder()
        .pin_block("0123456789ABCDEF")
        .encryption_parameters(account.build())
        .build()
}

fn redemption() -> RedeemOrderRequest {
    RedeemOrderRequest::builder()
        .order_redeem_ref("1234567890")
        .amount(Money::zar(1))
        .pin(pin())
        .build()
}

fn cancellation() -> CancelOrderRequest {
    CancelOrderRequest::builder()
        .order_redeem_ref("1234567890")
        .order_redeem_ref_alt("2345678901")
        .build()
}

/// Every call of a till, as it came over the wire.
async fn everything_sent() -> Vec<Received> {
    let upstream =
        Upstream::answering(|request| documented(request, Fact::of(request).successes()[0])).await;
    let desk = Desk::open(&upstream.base_url()).await;
    call_everything(&desk.till).await;
    desk.drained().await;
    upstream.received()
}

#[tokio::test]
async fn each_call_is_sent_with_the_method_and_path_of_its_operation() {
    let sent = everything_sent().await;
    let mut names: Vec<_> = sent
        .iter()
        .map(|request| Fact::of(request).name())
        .collect();
    names.sort_unstable();
    // The three requests were made twice, once for each way that they can end.
    let mut expected: Vec<_> = Operation::ALL.map(Operation::name).to_vec();
    expected.extend(["createOrder", "redeemOrder", "cancelOrder"]);
    expected.sort_unstable();
    assert_eq!(names, expected);
    println!("{} operations on the wire", Operation::ALL.len());
}

#[tokio::test]
async fn each_decision_is_sent_as_the_advice_of_its_request() {
    let sent = everything_sent().await;
    for fact in all_facts() {
        for by in ["x-confirmed-by", "x-reversed-by"] {
            let Some(advice) = fact.says[by].as_str() else {
                continue;
            };
            let advices = sent
                .iter()
                .filter(|request| Fact::of(request).name() == advice);
            let about: Vec<_> = advices
                .map(|advice| advice.json()["requestId"].clone())
                .collect();
            let requests = sent
                .iter()
                .filter(|request| Fact::of(request).name() == fact.name());
            let ids: Vec<_> = requests
                .map(|request| request.json()["id"].clone())
                .collect();
            assert_eq!(about.len(), 1, "{advice}");
            assert!(
                ids.contains(&about[0]),
                "{advice} is not about a {}",
                fact.name()
            );
        }
    }
}

#[tokio::test]
async fn every_message_carries_credentials_and_says_that_it_speaks_json() {
    for request in everything_sent().await {
        let name = Fact::of(&request).name();
        // `1234567:password`, in base 64.
        assert_eq!(
            request.header("authorization"),
            Some("Basic MTIzNDU2NzpwYXNzd29yZA=="),
            "{name}"
        );
        assert_eq!(request.header("accept"), Some("application/json"), "{name}");
        let agent = concat!("money-transfer-retailer/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), Some(agent), "{name}");
        let has_body = request.method() != "GET";
        assert_eq!(
            request.header("content-type"),
            has_body.then_some("application/json"),
            "{name}"
        );
        let length = request.body.len().to_string();
        assert_eq!(
            request.header("content-length"),
            has_body.then_some(length.as_str()),
            "{name}"
        );
        assert_eq!(request.header("transfer-encoding"), None, "{name}");
        // A compressed answer would be unreadable, and an expectation would cost a round trip.
        assert_eq!(request.header("accept-encoding"), None, "{name}");
        assert_eq!(request.header("expect"), None, "{name}");
        assert!(
            request.head.lines().next().unwrap().ends_with(" HTTP/1.1"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn every_body_on_the_wire_obeys_the_schema_of_its_operation() {
    for request in everything_sent().await {
        let fact = Fact::of(&request);
        let Some(schema) = fact.request_schema() else {
            assert!(request.body.is_empty(), "{} has a body", fact.name());
            continue;
        };
        let errors: Vec<_> = validator(schema)
            .iter_errors(&request.json())
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", fact.name());
        let text = std::str::from_utf8(&request.body).unwrap();
        assert!(!text.contains("null"), "{}: {text}", fact.name());
    }
}

#[tokio::test]
async fn every_query_parameter_reaches_the_wire_once_and_unharmed() {
    for request in everything_sent().await {
        let fact = Fact::of(&request);
        let spoken = request.parameters();
        let names: BTreeSet<_> = spoken.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, fact.parameters(), "{}", fact.name());
        assert_eq!(names.len(), spoken.len(), "{}", fact.name());
        let said = |name: &str| {
            spoken
                .iter()
                .find(|(spoken, _)| spoken == name)
                .unwrap()
                .1
                .clone()
        };
        match fact.name() {
            "getCustomerInfo" => assert_eq!(said("idNumber"), "A&B=C D/1+2%"),
            "getFeeQuote" => assert_eq!(said("senderCell"), "+27821234567"),
            "getCustomerOrderHistory" => {
                assert_eq!(said("fromDateTime"), "2026-01-31T10:30:00.000+02:00");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_documented_success_is_a_success() {
    let upstream = Upstream::answering(|request| {
        documented(request, *Fact::of(request).successes().last().unwrap())
    })
    .await;
    let desk = Desk::open(&upstream.base_url()).await;
    call_everything(&desk.till).await;
    desk.drained().await;
    assert!(desk.till.advices().rejected().unwrap().is_empty());
    // The only operation with two of them; the first one is what all other tests here are answered with.
    let two = |fact: &Fact| fact.successes().len() > 1;
    let names: Vec<_> = all_facts()
        .into_iter()
        .filter(two)
        .map(Fact::name)
        .collect();
    assert_eq!(names, ["cancelOrderReversal"]);
}
